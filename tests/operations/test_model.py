"""The protocol as a state machine: Hypothesis searches for orders that break a promise.

The real protocol on the real database, a Milvus in memory, and a clock of our own. HYPOTHESIS=long
searches for minutes.
"""

import itertools
import os
from collections import Counter
from contextlib import nullcontext, suppress
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Search
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from collections_app.audit import log, verify
from collections_app.audit.log import Outcome, Phase
from collections_app.milvus.errors import MilvusError
from collections_app.milvus.types import Identity, Kind
from collections_app.models import AuditEvent, Claim
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.protocol import AlreadyUsed, OperationRejected
from collections_app.operations.reconcile import open_operations, settle
from collections_app.operations.sending import OutcomeUnrecorded
from tests.fakes import Lost, use_fake
from tests.fixtures import actor, caller
from tests.operations.conftest import carry_out, consent, target_in
from tests.operations.model import Killed, Times, WatchedMilvus, full_disk, killed_early

pytestmark = pytest.mark.django_db

LONG = os.environ.get("HYPOTHESIS") == "long"
SEARCH = settings(
    max_examples=2000 if LONG else 60,
    stateful_step_count=40 if LONG else 20,
    derandomize=not LONG,
    deadline=None,
    database=None,
    phases=[Search.generate, Search.shrink]
    if LONG
    else [Search.generate],  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
STOPPED = (OperationRejected, AlreadyUsed, MilvusError, log.LogUnwritable, OutcomeUnrecorded)
FINAL = {Outcome.SUCCEEDED, Outcome.FAILED, Outcome.REFUSED}
PATIENCE = 4.0  # seconds: of the fake's cluster, with a drop
LONG_TIME = 3600.0  # seconds: after that nothing is on its way any more
TROUBLES = (
    *("", "done, answer lost", "lost", "late", "killed before", "killed after"),
    *("no room for the intent", "no room for the outcome"),
    *("the server goes", "time passes", "the clock is set", "held up"),
    *("replaced", "replaced"),
)
FULL = {"no room for the intent": Phase.INTENT, "no room for the outcome": Phase.OUTCOME}
_examples = itertools.count(1)


class Protocol(RuleBasedStateMachine):
    """Two names, people with dialogs, strangers, a server and a log that fail."""

    strict: ClassVar = False
    dialogs: Bundle[Confirmation] = Bundle("dialogs")
    names = st.sampled_from(["a", "b"])
    troubles = st.sampled_from(TROUBLES)

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.fake = use_fake(self.patch, strict_drop=self.strict)
        self.times, self.milvus = Times(self.patch), WatchedMilvus(self.fake)
        self.prefix = f"m{next(_examples)}_"
        self.began = AuditEvent.objects.count()
        self.gone_by_others: set[int] = set()
        self.born: dict[int, str] = {}

    @initialize()
    def something_is_there(self) -> None:
        for name in ("a", "b"):
            self._create(self.prefix + name)

    # --- people -------------------------------------------------------------------------------

    @rule(target=dialogs, name=names)
    def open_a_dialog(self, name: str) -> Any:
        with suppress(MilvusError):
            return consent(target_in(self.prefix + name, Kind.COLLECTION))
        return None

    @rule(dialog=dialogs, trouble=troubles)
    def confirm(self, dialog: Confirmation | None, trouble: str) -> None:
        """Also a second time, and whatever has happened since the dialog was opened."""
        if dialog is None:
            return
        there = self._there()
        self._prepare(trouble, dialog.target.name)
        early = killed_early() if trouble == "killed early" else nullcontext()
        with early, full_disk(FULL.get(trouble)), suppress(*STOPPED, Killed):
            carry_out(dialog, actor("ada"))
        self._prepare("", "")
        gone = there.keys() - self._there().keys()
        assert gone <= {dialog.identity.id}, "something else than what was shown is gone"

    @rule(name=names, trouble=troubles)
    def drop(self, name: str, trouble: str) -> None:
        """A dialog that is confirmed at once."""
        self.confirm(self.open_a_dialog(name), trouble)

    @rule(name=names, somebody_drops=st.booleans())
    def drop_and_send_nothing(self, name: str, somebody_drops: bool) -> None:
        self.drop(name, "killed early")
        if somebody_drops:
            self._remove(self.prefix + name)

    def _prepare(self, trouble: str, name: str) -> None:
        self.fake.next_act = {"done, answer lost": Lost.DONE, "lost": Lost.UNDONE}.get(trouble)
        self.milvus.dies = trouble if trouble in {"killed before", "killed after"} else None
        self.milvus.late = trouble == "late"
        self.milvus.before = {
            "the server goes": self.server_goes,
            "time passes": lambda: self.times.sleep(2.0),
            "the clock is set": lambda: self.clock_is_set(LONG_TIME),
            "held up": self._held_up,
            # Without strict mode Milvus leaves this instant open.
            "replaced": (lambda: self._replace(name)) if self.strict else None,
        }.get(trouble)

    def _held_up(self) -> None:
        """For longer than the patience, and somebody looks meanwhile."""
        self.times.sleep(2 * PATIENCE)
        self.somebody_looks(full=False, may_rename=True)

    # --- strangers ----------------------------------------------------------------------------

    @precondition(lambda self: self.strict or not self.milvus.on_the_way)
    @rule(name=names)
    def replace(self, name: str) -> None:
        self._replace(self.prefix + name)

    @precondition(lambda self: self.strict or not self.milvus.on_the_way)
    @rule(name=names)
    def somebody_drops(self, name: str) -> None:
        self._remove(self.prefix + name)

    @rule(name=names)
    def create(self, name: str) -> None:
        if self.prefix + name not in self._there().values():
            self._create(self.prefix + name)

    # --- what fails, and what settles ---------------------------------------------------------

    @precondition(lambda self: self.milvus.on_the_way)
    @rule()
    def what_is_late_arrives(self) -> None:
        """Within the patience, and by name: without strict mode whoever has it then is dropped."""
        while self.milvus.on_the_way:
            self.milvus.on_the_way.pop()()

    def server_goes(self) -> None:
        self.fake.unreachable = True

    @rule()
    def server_is_back(self) -> None:
        self.fake.unreachable = False

    @rule(seconds=st.sampled_from([0.5, PATIENCE, 60.0, LONG_TIME]))
    def time_passes(self, seconds: float) -> None:
        """No request is on its way for longer than the patience with it."""
        if seconds >= PATIENCE:
            self.what_is_late_arrives()
        self.times.sleep(seconds)

    @rule(seconds=st.sampled_from([-LONG_TIME, -10.0, 0.0, 10.0, LONG_TIME]))
    def clock_is_set(self, seconds: float) -> None:
        self.times.wrong_by = seconds

    @precondition(lambda self: Claim.objects.exists())
    @rule(full=st.booleans(), may_rename=st.booleans())
    def somebody_looks(self, full: bool, may_rename: bool) -> None:
        with full_disk(Phase.OUTCOME if full else None):
            for claim in open_operations():
                with suppress(log.LogUnwritable):
                    settle(claim.operation_id, caller("bob"), may_rename=may_rename)

    # --- the promises -------------------------------------------------------------------------

    @invariant()
    def an_open_operation_has_its_claim_and_no_other(self) -> None:
        assert self._intents().keys() - self._outcomes().keys() == {
            str(claim.operation_id) for claim in open_operations()
        }

    @invariant()
    def nothing_was_sent_without_an_intent_or_twice(self) -> None:
        assert not self.milvus.without_intent
        assert all(count == 1 for count in self.milvus.sent.values())

    @invariant()
    def outcomes_are_true(self) -> None:
        there, intents, outcomes = self._there(), self._intents(), self._outcomes()
        dropped = Counter(intents[one] for one, o in outcomes.items() if o is Outcome.SUCCEEDED)
        assert not dropped.keys() & there.keys(), "it is there, and somebody dropped it"
        still_open = {intents[one] for one in intents.keys() - outcomes.keys()}
        for number in self.born.keys() - there.keys() - self.gone_by_others - still_open:
            assert dropped[number] == 1, "it is gone, and not exactly one operation dropped it"

    @invariant()
    def a_success_was_sent(self) -> None:
        """What somebody else dropped is not ours."""
        for one, outcome in self._outcomes().items():
            assert outcome is not Outcome.SUCCEEDED or self.milvus.sent[one, "drop_collection"]

    def teardown(self) -> None:
        """All is well again: everything gets its outcome, its name, and its place in the chain."""
        self.what_is_late_arrives()
        self.fake.unreachable, self.times.wrong_by = False, 0.0
        self.times.sleep(LONG_TIME)
        self.somebody_looks(full=False, may_rename=True)
        assert not open_operations()
        self.outcomes_are_true()
        for number, name in self._there().items():
            assert name == self.born[number] or self._said(name), "it has lost its name"
        assert not verify.verify().broken
        self.patch.undo()

    # --- helpers ------------------------------------------------------------------------------

    def _create(self, name: str) -> None:
        self.fake.add(name)
        found = self.fake._databases["default"].collections[name]
        self.born[found.identity.id] = name

    def _replace(self, name: str) -> None:
        self._remove(name)
        self._create(name)

    def _remove(self, name: str) -> None:
        found = self.fake._databases["default"].collections.pop(name, None)
        if found is not None:
            self.gone_by_others.add(found.identity.id)

    def _there(self) -> dict[int, str]:
        known = self.fake._databases["default"].collections
        return {one.identity.id: name for name, one in known.items()}

    def _events(self, phase: Phase) -> list[dict[str, Any]]:
        events = AuditEvent.objects.filter(sequence__gt=self.began, phase=phase)
        return [log.json.loads(event.record) for event in events]

    def _intents(self) -> dict[str, int]:
        return {
            event["operation_id"]: Identity(**event["details"]["identity"]).id
            for event in self._events(Phase.INTENT)
        }

    def _said(self, private: str) -> bool:
        """Whether the log tells that something kept its private name: its own was taken."""
        return any(f"called {private} now" in str(e) for e in self._events(Phase.OUTCOME))

    def _outcomes(self) -> dict[str, Outcome]:
        return {
            event["operation_id"]: Outcome(event["outcome"])
            for event in self._events(Phase.OUTCOME)
            if event["outcome"] in FINAL
        }


class StrictProtocol(Protocol):
    """With a namesake in the very last instant, too."""

    strict: ClassVar = True


@pytest.mark.parametrize("machine", [Protocol, StrictProtocol])
def test_protocol_in_any_order_of_events_keeps_its_promises(machine: type[Protocol]) -> None:
    run_state_machine_as_test(machine, settings=SEARCH)
