"""What is certain about a difference: proof from Milvus, and our own record, before any event."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..clusters import Milvus
from ..milvus.types import Kind, Target, Unread
from ..operations.kinds.drop_collection import collection_gone
from . import events
from .attribution import Ours
from .diff import Bearer, Difference
from .events import Change, Watch

Proofs = Mapping[int, bool | Unread]  # by row: whether Milvus knows neither the name nor the id


def ask(milvus: Milvus, missing: list[Bearer]) -> Proofs:
    """Whether each is gone. A list may be short: of rights, or because a server is starting."""

    def gone(bearer: Bearer) -> bool:
        target = Target(
            cluster=milvus.cluster.key,
            database=bearer.database,
            kind=Kind.COLLECTION,
            collection=bearer.name,
            name=bearer.name,
        )
        return collection_gone(milvus.gateway, target, bearer.identity)

    rows = [bearer.row for bearer in missing]
    return dict(zip(rows, milvus.gateway.each(gone, missing), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """All that a verdict needs."""

    proofs: Proofs
    ours: Ours
    watch: Watch

    def parts(self, found: Iterable[Difference]) -> Iterator[Difference]:
        """A namesake of what is not known to be taken away by others is news of its own."""
        for difference in found:
            was, now = difference.was, difference.now
            if was and now and not difference.renamed and not self._taken_away(was):
                yield Difference(was=was)
                if difference.new:
                    yield Difference(now=now, new=True)
            else:
                yield difference

    def _taken_away(self, was: Bearer) -> bool:
        return self.proofs[was.row] is True and was.key not in self.ours.dropped

    def verdict(self, difference: Difference) -> Change | None:
        """How inventory and log follow; None if nothing is certain yet."""
        was, now = difference.was, difference.now
        missing = was if not difference.renamed else None
        if missing and missing.key in self.ours.dropped:
            return Change(remove=(missing,))
        if self.ours.is_busy(difference) or (missing and not self._taken_away(missing)):
            return None
        change = events.change(difference, self.watch)
        if now and self.ours.moved(was, now):  # the operation tells why
            return Change(remove=change.remove, add=change.add)
        return change
