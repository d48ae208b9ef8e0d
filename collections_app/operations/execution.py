"""How an operation is carried out, and how to tell that it is done: in one request or two phases.

`execution_for` and `execution_of` choose; nothing else asks whether a drop is strict.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .. import clusters
from ..access.policy import Action
from ..audit.events import Intent
from ..audit.log import Outcome
from ..milvus.types import Identity, Target
from ..models import SendProgress
from . import strict
from .kinds import OPERATIONS
from .kinds.base import Operation

# Records what goes out next. Raises Unreachable if it must not.
BeforeSend = Callable[[SendProgress], None]


class Execution(Protocol):
    """All methods raise what reads of Milvus raise; `send` raises what milvus/destroy.py does."""

    @property
    def private_name(self) -> str:
        """The name that only this operation uses; empty if it needs none."""

    def send(self, before_send: BeforeSend) -> None:
        """Send each request once, each after `before_send`."""

    def is_done(self) -> bool:
        """Whether it is gone (or released)."""

    def side_effect(self) -> str:
        """What else is gone, once it is done, in a sentence."""

    def find_orphan(self) -> Identity | None:
        """What a crash or an outage left under the temporary name."""

    def restore_orphan(
        self, orphan: Identity, *, deadline_passed: bool
    ) -> tuple[Outcome, str] | None:
        """Give it its own name again. Returns the outcome and why; None if not certain yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleRequest:
    """One request, and nothing to clean up."""

    operation: Operation
    milvus: clusters.Milvus
    target: Target
    identity: Identity
    private_name: str = ""

    def send(self, before_send: BeforeSend) -> None:
        before_send(SendProgress.DROP)
        self.operation.act(self.milvus.destroyer, self.target)

    def is_done(self) -> bool:
        return self.operation.is_done(self.milvus.gateway, self.target, self.identity)

    def side_effect(self) -> str:
        return self.operation.side_effect(self.milvus.gateway, self.target, self.identity)

    def find_orphan(self) -> None:
        return None

    def restore_orphan(self, orphan: Identity, *, deadline_passed: bool) -> None:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoPhaseDrop:
    """Rename to the temporary name, compare the id there, drop that name."""

    quarantine: strict.Quarantine

    @property
    def private_name(self) -> str:
        return self.quarantine.private_name

    def send(self, before_send: BeforeSend) -> None:
        before_send(SendProgress.RENAME)
        strict.rename_and_drop(self.quarantine, lambda: before_send(SendProgress.DROP))

    def is_done(self) -> bool:
        return strict.is_gone(self.quarantine)

    def side_effect(self) -> str:
        return ""

    def find_orphan(self) -> Identity | None:
        return self.quarantine.identity_of(self.quarantine.private_name)

    def restore_orphan(
        self, orphan: Identity, *, deadline_passed: bool
    ) -> tuple[Outcome, str] | None:
        return strict.recover(self.quarantine, orphan, deadline_passed=deadline_passed)


def execution_for(
    operation: Operation,
    milvus: clusters.Milvus,
    target: Target,
    identity: Identity,
    operation_id: uuid.UUID,
) -> Execution:
    """How an operation that begins now is carried out. Milvus renames collections only."""
    two_phases = milvus.cluster.strict_drop and operation.action is Action.DROP_COLLECTION
    name = strict.private_name(operation_id) if two_phases else ""
    return _execution(operation, milvus, target, identity, name)


def execution_of(intent: Intent) -> Execution:
    """How an operation was begun. Raises UnknownCluster if its key has another address now: what
    is not at that one was not dropped by this.
    """
    milvus = clusters.get(intent.target.cluster)
    if milvus.cluster.endpoint != intent.endpoint:
        raise clusters.UnknownCluster(f"{intent.target.cluster} has another address now")
    operation = OPERATIONS[Action(intent.action)]
    return _execution(operation, milvus, intent.target, intent.identity, intent.private_name)


def _execution(
    operation: Operation,
    milvus: clusters.Milvus,
    target: Target,
    identity: Identity,
    private_name: str,
) -> Execution:
    if private_name:
        quarantine = strict.Quarantine(
            milvus=milvus, target=target, identity=identity, private_name=private_name
        )
        return TwoPhaseDrop(quarantine=quarantine)
    return SingleRequest(operation=operation, milvus=milvus, target=target, identity=identity)
