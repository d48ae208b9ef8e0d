"""How a collection goes into the recycle bin and comes out: renames whose result is compared by id.

A rename keeps id, rows, partitions and indexes (seen: 2.3.5). It is sent once, like a drop.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import clusters
from ..audit.log import Outcome
from ..milvus.errors import MilvusError
from ..milvus.types import Identity, Target
from ..models import SendProgress
from . import strict

BeforeSend = Callable[[SendProgress], None]
STILL_LOADED = "It is still loaded, because Milvus did not release it: {}."


@dataclass(frozen=True, slots=True, kw_only=True)
class IntoBin:
    """Rename to the private name, compare the id there, release it. A namesake is given back."""

    quarantine: strict.Quarantine

    @property
    def private_name(self) -> str:
        return self.quarantine.private_name

    def send(self, before_send: BeforeSend) -> None:
        """The rename is the act: nothing that comes after it may call it failed."""
        before_send(SendProgress.REQUEST)
        strict.rename_shown(self.quarantine)
        self._release()

    def _release(self) -> None:
        """Memory is free again. Not a question of success: `side_effect` says what is loaded.

        However late: nobody else uses the private name.
        """
        milvus, database = self.quarantine.milvus, self.quarantine.target.database
        try:
            if milvus.gateway.load(database, self.private_name).held:
                milvus.destroyer.release_collection(database, self.private_name)
        except MilvusError:
            pass

    def is_done(self) -> bool:
        return self.quarantine.orphan() == self.quarantine.identity

    def side_effect(self) -> str:
        load = self.quarantine.milvus.gateway.load(
            self.quarantine.target.database, self.private_name
        )
        return STILL_LOADED.format(load.word.lower()) if load.held else ""

    def evidence(self) -> Mapping[str, Any]:
        return {}

    def find_orphan(self) -> Identity | None:
        """A namesake that was caught: it does not belong into the bin."""
        orphan = self.quarantine.orphan()
        return orphan if orphan != self.quarantine.identity else None

    def restore_orphan(
        self, orphan: Identity, *, deadline_passed: bool
    ) -> tuple[Outcome, str] | None:
        return strict.recover(self.quarantine, orphan, deadline_passed=deadline_passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfBin:
    """Rename from the private name, where no namesake can be. Milvus refuses a name in use."""

    milvus: clusters.Milvus
    target: Target
    identity: Identity
    new_name: str
    private_name: str = ""  # it needs none of its own

    def send(self, before_send: BeforeSend) -> None:
        before_send(SendProgress.REQUEST)
        self.milvus.destroyer.rename_collection(
            self.target.database, self.target.name, self.new_name
        )

    def is_done(self) -> bool:
        gateway = self.milvus.gateway
        return gateway.collection_identity(self.target.database, self.new_name) == self.identity

    def side_effect(self) -> str:
        return ""

    def evidence(self) -> Mapping[str, Any]:
        return {}

    def find_orphan(self) -> None:
        return None

    def restore_orphan(self, orphan: Identity, *, deadline_passed: bool) -> None:
        return None
