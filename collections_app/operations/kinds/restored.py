"""What the log tells of a collection that came back from the recycle bin."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from ...access.policy import Action
from ...audit.events import Intent, intent_of
from ...audit.log import Outcome, Phase
from ...clusters import same_server
from ...milvus.types import Identity, Target
from ...models import AuditEvent
from ..private_names import BIN, operation_of
from .move_to_bin import aliases_dropped_before, was_loaded

OFFERED = timedelta(days=30)  # after a restore


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a collection had before it went into the bin, and does not have by itself again."""

    aliases: tuple[str, ...] = ()
    was_loaded: bool = False


def restored(target: Target, identity: Identity) -> Restored:
    """What may be set again for this collection, by its last restore; nothing if there is none."""
    for intent in _restores(target):
        if intent.identity.id == identity.id:
            return _before(intent)
    return Restored()


def _restores(target: Target) -> list[Intent]:
    """Restores in this database that succeeded lately, newest first."""
    events = AuditEvent.objects.filter(
        cluster__in=same_server(target.cluster),
        database=target.database,
        action=Action.RESTORE,
        recorded_at__gt=timezone.now() - OFFERED,
    ).order_by("-sequence")
    done = events.filter(outcome=Outcome.SUCCEEDED).values("operation_id")
    return [Intent.of(row) for row in events.filter(phase=Phase.INTENT, operation_id__in=done)]


def _before(restore: Intent) -> Restored:
    moved = operation_of(restore.target.name, BIN)
    intent = intent_of(moved) if moved else None
    if intent is None:  # it is in a segment that was removed
        return Restored()
    return Restored(aliases=tuple(aliases_dropped_before(intent)), was_loaded=was_loaded(intent))
