"""Create a dropped collection again, empty, from the snapshot that its drop recorded."""

import hashlib
import json
import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ...access.policy import Action
from ...audit.events import Intent, intent_of
from ...audit.log import Outcome, Phase
from ...clusters import same_server
from ...milvus.blueprint import (
    Blueprint,
    Data,
    blueprint_of,
    is_alike,
    missing_indexes,
    missing_partitions,
)
from ...milvus.errors import NotFound
from ...milvus.types import CollectionDetail, Identity, Target
from ...models import AuditEvent
from .base import Blocker, Condition, Operation, TargetState, is_name_taken

if TYPE_CHECKING:
    from ...milvus.gateway import Gateway

SOURCES = (Action.DROP_COLLECTION, Action.PURGE)  # their snapshots are of what is gone
NO_SOURCE = "no drop of that number is in the audit log"
NOT_DROPPED = Blocker(text="The audit log does not say that this drop succeeded.")
TAKEN = Blocker(
    text="A collection or an alias has this name. Type another one.", wants_other_name=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What is to be created: all of the blueprint, or what is missing of a half-made collection."""

    blueprint: Blueprint
    existing: Identity | None  # what an earlier operation made, and did not complete
    partitions: tuple[str, ...]
    indexes: tuple[Data, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that follow the collection itself, in words."""
        return in_words(self.partitions, self.indexes)

    @property
    def fingerprint(self) -> str:
        """Of what a dialog shows: what is created must be that."""
        seen = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(seen.encode()).hexdigest()[:16]


class CreateCollection(Operation):
    action = Action.CREATE
    is_irreversible = False
    proof = "Verified: it exists, with all fields, partitions and indexes."
    undone = "it does not exist"
    asks_for_name = False

    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        source = source_of(target)
        half_made = half_made_at(gateway, target)
        creation = creation_of(blueprint_of(source.snapshot), half_made)
        blockers = _blockers(creation, source)
        is_taken = not half_made and self.refuses_name(gateway, target)
        return TargetState(
            identity=Identity(fingerprint=creation.fingerprint),
            server=gateway.server(target.database),
            detail=gateway.recorded(target.collection, source.snapshot),
            blockers=blockers or ((TAKEN,) if is_taken else ()),
            passed=() if blockers else _passed(is_free=not is_taken and not half_made),
            creation=creation,
        )

    def refuses_name(self, gateway: "Gateway", target: Target) -> bool:
        if half_made_at(gateway, target):
            return False
        return is_name_taken(gateway, target.database, target.collection)


def source_of(target: Target) -> Intent:
    """The drop whose snapshot it is created from. Raises NotFound."""
    try:
        intent = intent_of(uuid.UUID(target.name))
    except ValueError:
        intent = None
    if intent is None or intent.action not in SOURCES or not _is_there(target, intent):
        raise NotFound(NO_SOURCE)
    return intent


def _is_there(target: Target, source: Intent) -> bool:
    same = source.target.cluster in same_server(target.cluster)
    return same and source.target.database == target.database


def half_made_at(gateway: "Gateway", target: Target) -> CollectionDetail | None:
    """The collection of that name, if an operation created it from this snapshot, and not all of
    it. On a server without ids, one with the same fields.
    """
    made = _made_last(target)
    if made is None:
        return None
    try:
        found = gateway.collection(target.database, target.collection)
    except NotFound:
        return None
    if found.identity.verifiable:
        return found if found.identity.id == made["identity"]["id"] else None
    return found if is_alike(blueprint_of(made["snapshot"]), found.snapshot) else None


def _made_last(target: Target) -> Data | None:
    """What the last creation of that name made of this snapshot, if it ended as incomplete."""
    outcomes = AuditEvent.objects.filter(
        cluster__in=same_server(target.cluster),
        database=target.database,
        collection=target.collection[:255],
        action=Action.CREATE,
        phase=Phase.OUTCOME,
        name=target.name,
    ).exclude(outcome=Outcome.UNKNOWN)
    last = outcomes.order_by("-sequence").first()
    if last is None or last.outcome != Outcome.INCOMPLETE:
        return None
    made: Data | None = json.loads(last.record)["details"].get("made")
    return made


def creation_of(blueprint: Blueprint, half_made: CollectionDetail | None) -> Creation:
    """What is to be created."""
    found: Data = half_made.snapshot if half_made else {}
    return Creation(
        blueprint=blueprint,
        existing=half_made.identity if half_made else None,
        partitions=missing_partitions(blueprint, found),
        indexes=missing_indexes(blueprint, found),
    )


def in_words(partitions: tuple[str, ...], indexes: tuple[Data, ...]) -> tuple[str, ...]:
    """Partitions and indexes, one by one."""
    return (
        *(f"partition {name}" for name in partitions),
        *(f"index {one['index_name']} on {one['field_name']}" for one in indexes),
    )


def _passed(*, is_free: bool) -> tuple[Condition, ...]:
    return (Condition.DROPPED, *((Condition.NAME_FREE,) if is_free else ()))


def _blockers(creation: Creation, source: Intent) -> tuple[Blocker, ...]:
    if problem := creation.blueprint.problem:
        return (Blocker(text=problem),)
    done = AuditEvent.objects.filter(
        operation_id=source.operation_id, outcome=Outcome.SUCCEEDED
    ).exists()
    return () if done else (NOT_DROPPED,)
