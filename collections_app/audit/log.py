"""The only writer of the audit log: append, chain, and the line that leaves the machine.

The chain: `hash = HMAC-SHA256(AUDIT_KEY, prev_hash + "\\n" + record)`, where `record` is the
event as canonical JSON. Sequence numbers start at 1 and have no gaps.
"""

import hashlib
import hmac
import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.utils import timezone
from prometheus_client import Counter

from ..access.principals import Actor, Caller
from ..models import AuditEvent
from ..statements import EVENT_ADDED, changed
from .sqlite_queue import writer_slot

logger = logging.getLogger("audit")
FAILURES = Counter("milvusadmin_audit_failures", "Events that could not be committed.")

SCHEMA_VERSION = 1
GENESIS = "0" * 64
SEALED, REMOVED = "audit.seal", "audit.remove"  # what was done to a segment of the log
HEAD = "SELECT sequence, hash FROM collections_app_auditevent ORDER BY sequence DESC LIMIT 1"
COLUMNS = [field.attname for field in AuditEvent._meta.concrete_fields]
CHAIN_LOCK = 0x4D696C76  # one advisory lock for the one chain


class Phase(StrEnum):
    """Where in an operation an event stands."""

    INTENT = "intent"  # about to be sent
    OUTCOME = "outcome"  # what became of it
    FOLLOW_UP = "follow_up"  # something more about an operation that is closed
    REJECTED = "rejected"  # stopped by Milvus Admin before anything was sent
    ACCESS = "access"  # something was done with the log itself: exported, sealed, removed, noted
    OBSERVED = "observed"  # a change in Milvus that the watch saw; Milvus Admin did not make it
    PLAN = "plan"  # a plan was made, confirmed, paused, resumed, cancelled, or is over
    REHEARSAL = "rehearsal"  # what Milvus Admin assumes was tried on scratch collections
    SETTING = "setting"  # somebody changed what Milvus Admin does by itself, such as purging
    SESSION = "session"  # somebody signed in or out, or was refused, or their groups changed


class Outcome(StrEnum):
    """What became of it. UNKNOWN is followed by a final one."""

    NONE = ""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_DONE = "not done so far"  # Milvus may still carry it out: operations/late_drops.py
    INCOMPLETE = "incomplete"  # done in part, and no more is on its way: operations/creation.py
    REFUSED = "refused"  # by Milvus
    UNKNOWN = "unknown"
    DENIED = "denied"
    NOT_FOUND = "not found"
    CHANGED = "changed"
    BLOCKED = "blocked"
    BUSY = "busy"
    EXTERNAL = "external"  # seen by the watch; Milvus Admin did not do it


class LogUnwritable(Exception):
    """The event could not be committed. Nothing that depends on it may go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event before it has a place in the chain. `details` is JSON data."""

    phase: Phase
    action: str
    caller: Caller
    outcome: Outcome = Outcome.NONE
    operation_id: uuid.UUID | None = None
    target: dict[str, str] | None = None  # cluster, database, kind, collection, name
    message: str = ""
    details: dict[str, Any] | None = None


@contextmanager
def appending() -> Iterator[tuple[int, str]]:
    """A durable transaction that holds the chain; with its head, as `head` returns it. Raises
    LogUnwritable if it can't be committed.

    Never call Milvus inside: every other writer waits.
    """
    try:
        with ExitStack() as stack:
            yield _hold_chain(stack)
    except (DatabaseError, InterfaceError) as exc:
        FAILURES.inc()
        raise LogUnwritable(type(exc).__name__) from exc


def append(entry: Entry, after: tuple[int, str] | None = None) -> AuditEvent:
    """Add one event inside `appending()`; its JSON line follows the commit.

    `after` is the head, if nothing was added since `appending` returned it.
    """
    last, prev_hash = after or head()
    record = _record(entry, last + 1)
    text = canonical(record)
    event = AuditEvent(
        **columns(record), record=text, prev_hash=prev_hash, hash=seal(prev_hash, text)
    )
    changed(EVENT_ADDED.format(", ".join(COLUMNS)), [getattr(event, one) for one in COLUMNS])
    transaction.on_commit(lambda: logger.info(_line(event)))
    return event


def head() -> tuple[int, str]:
    """The last event's number and hash: what the next one continues."""
    with connection.cursor() as cursor:
        cursor.execute(HEAD)
        return cursor.fetchone() or (0, GENESIS)


