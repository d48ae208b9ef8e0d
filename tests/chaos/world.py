"""What the operators meet: a relay that breaks things on command, and keeps its own journal."""

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import grpc
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Failure, Relay
from tests.infra.seeds import Seeds

from .log import Log

POINTS = ("look", "call", "called", "verify")  # where in the protocol a fault strikes
ACTIONS = ("cut", "stall", "database", "disk", "reset", "kill")
STALL = 0.8  # seconds: longer than the deadline
DISK_FULL = 0.2  # seconds
NOT_THERE = 100
Fault = tuple[str, str]


class World(Relay):
    """Milvus as the application sees it."""

    def __init__(self, server: MilvusServer, log: Log) -> None:
        super().__init__(server.address)
        self.direct, self.log, self.seeds = server, log, Seeds(server)
        self.made: dict[int, str] = {}  # ids that were ever created, with their names
        self.behind: set[int] = set()  # those dropped by somebody else
        self.sent: Counter[int] = Counter()  # drops by the intent that was the last one then
        self.without_intent = self.window = 0
        self.struck: Counter[str] = Counter()
        self.reset: Any = None  # cuts every connection between the application and us
        self._armed: dict[str, list[Fault]] = defaultdict(list)
        self._dropped: set[str] = set()
        self._state = threading.RLock()

    # --- from the operators' side -------------------------------------------------------------

    def arm(self, name: str, fault: Fault) -> None:
        """The next request about that name at that point meets the fault."""
        with self._state:
            self._armed[name] = [fault]

    def create(self, name: str) -> int:
        """A collection of that name, unless there is one. Returns its id."""
        with self._state:
            found = self.id_of(name)
            if not found:
                self.seeds(name)
                found = self.id_of(name)
                self.made[found] = name
            return found

    def replace(self, name: str) -> None:
        """Behind the application's back: drop it, and create a namesake."""
        with self._state:
            if found := self.id_of(name):
                self.behind.add(found)
                self.direct.client().drop_collection(name, timeout=10)
            self.create(name)

    def id_of(self, name: str) -> int:
        """Who bears the name now; 0 if nobody does."""
        try:
            found = self.direct.client().describe_collection(name, timeout=10)
        except MilvusException as exc:
            if exc.code == NOT_THERE:
                return 0
            raise
        return int(found["collection_id"])

    # --- one call -----------------------------------------------------------------------------

    def _reply(
        self, method: str, path: str, request: bytes, context: grpc.ServicerContext
    ) -> bytes:
        def answer() -> bytes:
            return Relay._reply(self, method, path, request, context)

        if method == "DescribeCollection":
            name = pb.DescribeCollectionRequest.FromString(request).collection_name
            self._strike(name, "verify" if name in self._dropped else "look")
            return answer()
        if method != "DropCollection":
            return answer()
        name = pb.DropCollectionRequest.FromString(request).collection_name
        self._note(name)
        self._strike(name, "call")
        reply = answer()
        self._dropped.add(name)
        self._strike(name, "called")
        return reply

    def _note(self, name: str) -> None:
        """What the log says in the moment in which a drop arrives."""
        intents = self.log.intents_for(name)
        with self._state:
            if not intents:
                self.without_intent += 1
                return
            sequence, identity = intents[-1]
            # Two drops for one intent: sent twice, or the second one has no intent yet.
            self.sent[sequence] += 1
            self.window += self.id_of(name) not in {0, identity}

    def _strike(self, name: str, point: str) -> None:
        with self._state:
            if point == "verify":
                self._dropped.discard(name)
            found = [fault for fault in self._armed[name] if fault[0] == point]
            if not found:
                return
            self._armed[name].clear()
            self.struck[f"{point}/{found[0][1]}"] += 1
        getattr(self, f"_{found[0][1]}")()

    def _cut(self) -> None:
        raise Failure(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def _stall(self) -> None:
        time.sleep(STALL)

    def _database(self) -> None:
        self.log.cut_everybody()

    def _disk(self) -> None:
        """Full for a moment, from now on."""

        def fill() -> None:
            with self.log.full_disk():
                time.sleep(DISK_FULL)

        threading.Thread(target=fill).start()
        time.sleep(0.01)

    def _reset(self) -> None:
        self.reset()

    def _kill(self) -> None:
        for worker in workers():
            os.kill(worker, signal.SIGKILL)
        time.sleep(0.05)


def workers() -> list[int]:
    """The processes of gunicorn that serve."""
    masters = [pid for pid in _children(os.getpid()) if "gunicorn" in _command(pid)]
    return [worker for master in masters for worker in _children(master)]


def _children(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").iterdir()
    return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]


def _command(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()
