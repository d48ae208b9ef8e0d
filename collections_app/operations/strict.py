"""Strict mode: a drop that can't hit a namesake, although Milvus drops by name only.

rename to a private name → compare the id there → drop that name. Nobody else uses that name, so
what bears it stays the same thing. What was caught by mistake gets its name back.
"""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from .. import clusters
from ..audit.log import Outcome
from ..milvus.errors import Denied, MilvusError, NotFound, OutcomeUnknown, Refused, Unreachable
from ..milvus.types import Identity, Target

PREFIX = "_milvusadmin_drop_"


class Kept(Refused):
    """It was renamed but not dropped. Says how it is called now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A collection that one operation takes aside. `identity` is what was shown."""

    milvus: clusters.Milvus
    target: Target
    identity: Identity
    private: str

    def bearer(self, name: str) -> Identity | None:
        """Who bears this name now. Raises Denied, Refused or Unreachable."""
        return self.milvus.gateway.collection_identity(self.target.database, name)

    def rename(self, old: str, new: str) -> None:
        self.milvus.destroyer.rename_collection(self.target.database, old, new)


def private_name(operation_id: uuid.UUID) -> str:
    """One for each operation, and valid on every server."""
    return f"{PREFIX}{operation_id.hex}"


def operation_of(name: str) -> uuid.UUID | None:
    """The operation whose private name this is, letter by letter, or None."""
    with suppress(ValueError):
        found = uuid.UUID(name.removeprefix(PREFIX))
        return found if private_name(found) == name else None
    return None


def left_as(private: str) -> str:
    """In the outcome of an operation: it stays there, and people know."""
    return f"called {private} now"


def take_and_drop(aside: Aside, last_check: Callable[[], None]) -> None:
    """Raises Unreachable, Refused, Denied or NotFound: nothing changed; Kept; or OutcomeUnknown."""
    try:
        held = take_shown(aside)
    except MilvusError as exc:
        exc.sent = False
        raise
    try:
        last_check()
        aside.milvus.destroyer.drop_collection(aside.target.database, aside.private)
    except (Refused, Denied, NotFound, Unreachable) as exc:
        raise _kept(aside, held, str(exc), sent=exc.sent) from exc


def take_shown(aside: Aside) -> Identity:
    """Give it its private name, and compare there. A namesake that was caught is given back.

    Returns the identity that was shown. Raises as `take_and_drop`.
    """
    held = _take(aside)
    if held != aside.identity:
        why = f"Another collection had taken its name, id {held.id}"
        raise _kept(aside, held, why, sent=False)
    return held


def _take(aside: Aside) -> Identity:
    """Give it its private name, sent once. Returns who bears that now: the look tells."""
    answer = None
    try:
        aside.rename(aside.target.name, aside.private)
    except Unreachable:
        raise
    except MilvusError as exc:  # a refusal too may be the answer to a second copy on the way
        answer = exc
    try:
        held = aside.bearer(aside.private)
    except MilvusError as exc:
        text = f"It was to be renamed to {aside.private}, and the read-back failed: {exc}"
        raise OutcomeUnknown(text, exc.code) from exc
    if held is None:
        raise answer or OutcomeUnknown("Milvus answered OK to the rename, but did not rename it")
    return held


def _kept(aside: Aside, held: Identity, why: str, *, sent: bool) -> MilvusError:
    """Give back what was not dropped, and say so. `sent` is whether the drop went out."""
    back = give_back(aside, held)
    why = why.rstrip(".")
    later = f"It is called {aside.private} until reconcile_operations restores its original name"
    problem = (
        Kept(f"{why}. Nothing was dropped. {back}") if back else OutcomeUnknown(f"{why}. {later}")
    )
    problem.sent = sent
    return problem


def give_back(aside: Aside, held: Identity) -> str | None:
    """Rename it back, sent once, and look. How it is called now; None if that is not certain.

    Sending this again later is safe: nothing but this operation's collection has that name.
    """
    said = ""
    try:
        aside.rename(aside.private, aside.target.name)
    except MilvusError as exc:
        said = str(exc)
    try:
        now = aside.bearer(aside.target.name)
        if now == held:
            return "Its original name was restored"
        taken = now is not None or "duplicated" in said
        if taken and aside.bearer(aside.private) == held:
            return f"Its original name is taken, so it is still {left_as(aside.private)}"
    except MilvusError:
        pass
    return None


def gone(aside: Aside) -> bool:
    """Nothing bears the private name, its own name is free or another's, and the id is unknown.

    Raises Denied, Refused or Unreachable. In this order: it goes from its name to the private one
    and perhaps back, so names alone might miss it on the way.
    """
    if aside.bearer(aside.private) or aside.bearer(aside.target.name) == aside.identity:
        return False
    found = aside.milvus.gateway.name_of(aside.target.database, aside.identity.id)
    return found is None


def recover(aside: Aside, held: Identity, *, patience_over: bool) -> tuple[Outcome, str] | None:
    """What a crash or an outage left under the private name gets its name back.

    The outcome then, in words; None if it is not certain yet. The right one is given back only
    when the drop can't come any more; a namesake at once, because somebody uses it.
    """
    ours = held == aside.identity
    if ours and not patience_over:
        return None
    back = give_back(aside, held)
    if back is None:
        return None
    if ours:
        return Outcome.FAILED, f"It was renamed but not dropped. {back}"
    return Outcome.REFUSED, f"Another collection had taken its name. Nothing was dropped. {back}"
