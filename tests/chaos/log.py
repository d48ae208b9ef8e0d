"""The audit log read independently: plain SQL, and a chain computed anew."""

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

FINAL = {"succeeded", "failed", "refused", "not done so far"}
FAULTS = """
CREATE TABLE chaos_disk (full_for text);
CREATE FUNCTION chaos_refuse() RETURNS trigger AS $$ BEGIN
  IF EXISTS (SELECT FROM chaos_disk WHERE full_for IN ('', NEW.collection)) THEN
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

    def last_intent(
        self, action: str, collection: str, partition: str
    ) -> tuple[int, int, str] | None:
        """The last committed intent to do that: its sequence, the identity in it, its seal."""
        found = self._ask(
            "SELECT sequence, (record::jsonb->'details'->'identity'->>'id')::bigint, hash "
            "FROM collections_app_auditevent WHERE phase = 'intent' AND action = %s "
            "AND cluster = 'main' AND database = 'default' AND collection = %s AND name = %s "
            "ORDER BY sequence DESC LIMIT 1",
            action,
            collection,
            partition or collection,
        )
        return tuple(found[0]) if found else None

    def outcomes(self, intents: list[int]) -> set[str]:
        """The final outcomes of those operations, by the sequence of their intents."""
        found = self._ask(
            "SELECT DISTINCT after.outcome FROM collections_app_auditevent AS before "
            "JOIN collections_app_auditevent AS after USING (operation_id) "
            "WHERE before.sequence = ANY(%s) AND after.phase = 'outcome' "
            "AND after.outcome = ANY(%s)",
            intents,
            list(FINAL),
        )
        return {row[0] for row in found}

    def rows(self) -> list[Row]:
        columns = "sequence, record, prev_hash, hash"
        found = self._ask(f"SELECT {columns} FROM collections_app_auditevent ORDER BY sequence")
        return [Row(*row) for row in found]

    def open_claims(self, collection: str = "") -> int:
        """Operations without a final outcome, of one collection or of all."""
        found = self._ask(
            "SELECT count(*) FROM collections_app_claim JOIN collections_app_auditevent "
            "USING (operation_id) WHERE phase = 'intent' AND (%s = '' OR collection = %s)",
            collection,
            collection,
        )
        return int(found[0][0])

    def cut(self, backend: int) -> None:
        """End that connection of the application; all of them, if it is 0."""
        self._ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
            "current_database() AND application_name <> 'chaos' AND %s IN (pid, 0)",
            backend,
        )

    @contextmanager
    def full_disk(self, collection: str) -> Iterator[None]:
        """There is no room for an event about that collection; about none, if it is empty."""
        self._ask("INSERT INTO chaos_disk VALUES (%s)", collection)
        try:
            yield
        finally:
            self._ask("DELETE FROM chaos_disk WHERE full_for = %s", collection)

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
