"""Writers of the audit log on SQLite queue in order."""

import contextlib
import fcntl
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from collections_app.audit import sqlite_queue
from collections_app.audit.sqlite_queue import writer_slot


@pytest.fixture(autouse=True)
def lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock file of a database that nobody else uses."""
    settings = {"NAME": str(tmp_path / "log.sqlite"), "OPTIONS": {"timeout": 0.5}}
    cursor = contextlib.nullcontext(SimpleNamespace(execute=lambda sql: None))
    sqlite = SimpleNamespace(vendor="sqlite", settings_dict=settings, cursor=lambda: cursor)
    monkeypatch.setattr(sqlite_queue, "connection", sqlite)
    return tmp_path / "log.sqlite-writer.lock"


def test_writer_slot_is_held_by_one_thread_at_a_time(lock_file: Path) -> None:
    sqlite_queue.connection.settings_dict["OPTIONS"] = {"timeout": 20}
    inside, most, all_of_them = 0, 0, 0

    def write() -> None:
        nonlocal inside, most, all_of_them
        with writer_slot():
            inside += 1
            most, all_of_them = max(most, inside), all_of_them + 1
            time.sleep(0.01)
            inside -= 1

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, all_of_them) == (1, 8)


def test_writer_slot_past_the_timeout_raises_database_is_locked() -> None:
    began = time.monotonic()
    with writer_slot(), pytest.raises(OperationalError, match="database is locked"), writer_slot():
        pass
    assert 0.5 <= time.monotonic() - began < 5
    with writer_slot():
        pass


def test_writer_slot_that_never_frees_lets_few_wait(lock_file: Path) -> None:
    sqlite_queue.connection.settings_dict["OPTIONS"] = {"timeout": 4}
    waited: list[float] = []

    def write() -> None:
        began = time.monotonic()
        with contextlib.suppress(OperationalError), writer_slot():
            pass
        waited.append(time.monotonic() - began)

    with lock_file.open("w") as somebody_else:
        fcntl.flock(somebody_else, fcntl.LOCK_EX)
        threads = [threading.Thread(target=write) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(sqlite_queue.LONG_WAIT + 0.5)
        write()
        assert waited.pop() < 0.2, "who comes now does not wait at all"
        assert len(waited) == 8 - sqlite_queue.MAX_WAITERS
        for thread in threads:
            thread.join()
    assert (
        sum(seconds > sqlite_queue.LONG_WAIT + 1 for seconds in waited) == sqlite_queue.MAX_WAITERS
    )


@pytest.mark.parametrize("existing", [False, True])
def test_writer_slot_lock_file_is_private(lock_file: Path, existing: bool) -> None:
    if existing:
        lock_file.touch()
        lock_file.chmod(0o644)
    before = os.umask(0)
    try:
        with writer_slot():
            pass
    finally:
        os.umask(before)
    assert lock_file.stat().st_mode & 0o777 == 0o600


def test_writer_slot_on_postgresql_never_waits(lock_file: Path) -> None:
    sqlite_queue.connection.vendor = "postgresql"
    with writer_slot(), writer_slot():
        pass
    assert not lock_file.exists()


def test_writer_slot_without_a_lock_file_has_no_order(
    lock_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_file.mkdir()
    with writer_slot(), writer_slot():
        pass
    assert lock_file.is_dir()
