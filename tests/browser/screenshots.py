"""The pictures in docs/screenshots, made from the real thing: `make screenshots` runs this file.

Not a test: pytest collects it only when it is named. Data, ids and clocks are the same in each run,
so a picture changes only when its page does.
"""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from django.conf import settings as live_settings
from django.contrib.auth.models import Group
from django.core.management import call_command
from playwright.sync_api import Page, expect
from pymilvus import DataType, MilvusClient
from pymilvus.grpc_gen import milvus_pb2 as pb
from pymilvus.grpc_gen import milvus_pb2_grpc

from collections_app import clusters
from collections_app.health import heartbeat
from collections_app.milvus.types import Cluster
from collections_app.models import BinItem
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Relay
from tests.infra.seeds import Seeds

from .conftest import act_button, name_field, settled, the_dialog
from .steady import REAL_TIME, Clock, Renumbered, Uuids, timestamp

pytestmark = pytest.mark.django_db(transaction=True)

FOLDER = Path(live_settings.BASE_DIR) / "docs" / "screenshots"
LARGEST = 300_000
SIZES = ((1440, 900), (390, 844))
SCHEMES = ("light", "dark")
DATABASE = "search"
IN_DATABASE = f"?database={DATABASE}"
LIST = f"/clusters/prod/collections/{IN_DATABASE}"
COLLECTION = f"/clusters/prod/collection/{IN_DATABASE}&name=article_embeddings_v7"
DIM = 8
WEEK = 7 * 86400.0
MOVED = {"quick_setup_test": "A test", "article_embeddings_v5": "v7 has proved itself"}
TODAY = datetime(2026, 3, 10, 9, 12, tzinfo=UTC)
EARLIER = {27: 2, 21: 1, 20: 3, 14: 1, 13: 2, 8: 1, 6: 4, 2: 1}  # drops by days ago


@dataclass(frozen=True)
class Made:
    """A collection of the library. `rows` are by partition."""

    days_old: int
    rows: dict[str, int] = field(default_factory=lambda: {"_default": 0})
    description: str = ""
    loaded: bool = False
    aliases: tuple[str, ...] = ()


LIBRARY = {
    "article_embeddings_v7": Made(
        41,
        {"_default": 0, "y2024": 5_200, "y2025": 9_400, "y2026": 3_900},
        "What the search of the site reads",
        loaded=True,
        aliases=("articles", "articles_live"),
    ),
    "article_embeddings_v6": Made(163, {"_default": 14_800}, "Until v7 has proved itself"),
    "article_embeddings_v5": Made(344),
    "billing_disputes": Made(97, {"_default": 2_310}),
    "book": Made(
        512,
        {"_default": 0, "essay": 640, "novel": 1_870, "poem": 255},
        loaded=True,
        aliases=("books",),
    ),
    "customized_setup_2": Made(19),
    "faces_2024_q1_reindex_attempt_do_not_use": Made(731, {"_default": 412}),
    "image_search": Made(228, {"_default": 7_300}, loaded=True, aliases=("images",)),
    "product_titles_multilingual": Made(60, {"_default": 11_200}, loaded=True),
    "quick_setup_test": Made(5),
    "support_tickets": Made(130, {"_default": 3_075}, loaded=True),
    "user_profiles": Made(402, {"_default": 980}, aliases=("profiles",)),
}
TEMPORARY = {f"tmp_reindex_{number:02}": Made(30) for number in range(sum(EARLIER.values()))}


# --- Milvus ---------------------------------------------------------------------------------------


def build(client: MilvusClient, name: str, made: Made) -> None:
    """One collection of the library, with believable fields and rows."""
    schema = client.create_schema(enable_dynamic_field=True, description=made.description)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("title", DataType.VARCHAR, max_length=200)
    schema.add_field("embedding", DataType.FLOAT_VECTOR, dim=DIM, description="all-MiniLM-L6-v2")
    index = client.prepare_index_params()
    index.add_index("embedding", index_type="HNSW", metric_type="COSINE", M=16, efConstruction=200)
    client.create_collection(name, schema=schema, index_params=None)
    for partition, count in made.rows.items():
        if partition != "_default":
            client.create_partition(name, partition)
        if count:
            client.insert(name, [row(n) for n in range(count)], partition_name=partition)
    if any(made.rows.values()):
        client.flush(name)
    client.create_index(name, index)
    if made.loaded:
        client.load_collection(name)
    for alias in made.aliases:
        client.create_alias(name, alias)


