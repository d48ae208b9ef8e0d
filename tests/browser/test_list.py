"""The list of collections in a real browser: the address holds the view."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.infra.seeds import Seeds, unique_name

from .conftest import DETAILS, Watch, address, held, settled

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def books(real: object, make_collection: Seeds) -> str:
    """A database with three collections; the second created has two partitions and an alias."""
    database = make_collection.database()
    for name in ("atlas", "novel", "essay"):
        more = {"partitions": ["p"], "aliases": [unique_name("best")]} if name == "novel" else {}
        make_collection(name, database=database, **more)
    return database


def names(page: Page) -> list[str]:
    return page.locator("td.title").all_text_contents()


def test_search_while_typing_is_kept_in_the_address(page: Page, books: str) -> None:
    settled(page, address("collections", database=books))
    search = page.get_by_role("searchbox")
    search.press_sequentially("vel")
    expect(page.get_by_role("status")).to_have_text(f"1 of 3 in {books} match")
    expect(page).to_have_url(re.compile(r"[?&]q=vel(&|$)"))
    expect(search).to_be_focused()
    page.reload()
    expect(search).to_have_value("vel")
    assert names(page) == ["novel"]
    view, apply = page.get_by_text("View", exact=True), page.get_by_role("button", name="Apply")
    view.click()
    page.keyboard.press("Escape")
    expect(apply).to_be_hidden()
    view.click()
    page.get_by_label("Compact").check()
    apply.click()
    expect(page.locator("body")).to_have_attribute("data-density", "compact")
    expect(page).to_have_url(re.compile(r"[?&]q=vel(&|$)"))


@pytest.mark.expects_console("status of 503")
def test_names_stay_when_the_details_do_not_come(page: Page, books: str) -> None:
    problem = "<h2>Milvus does not answer</h2>"
    page.route(DETAILS, lambda route: route.fulfill(status=503, body=problem))
    page.goto(address("collections", database=books))
    expect(page.get_by_role("heading", name="Milvus does not answer")).to_be_visible()
    assert names(page) == ["atlas", "essay", "novel"]
    page.unroute(DETAILS)
    page.get_by_role("searchbox").fill("vel")
    expect(page.get_by_role("status")).to_have_text(f"1 of 3 in {books} match")
    expect(page.locator(".skeleton")).to_have_count(0)
    assert names(page) == ["novel"]


@pytest.mark.expects_console("status of 503")
def test_search_goes_on_after_an_answer_of_503(page: Page, books: str) -> None:
    settled(page, address("collections", database=books))
    refused = re.compile("q=no")
    page.route(refused, lambda route: route.fulfill(status=503, body="<h2>Busy</h2>"))
    page.get_by_role("searchbox").fill("no")
    expect(page.get_by_role("heading", name="Busy")).to_be_visible()
    page.unroute(refused)
    page.get_by_role("searchbox").fill("nov")
    expect(page.get_by_role("status")).to_have_text(f"1 of 3 in {books} match")


def test_language_and_pin_lead_back_to_the_search(page: Page, books: str) -> None:
    settled(page, address("collections", database=books))
    for button in (page.locator(".pin button"), page.locator(".language button")):
        page.get_by_role("searchbox").fill("nov")
        expect(page.get_by_role("status")).to_have_text(f"1 of 3 in {books} match")
        button.click()
        expect(page.get_by_role("searchbox")).to_have_value("nov")
        page.get_by_role("searchbox").fill("")
        expect(page.locator("td.title")).to_have_count(3)


def test_copying_is_said_aloud(page: Page, books: str) -> None:
    settled(page, address("collection", database=books, name="novel"))
    page.locator("[data-copy]").first.click()
    expect(page.locator("#said")).to_have_text(re.compile("Copied|Select the text to copy it"))


@pytest.mark.expects_console(
    maybe=(
        "htmx:sendAbort",
        "htmx:afterRequest",
    )
)
def test_search_keeps_the_order(page: Page, books: str) -> None:
    settled(page, address("collections", database=books))
    page.get_by_role("link", name="Name", exact=True).click()
    expect(page.locator("td.title").first).to_have_text("novel")
    page.get_by_role("searchbox").fill("a")
    expect(page.get_by_role("status")).to_have_text(f"2 of 3 in {books} match")
    assert names(page) == ["essay", "atlas"]
    page.get_by_role("searchbox").press("Enter")
    expect(page).to_have_url(re.compile("sort=-name"))


@pytest.mark.parametrize(
    ("column", "orders"),
    [
        ("Name", (["novel", "essay", "atlas"], ["atlas", "essay", "novel"])),
        ("Created", (["atlas", "novel", "essay"], ["essay", "novel", "atlas"])),
    ],
)
def test_column_heading_clicked_sorts_and_then_reverses(
    page: Page, books: str, column: str, orders: tuple[list[str], list[str]]
) -> None:
    settled(page, address("collections", database=books))
    heading = page.get_by_role("columnheader", name=column)
    for order in orders:
        heading.get_by_role("link").click()
        expect(page.locator("td.title")).to_have_text(order)
        expect(page.locator(".skeleton")).to_have_count(0)
    sorted_by = "ascending" if column == "Name" else "descending"
    expect(heading).to_have_attribute("aria-sort", sorted_by)
    page.reload()
    expect(page.locator("td.title")).to_have_text(orders[-1])


def test_list_details_are_filled_in_later(page: Page, books: str) -> None:
    """The page itself is served without them."""
    details = held(page, DETAILS)
    page.goto(address("collections", database=books))
    expect(page.locator("td.title")).to_have_count(3)
    expect(page.locator(".skeleton")).to_have_count(6)
    details[0].continue_()
    expect(page.locator(".skeleton")).to_have_count(0)
    row = page.get_by_role("row", name=re.compile("novel"))
    expect(row.locator("td.number")).to_have_text(["≈ 0", "2"])
    expect(row.locator(".chip")).to_have_text(re.compile("best"))


def sort(page: Page) -> None:
    page.get_by_role("link", name="Name", exact=True).click()


def search(page: Page) -> None:
    page.get_by_role("searchbox").fill("novel")


@pytest.mark.expects_console(
    maybe=(
        "htmx:sendAbort",
        "htmx:afterRequest",
    )
)
@pytest.mark.parametrize(
    ("ask", "query", "answer"),
    [(sort, "sort=-name", ["novel", "essay", "atlas"]), (search, "q=novel", ["novel"])],
)
def test_answer_before_late_details_is_not_lost(
    page: Page, books: str, ask: Callable[[Page], None], query: str, answer: list[str]
) -> None:
    """Late details replace the table that the answer was meant for."""
    details = held(page, DETAILS)
    answers = held(page, re.compile(f"{query}$"))
    page.goto(address("collections", database=books))
    with page.expect_request(re.compile(f"{query}$")):
        ask(page)
    details[0].continue_()
    details[0].request.response()
    page.evaluate("new Promise(done => setTimeout(done, 50))")  # htmx swaps, and settles
    page.unroute(DETAILS)
    answers[0].continue_()
    expect(page.locator("td.title")).to_have_text(answer)
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(page.locator("td.title")).to_have_text(answer)


@pytest.mark.expects_console(maybe=("htmx:sendAbort", "htmx:afterRequest"))  # a page is left
def test_back_restores_the_previous_view(page: Page, books: str) -> None:
    settled(page, address("collections", database=books))
    page.get_by_role("searchbox").fill("novel")
    expect(page.locator("td.title")).to_have_text(["novel"])
    page.get_by_role("link", name="Created", exact=True).click()
    expect(page).to_have_url(re.compile("sort=created"))
    page.get_by_role("link", name="novel", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("novel")
    page.go_back()
    expect(page).to_have_url(re.compile("q=novel.*sort=created"))
    expect(page.get_by_role("searchbox")).to_have_value("novel")
    expect(page.get_by_role("columnheader", name="Created")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.go_back()
    expect(page).to_have_url(re.compile("q=novel$"))
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.wait_for_load_state()
    page.go_back()
    expect(page.locator("td.title")).to_have_count(3)
    expect(page.get_by_role("searchbox")).to_have_value("")


def test_focus_on_a_sort_link_outlives_what_replaces_it(page: Page, books: str) -> None:
    details = held(page, DETAILS)
    page.goto(address("collections", database=books))
    link = page.get_by_role("link", name="Name", exact=True)
    link.focus()
    details[0].continue_()
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(link).to_be_focused()
    expect(page.locator(".htmx-settling")).to_have_count(0)  # until then it is a plain link
    page.unroute(DETAILS)
    page.keyboard.press("Enter")
    expect(page.locator("td.title").first).to_have_text("novel")
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(link).to_be_focused()


@pytest.mark.parametrize("name", ["essay", "Drop essay…"])
def test_focus_in_a_row_outlives_the_details(page: Page, books: str, name: str) -> None:
    details = held(page, DETAILS)
    page.goto(address("collections", database=books))
    link = page.get_by_role("link", name=name, exact=True)
    link.focus()
    details[0].continue_()
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(link).to_be_focused()


def test_dialog_opened_before_the_details_stays_open(page: Page, books: str) -> None:
    """The table under the open dialog is replaced."""
    page.goto(address("collections", database=books))
    page.get_by_role("link", name="Drop essay…").click()
    dialog = page.get_by_role("dialog")
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(dialog).to_contain_text("Drop collection essay?")


def test_console_watch_reports_forbidden_page_actions(
    browse: Callable[..., Page], watch: Watch, real: object
) -> None:
    page = browse("operator")
    page.goto("/")
    page.evaluate("fetch('http://elsewhere.example/').catch(() => {})")
    page.evaluate("document.body.setAttribute('style', 'color: red')")
    with page.expect_event("pageerror"):  # before the page is left, and its timers with it
        page.evaluate("setTimeout(() => { throw new Error('broken') })")
    page.goto("/static/js/missing.js")
    for words in ("connect-src", "style-src", "broken", "status of 404"):
        assert any(words in problem for problem in watch.problems), (words, watch.problems)
    watch.seen.clear()
