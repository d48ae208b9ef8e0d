"""Fixtures: real servers, real browsers, real databases. docs/testing.md explains how they fit."""

import gc
import inspect
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.db import connections
from django.test import TransactionTestCase

from collections_app.audit import long_reads, sqlite_queue
from tests.infra import messages
from tests.infra.chain import Chain, chain_to
from tests.infra.emptying import empty
from tests.infra.lite import lite
from tests.infra.milvus_server import MilvusServer, NoMilvus, serve
from tests.infra.seeds import Seeds, seeds_on, unique_name
from tests.infra.skins import NONE, SKINS, Skin, Worn
from tests.infra.waiting import until

pytest_plugins = ["tests.fixtures"]

# pytest-playwright keeps an event loop in this thread; our ORM calls are synchronous all the same.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

# A browser that can reach this machine only: a stray link to a CDN breaks the test.
LOCAL_ONLY = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"
BROWSERS = ("chromium-headless-shell", "chromium")  # the shell needs a quarter of the processor


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "both_databases: `make test` runs it on PostgreSQL, and again on SQLite"
    )
    config.addinivalue_line(
        "markers",
        "skins(*skins, unless=()): run each test that meets a Milvus through `chain` over these; "
        "but with a parameter of these ids on 2.3.5 only, unless the test asks for its skin",
    )
    config.addinivalue_line(
        "markers",
        "expects_console(*texts, maybe=()): what a browser test's console has to, or may, say",
    )
    messages.compile_stale()
    from tests.settings import FOLDER, STATIC_ROOT

    for folder in (FOLDER, STATIC_ROOT):  # a second process shares the first one's static files
        folder.mkdir(parents=True, exist_ok=True)
    config.add_cleanup(lambda: shutil.rmtree(FOLDER, ignore_errors=True))


# What --fast leaves out: whatever starts a server, a browser or a process.
STARTED = {"milvus_server", "lite_server", "lite_uri", "live_server", "page", "app", "served"}
STARTED |= {"provider", "shared_provider", "forger", "transactional_db"}
STARTING = (
    "audit/test_export",
    "browser/",
    "chaos/",
    "config/test_settings",
    "config/test_sign_in",
    "doctor/test_command",
    "milvus/test_sdk",
    "milvus/test_tls",
    "sso/",
    "test_deploy",
    "test_doc_code",
    "test_infra",
    "test_many_machines",
    "test_monitoring",
    "test_private",
    "test_release",
    "test_web_servers",
    "web/test_snippets",
)


BUSY = ("tests/chaos/", "tests/browser/")  # these need the processor; all others mostly wait


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-skin", action="store_true", help="all tests with a skin over all")
    parser.addoption("--fast", action="store_true", help="no server, no browser, no processes")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        _keep(_is_fast, config, items)
    if not config.getoption("--every-skin"):
        _keep(_may_differ, config, items)
    _spread(items)


def _spread(items: list[pytest.Item]) -> None:
    """Busy modules evenly among the others, the longest first, so that few run at the same time."""
    busy = [item for folder in BUSY for item in items if item.nodeid.startswith(folder)]
    others = [item for item in items if not item.nodeid.startswith(BUSY)]
    places: dict[str, float] = {}
    for group in (busy, others):
        for at, item in enumerate(group):
            places.setdefault(item.location[0], at / len(group))
    items.sort(key=lambda item: places[item.location[0]])


def _keep(
    wanted: Callable[[pytest.Item], bool], config: pytest.Config, items: list[pytest.Item]
) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]


def _may_differ(item: pytest.Item) -> bool:
    """False for a parameter of which the mark says that no row of a skin is about it."""
    marker, call = item.get_closest_marker("skins"), getattr(item, "callspec", None)
    if not marker or not call or call.params.get("skin", NONE) is NONE or _asks_for_skin(item):
        return True
    return not set(call.id.split("-")) & set(marker.kwargs.get("unless", ()))


def _asks_for_skin(item: Any) -> bool:
    return "skin" in inspect.signature(item.function).parameters


def _is_fast(item: pytest.Item) -> bool:
    place = item.nodeid.removeprefix("tests/")
    started = STARTED & set(getattr(item, "fixturenames", ())) or _place_of(item) != "fake"
    return not started and not place.startswith(STARTING) and not _is_transactional(item)


def _place_of(item: pytest.Item) -> object:
    """The server that a test of the contract is about."""
    call = getattr(item, "callspec", None)
    return call.params.get("place", "fake") if call else "fake"


