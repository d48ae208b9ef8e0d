"""The lock of drift detection: one process at a time, its holder, and how it is lost."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from collections_app.audit.log import LogUnwritable
from collections_app.audit.verify import verify
from collections_app.clusters import Milvus
from collections_app.drift.inventory import ConcurrentScan
from collections_app.drift.lock import DatabaseLock, FileLock, lock
from collections_app.drift.scan import scan
from collections_app.management import background
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, SeenCollection, WatchedDatabase
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import seeds_on
from tests.infra.waiting import until
from tests.operations.conftest import (
    ACCEPT,
    REFUSE,
    Shell,
    carry_out,
    consent,
    database_url,
    on_own_connection,
    refused_events,
    sql,
    target_in,
)

from .conftest import Watched, seen

SLOW = 60  # seconds that a process may take to start on a busy machine
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def first() -> Iterator[Any]:
    """The lock, held."""
    held = lock()
    assert held.acquire()
    yield held
    held.release()


@contextmanager
def running(shell: Shell, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`manage.py watch` in a process of its own."""
    process = shell.start("watch", "--every", "0.3", *options)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def once(*options: str) -> tuple[object, str, str]:
    """Exit code, standard output and standard error of a single look."""
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("watch", "--once", *options, stdout=out, stderr=err)
    return caught.value.code, out.getvalue(), err.getvalue()


# --- the lock -------------------------------------------------------------------------------------


def test_watch_lock_is_held_by_one_and_names_the_holder(first: Any) -> None:
    second = lock()
    assert first.acquire()
    assert not second.acquire()
    assert "milvusadmin watch on " in second.holder()
    assert ", pid " in second.holder()
    first.release()
    assert second.acquire()
    assert not first.acquire()
    second.release()


def test_watch_while_another_runs_names_it_and_fails(first: Any, real: Milvus) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("watch", "--once")
    assert caught.value.returncode == 1
    assert "Another watch is running: milvusadmin watch on " in str(caught.value)
    assert not AuditEvent.objects.exists()


def test_watch_lock_lost_is_not_taken_again_while_held(first: Any, tmp_path: Path) -> None:
    lose(first)
    second = lock()
    assert second.acquire()
    assert not first.acquire()
    second.release()
    assert first.acquire()


