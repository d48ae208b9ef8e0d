"""The drop dialog in a real browser, on the real Milvus, for collections and partitions."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Error, Locator, Page, Route, expect

from tests.fixtures import PASSWORD
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, unique_name

from .conftest import (
    DETAILS,
    Shown,
    Watch,
    act_button,
    address,
    held,
    name_field,
    opened,
    settled,
    the_dialog,
)

pytestmark = pytest.mark.django_db(transaction=True)


def is_done(page: Page, thing: Shown, after: str = "") -> None:
    """The page a drop leads to says that it happened, and Milvus has the thing no more.

    That is the page where it began, as it was; `after` if it began elsewhere.
    """
    message = page.get_by_text(
        f"{thing.kind.capitalize()} {thing.name} was dropped. Verified: it no longer exists."
    )
    expect(message).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(after or thing.start) + "$"))
    expect(thing.link(page)).to_have_count(0)
    assert not thing.there()
    assert thing.sent() == 1


def nothing_happened(thing: Shown) -> None:
    assert thing.sent() == 0
    assert thing.there()


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until it has the focus."""
    for _ in range(60):
        if wanted.count() and wanted.evaluate("e => e === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never reaches {wanted}")


# --- what it shows ------------------------------------------------------------------------------


def real_id(thing: Shown) -> int:
    """The id, asked in another way than the dashboard does for a collection."""
    client = thing.chain.direct.client()
    if thing.kind == "collection":
        return int(client.describe_collection(thing.name)["collection_id"])
    from pymilvus.grpc_gen import milvus_pb2 as pb

    request = pb.ShowPartitionsRequest(collection_name=thing.collection)
    reply = client._get_connection()._stub.ShowPartitions(request, timeout=5)
    return int(dict(zip(reply.partition_names, reply.partitionIDs, strict=True))[thing.name])


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("collection", "about 5 stored, in 2 partitions"), ("partition", "about 3 stored")],
)
def test_dialog_shows_kind_place_id_and_size(
    page: Page, make_thing: Callable[..., Shown], kind: str, rows: str
) -> None:
    thing = make_thing(kind, rows={"_default": 2, "north": 3})
    dialog = opened(page, thing)
    assert dialog.evaluate("dialog => dialog.matches(':modal')")
    expect(dialog.get_by_role("heading", level=2)).to_have_text(f"Drop {kind} {thing.name}?")
    place = dialog.locator(".place")
    for words in ("Test", "database default", f"id {real_id(thing)}"):
        expect(place).to_contain_text(words)
    if kind == "partition":
        expect(place).to_contain_text(f"collection {thing.collection}")
    shown = dialog.locator("dt", has_text="Rows").locator("xpath=following-sibling::dd[1]")
    expect(shown).to_have_text(rows)
    expect(name_field(dialog)).to_be_focused()
    expect(act_button(dialog)).to_have_text(f"Drop {kind} {thing.name}")


# --- doing it -----------------------------------------------------------------------------------


def test_drop_with_the_right_name_succeeds_and_says_so(page: Page, thing: Shown) -> None:
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    dialog.get_by_label("Reason").fill("Replaced by the new model")
    act_button(dialog).click()
    is_done(page, thing)
    page.get_by_role("link", name="View operation").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Drop {thing.kind} {thing.name}")
    expect(page.get_by_role("status")).to_have_text("Succeeded")
    expect(page.get_by_text("Reason: Replaced by the new model")).to_be_visible()


def test_drop_by_keyboard_alone_succeeds(page: Page, thing: Shown) -> None:
    settled(page, thing.start)
    tab_to(page, thing.link(page))
    page.keyboard.press("Enter")
    dialog = the_dialog(page)
    expect(name_field(dialog)).to_be_focused()
    page.keyboard.type(thing.name)
    tab_to(page, act_button(dialog))
    page.keyboard.press("Enter")
    is_done(page, thing)