def row(number: int) -> dict[str, Any]:
    vector = [((number * 7 + place * 13) % 97) / 97 + 0.01 for place in range(DIM)]
    return {"id": number, "title": f"Article {number}", "embedding": vector}


@pytest.fixture
def library(milvus_server: MilvusServer, make_collection: Seeds) -> None:
    """A database of its own, gone afterwards."""
    make_collection.database(DATABASE)
    client = milvus_server.client(DATABASE)
    for name, made in {**LIBRARY, **TEMPORARY}.items():
        make_collection.renamed(name, DATABASE)
        build(client, name, made)
        for alias in made.aliases:
            make_collection._aliases.append((DATABASE, alias))


@pytest.fixture
def relay(milvus_server: MilvusServer, library: None) -> Iterator[Relay]:
    """Before Milvus: its collections are as old as the library says, and have ids to match."""
    skin = Renumbered()
    _renumber(milvus_server, skin)
    with Relay(milvus_server.address, skin=skin) as made:
        yield made


def _renumber(server: MilvusServer, skin: Renumbered) -> None:
    token = base64.b64encode(server.token.encode())
    about = {"metadata": (("authorization", token), ("dbname", DATABASE.encode())), "timeout": 10}
    with grpc.insecure_channel(server.address, [("grpc.enable_http_proxy", 0)]) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        for place, (name, made) in enumerate({**LIBRARY, **TEMPORARY}.items()):
            number = timestamp(TODAY - timedelta(days=made.days_old, minutes=17 * place))
            collection = stub.DescribeCollection(
                pb.DescribeCollectionRequest(collection_name=name, db_name=DATABASE), **about
            )
            partitions = stub.ShowPartitions(
                pb.ShowPartitionsRequest(collection_name=name, db_name=DATABASE), **about
            )
            _give(skin, number, collection, partitions)


def _give(skin: Renumbered, number: int, collection: Any, partitions: Any) -> None:
    ids = [collection.collectionID, *partitions.partitionIDs]
    skin.give(ids, [number + 5 + place for place in range(len(ids))])
    hybrid = {collection.created_timestamp, *partitions.created_timestamps}
    skin.give(sorted(hybrid), [number + (place << 18) for place in range(len(hybrid))])
    utc = {collection.created_utc_timestamp, *partitions.created_utc_timestamps}
    skin.give(sorted(utc), [(number >> 18) + place for place in range(len(utc))])


# --- people and time ------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """All clocks of this process but that of gRPC's deadlines; and the application's random ids."""
    for module in ("_channel", "_common", "_server"):
        monkeypatch.setattr(f"grpc.{module}.time", REAL_TIME)
    with Clock(TODAY) as made:
        for module in ("operations.sending", "web.overview"):
            monkeypatch.setattr(f"collections_app.{module}.time", made)
        monkeypatch.setattr("collections_app.operations.deadlines._uptime", made.monotonic)
        for seed, module in enumerate(("operations.confirmation", "audit.log", "plans.building")):
            monkeypatch.setattr(f"collections_app.{module}.uuid", Uuids(seed, made))
        yield made


