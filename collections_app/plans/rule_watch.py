"""That the rule of approvals changed is on the record, and loud: changing it is the way past it."""

import json
import logging

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from ..access import approval
from ..access.principals import Caller
from ..audit import log
from ..audit.log import Entry, LogUnwritable, Phase
from ..models import AuditEvent
from . import notifications

logger = logging.getLogger(__name__)
ACTION = "approvals.rule"


def record_changes() -> None:
    """Compare each cluster's rule with the last one on the record. Raises LogUnwritable."""
    for cluster in settings.CLUSTERS:
        if _last(cluster) != approval.rule_of(cluster):
            _record(cluster)


def try_record_changes() -> None:
    """The same at a start, which a database that does not answer must not prevent."""
    try:
        record_changes()
    except (DatabaseError, InterfaceError, LogUnwritable) as exc:
        logger.error("the rule of approvals could not be recorded: %s", type(exc).__name__)
    finally:
        connection.close()


def _last(cluster: str) -> str:
    events = AuditEvent.objects.filter(cluster=cluster, database="", action=ACTION)
    event = events.order_by("-sequence").first()
    return str(json.loads(event.record)["details"]["after"]) if event else ""


def _record(cluster: str) -> None:
    with log.appending():
        before, after = _last(cluster), approval.rule_of(cluster)
        if before == after:  # another process was faster
            return
        message = f"The rule of approvals is now: {after or 'none'}. Before: {before or 'none'}"
        target = {"cluster": cluster, "database": "", "kind": "", "collection": "", "name": ""}
        log.append(
            Entry(
                phase=Phase.SETTING,
                action=ACTION,
                caller=Caller.configuration(),
                target=target,
                message=message,
                details={"before": before, "after": after},
            )
        )
        notifications.tell_of_rule(cluster, message)
    logger.warning("cluster %s: %s", cluster, message)
