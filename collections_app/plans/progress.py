"""How far a plan is: counts, rate and time left."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone

from ..models import ItemState, Plan, PlanItem, PlanState

RECENT = 20  # items that the rate is taken from
ENDED = (ItemState.DONE, ItemState.REFUSED, ItemState.SKIPPED, ItemState.FAILED, ItemState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The counts by state, and how fast the plan goes; None where that is not known."""

    counts: dict[str, int]
    per_second: float | None
    left: timedelta | None

    def count(self, state: str) -> int:
        return self.counts.get(state, 0)

    @property
    def total(self) -> int:
        """All items that are or were to be carried out."""
        return self.ended + self.count(ItemState.TODO) + self.count(ItemState.RUNNING)

    @property
    def listed(self) -> int:
        """All items but those that were taken out."""
        return sum(self.counts.values()) - self.count(ItemState.REMOVED)

    @property
    def removed(self) -> int:
        return self.count(ItemState.REMOVED)

    @property
    def todo(self) -> int:
        return self.count(ItemState.TODO)

    @property
    def read(self) -> int:
        return self.listed - self.count(ItemState.UNREAD)

    @property
    def ended(self) -> int:
        return sum(self.count(state) for state in ENDED)

    @property
    def percent(self) -> int:
        """Never 100 before all have ended."""
        return self.ended * 100 // self.total if self.total else 0


def progress_of(plan: Plan) -> Progress:
    """Two small queries, however long the plan is."""
    rows = plan.items.values_list("state").annotate(Count("id")).order_by()
    counts = {str(state): count for state, count in rows}
    rate = _rate(plan) if plan.state == PlanState.RUNNING else None
    open_items = counts.get(ItemState.TODO, 0) + counts.get(ItemState.RUNNING, 0)
    left = timedelta(seconds=round(open_items / rate)) if rate else None
    return Progress(counts=counts, per_second=rate, left=left)


def _rate(plan: Plan) -> float | None:
    """Items per second lately. Until now, so that a plan that hangs slows down on the page."""
    ended = PlanItem.objects.filter(plan=plan, ended_at__isnull=False).order_by("-ended_at")
    moments = list(ended.values_list("taken_at", flat=True)[:RECENT])
    if not moments or moments[-1] is None:
        return None
    elapsed = (timezone.now() - moments[-1]).total_seconds()
    return len(moments) / elapsed if elapsed > 0 else None
