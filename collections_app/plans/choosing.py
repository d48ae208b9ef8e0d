"""Which collections of a listing a plan is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..access.policy import Action, matches
from ..milvus.types import Cluster, Load, Table
from ..models import BinItem, ItemState, Plan


def action_for(cluster: Cluster, *, partitions: bool, permanently: bool) -> Action:
    """What a plan does with its items: with a recycle bin, collections go there unless told."""
    if partitions:
        return Action.DROP_PARTITION
    to_bin = cluster.recycle_bin is not None and not permanently
    return Action.MOVE_TO_BIN if to_bin else Action.DROP_COLLECTION


def moved_by(plan: Plan) -> list[tuple[str, str]]:
    """What a plan moved to the recycle bin and is still there: names, and names in the bin."""
    done = plan.items.filter(state=ItemState.DONE).values("operation_id")
    items = BinItem.objects.filter(operation_id__in=done).order_by("name")
    return list(items.values_list("name", "private_name"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a collection must be like; what is left empty lets everything pass."""

    pattern: str = ""  # as in the configuration: * is any text, ? is one character
    created_before: datetime | None = None
    loaded: bool | None = None

    def __bool__(self) -> bool:
        return bool(self.pattern or self.created_before or self.loaded is not None)

    @property
    def words(self) -> str:
        """For the plan's page and the log."""
        parts = [f"named {self.pattern}"] if self.pattern else []
        if self.created_before:
            parts.append(f"created before {self.created_before:%Y-%m-%d %H:%M %Z}")
        if self.loaded is not None:
            parts.append("loaded" if self.loaded else "not loaded")
        return ", ".join(parts)

    def places(self, listing: Table, places: Sequence[int]) -> Sequence[int]:
        """Those of the places in a listing that pass. What is unknown does not pass."""
        if not self:
            return places
        return [at for at in places if self._passes(listing, at)]

    def _passes(self, listing: Table, at: int) -> bool:
        if self.pattern and not matches((self.pattern,), listing.names[at]):
            return False
        if self.created_before:
            created_ms, _ = listing.age(at)
            if not 0 < created_ms < self.created_before.timestamp() * 1000:
                return False
        if self.loaded is None:
            return True
        load = listing.load(at)
        return isinstance(load, Load) and load.held is self.loaded
