"""What is in the recycle bin: lists for pages, and counts. Asks the database only."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet
from django.utils import timezone

from ..clusters import same_server
from ..models import BinItem

ORDERS = {
    "name": ("name", "-moved_at"),
    "-name": ("-name", "-moved_at"),
    "rows": ("rows", "name"),
    "-rows": ("-rows", "name"),
    "moved": ("moved_at", "operation_id"),
    "-moved": ("-moved_at", "operation_id"),
    "purge": ("purge_at", "operation_id"),
    "-purge": ("-purge_at", "operation_id"),
}
DEFAULT_ORDER = "purge"


def items_in(cluster: str, database: str | None = None) -> QuerySet[BinItem]:
    """Everything in the bin of a server, or of one of its databases."""
    items = BinItem.objects.filter(cluster__in=same_server(cluster))
    return items if database is None else items.filter(database=database)


def listed(cluster: str, database: str, search: str, order: str) -> QuerySet[BinItem]:
    """The items of a database for a page: whose name holds the text, in an order of ORDERS."""
    items = items_in(cluster, database)
    if search:
        items = items.filter(name__contains=search)
    return items.order_by(*ORDERS.get(order, ORDERS[DEFAULT_ORDER]))


def counts_by_database(cluster: str) -> dict[str, int]:
    """How many items each database of a cluster has in the bin; those without any are absent."""
    rows = items_in(cluster).order_by().values_list("database").annotate(Count("pk"))
    return dict(rows)


def names_by_private_name(cluster: str, database: str) -> dict[str, str]:
    """The names that lists leave out, each with the name that people know."""
    return dict(items_in(cluster, database).values_list("private_name", "name"))


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Until when something stays in the bin."""

    purge_at: datetime

    @property
    def left(self) -> timedelta:
        return max(self.purge_at - timezone.now(), timedelta(0))

    @property
    def words(self) -> str:
        """In the largest unit, rounded down; what is due is said to be."""
        left = self.left
        if left < timedelta(minutes=1):
            return "due now"
        for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
            count = int(left.total_seconds() // size)
            if count:
                return f"{count} {unit}{'' if count == 1 else 's'}"
        return "due now"