def _refuse_processes(event: str, _: object) -> None:
    """What --fast promises, held: a test that starts a process fails."""
    if event in {"subprocess.Popen", "os.fork", "os.posix_spawn"}:
        raise RuntimeError("--fast starts no process: name this test in STARTING, in conftest.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The skins of a test that is marked with some. On the second database one is enough."""
    marker = metafunc.definition.get_closest_marker("skins")
    if marker and "skin" in metafunc.fixturenames:
        second = metafunc.config.option.markexpr == "both_databases"
        every = metafunc.config.option.every_skin
        skins = (NONE,) if second else SKINS if every else marker.args
        metafunc.parametrize("skin", skins, ids=str, indirect=True)


# --- Milvus -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def milvus_server() -> Iterator[MilvusServer]:
    """The real Milvus, with authorization on; `token` is root's."""
    with ExitStack() as stack:
        server, problem = None, ""
        try:
            server = stack.enter_context(serve())
        except NoMilvus as exc:
            problem = str(exc)
        if server is None:
            pytest.fail(problem, pytrace=False)
        yield server


@pytest.fixture
def skin(request: pytest.FixtureRequest) -> Skin:
    """Which Milvus `chain` behaves as: 2.3.5, unless the test is marked with `skins`."""
    return getattr(request, "param", NONE)


@pytest.fixture
def chain(
    request: pytest.FixtureRequest, milvus_server: MilvusServer, skin: Skin
) -> Iterator[Chain]:
    """client → `chain.proxy` → `chain.relay` → the real Milvus. Clients use `chain.uri`."""
    with chain_to(milvus_server, skin) as made:
        yield made
        require_difference(request, made.skin)


def require_difference(request: pytest.FixtureRequest, worn: Worn) -> None:
    """Fail a test that is the same without its skin: all that it gets is what 2.3.5 answers.

    The version differs always. It counts where the test expects something else because of it.
    """
    asks = _asks_for_skin(request.node)
    differences = worn.differences if asks else worn.differences - {"version"}
    every = request.config.option.every_skin
    if worn.skin.rows and not differences and not every:
        pytest.fail(f"No row of {worn.skin} makes a difference here: take it off.", pytrace=False)


@pytest.fixture
def lite_server() -> Iterator[MilvusServer]:
    """A fresh Milvus Lite for one test; its `uri` is a path."""
    with lite() as server:
        yield server


@pytest.fixture
def lite_uri(lite_server: MilvusServer) -> str:
    """The path of a fresh Milvus Lite for one test."""
    return lite_server.uri


@pytest.fixture
def unique() -> Callable[..., str]:
    """unique("prefix") is a name that nothing has yet."""
    return unique_name


@pytest.fixture
def collections_on() -> Iterator[Callable[[MilvusServer], Seeds]]:
    """collections_on(server) makes collections there (see Seeds); they go after the test."""
    with ExitStack() as stack:
        yield lambda server: stack.enter_context(seeds_on(server))


@pytest.fixture
def make_collection(milvus_server: MilvusServer) -> Iterator[Seeds]:
    """The same for the real Milvus: make_collection(rows=3, loaded=True) is the name."""
    with seeds_on(milvus_server) as seeds:
        yield seeds


# --- Django -----------------------------------------------------------------------------------


def _empty(self: TransactionTestCase) -> None:
    for name in self._databases_names(include_mirrors=False):  # type: ignore[attr-defined]
        empty(connections[name])


TransactionTestCase._fixture_teardown = _empty  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """An export that a test neither reads nor closes would refuse that of the next one; a thread
    that still waits for SQLite would make the first write of the next one too many.
    """
    yield
    long_reads._running.clear()
    until(lambda: not sqlite_queue._arrivals)


def _is_transactional(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    return marker is not None and bool(
        marker.kwargs.get("transaction") or marker.kwargs.get("reset_sequences") or any(marker.args)
    )


# --- Browser ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium, or the one that CHROMIUM names."""
    names = (os.environ["CHROMIUM"],) if "CHROMIUM" in os.environ else BROWSERS
    path = next(filter(None, map(shutil.which, names)), None)
    if not path:
        pytest.fail(
            f"There is no {' or '.join(names)}. Install one (apt-get install -y "
            "chromium-headless-shell), or set CHROMIUM to the path of one.",
            pytrace=False,
        )
    return {**browser_type_launch_args, "executable_path": path, "args": [LOCAL_ONLY]}


# --- garbage --------------------------------------------------------------------------------------


COLLECT_EVERY = 50  # tests


def pytest_sessionstart() -> None:
    """No garbage collection in the middle of things: in a thread of a gRPC server, while it holds a
    lock, it finalised a call of a gRPC client, and both waited for each other for ever.
    """
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Modules and tests stay: no collection has to look through them."""
    gc.freeze()
    if session.config.getoption("--fast"):
        sys.addaudithook(_refuse_processes)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Between two tests, in the main thread."""
    if next(_finished) % COLLECT_EVERY == 0:
        gc.collect()


_finished = itertools.count(1)
