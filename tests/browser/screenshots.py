"""The pictures in docs/screenshots, made from the real thing: `make screenshots` runs this file.

Not a test: pytest collects it only when it is named.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from django.conf import settings as live_settings
from playwright.sync_api import Page, expect
from pymilvus import DataType, MilvusClient

from collections_app import clusters
from collections_app.milvus.types import Cluster
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds

from .conftest import act_button, name_field, settled, the_dialog

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = Path(live_settings.BASE_DIR) / "docs" / "screenshots"
LARGEST = 300_000
SIZES = ((1440, 900), (390, 844))
SCHEMES = ("light", "dark")
DATABASE = "search"
LIST = f"/clusters/prod/collections/?database={DATABASE}"
COLLECTION = f"/clusters/prod/collection/?database={DATABASE}&name=article_embeddings_v7"
DIM = 8

# name: rows by partition, description, loaded, aliases
LIBRARY: dict[str, tuple[dict[str, int], str, bool, tuple[str, ...]]] = {
    "article_embeddings_v7": (
        {"_default": 0, "y2024": 5_200, "y2025": 9_400, "y2026": 3_900},
        "What the search of the site reads",
        True,
        ("articles", "articles_live"),
    ),
    "article_embeddings_v6": ({"_default": 14_800}, "Until v7 has proved itself", False, ()),
    "article_embeddings_v5": ({"_default": 0}, "", False, ()),
    "billing_disputes": ({"_default": 2_310}, "", False, ()),
    "book": ({"_default": 0, "essay": 640, "novel": 1_870, "poem": 255}, "", True, ("books",)),
    "customized_setup_2": ({"_default": 0}, "", False, ()),
    "faces_2024_q1_reindex_attempt_do_not_use": ({"_default": 412}, "", False, ()),
    "image_search": ({"_default": 7_300}, "", True, ("images",)),
    "product_titles_multilingual": ({"_default": 11_200}, "", True, ()),
    "quick_setup_test": ({"_default": 0}, "", False, ()),
    "support_tickets": ({"_default": 3_075}, "", True, ()),
    "user_profiles": ({"_default": 980}, "", False, ("profiles",)),
}


def build(client: MilvusClient, name: str) -> None:
    """One collection of the library, with believable fields and rows."""
    rows, description, loaded, aliases = LIBRARY[name]
    schema = client.create_schema(enable_dynamic_field=True, description=description)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("title", DataType.VARCHAR, max_length=200)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIM, description="all-MiniLM-L6-v2")
    index = client.prepare_index_params()
    index.add_index("embedding", index_type="HNSW", metric_type="COSINE", M=16, efConstruction=200)
    client.create_collection(name, schema=schema, index_params=None)
    for partition, count in rows.items():
        if partition != "_default":
            client.create_partition(name, partition)
        if count:
            client.insert(name, [row(n) for n in range(count)], partition_name=partition)
    if any(rows.values()):
        client.flush(name)
    client.create_index(name, index)
    if loaded:
        client.load_collection(name)
    for alias in aliases:
        client.create_alias(name, alias)


def row(number: int) -> dict[str, Any]:
    vector = [((number * 7 + place * 13) % 97) / 97 + 0.01 for place in range(DIM)]
    return {"id": number, "title": f"Article {number}", "embedding": vector}


@pytest.fixture
def library(milvus_server: MilvusServer, make_collection: Seeds) -> None:
    """A database of its own, gone afterwards."""
    make_collection.database(DATABASE)
    client = milvus_server.client(DATABASE)
    for name in LIBRARY:
        make_collection._collections.append((DATABASE, name))
        build(client, name)
        for alias in LIBRARY[name][3]:
            make_collection._aliases.append((DATABASE, alias))


@pytest.fixture
def production(settings: Any, chain: Chain, library: None) -> None:
    """The cluster as people see it: its address is never in a picture."""
    cluster = Cluster(key="prod", label="Production", uri=chain.uri, token=chain.token, color="red")
    settings.CLUSTERS = {cluster.key: cluster}


@pytest.fixture
def ada(people: dict[str, Any], browse: Callable[..., Page], production: None) -> Page:
    """Ada Osei, who may drop and read the log."""
    from django.contrib.auth.models import Group

    people["operator"].first_name, people["operator"].last_name = "Ada", "Osei"
    people["operator"].save()
    people["operator"].groups.add(Group.objects.get(name="auditor"))
    people["other"].first_name, people["other"].last_name = "Tomás", "Reyes"
    people["other"].save()
    return browse("operator")


def drop(page: Page, name: str, reason: str, typed: str = "") -> None:
    """By the page, as people do."""
    settled(page, LIST)
    page.get_by_role("link", name=f"Drop {name}…").click()
    name_field(the_dialog(page)).fill(typed or name)
    the_dialog(page).get_by_label("Reason").fill(reason)
    act_button(the_dialog(page)).click()


def drop_partition(page: Page, collection: str, name: str, reason: str) -> None:
    settled(page, f"/clusters/prod/collection/?database={DATABASE}&name={collection}")
    page.get_by_role("link", name=f"Drop partition {name}…").click()
    dialog = the_dialog(page)
    dialog.get_by_role("link", name="Release partition…").click()
    expect(dialog).to_contain_text("Release partition")
    name_field(dialog).fill(name)
    act_button(dialog, "Release").click()
    expect(dialog).to_contain_text("Drop partition")
    name_field(dialog).fill(name)
    dialog.get_by_label("Reason").fill(reason)
    act_button(dialog).click()
    expect(page.get_by_text("Verified: it no longer exists")).to_be_visible()


def shoot(page: Page, name: str) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            target = FOLDER / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=target, animations="disabled", caret="hide")
            assert target.stat().st_size < LARGEST, target
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})


def test_screenshots(ada: Page, browse: Callable[..., Page], chain: Chain) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    settled(ada, LIST)
    shoot(ada, "list")
    _dialogs(ada)
    settled(ada, LIST)
    _history(ada, browse("other"), chain)
    settled(ada, COLLECTION)
    shoot(ada, "collection")
    ada.goto("/audit/")
    shoot(ada, "audit")
    clusters._open.cache_clear()


def _dialogs(page: Page) -> None:
    page.get_by_role("link", name="Drop article_embeddings_v6…").click()
    name_field(the_dialog(page)).fill("article_embeddings_v")
    the_dialog(page).get_by_label("Reason").fill("v7 has proved itself, SEARCH-1182")
    name_field(the_dialog(page)).focus()
    shoot(page, "dialog")
    page.keyboard.press("Escape")


def _history(ada: Page, tomas: Page, chain: Chain) -> None:
    """What the log tells: successes, a refusal, and a drop that nobody knows the outcome of."""
    drop(tomas, "customized_setup_2", "A tutorial's leftover")
    expect(tomas.get_by_text("Verified: it no longer exists")).to_be_visible()
    drop_partition(tomas, "book", "poem", "Moved to its own collection")
    drop_partition(ada, "article_embeddings_v7", "y2024", "Older than two years, SEARCH-1175")
    chain.relay.fail("DropCollection", grpc.StatusCode.PERMISSION_DENIED, "permission deny")
    drop(tomas, "billing_disputes", "Nobody reads it?")
    expect(tomas.get_by_role("status")).to_have_text("Refused")
    chain.relay.forward("DropCollection")
    drop(ada, "article_embeddings_v6", "v7 has proved itself, SEARCH-1182")
    ada.get_by_role("link", name="View operation").click()
    shoot(ada, "operation")
    chain.relay.fail("DropCollection", grpc.StatusCode.UNAVAILABLE, "Socket closed")
    drop(ada, "faces_2024_q1_reindex_attempt_do_not_use", "As its name says")
    expect(ada.get_by_text("Milvus has not confirmed this")).to_be_visible()
    shoot(ada, "unknown")
