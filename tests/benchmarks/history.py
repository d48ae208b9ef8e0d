"""Audit logs of a thousand and of a million events. They are kept between runs, in var/bench."""

import os
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from . import stub
from .application import migrate

FOLDER = Path(__file__).resolve().parents[2] / "var" / "bench"
BATCH = 5000
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
OUTCOMES = ("succeeded",) * 18 + ("failed", "refused")  # final: an open one needs a claim
PEOPLE = tuple(f"person{number:02d}" for number in range(40))
COLLECTIONS = stub.names(2000)


def open_log(size: int) -> Path:
    """Make the log of that size the database of this process, and fill it if it is not full."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"log-{size}.sqlite"
    use(path)
    migrate()
    _fill(size)
    return path


def use(path: Path) -> None:
    """From now on this process talks to that file, and so do those that it starts."""
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = str(path)
    os.environ["DATABASE_URL"] = f"sqlite:///{path}"


def _fill(size: int) -> None:
    from django.db import connection, transaction

    from collections_app.models import AuditEvent

    last = AuditEvent.objects.order_by("-sequence").first()
    if last is not None and last.sequence < size:
        raise SystemExit(f"{connection.settings_dict['NAME']} was not filled. Remove it.")
    if last is not None:
        return
    print(f"making {size} audit events", file=sys.stderr, flush=True)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
    events = _events(size)
    with transaction.atomic():
        while batch := list(islice(events, BATCH)):
            AuditEvent.objects.bulk_create(batch)


def _events(size: int) -> Iterator[Any]:
    """A correct chain: an intent and its outcome, over and over."""
    from collections_app.audit import log
    from collections_app.models import AuditEvent

    previous = log.GENESIS
    for sequence in range(1, size + 1):
        record = _record(sequence)
        text = log.canonical(record)
        sealed = log.seal(previous, text)
        yield AuditEvent(**log.columns(record), record=text, prev_hash=previous, hash=sealed)
        previous = sealed


def operation_id(sequence: int) -> uuid.UUID:
    """Two events, an intent and its outcome, are one operation."""
    return uuid.UUID(int=(sequence + 1) // 2 * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)


def _record(sequence: int) -> dict[str, Any]:
    from collections_app.audit import log

    operation, is_outcome = (sequence + 1) // 2, sequence % 2 == 0
    collection = COLLECTIONS[operation % len(COLLECTIONS)]
    return {
        "schema_version": log.SCHEMA_VERSION,
        "key_id": log.key_id(),
        "sequence": sequence,
        "event_id": str(uuid.UUID(int=sequence)),
        "operation_id": str(operation_id(sequence)),
        "recorded_at": (BEGIN + timedelta(seconds=30 * sequence)).isoformat(
            timespec="microseconds"
        ),
        "phase": "outcome" if is_outcome else "intent",
        "action": "collection.drop",
        "outcome": OUTCOMES[operation % len(OUTCOMES)] if is_outcome else "",
        "actor": _actor(PEOPLE[operation % len(PEOPLE)]),
        "origin": {"interface": "web", "ip": "192.0.2.7", "user_agent": "", "request_id": ""},
        "target": _target(collection),
        "message": "Milvus said OK" if is_outcome else "",
        "details": {"attempts": 1, "code": "0"} if is_outcome else _look(collection),
    }


def _actor(name: str) -> dict[str, Any]:
    return {
        "issuer": "https://login.example.com",
        "subject": name,
        "display": name.capitalize(),
        "groups": ["ml-platform"],
        "method": "oidc",
        "authenticated_at": "",
    }


def _target(collection: str) -> dict[str, str]:
    return {
        "cluster": "prod",
        "database": "default",
        "kind": "collection",
        "collection": collection,
        "name": collection,
    }


def _look(collection: str) -> dict[str, Any]:
    fields = [{"name": name, "type": "VARCHAR"} for name in ("id", "vector", "title", "year")]
    return {
        "identity": {"id": stub.FIRST_ID, "created_ms": stub.FIRST_MS, "fingerprint": ""},
        "reason": "OPS-1423",
        "endpoint": "http://milvus.example.com:19530",
        "server_version": "2.3.5",
        "rows": 1000,
        "load": "Not loaded",
        "snapshot": {"name": collection, "fields": fields},
    }
