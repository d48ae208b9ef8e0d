"""One look at a cluster: what changed since the last one, and was not done by us."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC

from django.utils import timezone

from ..actors import watching
from ..clusters import Milvus
from ..milvus.types import Identity, Unread
from . import findings
from .findings import Change, Watch
from .inventory import Bearer, Difference, differences
from .ours import Ours, ours, taken_aside
from .reading import read
from .store import Store

AT_ONCE = 100  # changes in one transaction: every drop waits for the log that long
Answers = dict[tuple[str, str], Identity | Unread | None]


@dataclass(kw_only=True)
class Report:
    """What one look came to: events by action, and what could not be read."""

    events: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def look(
    milvus: Milvus, only: Collection[str] = (), stopping: Callable[[], bool] = lambda: False
) -> Report:
    """List, compare, ask in doubt, record. What is not recorded now will be by the next look.

    Raises MilvusError, LogUnwritable, DatabaseError or Overtaken.
    """
    return _Round(milvus, only, stopping).run()


class _Round:
    def __init__(self, milvus: Milvus, only: Collection[str], stopping: Callable[[], bool]) -> None:
        self.milvus, self.stopping = milvus, stopping
        self.store = Store(milvus.cluster)
        self.lists = read(milvus, self.store.watched, only)
        self.report = Report(problems=self.lists.problems)

    def run(self) -> Report:
        self._begin()
        known = self.store.known()
        changes, undecided = self._judge(differences(known, self.lists.read))
        for start in range(0, len(changes), AT_ONCE):
            if self.stopping():
                return self.report
            self._record(changes[start : start + AT_ONCE])
        self._end(known, undecided)
        return self.report

    def _watch(self) -> Watch:
        actor, origin = watching()
        return Watch(
            cluster=self.store.cluster.key,
            actor=actor,
            origin=origin,
            now=timezone.now().astimezone(UTC),
            before=self.store.listed_before(),
        )

    def _begin(self) -> None:
        """The first list of a database, or of a server at another address."""
        for database, names in self.lists.read.items():
            former = self.store.former_address(database)
            if former != self.store.cluster.endpoint:
                lite = self.milvus.gateway.lite(database)
                entry = findings.began(database, len(names), lite, former, self._watch())
                self.store.begin(database, self.lists, entry)
                self.report.events[entry.action] += 1

    def _judge(self, found: list[Difference]) -> tuple[list[Change], list[Difference]]:
        """What is certain, and what is not yet. First Milvus is asked, then our own record."""
        answers = self._ask([d.was for d in found if d.was and not d.now])
        explained = ours(
            self.store.cluster.key, since=self.store.position(), position=self.lists.position
        )
        changes, undecided, watch = [], [], self._watch()
        for difference in found:
            if not explained.is_busy(difference) and not _doubtful(difference, answers):
                changes.append(_change(difference, explained, watch))
            else:
                undecided.append(difference)
        return changes, undecided

    def _ask(self, missing: list[Bearer]) -> Answers:
        """Who bears these names now. A list may be short: of rights, or of a server that starts."""
        by_database = defaultdict(list)
        for bearer in missing:
            by_database[bearer.database].append(bearer.name)
        answers: Answers = {}
        for database, names in by_database.items():
            found = self.milvus.gateway.bearers(database, names)
            answers |= {(database, name): answer for name, answer in found.items()}
        self._complain(answers)
        return answers

    def _complain(self, answers: Answers) -> None:
        unread = sum(isinstance(answer, Unread) for answer in answers.values())
        if unread:
            self.report.problems.append(
                f"{unread} known collections are in no list, and Milvus does not say that they are "
                "gone: may the account still see them?"
            )

    def _record(self, changes: list[Change]) -> None:
        self.store.record(changes)
        self.report.events.update(c.entries[0].action for c in changes if c.entries)

    def _end(self, known: list[Bearer], undecided: list[Difference]) -> None:
        missing = [d.was for d in undecided if d.was and not d.renamed]
        back = [b for b in known if b.last_listed and self._is_listed(b)]
        self.store.end(self.lists, missing, back)
        for database in self.lists.gone:
            entry = findings.database_gone(database, self._watch())
            if self.store.forget(database, entry):
                self.report.events[entry.action] += 1

    def _is_listed(self, bearer: Bearer) -> bool:
        return self.lists.read.get(bearer.database, {}).get(bearer.name) == bearer.identity


def _doubtful(difference: Difference, answers: Answers) -> bool:
    """Missing, and it can't be proved that nothing bears its name any more."""
    missing = difference.was if not difference.now else None
    return missing is not None and answers[missing.place] is not None


def _change(difference: Difference, explained: Ours, watch: Watch) -> Change:
    was, now = difference.was, difference.now
    if was and was.key in explained.dropped and not difference.renamed:
        rest = Change()
        if now and difference.new:
            rest = _change(Difference(now=now, new=True), explained, watch)
        return Change(remove=(was, *rest.remove), add=rest.add, entries=rest.entries)
    change = findings.change(difference, watch)
    if now and taken_aside(now.name):  # by us, and its operation tells why it stayed there
        return Change(remove=change.remove, add=change.add)
    return change
