"""What is certain about a difference: proof from Milvus and the own record, before any event."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..clusters import Milvus
from ..milvus.types import Kind, Target, Unread
from ..operations.kinds.drop_collection import collection_gone
from . import events
from .attribution import OwnOperations
from .diff import CollectionEntry, Difference
from .events import Change, Watch

Proofs = Mapping[int, bool | Unread]  # by row: whether Milvus knows neither the name nor the id


def prove_gone(milvus: Milvus, missing: list[CollectionEntry]) -> Proofs:
    """Whether each is gone. A list may be short: of rights, or because a server is starting."""

    def is_gone(collection: CollectionEntry) -> bool:
        target = Target(
            cluster=milvus.cluster.key,
            database=collection.database,
            kind=Kind.COLLECTION,
            collection=collection.name,
            name=collection.name,
        )
        return collection_gone(milvus.gateway, target, collection.identity)

    rows = [collection.row for collection in missing]
    return dict(zip(rows, milvus.gateway.each(is_gone, missing), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """Decides what the inventory and the log make of a difference."""

    proofs: Proofs
    own: OwnOperations
    watch: Watch

    def split_replacements(self, differences: Iterable[Difference]) -> Iterator[Difference]:
        """Treat a replacement as new, unless the old collection is proven dropped externally."""
        for difference in differences:
            before, after = difference.before, difference.after
            if (
                before
                and after
                and not difference.is_renamed
                and (after.key in self.own.created or not self._is_dropped_externally(before))
            ):
                yield Difference(before=before)
                if difference.is_new:
                    yield Difference(after=after, is_new=True)
            else:
                yield difference

    def _is_dropped_externally(self, before: CollectionEntry) -> bool:
        return self.proofs[before.row] is True and before.key not in self.own.dropped

    def classify(self, difference: Difference) -> Change | None:
        """How inventory and log follow; None if nothing is certain yet."""
        before, after = difference.before, difference.after
        missing = before if not difference.is_renamed else None
        if missing and missing.key in self.own.dropped:
            return Change(remove=(missing,))
        if self.own.is_in_flight(difference) or (
            missing and not self._is_dropped_externally(missing)
        ):
            return None
        change = events.change(difference, self.watch)
        if after and not before and after.key in self.own.created:
            return Change(add=change.add)
        if after and self.own.explains_rename(before, after):  # the operation says why
            return Change(remove=change.remove, add=change.add)
        return change
