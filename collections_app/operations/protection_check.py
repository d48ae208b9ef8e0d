"""Whether the protections in the database are those of the log, which is the truth.

Whoever can write to the database could end a protection without a record; this finds it.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from ..access.policy import Action
from ..audit.events import intent_of
from ..audit.log import Outcome, Phase
from ..clusters import same_server
from ..models import AuditEvent, Protection
from .protections import ENDED


def protection_problems() -> Iterator[str]:
    """Where they contradict each other, in sentences without their full stops.

    What is in a removed segment can't be compared.
    """
    kept = {one.operation_id: one for one in Protection.objects.all()}
    for operation_id in sorted(_set_and_not_ended() - set(kept), key=str):
        yield f"the protection of operation {operation_id} is gone, and no event ended it"
    for one in kept.values():
        yield from _contradictions(one)


def _set_and_not_ended() -> set[UUID]:
    """The operations that set a protection, without those whose end is recorded."""
    done = AuditEvent.objects.filter(
        phase=Phase.OUTCOME, action=Action.PROTECT, outcome=Outcome.SUCCEEDED
    )
    ended = AuditEvent.objects.filter(phase=Phase.SETTING, action=ENDED)
    records = (json.loads(text) for text in ended.values_list("record", flat=True).iterator())
    over = {UUID(record["details"]["protection"]) for record in records}
    return {one for one in done.values_list("operation_id", flat=True) if one} - over


def _contradictions(one: Protection) -> Iterator[str]:
    intent = intent_of(one.operation_id)
    if intent is None:
        return
    row = AuditEvent.objects.get(operation_id=one.operation_id, phase=Phase.INTENT)
    until = json.loads(row.record)["details"]["until"]
    set_so = (intent.target.name, intent.identity.id, _moment(until))
    if (one.name, one.collection_id, one.until) != set_so:
        yield f"the protection of {one.name} is not as operation {one.operation_id} set it"
    if one.removal_at and not _was_requested(one):
        yield f"the protection of {one.name} is to end, and no event requested that"


def _was_requested(one: Protection) -> bool:
    """Whether somebody has unprotected something in that database since."""
    return AuditEvent.objects.filter(
        phase=Phase.OUTCOME,
        action=Action.UNPROTECT,
        outcome=Outcome.SUCCEEDED,
        cluster__in=same_server(one.cluster),
        database=one.database,
        recorded_at__gte=one.since,
    ).exists()


def _moment(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