def write(entry: Entry) -> AuditEvent:
    """Append one event in a transaction of its own. Raises LogUnwritable."""
    with appending():
        return append(entry)


def check_writable() -> None:
    """What stands between an event and the log, without an event. Raises DatabaseError.

    Outside a transaction: each statement ends by itself, and so does the lock. A probe that is
    held up never holds the chain. On SQLite it waits for its turn, as every writer does.
    """
    table = connection.ops.quote_name(AuditEvent._meta.db_table)
    with writer_slot():
        _lock_chain()
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE 1 = 0")  # noqa: S608


def _hold_chain(stack: ExitStack) -> tuple[int, str]:
    with writer_slot():
        stack.enter_context(transaction.atomic(durable=True))
    return _lock_chain()


def _lock_chain() -> tuple[int, str]:
    """Hold the chain until the transaction ends, and read its head.

    PostgreSQL: locking the last row is not enough, a waiter would still see the old head. The two
    statements are one round trip, but the second sees what was committed before it, not before
    the first. SQLite: BEGIN IMMEDIATE (settings) already holds the only write lock.
    """
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"SELECT pg_advisory_xact_lock({CHAIN_LOCK}); {HEAD}")
            cursor.nextset()
        else:
            cursor.execute(HEAD)
        return cursor.fetchone() or (0, GENESIS)


def _record(entry: Entry, sequence: int) -> dict[str, Any]:
    actor = asdict(entry.caller.actor)
    del actor["stale"]
    return {
        "schema_version": SCHEMA_VERSION,
        "key_id": key_id(),
        "sequence": sequence,
        "event_id": str(uuid.uuid4()),
        "operation_id": str(entry.operation_id) if entry.operation_id else None,
        "recorded_at": timezone.now().astimezone(UTC).isoformat(timespec="microseconds"),
        "phase": str(entry.phase),
        "action": str(entry.action),
        "outcome": str(entry.outcome),
        "actor": actor,
        "origin": asdict(entry.caller.origin),
        "target": entry.target,
        "message": entry.message,
        "details": entry.details or {},
    }


def canonical(record: dict[str, Any]) -> str:
    """One spelling for one record: sorted keys, no spaces, ASCII only."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)


def seal(prev_hash: str, text: str, key: str = "") -> str:
    """The hash of an event, given the one before it. `key` is the one in use, unless told."""
    message = f"{prev_hash}\n{text}".encode()
    return hmac.new((key or settings.AUDIT_KEY).encode(), message, hashlib.sha256).hexdigest()


def key_id(key: str = "") -> str:
    """Names a key without telling it; the one in use, unless told."""
    return hashlib.sha256(b"key id:" + (key or settings.AUDIT_KEY).encode()).hexdigest()[:8]


def known_keys() -> dict[str, str]:
    """The keys that may have sealed an event, by id: retired ones, oldest first, then ours."""
    return {key_id(key): key for key in (*settings.AUDIT_RETIRED_KEYS, settings.AUDIT_KEY)}


def columns(record: dict[str, Any]) -> dict[str, Any]:
    """The searchable columns of a record."""
    target = record["target"] or {}
    actor = record["actor"]
    operation_id = record["operation_id"]
    return {
        "sequence": record["sequence"],
        "operation_id": uuid.UUID(operation_id) if operation_id else None,
        "recorded_at": datetime.fromisoformat(record["recorded_at"]),
        "phase": record["phase"],
        "action": record["action"],
        "outcome": record["outcome"],
        "actor": actor_text(actor["display"], actor["issuer"], actor["subject"]),
        **{
            k: target.get(k, "")[:255]
            for k in ("cluster", "database", "kind", "collection", "name")
        },
    }


def actor_text(display: str, issuer: str, subject: str) -> str:
    """What the log is searched by. A long name must not push the rest out of it."""
    return f"{display[:80]}|{issuer}|{subject}"[:300]


def actor_column(actor: Actor) -> str:
    """The same for an actor that is still one."""
    return actor_text(actor.display, actor.issuer, actor.subject)


def _line(event: AuditEvent) -> str:
    """What `export_line` makes of an event whose record is as `canonical` wrote it."""
    return f'{{"hash":"{event.hash}","prev_hash":"{event.prev_hash}","record":{event.record}}}'


def export_line(event: AuditEvent) -> str:
    """An event as one JSON line: all that verification needs."""
    data = {"record": json.loads(event.record), "prev_hash": event.prev_hash, "hash": event.hash}
    return json.dumps(data, sort_keys=True, separators=(",", ":"))
