"""The audit log as a stranger reads it: plain SQL, and a chain computed anew."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

FINAL = {"succeeded", "failed", "refused"}
FAULTS = """
CREATE TABLE chaos_disk (is_full boolean);
INSERT INTO chaos_disk VALUES (false);
CREATE FUNCTION chaos_refuse() RETURNS trigger AS $$ BEGIN
  IF (SELECT is_full FROM chaos_disk) THEN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
  END IF; RETURN NEW; END $$ LANGUAGE plpgsql;
CREATE TRIGGER chaos_full BEFORE INSERT ON collections_app_auditevent
  FOR EACH ROW EXECUTE FUNCTION chaos_refuse();
"""


@dataclass(frozen=True)
class Row:
    """An event: its columns, and its record opened."""

    sequence: int
    text: str
    prev_hash: str
    hash: str

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found


class Log:
    """One connection of its own, safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._lock = threading.Lock()
        self._connection = psycopg.connect(url, autocommit=True, application_name="chaos")

    def prepare(self) -> None:
        """Make it possible for the disk to be full."""
        self._ask(FAULTS)

    def intents_for(self, name: str) -> list[tuple[int, int]]:
        """The committed intents to drop that name: sequence and identity, oldest first."""
        found = self._ask(
            "SELECT sequence, (record::jsonb->'details'->'identity'->>'id')::bigint "
            "FROM collections_app_auditevent WHERE phase = 'intent' AND name = %s "
            "ORDER BY sequence",
            name,
        )
        return [(row[0], row[1]) for row in found]

    def rows(self) -> list[Row]:
        columns = "sequence, record, prev_hash, hash"
        found = self._ask(f"SELECT {columns} FROM collections_app_auditevent ORDER BY sequence")
        return [Row(*row) for row in found]

    def open_claims(self) -> int:
        return int(self._ask("SELECT count(*) FROM collections_app_claim")[0][0])

    def cut_everybody(self) -> None:
        """End all connections of the application."""
        self._ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
            "current_database() AND application_name <> 'chaos'"
        )

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        self._ask("UPDATE chaos_disk SET is_full = true")
        try:
            yield
        finally:
            self._ask("UPDATE chaos_disk SET is_full = false")

    def _ask(self, sql: str, *values: object) -> list[Any]:
        with self._lock:
            cursor = self._connection.execute(sql, values or None)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []


def broken_links(rows: list[Row], key: str) -> int:
    """Events whose seal or place in the chain is wrong."""
    broken, before = 0, Row(0, "", "", "0" * 64)
    for row in rows:
        message = f"{row.prev_hash}\n{row.text}".encode()
        sealed = hmac.new(key.encode(), message, hashlib.sha256).hexdigest()
        follows = row.sequence == before.sequence + 1 and row.prev_hash == before.hash
        broken += not (follows and sealed == row.hash)
        before = row
    return broken
