"""Move a collection to the recycle bin: out of sight, and back on request until its purge."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.utils import timezone

from ... import clusters
from ...access.policy import Action
from ...audit.events import Intent
from ...audit.log import Outcome, Phase
from ...milvus.types import ServerInfo, Target
from ...milvus.versions import Safety, rename_verdict
from ...models import AuditEvent, BinItem
from .base import Blocker, Condition, Operation, TargetState
from .drop_collection import alias_blockers, rename_problem, without_alias

if TYPE_CHECKING:
    from ...milvus.gateway import Gateway

NO_BIN = "This cluster has no recycle bin. Set recycle_bin in its configuration to add one."
NO_RENAME = "The recycle bin renames a collection. {} Drop it permanently, if it has to go."
EFFECTS = (
    ("Clients", "From now on, every request that uses its name fails."),
    ("Memory", "Released."),
    ("Disk, quota", "Still used: rows, partitions and indexes stay."),
    ("Restore", "Brings back the same collection, not loaded and without aliases."),
)


class MoveToBin(Operation):
    action = Action.MOVE_TO_BIN
    is_irreversible = False
    is_refused_if_protected = True
    proof = "Verified: it is in the recycle bin."

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        version = gateway.begin_server(target.database)
        detail, server = gateway.collection(target.database, target.name), version()
        retention = gateway.cluster.recycle_bin
        # Milvus Lite renames too, and has no id to compare: its fingerprint stands in.
        problem = "" if server.lite else rename_problem(gateway, detail, server, target.database)
        return TargetState(
            identity=detail.identity,
            server=server,
            detail=detail,
            rows=detail.rows,
            blockers=_blockers(retention, problem)
            or alias_blockers(detail, replace(server, lite=False), target),
            passed=_passed(server, problem) + without_alias(detail) if retention else (),
            notes=_notes(gateway, server),
            effects=(*EFFECTS, ("Purge", _purged_at(retention))) if retention else (),
        )

    def on_success(self, operation_id: UUID) -> None:
        """Put it into the index of the bin."""
        row = AuditEvent.objects.get(operation_id=operation_id, phase=Phase.INTENT)
        BinItem.objects.get_or_create(operation_id=operation_id, defaults=_item(row))


def _blockers(retention: float | None, problem: str) -> tuple[Blocker, ...]:
    if retention is None:
        return (Blocker(text=NO_BIN),)
    return (Blocker(text=NO_RENAME.format(problem)),) if problem else ()


def _passed(server: ServerInfo, problem: str) -> tuple[Condition, ...]:
    if problem:
        return ()
    return (Condition.RENAMABLE_LITE if server.lite else Condition.RENAMABLE,)


def _purged_at(retention: float) -> str:
    day = timezone.now() + timedelta(seconds=retention)
    return f"On {day:%Y-%m-%d %H:%M} UTC, unless somebody restores it before."


def _notes(gateway: "Gateway", server: ServerInfo) -> tuple[str, ...]:
    """What is known against a rename on this version."""
    verdict = rename_verdict(server.version)
    return (verdict.text,) if verdict.safety is Safety.WARNING else ()


def _item(row: AuditEvent) -> dict[str, object]:
    """What the log tells of a collection in the bin."""
    intent, details = Intent.of(row), json.loads(row.record)["details"]
    return {
        "cluster": intent.target.cluster,
        "database": intent.target.database,
        "name": intent.target.name,
        "private_name": intent.private_name,
        "collection_id": intent.identity.id,
        "created_ms": intent.identity.created_ms,
        "fingerprint": intent.identity.fingerprint,
        "rows": details["rows"],
        "was_loaded": was_loaded(intent),
        "aliases": aliases_dropped_before(intent),
        "actor": row.actor,
        "actor_display": json.loads(row.record)["actor"]["display"],
        "reason": details["reason"],
        "moved_at": row.recorded_at,
        "purge_at": row.recorded_at + timedelta(seconds=details["retention_seconds"]),
        "problem": "",
        "retry_at": None,
    }


def was_loaded(intent: Intent) -> bool:
    """Loaded, or on the way to it."""
    return intent.load.startswith("Load")


def aliases_dropped_before(intent: Intent) -> list[str]:
    """Aliases of this very collection that Milvus Admin dropped within the day before."""
    target = intent.target
    drops = AuditEvent.objects.filter(
        cluster__in=clusters.same_server(target.cluster),
        database=target.database,
        collection=target.collection[:255],
        action=Action.DROP_ALIAS,
        recorded_at__gt=intent.recorded_at - timedelta(days=1),
        recorded_at__lte=intent.recorded_at,
    )
    done = drops.filter(outcome=Outcome.SUCCEEDED).values("operation_id")
    begun = drops.filter(phase=Phase.INTENT, operation_id__in=done).order_by("sequence")
    found = [Intent.of(row) for row in begun]
    names = [one.target.name for one in found if one.identity.id == intent.identity.id]
    return list(dict.fromkeys(names))
