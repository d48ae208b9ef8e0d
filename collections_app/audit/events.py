"""The event in which an operation began, read once into a typed object."""

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from ..milvus.types import Identity, Target
from ..models import AuditEvent
from .log import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What was about to be sent, to which thing on which server.

    Read from the sealed record, never from the columns: a long name is cut off there.
    """

    operation_id: uuid.UUID
    action: str
    target: Target
    identity: Identity
    endpoint: str
    server_version: str
    private_name: str  # of a strict drop; empty for any other
    new_name: str  # of a restore; empty for any other
    load: str  # its load state, in a word
    clock: dict[str, Any]  # as operations/deadlines.py stamped it
    recorded_at: datetime
    # Of the collection, as milvus/schema.py makes it.
    snapshot: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, row: AuditEvent) -> Self:
        """The intent in a row of phase INTENT."""
        record = json.loads(row.record)
        details = record["details"]
        return cls(
            operation_id=uuid.UUID(record["operation_id"]),
            action=record["action"],
            target=Target.of(record["target"]),
            identity=Identity(**details["identity"]),
            endpoint=details.get("endpoint", ""),
            server_version=details.get("server_version", ""),
            private_name=details.get("private_name") or "",
            new_name=details.get("new_name") or "",
            load=str(details.get("load") or ""),
            snapshot=details.get("snapshot") or {},
            clock=details.get("clock", {}),
            recorded_at=row.recorded_at,
        )


def intent_of(operation_id: uuid.UUID) -> Intent | None:
    """How an operation began; None if there is no such operation."""
    events = AuditEvent.objects.filter(operation_id=operation_id, phase=Phase.INTENT)
    row = events.first()
    return Intent.of(row) if row else None
