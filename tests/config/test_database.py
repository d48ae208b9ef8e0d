"""The application's database: lost connections are replaced, and an outage answers quickly."""

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured

from milvusadmin.config import database
from tests.infra.faultproxy import FaultProxy
from tests.infra.gunicorn import Answer, App, ask, gunicorn

PAGE = "/sign-in/"  # reads the session, so it needs the database
DOWN = "The database of Milvus Admin does not answer"
TOKEN = "scrape-" + "0f" * 16
real = pytest.mark.skipif(not os.environ.get("PGHOST"), reason="needs a real PostgreSQL")


class Place(NamedTuple):
    """The application on a PostgreSQL that faults can be put before."""

    app: App
    proxy: FaultProxy
    server: psycopg.Connection[tuple[object, ...]]
    name: str

    def ask(self) -> Answer:
        """A page for somebody whose session has to be looked up."""
        cookie = (("Cookie", "session=" + "s" * 32),)
        return ask(self.app.connection(), PAGE, cookie)

    def sessions(self) -> int:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s"
        return int(str(self.server.execute(query, [self.name]).fetchone()[0]))  # type: ignore[index]

    def end_all(self) -> int:
        """As a restart or an administrator does."""
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        return self.server.execute(query, [self.name]).rowcount


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    host, port = os.environ["PGHOST"], int(os.environ.get("PGPORT", "5432"))
    account = f"{os.environ.get('PGUSER', 'postgres')}:{os.environ.get('PGPASSWORD', '')}"
    name = f"reached_{os.getpid()}"
    own = psycopg.connect(f"postgres://{account}@{host}:{port}/postgres", autocommit=True)
    with own as server, FaultProxy(host, port) as proxy:
        server.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")  # type: ignore[call-overload]
        environment = {
            "DATABASE_URL": f"postgres://{account}@127.0.0.1:{proxy.port}/{name}",
            "SIGN_IN": "local",
            "LOOPBACK_ONLY": "1",
            "LOG_FORMAT": "json",
            "METRICS_TOKEN": TOKEN,
        }
        try:
            with gunicorn(environment) as app:
                yield Place(app, proxy, server, name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


@real
def test_connections_ended_by_the_database_are_replaced(place: Place) -> None:
    with ThreadPoolExecutor(8) as pool:  # so that each process has some
        assert {a.status for a in pool.map(lambda _: place.ask(), range(40))} == {200}
    for _ in range(5):
        assert place.end_all() > 0
        assert {place.ask().status for _ in range(4)} == {200}


@real
def test_connections_are_no_more_than_threads(place: Place) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: place.ask().status, range(120)))
    assert set(answers) == {200}
    assert 2 <= place.sessions() <= 2 * 8, "two workers of eight threads, though 32 asked"


@real
@pytest.mark.parametrize("fault", ["refuse", "stall"])
def test_database_down_answers_quickly_and_recovers(place: Place, fault: str) -> None:
    assert place.ask().status == 200
    if fault == "stall":
        place.proxy.cut()  # of a connection that is there, and silent, nobody can know yet
    getattr(place.proxy, fault)()
    began = time.monotonic()
    answer = place.ask()
    took = time.monotonic() - began
    place.proxy.ok()
    assert (answer.status, DOWN in answer.text) == (503, True)
    assert took < 5
    began = time.monotonic()
    while place.ask().status != 200:
        assert time.monotonic() - began < 10, "it is back, and nobody noticed"


@real
@pytest.mark.parametrize("fault", ["refuse", "stall"])
def test_database_down_shows_in_probes_metrics_and_the_page(place: Place, fault: str) -> None:
    until_ready(place)
    if fault == "stall":
        place.proxy.cut()
    getattr(place.proxy, fault)()
    time.sleep(2.1)  # an answer is kept for two seconds
    began = time.monotonic()
    ready, page, alive, numbers = probe(place), place.ask(), probe(place, "/healthz"), scrape(place)
    assert time.monotonic() - began < 15
    place.proxy.ok()
    assert (ready.status, ready.text) == (503, FAILING)
    assert alive.status == 200
    assert f"In the log: request {page.headers['X-Request-ID']}" in page.text
    said = [line for line in log(place) if line.get("request_id") == page.headers["X-Request-ID"]]
    assert any("OperationalError" in line.get("exception", "") for line in said)
    assert 'milvusadmin_check_ok{check="database"} 0.0' in numbers.text
    assert "milvusadmin_requests_total" in numbers.text
    assert "milvusadmin_open_operations" not in numbers.text
    until_ready(place)
    assert 'milvusadmin_check_ok{check="database"} 1.0' in scrape(place).text


FAILING = "database failing\naudit_log failing\nclusters ok\n"


def probe(place: Place, path: str = "/readyz") -> Answer:
    return ask(place.app.connection(), path)


def scrape(place: Place) -> Answer:
    return ask(place.app.connection(), "/metrics", (("Authorization", f"Bearer {TOKEN}"),))


def log(place: Place) -> list[dict[str, str]]:
    return [json.loads(line) for line in place.app.output.splitlines() if line.startswith("{")]


def until_ready(place: Place) -> None:
    """Each of the processes: the one that answers is the kernel's choice."""
    end, well = time.monotonic() + 60, 0
    while well < 12:
        well = well + 1 if probe(place).status == 200 else 0
        assert time.monotonic() < end, "it is back, and nobody noticed"
        time.sleep(0.1)


# --- what is configured ---------------------------------------------------------------------------


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("DATABASE_URL_FILE", raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:S3cr3t@db.example/name")
    return monkeypatch


def test_database_connections_are_kept_and_checked_before_use(url: pytest.MonkeyPatch) -> None:
    found = database.from_environment(Path("/nowhere"))
    assert (found["CONN_MAX_AGE"], found["CONN_HEALTH_CHECKS"]) == (60, True)
    assert found["OPTIONS"] == {"connect_timeout": 3, "tcp_user_timeout": 10_000}


def test_database_options_in_the_url_override_the_defaults(url: pytest.MonkeyPatch) -> None:
    url.setenv("DATABASE_URL", "postgres://db.example/name?sslmode=verify-full&connect_timeout=9")
    found = database.from_environment(Path("/nowhere"))["OPTIONS"]
    assert (found["sslmode"], found["connect_timeout"]) == ("verify-full", 9)


@pytest.mark.parametrize(
    "value", ["postgres://ada:S3cr3t@db:port/x", "postgras://ada:S3cr3t@db/x", "S3cr3t"]
)
def test_database_url_invalid_is_refused_without_its_password(
    url: pytest.MonkeyPatch, value: str
) -> None:
    url.setenv("DATABASE_URL", value)
    with pytest.raises(ImproperlyConfigured) as caught:
        database.from_environment(Path("/nowhere"))
    assert "DATABASE_URL can't be parsed. Use postgres://" in str(caught.value)
    assert "S3cr3t" not in str(caught.value)
