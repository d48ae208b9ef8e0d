"""How a collection is created from a snapshot: the collection, then its partitions and indexes.

One operation of several requests, each sent once. It stops at the first that fails, or when its
time is over. Then it is incomplete, which is an outcome: its record says what is missing, and
another operation completes it.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from .. import clusters
from ..milvus.blueprint import (
    Blueprint,
    blueprint_of,
    differences,
    is_alike,
    missing_indexes,
    missing_partitions,
)
from ..milvus.errors import Contradiction, Incomplete, MilvusError, NotFound, OutcomeUnknown
from ..milvus.types import CollectionDetail, Identity, Target
from ..models import SendProgress
from .kinds.create_collection import creation_of, half_made_at, in_words, source_of

BeforeSend = Callable[[SendProgress], None]
NAMESAKE = "The collection is gone, or another one has its name"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateFromSnapshot:
    """Create what is missing. Never touches a collection that it did not find or make itself."""

    milvus: clusters.Milvus
    target: Target
    private_name: str = ""  # it needs none

    def send(self, before_send: BeforeSend) -> None:
        half_made = half_made_at(self.milvus.gateway, self.target)
        creation, place = creation_of(self.blueprint, half_made), self._place
        if half_made is None:
            before_send(SendProgress.REQUEST)
            self.milvus.destroyer.create_collection(*place, self.blueprint)
        destroyer = self.milvus.destroyer
        steps: list[Callable[[], None]]
        steps = [partial(destroyer.create_partition, *place, p) for p in creation.partitions]
        steps += [partial(destroyer.create_index, *place, i) for i in creation.indexes]
        try:
            self._take(steps, half_made.identity if half_made else None, before_send)
        except OutcomeUnknown:  # of the last one; those before are there
            raise
        except MilvusError as exc:
            raise Incomplete(str(exc), exc.code) from exc

    def _take(
        self, steps: list[Callable[[], None]], made: Identity | None, before_send: BeforeSend
    ) -> None:
        """One step after the other, each on the collection that was there before the first."""
        for step in steps:
            before_send(SendProgress.REQUEST)
            now = self.milvus.gateway.collection_identity(*self._place)
            made = made or now
            if now is None or made is None or now.id != made.id:
                raise Contradiction(NAMESAKE)
            step()

    def is_done(self) -> bool:
        found = self._found()
        return found is not None and not self._missing(found)

    def side_effect(self) -> str:
        """What is not as in the snapshot."""
        found = self._found()
        other = differences(self.blueprint, found.snapshot) if found else ()
        return f"Not as in the snapshot: {', '.join(other)}." if other else ""

    def evidence(self) -> dict[str, Any]:
        """The collection as it is now, and what is missing; empty if none was made."""
        found = self._found()
        if found is None:
            return {}
        made = {
            "identity": asdict(found.identity),
            "missing": self._missing(found),
            "snapshot": dict(found.snapshot),
        }
        return {"made": made}

    def find_orphan(self) -> None:
        return None

    def restore_orphan(self, orphan: Identity, *, deadline_passed: bool) -> None:
        return None

    @property
    def blueprint(self) -> Blueprint:
        """Of the snapshot. Raises NotFound if its segment of the log was removed."""
        return blueprint_of(source_of(self.target).snapshot)

    @property
    def _place(self) -> tuple[str, str]:
        return self.target.database, self.target.collection

    def _found(self) -> CollectionDetail | None:
        """What has the name, if its fields are those of the snapshot."""
        try:
            found = self.milvus.gateway.collection(*self._place)
        except NotFound:
            return None
        return found if is_alike(self.blueprint, found.snapshot) else None

    def _missing(self, found: CollectionDetail) -> tuple[str, ...]:
        return in_words(
            missing_partitions(self.blueprint, found.snapshot),
            missing_indexes(self.blueprint, found.snapshot),
        )