def twice_with_the_mouse(dialog: Locator) -> None:
    act_button(dialog).dblclick()


def twice_with_enter(dialog: Locator) -> None:
    name_field(dialog).press("Enter")
    dialog.page.keyboard.press("Enter")


@pytest.mark.parametrize("twice", [twice_with_the_mouse, twice_with_enter])
def test_drop_sent_twice_sends_one_request(
    page: Page, thing: Shown, watch: Watch, twice: Callable[[Locator], None]
) -> None:
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    twice(dialog)
    is_done(page, thing)
    assert len(watch.posts) == 1


def test_dialog_can_not_be_closed_while_it_is_sending(page: Page, thing: Shown) -> None:
    """It would look like calling the drop off."""
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    sending = held(page, f"**{thing.dialog_address}")
    act_button(dialog).click()
    page.keyboard.press("Escape")
    dialog.locator("[data-close]").dispatch_event("click")
    expect(dialog.get_by_text("Waiting for the answer")).to_be_visible()
    sending[0].continue_()
    is_done(page, thing)


@pytest.mark.expects_console(maybe=("htmx:sendAbort", "htmx:afterRequest"))
def test_palette_closes_while_it_searches(page: Page, real: object) -> None:
    """It sends nothing."""
    settled(page, address("collections", database="default"))
    page.keyboard.press("/")
    searching = held(page, re.compile("/jump/.*q=abc"))
    the_dialog(page).get_by_role("searchbox").fill("abc")
    expect(page.locator("dialog form.htmx-request")).to_be_visible()
    the_dialog(page).locator("[data-close]").click()
    expect(page.locator("dialog")).not_to_be_visible()
    with contextlib.suppress(Error):  # nobody waits for it any more
        searching[0].continue_()


@pytest.mark.expects_console(maybe=("htmx:sendAbort", "htmx:afterRequest"))
def test_dialog_asked_for_last_is_the_one_that_opens(
    page: Page, make_thing: Callable[..., Shown]
) -> None:
    first, second = make_thing("collection"), make_thing("collection")
    settled(page, address("collections", database="default"))
    waiting = held(page, f"**{first.dialog_address}")
    first.link(page).click()
    expect(first.link(page)).to_have_class(re.compile("htmx-request"))
    second.link(page).click()
    dialog = the_dialog(page)
    expect(dialog).to_contain_text(f"Drop collection {second.name}?")
    with contextlib.suppress(Error):  # nobody waits for it any more
        waiting[0].continue_()
    page.wait_for_timeout(300)
    expect(dialog).to_contain_text(f"Drop collection {second.name}?")


def test_back_after_a_drop_shows_the_current_list(page: Page, thing: Shown) -> None:
    page.goto(address("collections", database="default", q=thing.collection, sort="-name"))
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    is_done(page, thing)
    page.go_back()
    expect(page.get_by_role("heading", level=1, name="Collections")).to_be_visible()
    expect(page.locator("dialog")).not_to_be_visible()
    expect(thing.link(page)).to_have_count(0)
    assert thing.sent() == 1


def test_page_after_a_drop_is_swapped_in_with_focus_and_title(
    page: Page, thing: Shown, watch: Watch
) -> None:
    dialog = opened(page, thing)
    page.evaluate("window.isTheSame = true")
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    is_done(page, thing)
    assert page.evaluate("window.isTheSame")
    expect(page.get_by_role("status").filter(has_text="was dropped")).to_be_focused()
    expect(page.locator("dialog")).not_to_be_visible()
    there = "Collections in default" if thing.kind == "collection" else thing.collection
    expect(page).to_have_title(f"{there} · Milvus Admin")
    trail = page.get_by_role("navigation", name="Where you are")
    expect(trail).to_have_count(1)
    page.reload()
    expect(trail).to_be_visible()
    expect(page.get_by_text("was dropped")).to_have_count(0)
    assert len(watch.posts) == 1


