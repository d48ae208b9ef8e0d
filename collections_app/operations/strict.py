"""Strict mode: a drop that can't hit a namesake, although Milvus drops by name only.

rename to a temporary name → compare the id there → drop that name. Nobody else uses that name, so
it keeps naming the same collection. A collection that was renamed by mistake gets its name back.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .. import clusters
from ..audit.log import Outcome
from ..milvus.errors import (
    Denied,
    MilvusError,
    MilvusRejected,
    NotFound,
    OutcomeUnknown,
    Unreachable,
)
from ..milvus.types import Identity, Target


class RenamedNotDropped(MilvusRejected):
    """It was renamed but not dropped. The message says what its name is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantine:
    """A collection under the temporary name of one operation. `identity` is what was shown."""

    milvus: clusters.Milvus
    target: Target
    identity: Identity
    private_name: str

    def identity_of(self, name: str) -> Identity | None:
        """Of what has this name now. Raises Denied, MilvusRejected or Unreachable."""
        return self.milvus.gateway.collection_identity(self.target.database, name)

    def orphan(self) -> Identity | None:
        """What has the temporary name now. Raises as `identity_of`."""
        return self.identity_of(self.private_name)

    def rename(self, old: str, new: str) -> None:
        self.milvus.destroyer.rename_collection(self.target.database, old, new)


def kept_name_note(name: str) -> str:
    """In the outcome of an operation whose collection keeps its temporary name."""
    return f"called {name} now"


def rename_and_drop(quarantine: Quarantine, last_check: Callable[[], None]) -> None:
    """Raises Unreachable, MilvusRejected, Denied or NotFound: nothing changed; RenamedNotDropped;
    or OutcomeUnknown.
    """
    try:
        renamed = rename_shown(quarantine)
    except MilvusError as exc:
        exc.sent = False
        raise
    try:
        last_check()
        quarantine.milvus.destroyer.drop_collection(
            quarantine.target.database, quarantine.private_name
        )
    except (MilvusRejected, Denied, NotFound, Unreachable) as exc:
        raise _renamed_not_dropped(quarantine, renamed, str(exc), sent=exc.sent) from exc


def rename_shown(quarantine: Quarantine) -> Identity:
    """Give it its private name, and compare there. A namesake that was renamed gets its name back.

    Returns the identity that was shown. Raises as `rename_and_drop`.
    """
    renamed = _rename(quarantine)
    if renamed != quarantine.identity:
        why = f"Another collection had taken its name, id {renamed.id}"
        raise _renamed_not_dropped(quarantine, renamed, why, sent=False)
    return renamed


def _rename(quarantine: Quarantine) -> Identity:
    """Give it its private name, sent once. Returns what has that name now, by read-back."""
    error = None
    try:
        quarantine.rename(quarantine.target.name, quarantine.private_name)
    except Unreachable:
        raise
    except MilvusError as exc:  # a refusal too may be the answer to a second copy on the way
        error = exc
    try:
        renamed = quarantine.orphan()
    except MilvusError as exc:
        name = quarantine.private_name
        text = f"It was to be renamed to {name}, and the read-back failed: {exc}"
        raise OutcomeUnknown(text, exc.code) from exc
    if renamed is None:
        raise error or OutcomeUnknown("Milvus answered OK to the rename, but did not rename it")
    return renamed


def _renamed_not_dropped(
    quarantine: Quarantine, renamed: Identity, why: str, *, sent: bool
) -> MilvusError:
    """Restore the name. Returns what to raise; `sent` is whether the drop went out."""
    now = restore_name(quarantine, renamed)
    why = why.rstrip(".")
    problem: MilvusError = OutcomeUnknown(
        f"{why}. It is called {quarantine.private_name} until reconcile_operations restores its "
        "original name"
    )
    if now:
        problem = RenamedNotDropped(f"{why}. Nothing was dropped. {now}")
    problem.sent = sent
    return problem


def restore_name(quarantine: Quarantine, renamed: Identity) -> str | None:
    """Rename it back, sent once, and read back. What its name is now; None if that is not certain.

    Sending this again later is safe: nothing but this operation's collection has that name.
    """
    answer = ""
    try:
        quarantine.rename(quarantine.private_name, quarantine.target.name)
    except MilvusError as exc:
        answer = str(exc)
    try:
        now = quarantine.identity_of(quarantine.target.name)
        if now == renamed:
            return "Its original name was restored"
        is_taken = now is not None or "duplicated" in answer
        if is_taken and quarantine.orphan() == renamed:
            note = kept_name_note(quarantine.private_name)
            return f"Its original name is taken, so it is still {note}"
    except MilvusError:
        pass
    return None


def is_gone(quarantine: Quarantine) -> bool:
    """Whether nothing has the temporary name, its own name is free or another's, and the id is
    unknown.

    Raises Denied, MilvusRejected or Unreachable. In this order: it goes from its name to the
    temporary one and perhaps back, so names alone might miss it on the way.
    """
    own_name = quarantine.target.name
    if quarantine.orphan() or quarantine.identity_of(own_name) == quarantine.identity:
        return False
    name = quarantine.milvus.gateway.name_of(quarantine.target.database, quarantine.identity.id)
    return name is None


def recover(
    quarantine: Quarantine, orphan: Identity, *, deadline_passed: bool
) -> tuple[Outcome, str] | None:
    """Restore the name of what a crash or an outage left under the temporary name.

    Returns the outcome and why; None if it is not certain yet. The collection that was shown gets
    its name back only when the drop can't come any more; a namesake at once, because it is in use.
    """
    is_shown_one = orphan == quarantine.identity
    if is_shown_one and not deadline_passed:
        return None
    now = restore_name(quarantine, orphan)
    if now is None:
        return None
    if is_shown_one:
        return Outcome.FAILED, f"It was renamed but not dropped. {now}"
    return Outcome.REFUSED, f"Another collection had taken its name. Nothing was dropped. {now}"
