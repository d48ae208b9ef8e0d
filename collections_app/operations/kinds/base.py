"""What every operation says about itself: how to read it, to act, to tell that it is done."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from ...access.policy import Action
from ...milvus.errors import Denied, Unreachable
from ...milvus.types import CollectionDetail, Identity, Kind, Partition, ServerInfo, Target, Unread
from ...models import BinItem
from .. import protections
from ..private_names import BIN

if TYPE_CHECKING:
    from ...milvus.destroy import Destroyer
    from ...milvus.gateway import Gateway
    from .create_collection import Creation

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """What stands in the way, in words; and the act that removes it, if there is one."""

    text: str
    wants_other_name: bool = False  # which the dialog asks for
    remedy: Action | None = None
    remedy_target: Target | None = None
    remedy_label: str = ""


class Condition(Enum):
    """What was checked before an act, and holds. What does not hold is a Blocker."""

    NOT_PROTECTED = "nobody protected it"
    NO_ALIAS = "no alias points to it"
    RENAMABLE = "it can be renamed and compared by id"
    RENAMABLE_LITE = "it can be renamed"
    DROPPABLE = "Milvus drops partitions like this one"
    NOT_LOADED = "it is not loaded"
    LOADED = "it is loaded"
    AS_IT_WENT_IN = "it is what went into the recycle bin"
    DROPPED = "the log says that it was dropped"
    NAME_FREE = "the name is free"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetState:
    """One fresh read of a target: what the dialog shows and the intent keeps."""

    identity: Identity
    server: ServerInfo
    detail: CollectionDetail
    partition: Partition | None = None
    rows: int | Unread = Unread.UNKNOWN
    blockers: tuple[Blocker, ...] = ()
    passed: tuple[Condition, ...] = ()  # what was checked and holds
    notes: tuple[str, ...] = ()
    effects: tuple[tuple[str, str], ...] = ()  # what becomes of what: ("Memory", "Released.")
    creation: "Creation | None" = None  # what is to be created

    @property
    def load(self) -> Any:
        return self.partition.load if self.partition else self.detail.load


STANDBY = Blocker(
    text="This cluster is the standby of another cluster, so Milvus refuses every change here. "
    "Make the change on the primary cluster."
)


IN_BIN = Blocker(
    text="It is in the recycle bin, so nothing is done to it under its temporary name. Restore or "
    "purge it on the page of the recycle bin."
)


ENDS = "Whoever has the permission unprotect can end that, on the page of the collection."


def _is_in_bin(target: Target) -> bool:
    """Whether an act that is not the bin's own is aimed at what is in it."""
    return (
        target.kind is not Kind.BINNED
        and target.collection.startswith(BIN)
        and BinItem.objects.filter(private_name=target.collection).exists()
    )


def _protections(
    target: Target, state: TargetState, covering: protections.Covering
) -> tuple[Blocker, ...]:
    """One blocker for each protection that people set on its collection. Raises DatabaseError."""
    of_collection = state.detail.identity.id
    return tuple(
        Blocker(text=f"{protections.statement(one, target.collection, of_collection)} {ENDS}")
        for one in covering(target, of_collection)
    )


class Operation(ABC):
    """One act on one kind of target. Has no state."""

    action: Action
    is_irreversible: bool  # whether what is done can't be undone
    proof = "Verified: it no longer exists."
    undone = "it still exists"  # what a read-back shows until then
    asks_for_name = True  # typed again, to confirm
    changes_milvus = True  # False: all that it changes is in the database of Milvus Admin

    def read_state(
        self,
        gateway: "Gateway",
        target: Target,
        covering: protections.Covering = protections.covering,
    ) -> TargetState:
        """Raises NotFound, Denied, MilvusRejected, Unreachable or Contradiction."""
        state = self._read(gateway, target)
        if self.changes_milvus and gateway.is_standby(target.database):
            return replace(state, blockers=(STANDBY,), passed=())
        if _is_in_bin(target):
            return replace(state, blockers=(IN_BIN,), passed=())
        if not self.is_refused_if_protected:
            return state
        if refusals := _protections(target, state, covering):
            return replace(state, blockers=refusals, passed=())
        return replace(state, passed=(Condition.NOT_PROTECTED, *state.passed))

    @property
    def is_refused_if_protected(self) -> bool:
        """Whether it is one of the acts that a protection refuses."""
        return self.is_irreversible

    @abstractmethod
    def _read(self, gateway: "Gateway", target: Target) -> TargetState:
        """What is special about this kind of target. Raises as `read_state`."""

    def refuses_name(self, gateway: "Gateway", target: Target) -> bool:
        """Whether the thing can't get the name of this target. Raises as `read_state`.

        Of what gives a name only, such as a restore.
        """
        return False

    def on_success(self, operation_id: UUID) -> None:  # noqa: B027 (most have nothing to do)
        """What follows from it in the database, in the transaction that records the success."""


class DirectOperation(Operation):
    """An act of one request, under the target's own name. The others are renames: execution.py."""

    @abstractmethod
    def act(self, destroyer: "Destroyer", target: Target) -> None:
        """Send the one request. Raises what milvus/destroy.py does."""

    @abstractmethod
    def is_done(self, gateway: "Gateway", target: Target, identity: Identity) -> bool:
        """Whether the thing of this identity is gone (or released). Raises as `read_state`."""

    def side_effect(self, gateway: "Gateway", target: Target, identity: Identity) -> str:
        """What else is gone, once it is done, in a sentence; empty if nothing is.

        Raises as `read_state`. Not a question of success, so it is asked after that.
        """
        return ""


def strict_notes(gateway: "Gateway", note: str) -> tuple[str, ...]:
    """The note, where strict mode is on."""
    return (note,) if gateway.cluster.strict_drop else ()


def is_name_taken(gateway: "Gateway", database: str, name: str) -> bool:
    """Whether a collection or an alias has it. Raises as `read_state`."""
    taken = gateway.collection_identity(database, name) or gateway.alias_exists(database, name)
    return bool(taken)


def collection_now(gateway: "Gateway", target: Target, collection_id: int) -> str | None:
    """What the target's collection is called now, whoever renamed it; None if it is gone."""
    if collection_id:
        return gateway.name_of(target.database, collection_id)
    known = gateway.collection_identity(target.database, target.collection)
    return target.collection if known else None


def other(target: Target, kind: Kind, name: str) -> Target:
    """Another target in the same collection."""
    return replace(target, kind=kind, name=name)


def known(value: T | Unread, what: str) -> T:
    """The value. Raises Denied or Unreachable if it could not be read: that is not "gone"."""
    if value is Unread.NOT_PERMITTED:
        raise Denied(f"{what} may not be read")
    if isinstance(value, Unread):
        raise Unreachable(f"{what} can't be read")
    return value
