"""Strict mode in a real browser: its dialog, and a namesake that survives."""

import re
from collections.abc import Callable

import grpc
import pytest
from playwright.sync_api import Page, expect

from collections_app.operations.private_names import DROP
from tests.infra.chain import Chain
from tests.web import list_url

from .conftest import Shown, act_button, name_field, opened, settled

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def thing(
    make_thing: Callable[..., Shown], use_cluster: Callable[..., object], chain: Chain
) -> Shown:
    made = make_thing("collection")
    use_cluster(chain.uri, chain.token, strict_drop=True, unknown_timeout=600.0)
    return made


def confirm(page: Page, thing: Shown) -> None:
    dialog = opened(page, thing)
    expect(dialog).to_contain_text("Milvus Admin renames it to a temporary name")
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()


def test_strict_drop_succeeds_and_its_page_says_how(page: Page, thing: Shown) -> None:
    confirm(page, thing)
    expect(page.get_by_text("Verified: it no longer exists")).to_be_visible()
    page.get_by_role("link", name="View operation").click()
    expect(page.get_by_role("status")).to_have_text("Succeeded")
    expect(page.get_by_text(f"Strict mode: rename to {DROP}")).to_be_visible()


def test_strict_drop_of_a_replaced_one_spares_the_namesake(
    page: Page, thing: Shown, chain: Chain
) -> None:
    chain.relay.before("RenameCollection", thing.replace)
    confirm(page, thing)
    expect(page.get_by_role("status")).to_have_text("Refused")
    expect(page.get_by_text("Another collection had taken its name")).to_be_visible()
    expect(page.get_by_text("Its original name was restored")).to_be_visible()
    assert thing.there()
    assert thing.sent() == 0


def test_strict_drop_half_way_is_linked_from_the_private_name(
    page: Page, thing: Shown, chain: Chain
) -> None:
    chain.relay.fail("DropCollection", grpc.StatusCode.UNAVAILABLE, "Socket closed")
    confirm(page, thing)
    expect(page.get_by_role("status")).to_have_text("Unknown – verifying")
    settled(page, list_url(q=DROP))
    rows = page.get_by_role("row").filter(has_text=DROP)
    rows.get_by_role("link", name=re.compile("^In progress")).last.click()
    expect(page.get_by_text("keeps its temporary name")).to_be_visible()
    name = page.url.rstrip("/").rpartition("/")[2].replace("-", "")
    thing.seeds.renamed(f"{DROP}{name}")
