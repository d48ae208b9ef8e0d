"""One scan of a cluster: what changed since the last one, and no operation explains."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC

from django.utils import timezone

from ..access.principals import Caller
from ..clusters import Milvus, same_server
from ..operations.late_drops import follow_up_gone
from . import events as drift_events
from .attribution import failed_drops_of, in_bin, own_operations
from .classify import Classifier, prove_gone
from .diff import CollectionEntry, Difference, differences
from .events import Change, Watch
from .inventory import Inventory
from .listing import read_lists

MAX_CHANGES = 100  # changes in one transaction: every drop waits for the log that long


@dataclass(kw_only=True)
class Report:
    """What one scan found: events by action, and what could not be read."""

    events: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def scan(
    milvus: Milvus, only: Collection[str] = (), stopping: Callable[[], bool] = lambda: False
) -> Report:
    """List, compare, ask in doubt, record. What is not recorded now will be by the next scan.

    Raises MilvusError, LogUnwritable, DatabaseError or ConcurrentScan.
    """
    return _Round(milvus, only, stopping).run()


class _Round:
    def __init__(self, milvus: Milvus, only: Collection[str], stopping: Callable[[], bool]) -> None:
        self.milvus, self.stopping = milvus, stopping
        self.inventory = Inventory(milvus.cluster)
        self.lists = read_lists(milvus, self.inventory.databases_at_this_address(), only)
        self.report = Report(problems=self.lists.problems)

    def run(self) -> Report:
        self._begin()
        collections = self.inventory.collections()
        changes, undecided = self._classify(differences(collections, self.lists.read))
        for start in range(0, len(changes), MAX_CHANGES):
            if self.stopping():
                return self.report
            self._record(changes[start : start + MAX_CHANGES])
        self._end(collections, undecided)
        return self.report

    def _watch(self) -> Watch:
        return Watch(
            cluster=self.inventory.cluster.key,
            caller=Caller.watch(),
            listed_at=timezone.now().astimezone(UTC),
            listed_before=self.inventory.listed_before(),
        )

    def _begin(self) -> None:
        """The first list of a database, or of a server at another address."""
        for database, names in self.lists.read.items():
            former = self.inventory.former_address(database)
            if former != self.inventory.cluster.endpoint:
                lite = self.milvus.gateway.lite(database)
                short = not self.milvus.gateway.lists_everything(database)
                count, watch = len(names), self._watch()
                entry = drift_events.watch_began(database, count, lite, former, watch, short=short)
                self.inventory.begin(database, self.lists, entry)
                self.report.events[entry.action] += 1

    def _classify(self, found: list[Difference]) -> tuple[list[Change], list[CollectionEntry]]:
        """What is certain, and what is missing without proof. Milvus first, then the own record."""
        missing = [d.before for d in found if d.before and not d.is_renamed]
        proofs = prove_gone(self.milvus, missing)
        self._follow_up_late([b for b in missing if proofs[b.row] is True])
        since, position = self.inventory.position(self.lists.read), self.lists.position
        keys = same_server(self.inventory.cluster.key)
        own = own_operations(keys, since=since, position=position)
        names = [d.before.name for d in found if d.before]
        watch = replace(
            self._watch(), failed_drops=failed_drops_of(keys, missing), in_bin=in_bin(keys, names)
        )
        classifier = Classifier(proofs=proofs, own=own, watch=watch)
        parts = list(classifier.split_replacements(found))
        changes = [change for part in parts if (change := classifier.classify(part))]
        removed = {collection.row for change in changes for collection in change.remove}
        undecided = [collection for collection in missing if collection.row not in removed]
        self._report_doubtful([b for b in undecided if proofs[b.row] is not True])
        return changes, undecided

    def _follow_up_late(self, gone: list[CollectionEntry]) -> None:
        """An operation that was closed as not done, and is done now, explains what is gone."""
        ids = {collection.identity.id for collection in gone} - {0}
        follow_up_gone(same_server(self.inventory.cluster.key), ids, Caller.watch())

    def _report_doubtful(self, doubtful: list[CollectionEntry]) -> None:
        if doubtful:
            self.report.problems.append(
                f"{len(doubtful)} known collections are in no list, such as {doubtful[0].name!r}, "
                "and Milvus does not say that they are gone. May the account still see them?"
            )

    def _record(self, changes: list[Change]) -> None:
        self.inventory.record(changes)
        self.report.events.update(c.entries[0].action for c in changes if c.entries)

    def _end(self, collections: list[CollectionEntry], undecided: list[CollectionEntry]) -> None:
        back = [b for b in collections if b.last_listed and self._is_listed(b)]
        self.inventory.end(self.lists, undecided, back)
        for database in self.lists.dropped:
            entry = drift_events.database_gone(database, self._watch())
            if self.inventory.forget(database, entry):
                self.report.events[entry.action] += 1

    def _is_listed(self, collection: CollectionEntry) -> bool:
        return (
            self.lists.read.get(collection.database, {}).get(collection.name) == collection.identity
        )
