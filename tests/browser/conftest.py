"""Browsers of signed-in users, a check of their consoles, and objects to drop."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.test import Client
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    Route,
    expect,
)
from pytest_django.live_server_helper import LiveServer

from collections_app.milvus.types import Kind
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.operations.conftest import Thing, target_in
from tests.sso.conftest import oidc, provider, shared_provider  # noqa: F401 (fixtures)

DETAILS = "**/collections/*details=1*"  # what fills in the table of the list
REQUEST = {"collection": "DropCollection", "partition": "DropPartition"}


class Watch:
    """Collects what no page may do: errors, warnings, policy violations, foreign hosts, crashes.

    A test says what it provokes: `expected` has to come, `maybe` depends on who is faster.
    """

    def __init__(
        self, home: str, expected: tuple[str, ...] = (), maybe: tuple[str, ...] = ()
    ) -> None:
        self.home = urlsplit(home).netloc
        self.seen: list[str] = []
        self.posts: list[str] = []
        self.expected, self.maybe = expected, maybe
        self._known = {self.home}
        self._open: dict[Request, Page] = {}  # those without an answer so far

    def on(self, page: Page) -> Page:
        page.on("console", self.console)
        page.on("pageerror", lambda error: self.seen.append(f"script error: {error}"))
        page.on("request", lambda request: self.request(page, request))
        page.on("requestfinished", lambda request: self._open.pop(request, None))
        page.on("requestfailed", self.failed)
        page.on("response", self.response)
        return page

    def allow(self, address: str) -> None:
        """This test goes there too: to the identity provider."""
        self._known.add(urlsplit(address).netloc)

    def console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.seen.append(f"console {message.type}: {message.text} ({message.location['url']})")

    def request(self, page: Page, request: Request) -> None:
        method, url = request.method, request.url
        self._open[request] = page
        if urlsplit(url).scheme.startswith("http") and urlsplit(url).netloc not in self._known:
            self.seen.append(f"foreign host: {url}")
        if method == "POST":
            self.posts.append(url)

    def failed(self, request: Request) -> None:
        """What the page itself, or leaving it, cancelled did not fail."""
        self._open.pop(request, None)
        if request.failure != "net::ERR_ABORTED":
            self.seen.append(f"request failed: {request.failure} {request.url}")

    def response(self, response: Response) -> None:
        if response.status >= 400:
            self.seen.append(f"answer: status of {response.status} {response.url}")

    def settle(self) -> None:
        """Wait for what the pages still read: after the test, nothing of it answers any more.

        Not for long, because a test may have stopped what would answer.
        """
        end = time.monotonic() + 3
        while self._reading() and time.monotonic() < end:
            self._reading()[0].wait_for_timeout(10)

    def _reading(self) -> list[Page]:
        return [page for page in self._open.values() if not page.is_closed()]

    @property
    def problems(self) -> list[str]:
        """What was seen and not expected, and what was expected and not seen."""
        known = self.expected + self.maybe
        unexpected = [one for one in self.seen if not any(text in one for text in known)]
        missing = [text for text in self.expected if not any(text in one for one in self.seen)]
        return unexpected + [f"expected, and not seen: {text}" for text in missing]


@pytest.fixture(scope="session", autouse=True)
def database_before_live_server(django_db_setup: None) -> None:
    """A live server made before the database would take SQLite for an in-memory one, and share
    this thread's connection with all of its threads."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    if watch := getattr(item, "funcargs", {}).get("watch"):
        watch.settle()


@pytest.fixture
def watch(request: pytest.FixtureRequest, live_server: LiveServer) -> Iterator[Watch]:
    """Fails the test if a page did what no page may do; `expects_console` names what it may."""
    marker = request.node.get_closest_marker("expects_console")
    made = Watch(
        live_server.url, *((marker.args, marker.kwargs.get("maybe", ())) if marker else ())
    )
    yield made
    assert not made.problems


