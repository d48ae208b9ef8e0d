"""How the relay wears a skin: each call goes through the rows about its method, then to Milvus.

reads.py and acts.py have the rows. What happens only now and then happens on command here.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass
from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.relay import Call, Failure

SERVICE = pb.DESCRIPTOR.services_by_name["MilvusService"]
PATIENCE = 30.0  # seconds for what is sent late

Onward = Callable[[Call], bytes]
Rewrite = Callable[[Call, Onward, "Worn"], bytes]
# Of an act that Milvus does later: the id of what it is about.
Subject = Callable[[Call], int]


@dataclass(frozen=True)
class Difference:
    """One row: in which calls a newer Milvus differs from 2.3.5, where that is read, and how.

    `rewrite` answers the call in place of 2.3.5; `onward` asks the rows below, and then 2.3.5.
    Where nothing differs it gives back what `onward` gave, byte for byte.
    """

    name: str
    methods: tuple[str, ...]  # none: all of them
    source: str
    rewrite: Rewrite

    def about(self, method: str) -> bool:
        return not self.methods or method in self.methods


@dataclass(frozen=True)
class Skin:
    """A newer Milvus, as far as its rows go. Without any it is 2.3.5 itself."""

    name: str
    version: str = ""
    rows: tuple[Difference, ...] = ()

    def __str__(self) -> str:
        return self.name

    def has(self, row: str) -> bool:
        return any(one.name == row for one in self.rows)


class Worn:
    """A skin on one relay, with what a test has commanded."""

    def __init__(self, skin: Skin) -> None:
        self.skin = skin
        self.version = skin.version  # what it says of itself
        self.is_standby = False
        self.lists_nothing = False
        self._between_lookups: deque[Callable[[], object]] = deque()
        self._swallows: set[str] = set()
        self._late: list[tuple[Call, Subject, int]] = []
        self.differences: set[str] = set()  # of rows that made a difference to 2.3.5
        self._described: dict[tuple[str, str], bytes] = {}
        self._stale: dict[tuple[str, str], bytes] = {}

    def __call__(self, call: Call) -> bytes:
        return self._through([row for row in self.skin.rows if row.about(call.method)], call)

    def _through(self, rows: list[Difference], call: Call) -> bytes:
        if not rows:
            return call.send()
        row, asked, answers = rows[0], [], []

        def onward(other: Call) -> bytes:
            asked.append(_content(other))
            answers.append(self._through(rows[1:], other))
            return answers[-1]

        try:
            reply = row.rewrite(call, onward, self)
        except Failure:
            if len(asked) == len(answers):  # it is the row's own
                self.differences.add(row.name)
            raise
        if (asked, answers) != ([_content(call)], [reply]):
            self.differences.add(row.name)
        return reply

    def _needs(self, row: str) -> None:
        if not self.skin.has(row):
            raise ValueError(f"{self.skin} has no row {row}")

    # --- on command: what a test says, and what the row asks --------------------------------------

    def between_lookups(self, hook: Callable[[], object]) -> None:
        """Run `hook` in the next describe by id: once it has the name, before it looks that up."""
        self._needs("by id: id, then name, then id again")
        self._between_lookups.append(hook)

    def step_between_lookups(self) -> bool:
        """Whether there was a hook."""
        if not self._between_lookups:
            return False
        self._between_lookups.popleft()()
        return True

    def be_standby(self, *, on: bool = True) -> None:
        """A CDC standby, from now on: it refuses whatever changes something."""
        self._needs("standby")
        self.is_standby = on

    def list_nothing(self, *, on: bool = True) -> None:
        """From now on the account has no grant on any collection, for which there is no error."""
        self._needs("the list has what is granted by name, and says OK without any")
        self.lists_nothing = on

    def swallow(self, method: str) -> None:
        """The next such call gets DEADLINE_EXCEEDED; `carry_out_late` is when Milvus does it."""
        self._needs("late execution")
        self._swallows.add(method)

    def keep_for_later(self, call: Call, subject: Subject) -> None:
        """For the row: take the call if it was asked for. Raises Failure then."""
        if call.method not in self._swallows:
            return
        self._swallows.discard(call.method)
        kept = replace(call, timeout=PATIENCE, pass_on=lambda _: None)
        self._late.append((kept, subject, subject(kept)))
        raise Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")

    def carry_out_late(self) -> list[Any]:
        """Send what was swallowed to Milvus now; the statuses of its answers.

        The task in Milvus' queue holds the id, and a lock on the name until it is done: a test in
        which another collection has the name by now is about no Milvus there is.
        """
        late, self._late = self._late, []
        for call, subject, id_ in late:
            assert subject(call) == id_, "Milvus gives nobody the name while the task waits"
        return [status_of(answer_of(call, call.send())) for call, _, _ in late]

    def go_stale(self) -> None:
        """For each thing described so far, the next DescribeCollection gets the last answer again.

        As from a proxy that rootcoord did not reach: what was dropped since, or made anew under
        the same name, is still what it was.
        """
        self._needs("describe from the proxy's memory")
        self._stale = dict(self._described)

    def remember(self, thing: tuple[str, str], reply: bytes) -> None:
        self._described[thing] = reply

    def recall(self, thing: tuple[str, str]) -> bytes | None:
        return self._stale.pop(thing, None)


# --- messages ---------------------------------------------------------------------------------


def _content(call: Call) -> tuple[bytes, list[object]]:
    return call.request, sorted(call.metadata, key=repr)


def asked_in(call: Call) -> Any:
    """The request."""
    return _message(SERVICE.methods_by_name[call.method].input_type).FromString(call.request)


def answer_of(call: Call, reply: bytes) -> Any:
    return _message(SERVICE.methods_by_name[call.method].output_type).FromString(reply)


def status_of(answer: Any) -> Any:
    """Of any answer; some are nothing but a status."""
    return getattr(answer, "status", answer)


def ask(call: Call, method: str, request: Any) -> Any:
    """Ask 2.3.5 something else, as the same account."""
    service = call.path.rpartition("/")[0]
    other = replace(call, path=f"{service}/{method}", request=request.SerializeToString())
    return answer_of(other, other.send())


def saying(call: Call, **status: Any) -> bytes:
    """An answer of nothing but this status."""
    made = _message(SERVICE.methods_by_name[call.method].output_type)()
    status_of(made).MergeFrom(type(status_of(made))(**status))
    return bytes(made.SerializeToString())


def _message(descriptor: Any) -> Any:
    return GetMessageClass(descriptor)
