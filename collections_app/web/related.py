"""What came before an operation and after it, as lines of its timeline."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy

from ..access.policy import Action
from ..audit import queries
from ..audit.events import Intent
from ..audit.queries import Event, Story
from ..milvus.types import Kind
from ..names import readable
from ..operations.kinds.acts import ACTS
from ..operations.kinds.binned import item_of, target_of
from ..operations.kinds.create_collection import SOURCES
from ..operations.private_names import BIN, operation_of
from . import links
from .display import at, words
from .steps import Link, State, Step

UNTIL = gettext_lazy("Until %(time)s, unless somebody restores or purges it before.")

Readable = Callable[[Story], bool]  # whether this person may know of an operation


def before(story: Story, is_readable: Readable) -> list[Step]:
    """The move to the recycle bin that a restore or a purge is about; the drop of a creation."""
    source = _source(story.first)
    found = queries.story(source) if source else None
    return [_step(found, gettext("Before:"))] if found and is_readable(found) else []


def _source(first: Event) -> uuid.UUID | None:
    """The operation that this one continues, by the name of its target."""
    name = str((first.record["target"] or {}).get("name") or "")
    if first.row.kind == Kind.BINNED:
        return operation_of(name, BIN)
    if first.row.kind != Kind.NEW:
        return None
    try:
        return uuid.UUID(name)
    except ValueError:
        return None


def after(story: Story, is_readable: Readable) -> Iterator[Step]:
    """What became of it: restores, purges, creations; where it waits for them."""
    if not story.intent:
        return
    intent = Intent.of(story.intent.row)
    if intent.action == Action.MOVE_TO_BIN:
        yield from _later(queries.operations_on(Kind.BINNED, intent.private_name), is_readable)
        yield from _in_bin(story.operation_id)
    if intent.action in SOURCES:
        yield from _later(queries.operations_on(Kind.NEW, str(story.operation_id)), is_readable)


def _later(stories: list[Story], is_readable: Readable) -> Iterator[Step]:
    yield from (_step(story, gettext("After:")) for story in stories if is_readable(story))


def _step(story: Story, prefix: str) -> Step:
    act, first = ACTS[Action(story.first.row.action)], story.first
    name, time = _name_given(first), at(first.row.recorded_at)
    return Step(
        title=" ".join(filter(None, (prefix, words(act.action), name))),
        state=State.NOTED,
        outcome=story.outcome,
        lines=(gettext("By %(person)s, %(time)s") % {"person": first.actor, "time": time},),
        links=(Link(text=gettext("View operation"), url=links.operation(str(story.operation_id))),),
    )


def _name_given(first: Event) -> str:
    """The name that a creation or a restore gives; empty for all others."""
    target: dict[str, Any] = first.record["target"] or {}
    if first.row.kind == Kind.NEW:
        return readable(str(target.get("collection") or ""))
    return readable(str(first.details.get("new_name") or ""))


def _in_bin(moved: uuid.UUID) -> Iterator[Step]:
    """Where it is now, while it is in the recycle bin."""
    item = item_of(moved)
    if item:
        yield Step(
            title=gettext("In the recycle bin"),
            state=State.WAITING,
            lines=(UNTIL % {"time": at(item.purge_at)},),
            links=(Link(text=gettext("View recycle bin"), url=links.page_of(target_of(item))),),
        )


def plan_link(story: Story) -> tuple[Link, ...]:
    """The plan whose item it carried out."""
    plan = story.first.details.get("plan")
    if not plan:
        return ()
    url = reverse("plan", args=[plan["plan"]])
    text = gettext("Item %(item)s of plan %(plan)s") % plan
    return (Link(text=text, url=url),)
