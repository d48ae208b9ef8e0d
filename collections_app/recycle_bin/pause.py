"""The switch that stops every purge of a cluster. Each turn of it is in the audit log."""

from django.utils import timezone

from ..access.principals import Caller
from ..audit import log
from ..audit.log import Entry, Phase
from ..clusters import same_server
from ..models import PurgePause

PAUSED, RESUMED = "bin.pause", "bin.resume"


def pause_of(cluster: str) -> PurgePause | None:
    """Who paused the purges of this server, and why; None if nobody did."""
    return PurgePause.objects.filter(cluster__in=same_server(cluster)).first()


def pause(cluster: str, caller: Caller, reason: str) -> None:
    """Stop purging there. Nothing happens if it is paused already. Raises LogUnwritable."""
    with log.appending():
        _, created = PurgePause.objects.get_or_create(
            cluster=cluster,
            defaults={
                "actor_display": caller.actor.display,
                "reason": reason,
                "since": timezone.now(),
            },
        )
        if created:
            log.append(_entry(PAUSED, cluster, caller, reason, "Purging was paused"))


def resume(cluster: str, caller: Caller, reason: str) -> None:
    """Purge again. Nothing happens if it is not paused. Raises LogUnwritable."""
    with log.appending():
        deleted = PurgePause.objects.filter(cluster__in=same_server(cluster)).delete()[0]
        if deleted:
            log.append(_entry(RESUMED, cluster, caller, reason, "Purging goes on"))


def _entry(action: str, cluster: str, caller: Caller, reason: str, message: str) -> Entry:
    names = dict.fromkeys(("database", "kind", "collection", "name"), "")
    return Entry(
        phase=Phase.SETTING,
        action=action,
        caller=caller,
        target={"cluster": cluster, **names},
        message=message,
        details={"reason": reason},
    )
