"""Finding plans and their items, as far as somebody may see them; and their items as a file."""

from collections.abc import Iterable, Iterator

from django.db.models import Case, IntegerField, QuerySet, Value, When

from ..access.policy import Action, Place, may
from ..access.principals import Actor
from ..audit.export import BOM, csv_line, neutral
from ..models import ItemState, Plan, PlanItem
from .deciding import may_see
from .rows import OVER, author_of

LISTED = 50  # plans on the page of plans
HEADER = ["item", "state", "collection", "name", "id", "rows", "outcome", "message", "operation_id"]
# What needs attention comes first.
ORDER = (
    ItemState.UNKNOWN,
    ItemState.FAILED,
    ItemState.REFUSED,
    ItemState.SKIPPED,
    ItemState.BLOCKED,
    ItemState.RUNNING,
)


def find(number: int, actor: Actor) -> Plan | None:
    """The plan of that number; None if there is none, or the actor may see nothing of it."""
    plan = Plan.objects.filter(pk=number).first()
    return plan if plan and is_visible(plan, actor) else None


def is_visible(plan: Plan, actor: Actor) -> bool:
    """To its author, and to whoever may see one of its items."""
    if author_of(plan).key == actor.key:
        return True
    if not may(actor, Action.VIEW, Place(cluster=plan.cluster, database=plan.database)):
        return False
    return any(may_see(actor, plan, item) for item in plan.items.iterator(100))


def recent(actor: Actor, cluster: str = "") -> list[Plan]:
    """The newest plans that the actor may see, those that are not over first."""
    rank = Case(When(state__in=OVER, then=Value(1)), default=Value(0), output_field=IntegerField())
    plans = Plan.objects.filter(**({"cluster": cluster} if cluster else {}))
    newest = plans.order_by(rank, "-id")[: 2 * LISTED]
    return [plan for plan in newest if is_visible(plan, actor)][:LISTED]


def open_plans(actor: Actor, cluster: str) -> int:
    """How many plans on a cluster wait for a decision, or run."""
    plans = Plan.objects.filter(cluster=cluster).exclude(state__in=OVER)
    return sum(is_visible(plan, actor) for plan in plans[:LISTED])


def items_of(plan: Plan, state: str = "") -> QuerySet[PlanItem]:
    """Its items without those that were taken out: what needs attention first, then in order."""
    items = plan.items.exclude(state=ItemState.REMOVED)
    if state:
        items = items.filter(state=state)
    ranks = [When(state=state, then=Value(rank)) for rank, state in enumerate(ORDER)]
    rank = Case(*ranks, default=Value(len(ORDER)), output_field=IntegerField())
    return items.order_by(rank, "position")


def total_rows(items: Iterable[PlanItem]) -> int:
    """The rows of all these items, as far as they could be counted."""
    counts = (item.shown.get("rows") for item in items)
    return sum(count for count in counts if isinstance(count, int))


def csv_lines(plan: Plan, actor: Actor) -> Iterator[str]:
    """Every item that the actor may see, what needs attention first."""
    yield BOM + csv_line(HEADER)
    for item in items_of(plan).iterator(500):
        if may_see(actor, plan, item):
            yield csv_line(_row(item))


def _row(item: PlanItem) -> list[str]:
    id_ = str((item.identity or {}).get("id") or "")
    rows = str(item.shown.get("rows", ""))
    theirs = (item.collection, item.name, id_, rows, item.outcome, item.message)
    cells = [neutral(cell) for cell in theirs]
    return [str(item.position), item.state, *cells, str(item.operation_id)]
