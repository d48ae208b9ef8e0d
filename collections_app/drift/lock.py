"""Only one watch runs: a lock that ends with whoever holds it, however that ends."""

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from ..private import open_private

WATCH_LOCK = 0x4D69_6C77  # beside the chain's own
NAME = "milvusadmin watch"


class Lock(Protocol):
    """Held by one process at most."""

    def acquire(self) -> bool:
        """Whether this process holds it, from before or from now on. May raise DatabaseError."""

    def holder(self) -> str:
        """Who has it, as far as that can be told."""

    def release(self) -> None:
        """Give it back. Never raises."""


def lock() -> Lock:
    """The lock for the database in use."""
    if connection.vendor == "postgresql":
        return DatabaseLock()
    return FileLock(Path(f"{connection.settings_dict['NAME']}.watch"))


def process_name() -> str:
    return f"{NAME} on {socket.gethostname()[:30]}, pid {os.getpid()}"


class DatabaseLock:
    """PostgreSQL: an advisory lock of a session that does nothing else. All machines see it."""

    # A machine that died must not keep it: its server finds out within about a minute.
    PREPARE = (
        "SET tcp_keepalives_idle = 30",
        "SET tcp_keepalives_interval = 10",
        "SET tcp_keepalives_count = 3",
        "SET idle_session_timeout = 0",
    )
    HELD = """FROM pg_locks WHERE locktype = 'advisory' AND objid = %s AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""

    def __init__(self) -> None:
        self._session = connection.copy()  # Django's own is closed now and then

    def acquire(self) -> bool:
        try:
            if self._session.connection and self._is_held():
                return True
        except (DatabaseError, InterfaceError):
            pass
        self.release()
        for statement in self.PREPARE:
            self._ask(statement)
        self._ask("SELECT set_config('application_name', %s, false)", process_name())
        return self._ask("SELECT pg_try_advisory_lock(%s)", WATCH_LOCK) == (True,)

    def _is_held(self) -> bool:
        """Asked, not believed: behind a pooler, this session may be another one each time."""
        query = f"SELECT 1 {self.HELD} AND pid = pg_backend_pid()"
        return self._ask(query, WATCH_LOCK) is not None

    def holder(self) -> str:
        query = f"""SELECT application_name, client_addr FROM pg_stat_activity
            WHERE pid IN (SELECT pid {self.HELD})"""  # noqa: S608 (constants)
        row = self._ask(query, WATCH_LOCK)
        return f"{row[0]} ({row[1] or 'local'})" if row else ""

    def release(self) -> None:
        with suppress(DatabaseError, InterfaceError):
            self._session.close()

    def _ask(self, query: str, *values: str | int) -> tuple[object, ...] | None:
        with self._session.cursor() as cursor:
            cursor.execute(query, values or None)
            row: tuple[object, ...] | None = cursor.fetchone() if cursor.description else None
            return row


class FileLock:
    """SQLite means one machine: a locked file beside the database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        if self._file and self._is_own_file(self._file):
            return True
        self.release()
        file = os.fdopen(open_private(self.path), "r+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        file.truncate(0)
        file.write(f"{process_name()}, since {timezone.now():%Y-%m-%d %H:%M:%S} UTC\n")
        file.flush()
        self._file = file
        return True

    def _is_own_file(self, file: IO[str]) -> bool:
        """Somebody may have removed the file: then another process could lock a new one."""
        with suppress(FileNotFoundError):
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        return False

    def holder(self) -> str:
        with suppress(OSError):
            return self.path.read_text().strip()
        return ""

    def release(self) -> None:
        if self._file:
            self._file.close()
            self._file = None