def lose(held: Any) -> None:
    """As by a server that ends the session, or by somebody who tidies up."""
    if isinstance(held, FileLock):
        held.path.unlink()
        return
    assert isinstance(held, DatabaseLock)
    pid = held._ask("SELECT pg_backend_pid()")[0]  # type: ignore[index]
    sql("SELECT pg_terminate_backend(%s)", pid)
    until(lambda: sql("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid) == 0)


# --- processes ------------------------------------------------------------------------------------


def test_watch_killed_frees_the_lock_for_a_waiting_one(watched: Watched, shell: Shell) -> None:
    limits = ("--database", watched.database)
    with running(shell, *limits) as one:
        until(WatchedDatabase.objects.exists, SLOW)
        code, _, err = shell.run("watch", "--once", *limits)
        assert (code, f"pid {one.pid}" in err) == (1, True)
        with running(shell, "--wait", *limits) as two:
            assert two.stderr is not None
            while "Standing by" not in (line := two.stderr.readline()):
                assert line, "it ended"
            one.kill()
            watched.add("book")
            until(lambda: seen() == ["appeared book"], SLOW)


def test_watch_terminated_ends_soon_and_frees_the_lock(watched: Watched, shell: Shell) -> None:
    with running(shell, "--every", "3600", "--database", watched.database) as process:
        until(WatchedDatabase.objects.exists, SLOW)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SLOW) == 0
    assert lock_is_free()


def test_watch_cut_off_from_its_database_takes_the_lock_again(
    watched: Watched, shell: Shell
) -> None:
    with running(shell, "--database", watched.database) as process:
        until(WatchedDatabase.objects.exists, SLOW)
        cut_off()
        watched.add("book")
        until(lambda: seen() == ["appeared book"], SLOW)
        assert not lock_is_free()
        assert process.poll() is None


def test_watch_whose_lock_another_took_stops(watched: Watched, shell: Shell) -> None:
    with running(shell, "--every", "5", "--database", watched.database) as process:
        until(WatchedDatabase.objects.exists, SLOW)
        cut_off()
        other = lock()
        assert other.acquire()
        _, err = process.communicate(timeout=SLOW)
        other.release()
    assert process.returncode == 1
    assert "Another watch is running: " in err


def cut_off() -> None:
    """Everybody else's connections to the database end; or the locked file goes."""
    if connection.vendor == "postgresql":
        sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return
    held = lock()
    assert isinstance(held, FileLock)
    held.path.unlink()


def lock_is_free() -> bool:
    other = lock()
    free = other.acquire()
    other.release()
    return free


# --- two that run all the same --------------------------------------------------------------------


def test_scans_of_the_same_change_record_it_once(
    watched: Watched, faulty: Milvus, chain: Chain
) -> None:
    """Without a lock: the version of the inventory stops the second scan."""
    watched.add("book")
    watched.look()
    watched.drop("book")
    watched.add("film")
    others: list[Any] = []
    look_too = lambda: others.append(on_own_connection(watched.look))  # noqa: E731
    chain.relay.before("DescribeCollection", look_too)
    with pytest.raises(ConcurrentScan):
        watched.look()
    assert others[0].events == {"collection.gone": 1, "collection.appeared": 1}
    assert sorted(seen()) == ["appeared film", "gone book"]
    assert watched.look().events == {}


def test_scans_that_begin_at_once_record_one_beginning(
    watched: Watched, faulty: Milvus, chain: Chain
) -> None:
    chain.relay.before("ShowCollections", lambda: on_own_connection(watched.look))
    with pytest.raises(ConcurrentScan):
        watched.look()
    assert AuditEvent.objects.filter(action="watch.began").count() == 1


# --- half-way -------------------------------------------------------------------------------------


def test_scan_with_an_unwritable_log_keeps_the_inventory(watched: Watched, real: Milvus) -> None:
    watched.add("book")
    watched.look()
    watched.drop("book")
    before = list(SeenCollection.objects.values()), list(WatchedDatabase.objects.values())
    with refused_events("observed"), pytest.raises(LogUnwritable):
        watched.look()
    assert seen() == []
    after = list(SeenCollection.objects.values()), list(WatchedDatabase.objects.values())
    assert after == before
    watched.look()
    assert seen() == ["gone book"]


def test_scan_killed_between_transactions_records_the_rest_once(
    watched: Watched, real: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections_app.drift import scan

    monkeypatch.setattr("collections_app.drift.scan.MAX_CHANGES", 2)
    watched.look()
    names = [f"c{number}" for number in range(5)]
    for name in names:
        watched.add(name)
    record = scan.Inventory.record

    class Killed(BaseException):
        pass

    def die(self: Any, changes: Any) -> None:
        record(self, changes)
        raise Killed

    monkeypatch.setattr(scan.Inventory, "record", die)
    for recorded in (2, 4, 5):
        with pytest.raises(Killed):
            watched.look()
        assert len(seen()) == SeenCollection.objects.count() == recorded
    monkeypatch.setattr(scan.Inventory, "record", record)
    assert watched.look().events == {}
    assert sorted(seen()) == [f"appeared {name}" for name in names]


def test_scan_killed_while_recording_loses_and_repeats_nothing(
    watched: Watched, faulty: Milvus, shell: Shell
) -> None:
    watched.look()
    row, count = WatchedDatabase.objects.get(), 200
    names = [f"c{number:03d}" for number in range(count)]  # all of them gone, by its inventory
    SeenCollection.objects.bulk_create(
        SeenCollection(watched=row, name=name, collection_id=at, created_ms=at)
        for at, name in enumerate(names, start=1)
    )
    limits, observed = ("--database", watched.database), AuditEvent.objects.filter(phase="observed")
    with running(shell, *limits) as process:
        until(lambda: observed.count() > 1, SLOW)
        process.kill()
        process.wait()
    half_way = len(seen())
    assert 0 < half_way < count
    assert half_way + SeenCollection.objects.count() == count
    assert shell.run("watch", "--once", *limits)[0] == 0
    assert sorted(seen()) == [f"gone {name}" for name in names]
    assert not SeenCollection.objects.exists()
    assert not verify().broken


# --- the command ----------------------------------------------------------------------------------


def test_watch_once_prints_events_and_read_errors(
    watched: Watched, faulty: Milvus, chain: Chain
) -> None:
    limits = ("--database", watched.database)
    assert once(*limits) == (0, "main: recorded 1 watch.began event\n", "")
    watched.add("book")
    assert once(*limits) == (0, "main: recorded 1 collection.appeared event\n", "")
    assert once(*limits) == (0, "", "")
    chain.proxy.refuse()
    code, out, err = once(*limits)
    assert (code, out, "no answer" in err) == (1, "", True)


def test_watch_with_a_hanging_cluster_scans_the_others(
    watched: Watched, faulty: Milvus, chain: Chain, settings: Any
) -> None:
    hanging = replace(settings.CLUSTERS["main"], key="away", uri="http://127.0.0.1:1")
    settings.CLUSTERS = {"away": hanging, **settings.CLUSTERS}
    code, out, err = once("--database", watched.database)
    assert (code, out) == (1, "main: recorded 1 watch.began event\n")
    assert err.startswith("away: ")


def test_watch_loop_after_a_database_outage_goes_on(
    watched: Watched, real: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four runs: the database refuses two of them and answers the last one."""
    turns: list[int] = []

    class Event(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            turns.append(len(turns))
            if len(turns) == 1:
                watched.add("book")
                sql(REFUSE[connection.vendor] % "observed")
            if len(turns) == 3:
                sql(ACCEPT[connection.vendor])
            if len(turns) == 4:
                self.set()
            return False

    monkeypatch.setattr(background, "stopping", Event())
    err = StringIO()
    call_command("watch", "--every", "5", "--database", watched.database, stderr=err)
    assert err.getvalue().count("LogUnwritable") == 2
    assert seen() == ["appeared book"]


@pytest.mark.parametrize("every", ["0", "-1", "nan", "inf", "86401"])
def test_watch_interval_that_is_invalid_is_refused(every: str) -> None:
    with pytest.raises(CommandError, match="--every is the seconds between two scans"):
        call_command("watch", f"--every={every}")


def test_watch_of_an_unconfigured_cluster_is_refused(real: Milvus) -> None:
    with pytest.raises(CommandError, match="No cluster nowhere is configured"):
        call_command("watch", "--cluster", "nowhere")


# --- Milvus Lite ----------------------------------------------------------------------------------


def test_watch_loop_on_embedded_milvus_lite_is_refused(lite: Milvus) -> None:
    with pytest.raises(CommandError, match="main is an embedded Milvus Lite, and its file belongs"):
        call_command("watch")


def test_watch_on_milvus_lite_in_use_says_so(lite: Milvus, lite_uri: str, tmp_path: Path) -> None:
    lite.gateway.databases()  # this process has it open
    environment = {"DATABASE_URL": database_url(), "MILVUS_URI": lite_uri}
    shell = Shell({**os.environ, "DJANGO_SETTINGS_MODULE": "milvusadmin.settings", **environment})
    code, _, err = shell.run("watch", "--once")
    assert code == 1
    assert "its file belongs to one process. Stop Milvus Admin" in err


def test_scan_of_milvus_lite_compares_names_and_says_so(
    lite: Milvus, lite_server: MilvusServer
) -> None:
    with seeds_on(lite_server) as seeds:
        book = seeds("book")
        scan(lite)
        seeds("film")
        lite_server.client().drop_collection(book)
        scan(lite)
        assert sorted(seen()) == ["appeared film", "gone book"]
        for event in AuditEvent.objects.all():
            record = json.loads(event.record)
            assert "This server has no ids: things are told apart by name only" in record["message"]
            assert record["details"]["identity_verifiable"] is False
        carry_out(consent(target_in("film", Kind.COLLECTION)))
        assert scan(lite).events == {}