@pytest.mark.expects_console(
    "net::ERR_FAILED",
    "htmx:sendError",
    "htmx:afterRequest",
    maybe=("script error: undefined",),  # a promise of htmx that nobody waits for
)
def test_page_after_a_drop_not_answered_is_loaded_in_full(page: Page, thing: Shown) -> None:
    dialog = opened(page, thing)
    page.route(f"**{thing.start}", abort, times=1)
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    is_done(page, thing)


# --- not doing it -------------------------------------------------------------------------------


MISTAKES: dict[str, Callable[[str], str]] = {
    "That is not the name. Nothing was sent.": lambda name: f"{name}2",
    "Upper and lower case differ. Nothing was sent.": str.upper,
    "Spaces at the start or the end differ. Nothing was sent.": lambda name: f"{name} ",
}


def test_wrong_names_keep_the_dialog_and_its_reason(page: Page, thing: Shown) -> None:
    dialog = opened(page, thing)
    dialog.get_by_label("Reason").fill("because")
    field = name_field(dialog)
    for words, mistake in MISTAKES.items():
        field.fill(mistake(thing.name))
        act_button(dialog).click()
        expect(dialog.get_by_role("alert")).to_have_text(words)
        expect(field).to_have_value(mistake(thing.name))
        expect(field).to_have_accessible_description(words)
        stays_focused(field)
        expect(dialog.get_by_label("Reason")).to_have_value("because")
    nothing_happened(thing)
    field.fill(thing.name)
    field.press("Enter")
    is_done(page, thing)


def stays_focused(field: Locator) -> None:
    """Also once htmx has settled, which may move the focus a moment after the swap."""
    expect(field.page.locator(".htmx-added, .htmx-settling, .htmx-swapping")).to_have_count(0)
    expect(field).to_be_focused()


def test_button_is_filled_once_the_name_matches(page: Page, thing: Shown) -> None:
    dialog = opened(page, thing)
    form = dialog.locator("form.matches")
    name_field(dialog).fill(thing.name[:-1])
    expect(form).to_have_count(0)
    name_field(dialog).fill(thing.name)
    expect(form).to_have_count(1)


def test_empty_name_is_not_sent(page: Page, thing: Shown, watch: Watch) -> None:
    dialog = opened(page, thing)
    act_button(dialog).click()
    expect(name_field(dialog)).to_be_focused()
    assert watch.posts == []
    nothing_happened(thing)


def with_escape(dialog: Locator) -> None:
    dialog.page.keyboard.press("Escape")


def with_cancel(dialog: Locator) -> None:
    dialog.get_by_role("link", name="Cancel").click()


def test_dialog_closed_sends_nothing_and_restores_the_focus(
    page: Page, thing: Shown, watch: Watch
) -> None:
    for close in (with_escape, with_cancel):
        dialog = opened(page, thing)
        name_field(dialog).fill(thing.name)
        close(dialog)
        expect(page.locator("dialog")).not_to_be_visible()
        expect(thing.link(page)).to_be_focused()
        expect(page).to_have_url(re.compile(re.escape(thing.start) + "$"))
    assert watch.posts == []
    nothing_happened(thing)


def test_focus_returns_to_its_link_in_a_replaced_table(
    page: Page, make_thing: Callable[..., Shown]
) -> None:
    """The details replace the table, and with it the link that opened the dialog."""
    thing = make_thing("collection")
    details = held(page, DETAILS)
    page.goto(thing.start)
    thing.link(page).click()
    expect(the_dialog(page)).to_be_visible()
    details[0].continue_()
    expect(page.locator(".skeleton")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(thing.link(page)).to_be_focused()


# --- the world changes while it is open ---------------------------------------------------------


def test_expired_session_returns_to_the_same_dialog(page: Page, thing: Shown) -> None:
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    Session.objects.all().delete()
    act_button(dialog).click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("Nothing was sent to Milvus")).to_be_visible()
    sign_in(page)
    expect(page).to_have_url(re.compile(re.escape(thing.dialog_address) + "$"))
    expect(page.get_by_role("heading", level=2)).to_have_text(f"Drop {thing.kind} {thing.name}?")
    expect(name_field(page)).to_have_value("")
    nothing_happened(thing)
    name_field(page).fill(thing.name)
    act_button(page).click()
    is_done(page, thing, thing.after)


