"""The audit log read independently: plain SQL, and a chain computed anew."""

import hashlib
import hmac
import json
import threading
import uuid
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


INTENT = "SELECT sequence, hash, record FROM collections_app_auditevent WHERE phase = 'intent' AND "


@dataclass(frozen=True)
class Intent:
    """A committed intent."""

    sequence: int
    seal: str
    text: str

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def action(self) -> str:
        return str(self.record["action"])

    @property
    def operation(self) -> str:
        return str(self.record["operation_id"])

    @property
    def interface(self) -> str:
        """Where it comes from: web, bin, plan."""
        return str(self.record["origin"]["interface"])

    @property
    def details(self) -> dict[str, Any]:
        found: dict[str, Any] = self.record["details"]
        return found

    @property
    def identity(self) -> int:
        return int(self.details["identity"]["id"])


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


@dataclass(frozen=True)
class PlanItem:
    """An item of a plan in the table of the application."""

    position: int
    state: str
    operation: str
    outcome: str


@dataclass(frozen=True)
class PlanRow:
    """A plan in the table of the application."""

    state: str
    items: tuple[PlanItem, ...]


class Log:
    """One connection of its own, safe to use from many threads."""

    def __init__(self, url: str) -> None:
        self._lock = threading.Lock()
        self._connection = psycopg.connect(url, autocommit=True, application_name="chaos")

    def prepare(self) -> None:
        """Make it possible for the disk to be full."""
        self._ask(FAULTS)

    def last_intent(self, action: str, collection: str, name: str) -> Intent | None:
        """The last committed intent to do that; `name` is empty for a collection itself."""
        found = self._ask(
            f"{INTENT} action = %s AND cluster = 'main' AND database = 'default' "
            "AND collection = %s AND name = %s ORDER BY sequence DESC LIMIT 1",
            action,
            collection,
            name or collection,
        )
        return Intent(*found[0]) if found else None

    def intent_under(self, private: str) -> Intent | None:
        """The committed intent whose private name this is: its end is the operation's id."""
        operation = uuid.UUID(private.rpartition("_")[2])
        found = self._ask(f"{INTENT} operation_id = %s", operation)
        return Intent(*found[0]) if found else None

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

    def binned(self) -> dict[str, tuple[str, int]]:
        """What the index of the recycle bin has: former name and id, by private name."""
        found = self._ask("SELECT private_name, name, collection_id FROM collections_app_binitem")
        return {private: (name, number) for private, name, number in found}

    def binned_as(self, name: str) -> str:
        """The private name of one that was called that; empty if there is none."""
        items = [private for private, (former, _) in self.binned().items() if former == name]
        return items[-1] if items else ""

    def plan(self, number: int) -> "PlanRow":
        """One plan and its items, as they are in one moment."""
        found = self._ask(
            "SELECT p.state, i.position, i.state, i.operation_id::text, i.outcome "
            "FROM collections_app_plan p JOIN collections_app_planitem i ON i.plan_id = p.id "
            "WHERE p.id = %s ORDER BY i.position",
            number,
        )
        return PlanRow(found[0][0] if found else "", tuple(PlanItem(*row[1:]) for row in found))

    def restless_plans(self) -> int:
        """Plans that will go on by themselves."""
        return int(
            self._ask(
                "SELECT count(DISTINCT p.id) FROM collections_app_plan p "
                "LEFT JOIN collections_app_planitem i ON i.plan_id = p.id AND i.state = 'running' "
                "WHERE p.state IN ('reading', 'running') OR i.id IS NOT NULL"
            )[0][0]
        )

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
