"""What the audit log says about a plan itself. Each item is an operation with its own events."""

from typing import Any

from ..access.principals import Caller
from ..audit import log, quotas
from ..audit.log import Entry, Outcome, Phase
from ..models import Plan

CREATE, REMOVE, CONFIRM = "plan.create", "plan.take_out", "plan.confirm"
PAUSE, RESUME, CANCEL = "plan.pause", "plan.resume", "plan.cancel"
DONE, EXPIRE = "plan.done", "plan.expire"


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


def _place(cluster: str, database: str) -> dict[str, str]:
    return {"cluster": cluster, "database": database, "kind": "", "collection": "", "name": ""}
