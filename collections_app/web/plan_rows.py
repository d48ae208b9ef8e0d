"""What the pages of plans show: rows, parts of the bar, and which buttons there are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext, pgettext

from ..access.policy import Action
from ..access.principals import Actor
from ..audit.queries import Event, last_event
from ..milvus.types import Identity, Kind, Target
from ..operations.kinds import OPERATIONS
from ..operations.kinds.acts import ACTS
from ..plans import deciding
from ..plans.progress import Progress
from ..plans.rows import UNCONFIRMED, WAITING, ItemState, Plan, PlanItem, PlanState, target_of
from . import links
from .display import measure
from .shown import shown, word

# In the order of the bar. The class is also the colour.
PARTS = (
    (ItemState.DONE, "succeeded"),
    (ItemState.SKIPPED, "changed"),
    (ItemState.REFUSED, "refused"),
    (ItemState.FAILED, "failed"),
    (ItemState.UNKNOWN, "unknown"),
    (ItemState.RUNNING, "running"),
    (ItemState.TODO, "pending"),
)
CLASSES: dict[str, str] = {
    **dict(PARTS),
    ItemState.BLOCKED: "blocked",
    ItemState.UNREAD: "pending",
    ItemState.REMOVED: "pending",
}
NEVER_MORE = {PlanState.REJECTED, PlanState.CANCELLED, PlanState.EXPIRED}
HAS_OPERATION = {ItemState.DONE, ItemState.FAILED, ItemState.UNKNOWN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A state with its count; `start` and `width` are its place in the bar, in percent."""

    state: str
    label: str
    css: str
    count: int
    start: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """An item as the table shows it."""

    position: int
    name: str
    url: str
    id: str
    rows: str
    load: str
    aliases: list[str] | str
    label: str
    css: str
    message: str
    notes: list[str]
    remedies: list[tuple[str, str]]
    changes: list[str]
    last_event: Event | None  # until it is decided
    operation: str
    is_listed: bool  # and can be taken out


@dataclass(frozen=True, slots=True, kw_only=True)
class Buttons:
    """What this person may do with the plan now."""

    confirm: bool
    take_out: bool
    pause: bool
    resume: bool
    cancel: bool


def buttons(plan: Plan, actor: Actor, known: Progress) -> Buttons:
    state, stop = plan.state, deciding.may_stop(actor, plan)
    ours = deciding.may_confirm(actor, plan)
    return Buttons(
        confirm=ours and state == PlanState.DRAFT and known.count(ItemState.TODO) > 0,
        take_out=ours and state == PlanState.DRAFT,
        pause=stop and state == PlanState.RUNNING,
        resume=state == PlanState.PAUSED and deciding.may_resume(actor, plan),
        cancel=stop and state in {*UNCONFIRMED, *WAITING, PlanState.RUNNING, PlanState.PAUSED},
    )


def done_of(plan: Plan) -> str:
    """What its items are when they are done, in English: "dropped"."""
    return ACTS[Action(plan.action)].done


def verb_of(plan: Plan) -> str:
    """What it does with its items: "Drop" or "Move"."""
    return ACTS[Action(plan.action)].verb.capitalize()


def is_irreversible(plan: Plan) -> bool:
    return OPERATIONS[Action(plan.action)].is_irreversible


def _is_never_begun(state: str, plan: Plan) -> bool:
    return state == ItemState.TODO and plan.state in NEVER_MORE


def label_of(state: str, plan: Plan) -> str:
    done = {"done": word(done_of(plan))}
    if state == ItemState.DONE:
        return capfirst(pgettext("state of an item", "%(done)s") % done)
    if state == ItemState.TODO and plan.state in {*UNCONFIRMED, *WAITING}:
        return gettext("Will be %(done)s") % done
    if _is_never_begun(state, plan):
        return gettext("Not begun")
    return word(ItemState(state).label)


def parts(plan: Plan, known: Progress) -> Iterator[Part]:
    """The states that there are, as parts of the bar."""
    start, total = 0.0, known.total or 1
    for state, css in PARTS:
        count = known.count(state)
        if count:
            width = 100 * count / total
            label = label_of(state, plan)
            yield Part(
                state=state,
                label=label,
                css=css,
                count=count,
                start=round(start, 2),
                width=round(width, 2),
            )
            start += width


def row_of(plan: Plan, item: PlanItem, changes: Sequence[str] = ()) -> PlanRow:
    """`changes` are what is not as it was when the approval was requested."""
    identity, shown = Identity(**(item.identity or {})), item.shown
    operation = links.operation(str(item.operation_id)) if item.state in HAS_OPERATION else ""
    target = target_of(plan, item)
    return PlanRow(
        position=item.position,
        name=target.shown_name,
        url=operation if item.state == ItemState.DONE else links.page_of(target),
        id=str(identity.id or ""),
        rows=_count(shown.get("rows", "")),
        load=shown.get("load", ""),
        aliases=shown.get("aliases", []),
        label=label_of(item.state, plan),
        css="" if _is_never_begun(item.state, plan) else CLASSES[item.state],
        message="" if item.state == ItemState.DONE else item.message,
        notes=shown.get("notes", []) if item.state == ItemState.TODO else [],
        remedies=list(_remedies(item)),
        changes=list(changes),
        last_event=last_event(target) if plan.state in {*UNCONFIRMED, *WAITING} else None,
        operation=operation,
        is_listed=item.state in {ItemState.TODO, ItemState.BLOCKED, ItemState.UNREAD},
    )


def _count(rows: int | str) -> str:
    """A word where it was not read."""
    return measure(rows) if isinstance(rows, int) else word(rows)


def _remedies(item: PlanItem) -> Iterator[tuple[str, str]]:
    """The acts that clear the way, each with the address of its dialog."""
    if item.state != ItemState.BLOCKED:
        return
    for remedy in item.shown.get("remedies", []):
        action, target = Action(remedy["action"]), Target.of(remedy["target"])
        yield remedy["label"], links.act(action, target)


def things(plan: Plan, count: int) -> str:
    """`1 collection`, `37 partitions`."""
    values = {"count": count}
    if ACTS[Action(plan.action)].kind is Kind.PARTITION:
        return ngettext("%(count)s partition", "%(count)s partitions", count) % values
    if ACTS[Action(plan.action)].kind is Kind.ALIAS:
        return ngettext("%(count)s alias", "%(count)s aliases", count) % values
    return ngettext("%(count)s collection", "%(count)s collections", count) % values


def title_of(plan: Plan, count: int) -> str:
    """What it does, as a heading: `Drop collection books`, or `Drop 37 collections`."""
    item = plan.items.first() if plan.is_single else None
    if item:
        return shown(ACTS[Action(plan.action)].title(target_of(plan, item)))
    return what_of(plan, count)


def what_of(plan: Plan, count: int) -> str:
    """What it does with that many: `Drop 37 collections`."""
    values = {"verb": word(verb_of(plan).lower()), "what": things(plan, count)}
    return capfirst(pgettext("what a plan does", "%(verb)s %(what)s") % values)


def place_of(plan: Plan) -> str:
    """Where its items are: a collection's name for partitions, else empty."""
    first = plan.items.first()
    kind = ACTS[Action(plan.action)].kind
    return target_of(plan, first).collection if first and kind is Kind.PARTITION else ""
