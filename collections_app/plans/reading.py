"""One item of a plan as it is now; and what changed since the plan showed it."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import clusters
from ..access.policy import Action, decide, may, place_of
from ..access.principals import Actor
from ..milvus.errors import Contradiction, MilvusError, NotFound, Unreachable
from ..milvus.types import Target, Unread
from ..models import Claim, ItemState, Plan, PlanItem
from ..operations.claims import claims_in
from ..operations.kinds import OPERATIONS
from ..operations.kinds.base import Blocker, TargetState
from ..operations.protections import Covering, covering_in
from . import side_by_side
from .rows import target_of

if TYPE_CHECKING:
    from ..milvus.gateway import Gateway

READERS = 8  # items that are read side by side
READ_SECONDS = 20.0  # for all items of a plan together, while somebody waits for the page
GONE = "It does not exist, or you are not permitted to see it"
NO_TIME = f"not all items could be read within {READ_SECONDS:g} seconds"
SHOWN = {"rows": "Rows", "load": "Load state", "aliases": "Aliases"}  # what may change


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the items of a plan are read with: answers that are good for all of them."""

    gateway: "Gateway"
    claims: Callable[[Target], Claim | None]
    covering: Covering

    @classmethod
    def many(cls, plan: Plan) -> "Around":
        """For items that are read at about the same time."""
        return cls(
            gateway=clusters.get(plan.cluster).gateway.for_many(),
            claims=claims_in(plan.cluster),
            covering=covering_in(plan.cluster, plan.database),
        )

    @classmethod
    def one(cls, plan: Plan) -> "Around":
        """For a single item: nothing was asked before."""
        return replace(cls.many(plan), gateway=clusters.get(plan.cluster).gateway)


def read_all(
    plan: Plan, items: Iterable[PlanItem], who: Actor, until: float = math.inf
) -> list[PlanItem | str]:
    """These items as they are now, or why Milvus did not answer. Changes the items, saves nothing.

    After `until`, in monotonic seconds, nothing more is read.
    """
    around = Around.many(plan)

    def read_in_time(item: PlanItem) -> PlanItem | str:
        return _read(plan, item, who, around) if time.monotonic() < until else NO_TIME

    return side_by_side.each(read_in_time, items, READERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """An item to do, as it is now. `changes` says in words what is not as it was shown."""

    item: PlanItem
    changes: tuple[str, ...]

    @property
    def is_to_do(self) -> bool:
        """Whether it is the same thing, and nothing blocks it."""
        return self.item.state == ItemState.TODO


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that a plan would carry out, read afresh. `problem` says why it can't be known."""

    items: tuple[Reread, ...] = ()
    problem: str = ""

    @property
    def to_do(self) -> list[PlanItem]:
        return [one.item for one in self.items if one.is_to_do]

    @property
    def changed(self) -> list[Reread]:
        return [one for one in self.items if one.changes]


def read_again(plan: Plan, items: Iterable[PlanItem], who: Actor) -> Sheet:
    """These items as they are now, with what changed. Writes nothing."""
    before, until = list(items), time.monotonic() + READ_SECONDS
    answers = read_all(plan, map(copy.copy, before), who, until)
    if problem := next((answer for answer in answers if isinstance(answer, str)), ""):
        return Sheet(problem=problem)
    now = [answer for answer in answers if isinstance(answer, PlanItem)]
    return Sheet(items=tuple(map(_compared, before, now)))


def _compared(before: PlanItem, now: PlanItem) -> Reread:
    if now.state == ItemState.TODO and now.identity != before.identity:
        _blocked(now, "It was replaced: another object has its name now")
    if now.state != ItemState.TODO:
        return Reread(item=now, changes=(now.message,))
    return Reread(item=now, changes=tuple(_differences(before.shown, now.shown)))


def _differences(before: dict[str, Any], now: dict[str, Any]) -> Iterable[str]:
    for key, label in SHOWN.items():
        if before.get(key) != now.get(key):
            yield f"{label}: {_word(before.get(key))} → {_word(now.get(key))}"


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def read_once(plan: Plan, item: PlanItem, who: Actor) -> PlanItem | str:
    """The item as it is now, or why Milvus did not answer. Changes the item, saves nothing."""
    return _read(plan, item, who, Around.one(plan))


def change_since(plan: Plan, item: PlanItem, who: Actor) -> str:
    """What is not as it was when the plan showed it, in words; empty if all is.

    A blocker is none: the operation itself finds and records it. Raises Unreachable.
    """
    now = read_once(plan, copy.copy(item), who)
    if isinstance(now, str):
        raise Unreachable(now)
    return "; ".join(_differences(item.shown, now.shown)) if now.state == ItemState.TODO else ""


def _read(plan: Plan, item: PlanItem, author: Actor, around: Around) -> PlanItem | str:
    """The item as it is now, or why Milvus did not answer."""
    action, target = Action(plan.action), target_of(plan, item)
    decision = decide(author, action, place_of(target))
    if not decision.allowed:
        seen = may(author, Action.VIEW, place_of(target))
        return _blocked(item, f"You are not permitted to do this. {decision.why}" if seen else GONE)
    try:
        look = _look(action, target, around)
    except NotFound:
        return _blocked(item, GONE)
    except Unreachable as exc:
        return str(exc)
    except MilvusError as exc:
        return _blocked(item, f"Milvus rejected the read: {exc}")
    item.identity, item.shown = asdict(look.identity), _shown(look)
    if claim := around.claims(target):
        return _blocked(item, f"{claim.actor_display} has an operation in progress on it")
    if look.blockers:
        item.shown["remedies"] = _remedies(look.blockers)
        return _blocked(item, " ".join(blocker.text for blocker in look.blockers))
    item.state = ItemState.TODO
    return item


def _look(action: Action, target: Target, around: Around) -> TargetState:
    read_state = OPERATIONS[action].read_state
    try:
        return read_state(around.gateway, target, around.covering)
    except Contradiction:  # what was asked for all of them may be older than this item
        return read_state(clusters.get(target.cluster).gateway, target, around.covering)


def _blocked(item: PlanItem, why: str) -> PlanItem:
    item.state, item.message = ItemState.BLOCKED, why
    return item


def _shown(look: TargetState) -> dict[str, Any]:
    """What the page shows of it, and what is confirmed with it."""
    aliases = look.detail.aliases
    return {
        "rows": look.rows.value if isinstance(look.rows, Unread) else look.rows,
        "load": look.load.value if isinstance(look.load, Unread) else look.load.word,
        "aliases": aliases.value if isinstance(aliases, Unread) else list(aliases),
        "notes": list(look.notes),
        "verifiable": look.identity.verifiable,
    }


def _remedies(blockers: Sequence[Blocker]) -> list[dict[str, Any]]:
    return [
        {
            "action": blocker.remedy,
            "target": blocker.remedy_target.as_dict(),
            "label": blocker.remedy_label,
        }
        for blocker in blockers
        if blocker.remedy and blocker.remedy_target
    ]