@pytest.fixture
def browse(
    live_server: LiveServer,
    people: dict[str, Any],
    watch: Watch,
    new_context: Callable[..., BrowserContext],
) -> Callable[..., Page]:
    """browse("auditor") is a new browser of theirs; without a name, of nobody's."""

    def open_page(who: str = "", **options: Any) -> Page:
        context = new_context(base_url=live_server.url, **options)
        context.set_default_timeout(10_000)
        if who:
            context.add_cookies([{**_session(people[who]), "url": live_server.url}])
        return watch.on(context.new_page())

    return open_page


def _session(user: Any) -> dict[str, str]:
    client = Client()
    client.force_login(user)
    return {"name": "session", "value": client.cookies["session"].value}


@pytest.fixture
def page(browse: Callable[..., Page]) -> Page:
    """The browser of an operator."""
    return browse("operator")


# --- what is dropped ----------------------------------------------------------------------------


def address(view: str, **query: str) -> str:
    return f"/clusters/main/{view}/?{urlencode(query)}"


@dataclass(frozen=True)
class Shown(Thing):
    """A collection or a partition that can be dropped, behind a chain that counts."""

    chain: Chain

    @property
    def kind(self) -> str:
        return str(self.target.kind)

    @property
    def collection(self) -> str:
        return self.target.collection

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def start(self) -> str:
        """The page that has its Drop link."""
        if self.kind == "collection":
            return address("collections", database="default", q=self.name)
        return self.after

    @property
    def after(self) -> str:
        """The page that a drop leads to, unless it began on one with filters or an order."""
        if self.kind == "collection":
            return address("collections", database="default")
        return address("collection", database="default", name=self.collection)

    @property
    def dialog_address(self) -> str:
        names = {"database": "default", "collection": self.collection}
        return address(
            f"drop-{self.kind}",
            **names if self.kind == "collection" else {**names, "name": self.name},
        )

    def link(self, page: Page) -> Locator:
        words = self.name if self.kind == "collection" else f"partition {self.name}"
        return page.get_by_role("link", name=f"Drop {words}…", exact=True)

    def there(self) -> bool:
        """Whether Milvus has it, asked past the dashboard and the chain."""
        return self.seeds.exists(self.collection) and self.is_there()

    def sent(self) -> int:
        """How often its drop was sent to Milvus."""
        return self.chain.relay.count(REQUEST[self.kind])


@pytest.fixture(params=REQUEST)
def thing(request: pytest.FixtureRequest, make_thing: Callable[..., Shown]) -> Shown:
    """A collection, and in a second run of the test a partition. The application is behind it."""
    return make_thing(request.param)


@pytest.fixture
def make_thing(faulty: object, chain: Chain, make_collection: Seeds) -> Callable[..., Shown]:
    """make_thing("partition", loaded=True): options are those of Seeds."""

    def make(kind: str, **options: Any) -> Shown:
        collection = make_collection(**{"partitions": ["north"], **options})
        name = "north" if kind == "partition" else collection
        return Shown(make_collection, target_in(collection, Kind(kind), name), chain)

    return make


# --- what people do -----------------------------------------------------------------------------


def settled(page: Page, url: str) -> None:
    """Go there, and wait until the table is whole."""
    page.goto(url)
    expect(page.locator(".skeleton")).to_have_count(0)


def opened(page: Page, thing: Shown) -> Locator:
    """The open drop dialog of a thing."""
    settled(page, thing.start)
    thing.link(page).click()
    expect(the_dialog(page)).to_contain_text(f"Drop {thing.kind} {thing.name}?")
    return the_dialog(page)


def held(page: Page, pattern: str | re.Pattern[str]) -> list[Route]:
    """From now on such requests wait in this list, until the test lets them continue."""
    waiting: list[Route] = []

    def keep(route: Route) -> None:
        waiting.append(route)

    page.route(pattern, keep)
    return waiting


def the_dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def name_field(where: Page | Locator) -> Locator:
    return where.get_by_label(re.compile(r"^\s*Type .* to confirm\s*$", re.DOTALL))


def act_button(where: Page | Locator, verb: str = "Drop") -> Locator:
    return where.get_by_role("button", name=re.compile(f"^{verb} "))