@pytest.fixture
def production(
    settings: Any, relay: Relay, milvus_server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The cluster as people see it, by an address that is the same each time."""
    monkeypatch.setattr(Cluster, "endpoint", "https://milvus.example.com:19530")
    uri = f"http://127.0.0.1:{relay.port}"
    cluster = Cluster(
        key="prod", label="Production", uri=uri, token=milvus_server.token, color="red"
    )
    settings.CLUSTERS = {cluster.key: cluster}
    yield
    clusters._open.cache_clear()


@pytest.fixture
def sign_in(
    people: dict[str, Any], browse: Callable[..., Page], production: None, clock: Clock
) -> Callable[..., Page]:
    """Ada Osei, who may do everything here, or her colleague Tomás Reyes."""
    for name, (first, last) in {"operator": ("Ada", "Osei"), "other": ("Tomás", "Reyes")}.items():
        people[name].first_name, people[name].last_name = first, last
        people[name].save()
    people["operator"].groups.set(Group.objects.all())
    return browse


# --- what they do ---------------------------------------------------------------------------------


class Story:
    """What happened on Production, told with the pages, while time passes as it is told."""

    def __init__(self, relay: Relay, clock: Clock, sign_in: Callable[..., Page]) -> None:
        self.relay, self.clock, self.sign_in = relay, clock, sign_in

    def drop(self, page: Page, name: str, reason: str) -> None:
        settled(page, f"{LIST}&q={name}")
        page.get_by_role("link", name=f"Drop {name}…").click()
        self.fill(page, name, reason)
        self.takes_time("DropCollection")
        act_button(the_dialog(page)).click()

    def fill(self, page: Page, name: str, reason: str = "") -> None:
        name_field(the_dialog(page)).fill(name)
        if reason:
            the_dialog(page).get_by_label("Reason").fill(reason)
        self.clock.passes(seconds=11)

    def takes_time(self, method: str) -> None:
        """Reading takes some milliseconds, Milvus more."""
        self.relay.before("GetVersion", self.clock.passing(milliseconds=14))
        self.relay.before(method, self.clock.passing(milliseconds=9))
        self.relay.after(method, self.clock.passing(milliseconds=183))

    def drop_partition(self, page: Page, collection: str, name: str, reason: str) -> None:
        settled(page, f"/clusters/prod/collection/{IN_DATABASE}&name={collection}")
        page.get_by_role("link", name=f"Drop partition {name}…").click()
        dialog = the_dialog(page)
        dialog.get_by_role("link", name="Release partition…").click()
        expect(dialog).to_contain_text("Release partition")
        self.fill(page, name)
        self.takes_time("ReleasePartitions")
        act_button(dialog, "Release").click()
        expect(dialog).to_contain_text("Drop partition")
        self.fill(page, name, reason)
        self.takes_time("DropPartition")
        act_button(dialog).click()
        verified(page)

    def earlier(self) -> None:
        """A month of tidying up."""
        names = iter(TEMPORARY)
        for days, count in EARLIER.items():
            self.clock.is_now(TODAY - timedelta(days=days, hours=2))
            page = self.sign_in("other" if days % 2 else "operator")
            for _ in range(count):
                self.drop(page, next(names), "Left over from the reindexing")
                verified(page)
            page.context.close()
        self.clock.is_now(TODAY)

    def tasks_ran(self) -> None:
        with pytest.raises(SystemExit):
            call_command("watch", "--once")
        for task in (heartbeat.RECONCILE, heartbeat.VERIFY, heartbeat.PLANS, heartbeat.PURGE):
            heartbeat.record_run(task)


def verified(page: Page) -> None:
    expect(page.get_by_text("Verified: it no longer exists")).to_be_visible()


def shoot(page: Page, name: str) -> None:
    expect(page.locator(".htmx-request")).to_have_count(0)
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            target = FOLDER / f"{name}-{scheme}-{width}.png"
            page.screenshot(path=target, animations="disabled", caret="hide")
            assert target.stat().st_size < LARGEST, target
    page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})


def test_screenshots(
    sign_in: Callable[..., Page], relay: Relay, clock: Clock, settings: Any, make_collection: Seeds
) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    story = Story(relay, clock, sign_in)
    story.earlier()
    ada = sign_in("operator")
    settled(ada, LIST)
    shoot(ada, "list")
    _dialog(ada)
    _history(story, ada, sign_in("other"))
    unknown = ada.url
    settled(ada, COLLECTION)
    shoot(ada, "collection")
    ada.goto("/audit/")
    shoot(ada, "audit")
    _plan(ada)
    _recycle_bin(story, ada, settings, make_collection)
    _home(story, ada, unknown)


def _dialog(page: Page) -> None:
    page.get_by_role("link", name="Drop article_embeddings_v6…").click()
    name_field(the_dialog(page)).fill("article_embeddings_v")
    the_dialog(page).get_by_label("Reason").fill("v7 has proved itself, SEARCH-1182")
    name_field(the_dialog(page)).focus()
    shoot(page, "dialog")
    page.keyboard.press("Escape")


def _history(story: Story, ada: Page, tomas: Page) -> None:
    """What the log tells: successes, a refusal, and a drop that nobody knows the outcome of."""
    story.drop(tomas, "customized_setup_2", "A tutorial's leftover")
    verified(tomas)
    story.clock.passes(minutes=4)
    story.drop_partition(tomas, "book", "poem", "Moved to its own collection")
    story.clock.passes(minutes=9)
    story.drop_partition(ada, "article_embeddings_v7", "y2024", "Older than two years, SEARCH-1175")
    story.clock.passes(minutes=2)
    story.relay.fail("DropCollection", grpc.StatusCode.PERMISSION_DENIED, "permission deny")
    story.drop(tomas, "billing_disputes", "Nobody reads it?")
    expect(tomas.get_by_role("status")).to_have_text("Refused")
    story.relay.forward("DropCollection")
    story.clock.passes(minutes=21)
    story.drop(ada, "article_embeddings_v6", "v7 has proved itself, SEARCH-1182")
    ada.get_by_role("link", name="View operation").click()
    shoot(ada, "operation")
    story.clock.passes(minutes=1)
    story.relay.fail("DropCollection", grpc.StatusCode.UNAVAILABLE, "Socket closed")
    story.drop(ada, "faces_2024_q1_reindex_attempt_do_not_use", "As its name says")
    expect(ada.get_by_text("Milvus has not confirmed this")).to_be_visible()
    shoot(ada, "unknown")
    story.relay.forward("DropCollection")


def _plan(page: Page) -> None:
    """One that is read, and waits for its confirmation."""
    settled(page, LIST)
    for name in ("article_embeddings_v5", "billing_disputes", "image_search", "quick_setup_test"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    page.get_by_role("button", name="Plan drop of selected…").click()
    expect(page.get_by_text("The background process does not run")).to_be_visible()
    call_command("run_plans", "--once")
    expect(page.get_by_role("heading", name="blocked")).to_be_visible()
    page.reload()
    shoot(page, "plan")


def _recycle_bin(story: Story, page: Page, settings: Any, make_collection: Seeds) -> None:
    settings.CLUSTERS = {"prod": replace(settings.CLUSTERS["prod"], recycle_bin=WEEK)}
    for name, reason in MOVED.items():
        settled(page, f"/clusters/prod/collection/{IN_DATABASE}&name={name}")
        page.get_by_role("link", name="Move to recycle bin…").click()
        story.fill(page, name, reason)
        act_button(the_dialog(page), "Move").click()
        expect(page.get_by_text(f"Collection {name} was moved to the recycle bin.")).to_be_visible()
        make_collection.renamed(BinItem.objects.get(name=name).private_name, DATABASE)
        story.clock.passes(minutes=3)
    page.goto(f"/clusters/prod/recycle-bin/{IN_DATABASE}")
    shoot(page, "recycle-bin")


def _home(story: Story, page: Page, unknown: str) -> None:
    story.clock.passes(minutes=2)
    page.goto(unknown)
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("status")).to_have_text("Failed")
    story.tasks_ran()
    for place in (f"/clusters/prod/collections/{IN_DATABASE}", COLLECTION):
        settled(page, place)
        page.get_by_role("button", name="Pin ").click()
        expect(page.get_by_role("button", name="Unpin ")).to_be_visible()
    settled(page, f"/clusters/prod/collection/{IN_DATABASE}&name=book")
    story.relay.before("GetVersion", story.clock.passing(milliseconds=6))
    page.goto("/")
    expect(page.get_by_text("Answered in")).to_be_visible()
    shoot(page, "home")
