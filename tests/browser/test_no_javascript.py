"""Every page and every act without JavaScript."""

import re
import threading
from collections.abc import Callable

import grpc
import pytest
from playwright.sync_api import Page, expect

from tests.infra.chain import Chain
from tests.infra.seeds import Seeds

from .conftest import REQUEST, Shown, Watch, act_button, address, name_field

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def page(browse: Callable[..., Page]) -> Page:
    return browse("operator", java_script_enabled=False)


def confirm_page(page: Page, thing: Shown) -> None:
    page.goto(thing.start)
    thing.link(page).click()
    expect(page).to_have_url(re.compile(re.escape(thing.dialog_address) + "$"))
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Drop {thing.kind} {thing.name}?")


@pytest.mark.expects_console("status of 422")
def test_form_with_a_wrong_name_is_refused_then_drops(
    page: Page, thing: Shown, watch: Watch
) -> None:
    confirm_page(page, thing)
    name_field(page).fill(thing.name.upper())
    act_button(page).click()
    expect(page.get_by_role("alert")).to_have_text("Upper and lower case differ. Nothing was sent.")
    expect(name_field(page)).to_have_value(thing.name.upper())
    assert thing.there()
    name_field(page).fill(thing.name)
    act_button(page).click()
    expect(page).to_have_url(re.compile(re.escape(thing.after) + "$"))
    expect(page.get_by_text("Verified: it no longer exists.")).to_be_visible()
    assert not thing.there()
    assert thing.sent() == 1


def test_cancel_link_leads_back(page: Page, thing: Shown) -> None:
    confirm_page(page, thing)
    page.get_by_role("link", name="Cancel").click()
    expect(page).to_have_url(re.compile(re.escape(thing.after) + "$"))
    assert thing.there()


def test_form_sent_twice_drops_once_and_leads_to_the_operation(page: Page, thing: Shown) -> None:
    """The second request arrives during the first. Chromium itself swallows double clicks."""
    first, second = threading.Event(), threading.Event()
    thing.chain.relay.before(REQUEST[thing.kind], lambda: (first.set(), second.wait(2)))
    confirm_page(page, thing)
    name_field(page).fill(thing.name)
    fields = ("csrfmiddlewaretoken", "token", "typed_name")
    form = {name: page.locator(f"main [name={name}]").input_value() for name in fields}
    act_button(page).click(no_wait_after=True)
    assert first.wait(5)
    answer = page.request.post(thing.dialog_address, form=form)
    second.set()
    assert "/operations/" in answer.url
    expect(page.get_by_text("was dropped.")).to_be_visible()
    assert thing.sent() == 1


def test_loaded_partition_without_javascript_is_released_first(
    page: Page, make_thing: Callable[..., Shown]
) -> None:
    thing = make_thing("partition", loaded=True)
    confirm_page(page, thing)
    page.get_by_text("Equivalent API calls").click()
    page.get_by_label("Python", exact=True).first.press("ArrowRight")
    expect(page.get_by_label("Java code", exact=True)).to_be_visible()
    expect(page.get_by_label("Python code", exact=True)).to_be_hidden()
    page.get_by_role("link", name="Release partition…").click()
    name_field(page).fill(thing.name)
    act_button(page, "Release").click()
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Drop partition {thing.name}?")
    name_field(page).fill(thing.name)
    act_button(page).click()
    expect(page.get_by_text("Verified: it no longer exists.")).to_be_visible()
    assert not thing.there()


def test_unknown_outcome_without_javascript_can_be_checked(
    page: Page, make_thing: Callable[..., Shown], use_cluster: Callable[..., object], chain: Chain
) -> None:
    thing = make_thing("collection")
    use_cluster(chain.uri, chain.token, drop_timeout=0.5, unknown_timeout=0.1)
    chain.relay.fail(REQUEST["collection"], grpc.StatusCode.UNAVAILABLE, "Socket closed")
    confirm_page(page, thing)
    name_field(page).fill(thing.name)
    act_button(page).click()
    expect(page.get_by_role("status")).to_have_text("Unknown – verifying")
    chain.relay.forward(REQUEST["collection"])
    thing.seeds.server.client().drop_collection(thing.name)
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("status")).to_have_text("Succeeded")
    assert thing.sent() == 1


def test_list_without_javascript_searches_and_pages(
    page: Page, real: object, make_collection: Seeds
) -> None:
    database = make_collection.database()
    for number in range(52):
        make_collection(f"c{number:02}", database=database)
    page.goto(address("collections", database=database))
    expect(page.locator("td.title")).to_have_count(50)
    page.get_by_role("link", name="Show rows, partitions and aliases").click()
    row = page.get_by_role("row", name=re.compile("c07"))
    expect(row.locator("td.number")).to_have_text(["≈ 0", "1"])
    page.get_by_role("link", name="Next").click()
    expect(page.locator("td.title")).to_have_text(["c50", "c51"])
    page.get_by_role("link", name="Name", exact=False).first.click()
    expect(page.locator("td.title").first).to_have_text("c51")
    page.get_by_role("searchbox").fill("c4")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("status")).to_have_text(f"10 of 52 in {database} match")
    expect(page.locator("td.title").first).to_have_text("c49")
