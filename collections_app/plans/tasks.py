"""What the background process does: plans in slices, so that several of them share a worker.

The queue is django-tasks'. It forgets nothing, but it does not notice that a worker was killed: so
`wake` gives plans a new task that have had no work for a while. A task with an old ticket ends.
"""

from datetime import timedelta

from django.db.models import F
from django.utils import timezone
from django_tasks import task

from ..clusters import UnknownCluster
from ..models import ItemState, Plan, PlanState
from . import approving, building, running
from .rows import writing

SLICE = 10.0  # seconds of work for one plan before it is another one's turn
PAUSE = timedelta(seconds=2)  # before the next look at what can't go on now
STALLED = timedelta(seconds=15)


@task()
def work_on_plan(number: int, ticket: int) -> str:
    """One slice of the work on a plan. Returns the state that it leaves the plan in."""
    plan = Plan.objects.filter(pk=number, ticket=ticket).first()
    if plan is None:
        return "another task works on it"
    Plan.objects.filter(pk=number).update(worked_at=timezone.now())
    try:
        if plan.state == PlanState.READING:
            building.read_items(plan, seconds=SLICE)
        else:
            running.work(plan, seconds=SLICE, ticket=ticket)
    except UnknownCluster:
        running.pause(plan, f"The configuration has no cluster {plan.cluster} any more")
    plan.refresh_from_db()
    _go_on(plan, ticket)
    return str(plan.state)


def _go_on(plan: Plan, ticket: int) -> None:
    """The next slice; later if there is nothing that could be done right now."""
    if plan.ticket != ticket or not _wants_work(plan):
        return
    next_item = plan.items.filter(state__in=(ItemState.TODO, ItemState.UNREAD)).exists()
    is_free = plan.items.filter(state=ItemState.RUNNING).count() < plan.at_once
    ring(plan, later=not (next_item and is_free) or bool(plan.why))


def _wants_work(plan: Plan) -> bool:
    if plan.state in {PlanState.READING, PlanState.RUNNING}:
        return True
    return plan.items.filter(state=ItemState.RUNNING).exists()


def ring(plan: Plan, *, later: bool = False) -> None:
    """Have a worker work on the plan; only the newest task does. Raises DatabaseError."""
    with writing():
        row = Plan.objects.select_for_update().get(pk=plan.pk)
        ticket = row.ticket + 1
        Plan.objects.filter(pk=plan.pk).update(ticket=F("ticket") + 1, worked_at=timezone.now())
        due = timezone.now() + PAUSE if later else None
        work_on_plan.using(run_after=due).enqueue(plan.pk, ticket)


def wake() -> None:
    """Look after all plans: expire, follow the outcomes, and find those whose worker is dead."""
    running.expire()
    approving.tidy()
    for plan in running.unsettled():
        running.follow(plan)
    for plan in running.stalled(STALLED):
        ring(plan)
