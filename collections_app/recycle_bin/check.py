"""Whether bin and Milvus agree: what others did to a collection in the bin, and late renames.

One ShowCollections for each database with something in the bin.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .. import clusters
from ..access.policy import Action
from ..access.principals import Caller
from ..audit.events import Intent, intent_of
from ..audit.log import Outcome, Phase
from ..clusters import same_server
from ..milvus.errors import NotFound
from ..milvus.types import Identity, Target
from ..models import AuditEvent, BinItem, Claim
from ..operations.claims import claim_on, last_outcome
from ..operations.kinds.binned import identity_of, target_of
from ..operations.late_drops import follow_up_gone
from ..operations.private_names import BIN, operation_of
from ..operations.sending import follow_up
from .items import items_in


class State(StrEnum):
    """What became of a collection in the bin. The value completes "Collection NAME …"."""

    GONE = "was dropped outside Milvus Admin while it was in the recycle bin"
    RENAMED = "was renamed outside Milvus Admin while it was in the recycle bin"
    REPLACED = "is not in the recycle bin: another collection has its temporary name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """An item that is not as the bin has it. `now` is the name that its id has now."""

    item: BinItem
    state: State
    now: str = ""

    @property
    def text(self) -> str:
        """The state in a sentence, without its full stop."""
        to = f" to {self.now}" if self.now else ""
        return f"Collection {self.item.name} {self.state}{to}"


def findings(cluster: str) -> Iterator[Finding]:
    """Items that are not as the bin has them. Raises MilvusError of the first list that fails.

    An item that an open operation holds is left out: it is on its way.
    """
    for database in sorted(set(items_in(cluster).values_list("database", flat=True))):
        there = _identities(cluster, database)
        names = {identity.id: name for name, identity in there.items()}
        for item in items_in(cluster, database):
            if finding := _finding(item, there.get(item.private_name), names):
                yield finding


def _identities(cluster: str, database: str) -> dict[str, Identity]:
    """By name; empty if the database is gone with all that was in it."""
    try:
        return clusters.get(cluster).gateway.identities(database)
    except NotFound:
        return {}


def _finding(item: BinItem, present: Identity | None, names: dict[int, str]) -> Finding | None:
    expected = identity_of(item)
    if present == expected or (present and not expected.verifiable) or claim_on(target_of(item)):
        return None
    if item.collection_id in names:
        return Finding(item=item, state=State.RENAMED, now=names[item.collection_id])
    if not BinItem.objects.filter(pk=item.pk).exists():  # restored or purged since it was read
        return None
    if not expected.verifiable:
        return Finding(item=item, state=State.GONE)
    gateway = clusters.get(item.cluster).gateway
    now = gateway.name_of(item.database, item.collection_id)  # the list may be short of rights
    if now:
        return (
            None if now == item.private_name else Finding(item=item, state=State.RENAMED, now=now)
        )
    return Finding(item=item, state=State.REPLACED if present else State.GONE)


def follow_up_findings(cluster: str, caller: Caller) -> list[str]:
    """Record what others did, with the operation that moved it. It leaves the index of the bin.

    Returns what was recorded. Raises MilvusError or LogUnwritable.
    """
    messages = [_follow_up(finding, caller) for finding in findings(cluster)]
    return list(filter(None, messages))


def _follow_up(finding: Finding, caller: Caller) -> str:
    item, text = finding.item, finding.text
    if restore := _late_restore(finding):
        return _restored_late(restore, finding, caller)
    if finding.state is State.GONE:  # a purge that Milvus carried out late explains it
        follow_up_gone(same_server(item.cluster), {item.collection_id} - {0}, caller)
        if not BinItem.objects.filter(pk=item.pk).exists():
            return ""
    closed = last_outcome(item.operation_id)
    recorded = None
    if closed and text not in closed.record:
        recorded = follow_up(closed, _moved(item), Outcome(closed.outcome), text, caller)
    item.delete()
    return text if recorded else ""


def _moved(item: BinItem) -> Target:
    intent = intent_of(item.operation_id)
    return intent.target if intent else target_of(item)


def _late_restore(finding: Finding) -> Intent | None:
    """The restore that was closed as not done, and gave it the name that it has now."""
    restores = AuditEvent.objects.filter(
        cluster=finding.item.cluster,
        database=finding.item.database,
        collection=finding.item.name,
        name=finding.item.private_name,
        phase=Phase.INTENT,
        action=Action.RESTORE,
    )
    intents = map(Intent.of, restores.order_by("-sequence"))
    return next((one for one in intents if finding.now and one.new_name == finding.now), None)


def _restored_late(restore: Intent, finding: Finding, caller: Caller) -> str:
    """What was recorded; with it the item leaves the index."""
    closed = last_outcome(restore.operation_id)
    text = f"Milvus restored {finding.item.name} late: it is called {finding.now} now"
    if not closed or not follow_up(closed, restore.target, Outcome.SUCCEEDED, text, caller):
        return ""
    return text


# --- renames that came late -----------------------------------------------------------------------


def adopt_late_moves(cluster: str, caller: Caller) -> list[str]:
    """Collections that Milvus renamed after their operation was closed: they are in the bin now.

    Returns what was recorded. Raises MilvusError or LogUnwritable.
    """
    messages = []
    for database in clusters.get(cluster).gateway.databases():
        there = _identities(cluster, database)
        expected = set(items_in(cluster, database).values_list("private_name", flat=True))
        unknown = {name: there[name] for name in there if name not in expected}
        messages += [_adopted(name, identity, caller) for name, identity in unknown.items()]
    return list(filter(None, messages))


def _adopted(name: str, identity: Identity, caller: Caller) -> str:
    """What was recorded; empty if no closed operation of the bin explains that name."""
    intent = _move_of(name)
    if not intent or Claim.objects.filter(operation_id=intent.operation_id).exists():
        return ""
    closed = last_outcome(intent.operation_id)
    if identity != intent.identity or not closed or closed.outcome == Outcome.SUCCEEDED:
        return ""
    text = f"Milvus renamed {intent.target.name} late: it is in the recycle bin now"
    recorded = follow_up(closed, intent.target, Outcome.SUCCEEDED, text, caller)
    return text if recorded else ""


def _move_of(name: str) -> Intent | None:
    operation: uuid.UUID | None = operation_of(name, BIN)
    intent = intent_of(operation) if operation else None
    return intent if intent and intent.action == Action.MOVE_TO_BIN else None


# --- bin and log ----------------------------------------------------------------------------------


def log_problems() -> Iterator[str]:
    """Where the index of the bin contradicts the log, in sentences without their full stops.

    An intent that is in a removed segment can't be compared.
    """
    for item in BinItem.objects.order_by("moved_at"):
        moved, last = intent_of(item.operation_id), last_outcome(item.operation_id)
        if moved and (identity_of(item), item.name) != (moved.identity, moved.target.name):
            yield f"the recycle bin says of {item.name} what operation {item.operation_id} does not"
        if last and last.outcome != Outcome.SUCCEEDED:
            yield f"operation {item.operation_id} did not move {item.name}, which is in the bin"
        if ended := _ended_by(item):
            yield f"operation {ended} took {item.name} out of the recycle bin, where it still is"


def _ended_by(item: BinItem) -> uuid.UUID | None:
    """A restore or purge of it that succeeded, although it is still in the index."""
    ended = AuditEvent.objects.filter(
        action__in=(Action.RESTORE, Action.PURGE),
        cluster=item.cluster,
        name=item.private_name,
        outcome=Outcome.SUCCEEDED,
    ).first()
    return ended.operation_id if ended else None
