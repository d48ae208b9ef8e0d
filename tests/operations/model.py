"""The world around the protocol in test_model.py: a clock, a watched Milvus, a full disk."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from django.db import DatabaseError
from django.utils import timezone

from collections_app.audit import log
from collections_app.audit.log import Entry, Phase
from collections_app.milvus.errors import OutcomeUnknown
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, Claim
from collections_app.operations import deadlines, protocol, sending
from collections_app.operations.claims import digest
from collections_app.operations.private_names import DROP
from tests.fakes import FakeMilvus, Lost
from tests.operations.conftest import target_in


class Killed(BaseException):
    """SIGKILL: nothing of the process goes on."""


class Times:
    """One true time, and a clock that somebody sets."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.true = self.wrong_by = 0.0
        began = timezone.now()
        patch.setattr(timezone, "now", lambda: began + timedelta(seconds=self.true + self.wrong_by))
        patch.setattr(deadlines, "_uptime", lambda: self.true)
        clock = SimpleNamespace(monotonic=self.ticks, sleep=self.sleep)
        patch.setattr(sending, "time", clock)
        patch.setattr(deadlines, "time", clock)

    def ticks(self) -> float:
        return self.true

    def sleep(self, seconds: float) -> None:
        self.true += seconds


class WatchedMilvus:
    """What is around the fake: it holds each request against the log, and may kill the sender."""

    def __init__(self, fake: FakeMilvus) -> None:
        self.fake, self.sent = fake, Counter[tuple[str, str]]()
        self.without_intent: list[
            str
        ] = []  # not raised here: the protocol survives what acts raise
        self.before: Callable[[], object] | None = None  # something happens when a request arrives
        self.dies: str | None = None
        self.late = False  # the next drop is on its way for a while
        self.on_the_way: list[Callable[[], None]] = []
        self._act = fake._act
        fake._act = self.act  # type: ignore[method-assign]

    def act(self, carry_out: Callable[[], None], method: str, *names: str) -> None:
        if not self.fake.unreachable:
            self._note(method, *names)
        happens, self.before = self.before, None
        if happens:
            happens()
        dies, self.dies = self.dies, None
        if dies == "killed before":
            raise Killed
        late = self.late and method == "drop_collection"
        if late:
            self.fake.next_act = Lost.UNDONE
        try:
            self._act(carry_out, method, *names)
        except OutcomeUnknown:
            self.on_the_way += [carry_out] if late else []
            raise
        if dies:
            raise Killed

    def _note(self, method: str, database: str, name: str, *more: str) -> None:
        """Promises 1 and 2: there is an intent, and it was not sent for that before."""
        private = next((n for n in (name, *more) if n.startswith(DROP)), None)
        if private:
            found = Claim.objects.filter(operation_id=private.removeprefix(DROP))
        else:
            found = Claim.objects.filter(target=digest(target_in(name, Kind.COLLECTION)))
        operation = next((str(claim.operation_id) for claim in found), "")
        intents = AuditEvent.objects.filter(operation_id=operation or None, phase=Phase.INTENT)
        self.without_intent += [] if intents.exists() else [name]
        if not (method == "rename_collection" and name == private):  # back, which may be repeated
            self.sent[operation, method] += 1


@contextmanager
def killed_early() -> Iterator[None]:
    """SIGKILL when the intent is committed, and nothing has been sent."""

    def die(*args: object) -> NoReturn:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "send_once", die)
        yield


@contextmanager
def full_disk(phase: Phase | None) -> Iterator[None]:
    """No room for an event of that phase."""
    append = log.append

    def refusing(entry: Entry, *head: Any) -> AuditEvent:
        if entry.phase == phase:
            raise DatabaseError("disk full")
        return append(entry, *head)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log, "append", refusing)
        yield
