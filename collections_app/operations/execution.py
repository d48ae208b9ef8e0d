"""How an operation is carried out, and how to tell that it is done: at once, or in two phases.

`execution_for` and `execution_of` choose; nothing else asks whether a drop is strict.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .. import clusters
from ..access.policy import Action
from ..audit.events import Intent
from ..audit.log import Outcome
from ..milvus.types import Identity, Target
from ..models import Sent
from . import strict
from .bin_moves import IntoBin, OutOfBin
from .confirmation import Confirmation
from .kinds import OPERATIONS
from .kinds.base import Operation
from .private_names import BIN, DROP, private_name

Note = Callable[[Sent], None]  # what goes out next is noted; raises Unreachable if it must not


class Execution(Protocol):
    """All methods raise what reads of Milvus raise; `send` raises what milvus/destroy.py does."""

    @property
    def private_name(self) -> str:
        """The name that only this operation uses; empty if it needs none."""

    def send(self, note: Note) -> None:
        """Send each request once, each after its note."""

    def is_done(self) -> bool:
        """Whether it is gone (or released)."""

    def side_effect(self) -> str:
        """What else is gone, once it is done, in a sentence."""

    def left_over(self) -> Identity | None:
        """What a crash or an outage left under the private name."""

    def put_back(self, held: Identity, *, deadline_over: bool) -> tuple[Outcome, str] | None:
        """Give what is left over its own name again: the outcome then, None if not certain yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtOnce:
    """One request, and nothing to clean up."""

    operation: Operation
    milvus: clusters.Milvus
    target: Target
    identity: Identity
    private_name: str = ""

    def send(self, note: Note) -> None:
        note(Sent.ACT)
        self.operation.act(self.milvus.destroyer, self.target)

    def is_done(self) -> bool:
        return self.operation.is_done(self.milvus.gateway, self.target, self.identity)

    def side_effect(self) -> str:
        return self.operation.side_effect(self.milvus.gateway, self.target, self.identity)

    def left_over(self) -> None:
        return None

    def put_back(self, held: Identity, *, deadline_over: bool) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPhaseDrop:
    """Rename to the private name, compare the id there, drop that name."""

    aside: strict.Aside

    @property
    def private_name(self) -> str:
        return self.aside.private

    def send(self, note: Note) -> None:
        note(Sent.RENAME)
        strict.take_and_drop(self.aside, lambda: note(Sent.ACT))

    def is_done(self) -> bool:
        return strict.gone(self.aside)

    def side_effect(self) -> str:
        return ""

    def left_over(self) -> Identity | None:
        return self.aside.bearer(self.aside.private)

    def put_back(self, held: Identity, *, deadline_over: bool) -> tuple[Outcome, str] | None:
        return strict.recover(self.aside, held, patience_over=deadline_over)


def execution_for(confirmation: Confirmation) -> Execution:
    """How an operation that begins now is carried out. Milvus renames collections only."""
    milvus = clusters.get(confirmation.target.cluster)
    prefix = BIN if confirmation.action is Action.MOVE_TO_BIN else ""
    if milvus.cluster.strict_drop and confirmation.action is Action.DROP_COLLECTION:
        prefix = DROP
    private = private_name(prefix, confirmation.operation_id) if prefix else ""
    return _execution(confirmation, milvus, private)


def execution_of(intent: Intent) -> Execution:
    """How an operation was begun. Raises UnknownCluster if its key has another address now: what
    is not at that one was not dropped by this.
    """
    milvus = clusters.get(intent.target.cluster)
    if milvus.cluster.endpoint != intent.endpoint:
        raise clusters.UnknownCluster(f"{intent.target.cluster} has another address now")
    return _execution(intent, milvus, intent.private_name)


def _execution(act: Confirmation | Intent, milvus: clusters.Milvus, private: str) -> Execution:
    target, identity = act.target, act.identity
    if act.action == Action.RESTORE:
        return OutOfBin(milvus=milvus, target=target, identity=identity, new_name=act.new_name)
    if not private:
        operation = OPERATIONS[Action(act.action)]
        return AtOnce(operation=operation, milvus=milvus, target=target, identity=identity)
    aside = strict.Aside(milvus=milvus, target=target, identity=identity, private=private)
    return IntoBin(aside=aside) if act.action == Action.MOVE_TO_BIN else TwoPhaseDrop(aside=aside)
