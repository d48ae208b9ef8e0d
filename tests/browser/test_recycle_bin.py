"""The recycle bin in a real browser, and what comes after a purge: the collection again, empty."""

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group
from playwright.sync_api import Locator, Page, expect

from collections_app.models import BinItem
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds

from .conftest import act_button, address, name_field, settled, the_dialog

pytestmark = pytest.mark.django_db(transaction=True)
LOOKS: dict[Any, tuple[int, int]] = {"light": (1440, 900), "dark": (390, 844)}
PICTURES = os.environ.get("BIN_PICTURES", "")
WEEK = 7 * 86400.0
BIN = address("recycle-bin", database="default")
NAME = "Restore under this name"


@pytest.fixture
def name(use_cluster: Callable[..., Any], chain: Chain, make_collection: Seeds) -> str:
    """A loaded collection on a cluster with a recycle bin."""
    use_cluster(chain.uri, chain.token, recycle_bin=WEEK, drop_timeout=10.0)
    return make_collection(rows=3, partitions=["north"], loaded=True)


@pytest.fixture
def person(browse: Callable[..., Page], people: dict[str, Any]) -> Page:
    """The browser of somebody who may do everything."""
    people["operator"].groups.set(Group.objects.all())
    return browse("operator")


def is_sound(page: Page, step: str) -> None:
    """Nothing for axe to say, in light and in dark; nothing sticks out of a phone."""
    for scheme, (width, height) in LOOKS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (step, scheme)
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/{step}-{scheme}.png")
        found = Axe().run(page).response["violations"]
        assert found == [], (step, scheme)
    page.set_viewport_size({"width": 1440, "height": 900})


def move(page: Page, name: str, make_collection: Seeds) -> BinItem:
    settled(page, address("collection", database="default", name=name))
    page.get_by_role("link", name="Move to recycle bin…").click()
    dialog = the_dialog(page)
    expect(dialog).to_contain_text("every request that uses its name fails")
    is_sound(page, "move")
    name_field(dialog).fill(name)
    dialog.get_by_label("Reason").fill("stale")
    act_button(dialog, "Move").click()
    expect(page.get_by_text(f"Collection {name} was moved to the recycle bin.")).to_be_visible()
    item = BinItem.objects.get(name=name)
    make_collection.renamed(item.private_name)
    return item


def opened(page: Page, link: str) -> Locator:
    """The dialog of an act on what is in the bin."""
    page.goto(BIN)
    page.get_by_role("link", name=link, exact=True).click()
    expect(the_dialog(page).locator("form")).to_be_visible()
    return the_dialog(page)


def test_bin_gives_back_what_went_in(
    person: Page, name: str, make_collection: Seeds, chain: Chain
) -> None:
    page, taken = person, make_collection()
    item = move(page, name, make_collection)
    page.goto(BIN)
    expect(page.get_by_role("row", name=re.compile(name))).to_contain_text("stale")
    is_sound(page, "bin")

    dialog = opened(page, f"Restore {name}…")
    is_sound(page, "restore")
    dialog.get_by_label(NAME).fill(taken)
    act_button(dialog, "Restore").click()
    expect(dialog.get_by_role("alert")).to_contain_text("A collection or an alias has this name")
    is_sound(page, "name-taken")
    dialog.get_by_label(NAME).fill(name)
    act_button(dialog, "Restore").click()
    expect(page.get_by_text("Verified: this very collection has the name now.")).to_have_count(2)
    is_sound(page, "restored")
    found = chain.server.client().describe_collection(name, timeout=10)
    assert found["collection_id"] == item.collection_id

    page.get_by_role("link", name=f"Load collection {name}…").click()
    act_button(the_dialog(page), "Load").click()
    expect(page.get_by_text(f"Collection {name} was loaded.")).to_be_visible(timeout=20_000)


def test_purge_is_for_good_and_its_shape_comes_again(
    person: Page, name: str, make_collection: Seeds, chain: Chain
) -> None:
    page = person
    item = move(page, name, make_collection)
    dialog = opened(page, f"Purge {name} now…")
    is_sound(page, "purge")
    name_field(dialog).fill(name)
    dialog.get_by_label("Reason").fill("not needed")
    act_button(dialog, "Purge").click()
    expect(page.get_by_text(f"Collection {name} was purged.")).to_be_visible()
    assert not make_collection.exists(item.private_name)

    page.get_by_role("link", name="View operation").click()
    page.get_by_role("link", name=f"Re-create collection {name}…").click()
    dialog = the_dialog(page)
    expect(dialog).to_contain_text("None. A snapshot has no rows.")
    is_sound(page, "create")
    dialog.get_by_role("button", name="Re-create collection").click()
    expect(page.get_by_text(f"Collection {name} was re-created.")).to_be_visible()
    is_sound(page, "created")
    assert chain.server.client().list_partitions(name, timeout=10) == ["_default", "north"]


def test_bin_and_creation_work_without_javascript(
    browse: Callable[..., Page], people: dict[str, Any], name: str, make_collection: Seeds
) -> None:
    people["operator"].groups.set(Group.objects.all())
    page = browse("operator", java_script_enabled=False)
    page.goto(address("drop-collection", database="default", collection=name))
    name_field(page).fill(name)
    act_button(page).click()
    page.get_by_role("link", name="View operation").click()
    page.get_by_role("link", name=f"Re-create collection {name}…").click()
    page.get_by_role("button", name="Re-create collection").click()
    expect(page.get_by_text(f"Collection {name} was re-created.")).to_be_visible()
    assert make_collection.exists(name)
