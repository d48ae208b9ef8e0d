"""How an operation is carried out, and how to tell that it is done: in no, one or two requests.

`execution_for` and `execution_of` choose; nothing else asks whether a drop is strict.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .. import clusters
from ..access.policy import Action
from ..audit.events import Intent
from ..audit.log import Outcome
from ..milvus.types import Identity, Target
from ..models import SendProgress
from . import strict
from .bin_moves import IntoBin, OutOfBin
from .confirmation import Confirmation
from .creation import CreateFromSnapshot
from .kinds import OPERATIONS, direct
from .kinds.base import DirectOperation
from .private_names import BIN, DROP, private_name

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

    def evidence(self) -> Mapping[str, Any]:
        """What the record of the outcome gets besides: what was made, if anything was."""

    def find_orphan(self) -> Identity | None:
        """What a crash or an outage left under the temporary name."""

    def restore_orphan(
        self, orphan: Identity, *, deadline_passed: bool
    ) -> tuple[Outcome, str] | None:
        """Give it its own name again. Returns the outcome and why; None if not certain yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleRequest:
    """One request, and nothing to clean up."""

    operation: DirectOperation
    milvus: clusters.Milvus
    target: Target
    identity: Identity
    private_name: str = ""

    def send(self, before_send: BeforeSend) -> None:
        before_send(SendProgress.REQUEST)
        self.operation.act(self.milvus.destroyer, self.target)

    def is_done(self) -> bool:
        return self.operation.is_done(self.milvus.gateway, self.target, self.identity)

    def side_effect(self) -> str:
        return self.operation.side_effect(self.milvus.gateway, self.target, self.identity)

    def evidence(self) -> Mapping[str, Any]:
        return {}

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
        strict.rename_and_drop(self.quarantine, lambda: before_send(SendProgress.REQUEST))

    def is_done(self) -> bool:
        return strict.is_gone(self.quarantine)

    def side_effect(self) -> str:
        return ""

    def evidence(self) -> Mapping[str, Any]:
        return {}

    def find_orphan(self) -> Identity | None:
        return self.quarantine.orphan()

    def restore_orphan(
        self, orphan: Identity, *, deadline_passed: bool
    ) -> tuple[Outcome, str] | None:
        return strict.recover(self.quarantine, orphan, deadline_passed=deadline_passed)


@dataclass(frozen=True, slots=True)
class NoRequest:
    """Milvus is asked to change nothing: all that happens is recorded with the outcome."""

    private_name: str = ""

    def send(self, before_send: BeforeSend) -> None:
        pass

    def is_done(self) -> bool:
        return True

    def side_effect(self) -> str:
        return ""

    def evidence(self) -> Mapping[str, Any]:
        return {}

    def find_orphan(self) -> None:
        return None

    def restore_orphan(self, orphan: Identity, *, deadline_passed: bool) -> None:
        return None


def execution_for(confirmation: Confirmation) -> Execution:
    """How an operation that begins now is carried out. Milvus renames collections only."""
    milvus = clusters.get(confirmation.target.cluster)
    prefix = BIN if confirmation.action is Action.MOVE_TO_BIN else ""
    if milvus.cluster.strict_drop and confirmation.action is Action.DROP_COLLECTION:
        prefix = DROP
    name = private_name(prefix, confirmation.operation_id) if prefix else ""
    return _execution(confirmation, milvus, name)


def execution_of(intent: Intent) -> Execution:
    """How an operation was begun. Raises UnknownCluster if its key has another address now: what
    is not at that one was not dropped by this.
    """
    milvus = clusters.get(intent.target.cluster)
    if milvus.cluster.endpoint != intent.endpoint:
        raise clusters.UnknownCluster(f"{intent.target.cluster} has another address now")
    return _execution(intent, milvus, intent.private_name)


def _execution(
    requested: Confirmation | Intent, milvus: clusters.Milvus, private_name: str
) -> Execution:
    action, target, identity = Action(requested.action), requested.target, requested.identity
    if action is Action.CREATE:
        return CreateFromSnapshot(milvus=milvus, target=target)
    if not OPERATIONS[action].changes_milvus:
        return NoRequest()
    if action is Action.RESTORE:
        name = requested.new_name
        return OutOfBin(milvus=milvus, target=target, identity=identity, new_name=name)
    if not private_name:
        operation = direct(action)
        return SingleRequest(operation=operation, milvus=milvus, target=target, identity=identity)
    quarantine = strict.Quarantine(
        milvus=milvus, target=target, identity=identity, private_name=private_name
    )
    is_move = action is Action.MOVE_TO_BIN
    return IntoBin(quarantine=quarantine) if is_move else TwoPhaseDrop(quarantine=quarantine)
