"""What our own drops explain, as the audit log and the claims tell it."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q, QuerySet

from ..access.policy import Action
from ..audit.events import Intent
from ..audit.log import Outcome, Phase
from ..milvus.scratch import root_of, run_of
from ..models import AuditEvent, Claim
from ..operations.private_names import BIN, operation_of
from .diff import Bearer, Difference, Key, key_of

DROPS = (Action.DROP_COLLECTION, Action.PURGE)  # after these, an id is gone
MOVES = (Action.MOVE_TO_BIN, Action.RESTORE)  # after these, it has another name


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Collections that drops of ours were aimed at, by key.

    `clusters` are the keys of this one server. `dropped`: gone by an operation that succeeded
    since the lists before these. `busy`: an operation is open, or it ended while these were read;
    so they may show it half-way.
    """

    clusters: list[str]
    dropped: frozenset[Key]
    busy: frozenset[Key]
    busy_operations: frozenset[uuid.UUID]

    def is_busy(self, difference: Difference) -> bool:
        """Whether nothing can be said about it yet."""
        sides = [side for side in (difference.was, difference.now) if side]
        if any(side.key in self.busy for side in sides):
            return True
        return any(operation_of(side.name) in self.busy_operations for side in sides)

    def moved(self, was: Bearer | None, now: Bearer) -> bool:
        """Whether an operation of ours took it from its name, or gave that back."""
        aside = _taken_from(self.clusters, now)
        if aside:  # new under a private name: created and taken between two lists
            return was is None or was.place == aside
        if was is None:
            return False
        return _taken_from(self.clusters, was) == now.place or _restored(self.clusters, was, now)


def last_sequence() -> int:
    """The number of the newest event."""
    return AuditEvent.objects.aggregate(last=Max("sequence"))["last"] or 0


def ours(clusters: list[str], *, since: int, position: int) -> Ours:
    """Read after the lists, and after all that Milvus was asked because of them.

    A drop of ours that they show had its intent before. So either its claim is still there, or
    its outcome is, later than `position`, the log's end when the lists were begun. `since` is
    that of the lists before. Claims are read first: what is settled in between has an outcome.
    `clusters` are the keys under which this one server is configured.
    """
    claims = Claim.objects.filter(cluster__in=clusters)
    claimed = set(claims.values_list("operation_id", flat=True))
    ended = AuditEvent.objects.filter(
        cluster__in=clusters,
        sequence__gt=since,
        phase__in=(Phase.OUTCOME, Phase.AFTERWARDS),
        action__in=DROPS + MOVES,
    ).exclude(outcome=Outcome.UNKNOWN)
    lately = ended.filter(sequence__gt=position).values_list("operation_id", flat=True)
    busy = claimed | {operation for operation in lately if operation}
    succeeded = ended.filter(outcome=Outcome.SUCCEEDED, action__in=DROPS)
    return Ours(
        clusters=clusters,
        dropped=_aimed_at(succeeded.values("operation_id")),
        busy=_aimed_at(busy),
        busy_operations=frozenset(busy),
    )


def in_vain(clusters: list[str], gone: Iterable[Bearer]) -> dict[Key, str]:
    """Operations that sent a drop of these, and were closed as failed: still there then."""
    own = [place for b in gone for place in (b.place, _taken_from(clusters, b)) if place]
    names = {name[:255] for _, name in own}  # all that fits into the column
    if not names:
        return {}
    failed = AuditEvent.objects.filter(
        cluster__in=clusters,
        collection__in=names,
        phase=Phase.OUTCOME,
        action__in=DROPS,
        outcome=Outcome.FAILED,
    )
    sent = [event.operation_id for event in failed if _attempts(event) != 0]
    return {_key(one): str(one.operation_id) for one in _intents().filter(operation_id__in=sent)}


def of_rehearsals(clusters: list[str], names: Iterable[str], position: int) -> set[str]:
    """Of these names, those of rehearsals that may have been under way when they were listed.

    A rehearsal is in the log before it creates anything, and until everything is removed. Anybody
    can write a name that looks like it. `position` is the log's end when the lists were begun.
    """
    roots = {name: root_of(run) for name in names if (run := run_of(name))}
    if not roots:
        return set()
    events = AuditEvent.objects.filter(
        cluster__in=clusters, database="", phase=Phase.REHEARSAL, name__in=set(roots.values())
    )
    begun = set(events.filter(action="rehearsal.began").values_list("name", flat=True))
    over = events.filter(sequence__lte=position, record__contains='"removed_everything":true')
    under_way = begun - set(over.values_list("name", flat=True))
    return {name for name, root in roots.items() if root in under_way}


def in_bin(clusters: list[str], names: Iterable[str]) -> dict[str, Intent]:
    """Of these names, those that the recycle bin gave: how each collection came there."""
    moved = {operation: name for name in names if (operation := operation_of(name, BIN))}
    rows = _intents().filter(
        operation_id__in=list(moved), cluster__in=clusters, action=Action.MOVE_TO_BIN
    )
    return {moved[intent.operation_id]: intent for intent in map(Intent.of, rows)}


def _restored(clusters: list[str], was: Bearer, now: Bearer) -> bool:
    """Whether a restore from the recycle bin gave it the name that it has now."""
    restores = _intents().filter(
        Q(name=was.name) | Q(collection=was.name[:255]),  # from the bin, or moved there meanwhile
        cluster__in=clusters,
        database=was.database,
        action=Action.RESTORE,
    )
    intents = map(Intent.of, restores)
    return any((i.identity, i.new_name) == (now.identity, now.name) for i in intents)


def _attempts(outcome: AuditEvent) -> int | None:
    """How often the act was sent; None if whoever closed it does not know."""
    attempts: int | None = json.loads(outcome.record)["details"].get("attempts")
    return attempts


def _aimed_at(operations: Any) -> frozenset[Key]:
    intents = _intents().filter(operation_id__in=operations)
    return frozenset(_key(intent) for intent in intents.iterator())


def _intents() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(phase=Phase.INTENT, action__in=DROPS + MOVES)


def _key(row: AuditEvent) -> Key:
    intent = Intent.of(row)
    return key_of(intent.identity.id, intent.target.database, intent.target.collection)


def _taken_from(clusters: list[str], bearer: Bearer) -> tuple[str, str] | None:
    """The place from which an operation of ours gave it this private name; None if none did.

    Anybody can write a name that looks like it.
    """
    operation = operation_of(bearer.name)
    if operation is None:
        return None
    row = _intents().filter(operation_id=operation, cluster__in=clusters).first()
    target = Intent.of(row).target if row else None
    return target.place if target and target.database == bearer.database else None
