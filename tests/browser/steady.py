"""For the pictures: what is new in each run, the same in each run. No test uses this.

Milvus makes up ids and creation times, Milvus Admin ids of operations, and clocks go on.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, Self

import time_machine
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.relay import Call

SERVICE = pb.DESCRIPTOR.services_by_name["MilvusService"]

# For gRPC, which reckons its deadlines with the wall clock.
_STARTED = time.time() - time.monotonic()
REAL_TIME = SimpleNamespace(
    time=lambda: _STARTED + time.monotonic(), perf_counter=time.perf_counter
)


class Clock:
    """Every clock of this process, standing still until somebody says that time passes.

    A context manager. Stands in for the module `time` where a duration is shown.
    """

    def __init__(self, moment: datetime) -> None:
        self._travel = time_machine.travel(moment, tick=False)

    def __enter__(self) -> Self:
        self._stopped = self._travel.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._travel.stop()

    def is_now(self, moment: datetime) -> None:
        self._stopped.move_to(moment)

    def passes(self, **time: float) -> None:
        self._stopped.shift(timedelta(**time))

    def passing(self, **time: float) -> Callable[[], None]:
        """A hook of the relay: so much time passes there."""
        return lambda: self.passes(**time)

    def monotonic(self) -> float:
        return time.time()


class Uuids:
    """Stands in for the module `uuid`: random ids, the same each time. Each takes 3 ms to write."""

    UUID = uuid.UUID

    def __init__(self, seed: int, clock: Clock) -> None:
        self._random, self._clock = random.Random(seed), clock

    def uuid4(self) -> uuid.UUID:
        self._clock.passes(milliseconds=3)
        return uuid.UUID(int=self._random.getrandbits(128), version=4)


class Renumbered:
    """A relay's skin: ids and creation times of Milvus, replaced by chosen ones both ways."""

    def __init__(self) -> None:
        self._given: dict[int, int] = {}
        self._real: dict[int, int] = {}

    def give(self, real: Iterable[int], given: Iterable[int]) -> None:
        for one, other in zip(real, given, strict=True):
            self._given[one], self._real[other] = other, one

    def __call__(self, call: Call) -> bytes:
        method = SERVICE.methods_by_name[call.method]
        request = _translated(method.input_type, call.request, self._real)
        reply = Call.send(Call(**{**vars(call), "request": request}))
        return _translated(method.output_type, reply, self._given)


def timestamp(moment: datetime) -> int:
    """A moment as Milvus' timestamp oracle writes it: milliseconds, and 18 bits of counter."""
    return int(moment.astimezone(UTC).timestamp() * 1000) << 18


def _translated(kind: Any, content: bytes, table: dict[int, int]) -> bytes:
    message = GetMessageClass(kind).FromString(content)
    _translate(message, table)
    return bytes(message.SerializeToString())


def _translate(message: Message, table: dict[int, int]) -> None:
    """Every number that is in the table, wherever it is."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if field.is_repeated else [value]:
                if isinstance(one, Message):
                    _translate(one, table)
        elif field.cpp_type in {field.CPPTYPE_INT64, field.CPPTYPE_UINT64}:
            if field.is_repeated:
                value[:] = [table.get(one, one) for one in value]
            else:
                setattr(message, field.name, table.get(value, value))
