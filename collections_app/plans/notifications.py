"""What is told about approvals: written beside what it tells of, and sent later by delivery.py.

So the mail server and the webhook never hold up, and never fail, what people do on the pages.
"""

from typing import Any

from django.conf import settings
from django.utils import timezone

from .. import clusters
from ..access.policy import Action
from ..models import ItemState, Notification, Plan
from ..operations.kinds.acts import ACTS
from .rows import actor_from, target_of

MAIL, WEBHOOK = "mail", "webhook"
# The event of the audit log, and what it is called here.
TOLD = {
    "plan.request": "Approval requested",
    "plan.approve": "Approved",
    "plan.reject": "Rejected",
    "plan.lapse": "Lapsed",
    "approvals.rule": "The rule of approvals changed",
}


def channels() -> list[str]:
    """Where notifications go, as configured."""
    found = settings.NOTIFICATIONS
    return [MAIL] * bool(found.mail_to) + [WEBHOOK] * bool(found.webhook_url)


def tell(event: str, plan: Plan) -> None:
    """Inside the transaction that records the event of this plan."""
    _write(event, plan.cluster, _facts(event, plan), plan.pk)


def tell_of_rule(cluster: str, message: str) -> None:
    """Inside the transaction that records that the rule of a cluster changed."""
    _write("approvals.rule", cluster, {"title": TOLD["approvals.rule"], "why": message}, None)


def _write(event: str, cluster: str, facts: dict[str, Any], plan: int | None) -> None:
    now = timezone.now()
    facts = {"event": event, "cluster": cluster, "at": now.isoformat(), **facts}
    Notification.objects.bulk_create(
        Notification(event=event, channel=one, plan=plan, facts=facts, created_at=now, due_at=now)
        for one in channels()
    )


def _facts(event: str, plan: Plan) -> dict[str, Any]:
    """Everything that is told: what anybody needs to decide whether to look, and nothing more."""
    act = ACTS[Action(plan.action)]
    count = plan.items.filter(state=ItemState.TODO).count()
    first = plan.items.first() if plan.is_single else None
    return {
        "title": TOLD[event],
        "plan": plan.pk,
        "url": f"{settings.NOTIFICATIONS.public_url}/plans/{plan.pk}/",
        "database": plan.database,
        "cluster_label": clusters.get(plan.cluster).cluster.label
        if plan.cluster in settings.CLUSTERS
        else plan.cluster,
        "action": plan.action,
        "verb": act.verb,
        "kind": act.kind,
        "items": count,
        "name": target_of(plan, first).shown_name if first else "",
        "requester": _display(plan.requested_by),
        "approver": _display(plan.approved_by),
        "reason": plan.reason,
        "why": plan.why,
        "expires_at": plan.expires_at.isoformat(),
    }


def _display(person: dict[str, Any] | None) -> str:
    return actor_from(person).display if person else ""
