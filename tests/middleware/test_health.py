"""Health probes: by address, without a session, and with everything else broken."""

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client

from collections_app.audit import log
from collections_app.health import heartbeat, readiness
from collections_app.milvus.circuit_breaker import State
from collections_app.models import AuditEvent, TaskRun
from milvusadmin.middleware import health
from milvusadmin.middleware.cached_probe import CachedProbe
from tests.infra.faultproxy import FaultProxy

PROBE = {"Host": "10.1.2.3:8000"}
ALL_WELL = "database ok\naudit_log ok\nclusters ok\n"
LOG_FAILS = "database ok\naudit_log failing\nclusters ok\n"
both_databases = pytest.mark.both_databases
on_the_database = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier test was told does not count."""
    checks = {"database": readiness.database_answers, "audit_log": readiness.log_is_writable}
    for name, check in checks.items():
        monkeypatch.setitem(health.REQUIRED, name, CachedProbe(check, ttl=0.0, timeout=1.0))


def probe(path: str) -> tuple[int, str]:
    response = Client(headers=PROBE).get(path)
    assert isinstance(response, HttpResponse)
    return response.status_code, response.content.decode()


def soon_ready() -> bool:
    """Whether it is ready again within five seconds."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if probe("/readyz") == (200, ALL_WELL):
            return True
        time.sleep(0.05)
    return False


@on_the_database
def test_readyz_with_the_lock_file_held_fails_on_sqlite(tmp_path: Path) -> None:
    """Writers would wait for it. PostgreSQL queues writers by itself."""
    lock_file = (
        tmp_path / f"{connection.settings_dict['NAME']}-writer.lock"
    )  # SQLite's name is a path
    fails = connection.vendor == "sqlite"
    with lock_file.open("w") as another_process:
        fcntl.flock(another_process, fcntl.LOCK_EX)
        assert probe("/readyz") == ((503, LOG_FAILS) if fails else (200, ALL_WELL))
    assert soon_ready()


# --- /healthz -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "head"])
def test_healthz_answers_any_host_without_a_database(method: str) -> None:
    """There is no database mark: a query would fail this test."""
    response = getattr(Client(headers=PROBE), method)("/healthz")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain")
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes_refuse_other_methods(path: str) -> None:
    assert Client(headers=PROBE).post(path).status_code == 400


# --- /readyz --------------------------------------------------------------------------------------


@on_the_database
@both_databases
def test_readyz_ready_records_nothing() -> None:
    assert probe("/readyz") == (200, ALL_WELL)
    assert not AuditEvent.objects.exists()
    assert TaskRun.objects.get(name=heartbeat.READY).ok


@on_the_database
@both_databases
def test_readyz_with_an_unwritable_log_fails(read_only: Callable[..., Any]) -> None:
    with read_only():
        assert probe("/readyz") == (503, LOG_FAILS)
    assert soon_ready()


@pytest.fixture
def read_only() -> Callable[..., Any]:
    """New connections can read and not write, as on a replica or a full disk mounted anew."""
    return _read_only_server if connection.vendor == "postgresql" else _held_file


@contextlib.contextmanager
def _read_only_server() -> Iterator[None]:
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    setting = f"ALTER DATABASE {name} SET default_transaction_read_only"
    with connection.cursor() as cursor:
        cursor.execute(f"{setting} = on")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"{setting} = off")


@contextlib.contextmanager
def _held_file() -> Iterator[None]:
    """Root writes to every file; so somebody holds the one write lock instead."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


@on_the_database
@both_databases
def test_readyz_while_the_chain_is_held_fails_quickly() -> None:
    """The probe gives up; the attempt it left behind ends when the chain is free."""
    with log.appending():
        began = time.monotonic()
        assert probe("/readyz") == (503, LOG_FAILS)
        assert time.monotonic() - began < 3
    assert soon_ready()


@on_the_database
def test_readyz_asked_by_a_crowd_asks_the_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answers() -> bool:
        asked.append(1)
        return readiness.database_answers()

    monkeypatch.setitem(health.REQUIRED, "database", CachedProbe(answers, ttl=60, timeout=5))
    with ThreadPoolExecutor(8) as crowd:
        told = set(crowd.map(probe, ["/readyz"] * 40))
    assert told == {(200, ALL_WELL)}
    assert len(asked) == 1


@on_the_database
def test_readyz_with_a_paused_cluster_reports_and_is_ready(
    use_cluster: Callable[..., Any], people: Any
) -> None:
    with FaultProxy("127.0.0.1", 1) as nobody:
        nobody.stall()
        milvus = use_cluster(
            f"http://127.0.0.1:{nobody.port}", read_timeout=0.3, breaker_cooldown=60.0
        )
        client = Client()
        client.force_login(people["viewer"])
        assert client.get("/clusters/main/").status_code == 503
        assert milvus.breaker.state is State.OPEN
        status, text = probe("/readyz")
    assert (status, text) == (200, ALL_WELL.replace("clusters ok", "clusters failing"))
