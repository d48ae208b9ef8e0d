"""Which differences Milvus Admin's own drops explain, by the audit log and the claims."""

import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, Q, QuerySet

from ..access.policy import Action
from ..audit.events import Intent
from ..audit.log import Outcome, Phase
from ..milvus.scratch import root_of, run_of
from ..models import AuditEvent, Claim
from ..operations.private_names import BIN, operation_of
from .diff import CollectionEntry, Difference, Key, key_of

DROPS = (Action.DROP_COLLECTION, Action.PURGE)  # after these, an id is gone
MOVES = (Action.MOVE_TO_BIN, Action.RESTORE)  # after these, it has another name
CREATES = (Action.CREATE,)  # after these, there is a new one


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOperations:
    """Collections that Milvus Admin's own drops target, by key.

    `clusters` are the keys of this one server. `dropped`, `created`: by an operation that
    succeeded since the lists before these. `in_flight`: an operation is open, or ended while these
    lists were read, so they may show it half-way.
    """

    clusters: list[str]
    dropped: frozenset[Key]
    created: frozenset[Key]
    in_flight: frozenset[Key]
    in_flight_operations: frozenset[uuid.UUID]

    def is_in_flight(self, difference: Difference) -> bool:
        """Whether an operation that is not over may explain it."""
        sides = [side for side in (difference.before, difference.after) if side]
        # What is being created has no id yet: its place stands in.
        if any({side.key, side.place} & self.in_flight for side in sides):
            return True
        return any(operation_of(side.name) in self.in_flight_operations for side in sides)

    def explains_rename(self, before: CollectionEntry | None, after: CollectionEntry) -> bool:
        """Whether an operation gave it its private name, or restored its own."""
        original = _original_place(self.clusters, after)
        if original:  # new under a private name: created and renamed between two lists
            return before is None or before.place == original
        if before is None:
            return False
        if _original_place(self.clusters, before) == after.place:
            return True
        return _restored(self.clusters, before, after)


def last_sequence() -> int:
    """The number of the newest event."""
    return AuditEvent.objects.aggregate(last=Max("sequence"))["last"] or 0


def own_operations(clusters: list[str], *, since: int, position: int) -> OwnOperations:
    """Read after the lists, and after all that Milvus was asked because of them.

    A drop that they show had its intent before. So either its claim is still there, or
    its outcome is, later than `position`, the log's end when the lists were begun. `since` is
    that of the lists before. Claims are read first: what is settled in between has an outcome.
    `clusters` are the keys under which this one server is configured.
    """
    claims = Claim.objects.filter(cluster__in=clusters)
    claimed = set(claims.values_list("operation_id", flat=True))
    ended = AuditEvent.objects.filter(
        cluster__in=clusters,
        sequence__gt=since,
        phase__in=(Phase.OUTCOME, Phase.FOLLOW_UP),
        action__in=DROPS + MOVES + CREATES,
    ).exclude(outcome=Outcome.UNKNOWN)
    lately = ended.filter(sequence__gt=position).values_list("operation_id", flat=True)
    in_flight = claimed | {operation for operation in lately if operation}
    succeeded = ended.filter(outcome=Outcome.SUCCEEDED, action__in=DROPS)
    return OwnOperations(
        clusters=clusters,
        dropped=_aimed_at(succeeded.values("operation_id")),
        created=frozenset(_created(ended.filter(action__in=CREATES))),
        in_flight=_aimed_at(in_flight),
        in_flight_operations=frozenset(in_flight),
    )


def failed_drops_of(clusters: list[str], gone: Iterable[CollectionEntry]) -> dict[Key, str]:
    """Operations that sent a drop of these and were closed as failed: they existed then."""
    own = [place for b in gone for place in (b.place, _original_place(clusters, b)) if place]
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


def _restored(clusters: list[str], before: CollectionEntry, after: CollectionEntry) -> bool:
    """Whether a restore from the recycle bin gave it the name that it has now."""
    restores = _intents().filter(
        Q(name=before.name)
        | Q(collection=before.name[:255]),  # from the bin, or moved there meanwhile
        cluster__in=clusters,
        database=before.database,
        action=Action.RESTORE,
    )
    intents = map(Intent.of, restores)
    return any((i.identity, i.new_name) == (after.identity, after.name) for i in intents)


def _created(outcomes: Iterable[AuditEvent]) -> Iterator[Key]:
    """What each of these made, if it made anything."""
    for row in outcomes:
        if made := json.loads(row.record)["details"].get("made"):
            yield key_of(made["identity"]["id"], row.database, row.collection)


def _attempts(outcome: AuditEvent) -> int | None:
    """How often the act was sent; None if whoever closed it does not know."""
    attempts: int | None = json.loads(outcome.record)["details"].get("attempts")
    return attempts


def _aimed_at(operations: Any) -> frozenset[Key]:
    intents = _intents().filter(operation_id__in=operations)
    return frozenset(_key(intent) for intent in intents.iterator())


def _intents() -> QuerySet[AuditEvent]:
    return AuditEvent.objects.filter(phase=Phase.INTENT, action__in=DROPS + MOVES + CREATES)


def _key(row: AuditEvent) -> Key:
    intent = Intent.of(row)
    return key_of(intent.identity.id, intent.target.database, intent.target.collection)


def _original_place(clusters: list[str], collection: CollectionEntry) -> tuple[str, str] | None:
    """The place from which an operation gave it this temporary name; None if none did.

    Anybody can write a name that looks like it.
    """
    operation = operation_of(collection.name)
    if operation is None:
        return None
    row = _intents().filter(operation_id=operation, cluster__in=clusters).first()
    target = Intent.of(row).target if row else None
    return target.place if target and target.database == collection.database else None
