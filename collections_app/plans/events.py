"""What the audit log says about a plan itself. Each item is an operation with its own events."""

import uuid
from typing import Any

from ..access.principals import Caller
from ..audit import log, quotas
from ..audit.log import Entry, Outcome, Phase
from ..milvus.types import Target
from ..models import Plan

CREATE, REMOVE, CONFIRM = "plan.create", "plan.take_out", "plan.confirm"
PAUSE, RESUME, CANCEL = "plan.pause", "plan.resume", "plan.cancel"
DONE, EXPIRE = "plan.done", "plan.expire"
# Of two people: who asks, who approves or rejects, that it does not hold any more, and the start.
REQUEST, APPROVE, REJECT = "plan.request", "plan.approve", "plan.reject"
LAPSE, RUN = "plan.lapse", "plan.run"


def people(plan: Plan) -> dict[str, Any]:
    """Both people of an approval, as far as there are two, for the details of an event."""
    return {"requester": plan.requested_by, "approver": plan.approved_by}


def append(action: str, plan: Plan, caller: Caller, message: str, **details: Any) -> None:
    """Inside `log.appending()`, beside the change that it tells of."""
    log.append(
        Entry(
            phase=Phase.PLAN,
            action=action,
            caller=caller,
            target=_place(plan.cluster, plan.database),
            message=f"Plan {plan.pk}: {message}",
            details={"plan": plan.pk, "plan_action": plan.action, **details},
        )
    )


def refuse(action: str, cluster: str, database: str, caller: Caller, message: str) -> None:
    """Record that a plan was not made, or not confirmed."""
    quotas.write(
        Entry(
            phase=Phase.REJECTED,
            action=action,
            caller=caller,
            outcome=Outcome.DENIED,
            target=_place(cluster, database),
            message=message,
        )
    )


def skip(plan: Plan, target: Target, caller: Caller, message: str) -> None:
    """Record that an item was not carried out, because it is not as it was approved."""
    quotas.write(
        Entry(
            phase=Phase.REJECTED,
            action=plan.action,
            caller=caller,
            outcome=Outcome.CHANGED,
            operation_id=uuid.uuid4(),
            target=target.as_dict(),
            message=message,
            details={"plan": plan.pk, **people(plan)},
        )
    )


def _place(cluster: str, database: str) -> dict[str, str]:
    return {"cluster": cluster, "database": database, "kind": "", "collection": "", "name": ""}