def sign_in(page: Page, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill("operator")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_sign_in_by_the_form_leads_home(
    browse: Callable[..., Page], faulty: object, accounts: None
) -> None:
    page = browse()
    page.goto("/")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("don’t match an account")
    sign_in(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Clusters")
    expect(page.get_by_text("Up", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")


@pytest.mark.expects_console("status of 409")
def test_dialog_of_a_replaced_collection_spares_the_namesake(page: Page, thing: Shown) -> None:
    dialog = opened(page, thing)
    thing.replace()
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    expect(dialog.get_by_role("heading", level=2)).to_have_text(
        "It changed since you opened this dialog"
    )
    expect(dialog).to_contain_text("Nothing was sent to Milvus")
    nothing_happened(thing)
    dialog.get_by_role("link", name="Close").click()
    expect(page.locator("dialog")).not_to_be_visible()


@pytest.mark.expects_console("status of 503")
def test_dialog_with_milvus_down_says_so(page: Page, thing: Shown) -> None:
    settled(page, thing.start)
    thing.chain.proxy.refuse()
    thing.link(page).click()
    dialog = the_dialog(page)
    expect(dialog.get_by_role("heading", level=2)).to_have_text("Milvus does not answer")
    dialog.get_by_role("link", name="Close").click()
    expect(page.locator("dialog")).not_to_be_visible()
    expect(thing.link(page)).to_be_focused()
    thing.chain.proxy.ok()
    nothing_happened(thing)


def abort(route: Route) -> None:
    route.abort()


@pytest.mark.expects_console("net::ERR_FAILED", "htmx:sendError", "htmx:afterRequest")
def test_dialog_request_without_an_answer_is_an_alert(
    page: Page, make_thing: Callable[..., Shown], watch: Watch
) -> None:
    thing = make_thing("collection")
    settled(page, thing.start)
    page.route(f"**{thing.dialog_address}", abort)
    thing.link(page).click()
    banner = page.get_by_role("alert")
    expect(banner).to_contain_text("did not answer that request")
    banner.get_by_role("button", name="Dismiss").click()
    expect(banner).not_to_be_visible()


@pytest.mark.expects_console("net::ERR_FAILED", "htmx:sendError", "htmx:afterRequest")
def test_confirmation_without_an_answer_is_an_alert(page: Page, thing: Shown, watch: Watch) -> None:
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    page.route(f"**{thing.dialog_address}", abort)
    act_button(dialog).click()
    banner = dialog.get_by_role("alert")
    expect(banner).to_contain_text("check its outcome in the audit log")
    expect(name_field(dialog)).to_have_value(thing.name)
    page.unroute(f"**{thing.dialog_address}")
    banner.get_by_role("button", name="Dismiss").click()
    act_button(dialog).click()
    is_done(page, thing)


# --- one thing after the other ------------------------------------------------------------------


def cleared(dialog: Locator, verb: str, remedy: str, name: str) -> None:
    """Do what clears the way, by its own dialog."""
    expect(act_button(dialog)).to_have_count(0)
    dialog.get_by_role("link", name=f"{remedy}…").click()
    expect(dialog.get_by_role("heading", level=2)).to_have_text(f"{remedy} {name}?")
    expect(name_field(dialog)).to_be_focused()
    name_field(dialog).fill(name)
    act_button(dialog, verb).click()


def test_loaded_partition_is_released_then_dropped(
    page: Page, make_thing: Callable[..., Shown]
) -> None:
    thing = make_thing("partition", loaded=True)
    dialog = opened(page, thing)
    expect(dialog).to_contain_text("Milvus refuses to drop it until it is released.")
    cleared(dialog, "Release", "Release partition", thing.name)
    expect(dialog).to_contain_text(f"Partition {thing.name} was released. Verified:")
    expect(dialog.get_by_role("heading", level=2)).to_have_text(f"Drop partition {thing.name}?")
    nothing_happened(thing)
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    is_done(page, thing)


def test_aliased_collection_is_dropped_after_its_alias(
    page: Page, make_thing: Callable[..., Shown]
) -> None:
    alias = unique_name("alias")
    thing = make_thing("collection", aliases=[alias])
    dialog = opened(page, thing)
    expect(dialog).to_contain_text(f"The alias {alias} points to this collection.")
    cleared(dialog, "Drop", "Drop alias", alias)
    expect(dialog).to_contain_text(f"Alias {alias} was dropped. Verified: it no longer exists.")
    expect(dialog.get_by_role("heading", level=2)).to_have_text(f"Drop collection {thing.name}?")
    nothing_happened(thing)
    assert thing.chain.relay.count("DropAlias") == 1
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    is_done(page, thing)


# --- names that bite ----------------------------------------------------------------------------


@pytest.fixture
def on_lite(
    lite: Any, lite_server: MilvusServer, collections_on: Callable[[MilvusServer], Seeds]
) -> Iterator[Seeds]:
    """Makes collections on the Milvus Lite that the application uses; it takes any name."""
    yield collections_on(lite_server)


def opened_on_lite(page: Page, name: str) -> Locator:
    settled(page, address("collections", database="default"))
    page.get_by_role("row").nth(1).get_by_role("link", name="Drop", exact=False).click()
    expect(the_dialog(page)).to_be_visible()
    return the_dialog(page)


HTML = '<b>bold<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    ("name", "shown", "typed", "wrong"),
    [
        (HTML, HTML, HTML, "bold"),
        ("sales ", "sales ", "sales ", "sales"),
        ("line\nbreak", "line\\nbreak", "line\\nbreak", "line break"),
        ("übersicht 日本", "übersicht 日本", "übersicht 日本", "ubersicht 日本"),
    ],
    ids=["html", "trailing space", "newline", "unicode"],
)
def test_hostile_name_is_shown_as_text_and_dropped_as_shown(
    page: Page, on_lite: Seeds, name: str, shown: str, typed: str, wrong: str
) -> None:
    on_lite(name)
    dialog = opened_on_lite(page, name)
    heading = dialog.get_by_role("heading", level=2)
    assert heading.text_content() == f"Drop collection {shown}?"
    assert page.locator("#main img, dialog img").count() == 0
    name_field(dialog).fill(wrong)
    act_button(dialog).click()
    expect(dialog.get_by_role("alert")).to_be_visible()
    assert on_lite.exists(name)
    name_field(dialog).fill(typed)
    act_button(dialog).click()
    expect(page.get_by_text("Verified: it no longer exists.")).to_be_visible()
    assert not on_lite.exists(name)


def test_trailing_space_of_a_name_is_visible(page: Page, on_lite: Seeds) -> None:
    on_lite("sales ")
    dialog = opened_on_lite(page, "sales ")
    for name in (dialog.get_by_role("heading", level=2), page.locator("td.title")):
        space = name.locator(".space")
        assert space.text_content() == " "
        box = space.bounding_box()
        assert box and box["width"] >= 3
        assert space.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"


def test_dialog_on_milvus_lite_says_that_namesakes_look_alike(page: Page, on_lite: Seeds) -> None:
    on_lite("book")
    dialog = opened_on_lite(page, "book")
    expect(dialog).to_contain_text("no id on this server")
    expect(dialog).to_contain_text("it from another one with the same name and content.")
