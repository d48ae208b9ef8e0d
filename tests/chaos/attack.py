"""The faults: which are armed, where they strike, and what each does."""

import contextlib
import os
import random
import signal
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from tests.infra.relay import Failure

from .log import Log
from .steps import Fault, Step

STALL = 3.3  # seconds: longer than the deadlines
DISK_FULL = 0.2  # seconds
CLOCK_WRONG = 4.0  # seconds: the settler looks meanwhile
JUMPS = (-600, -60, 60, 600)  # seconds
LATE = 15.0  # seconds: an operation has been closed by then
HELD_UP = 2.0  # seconds meanwhile: within the deadline, so that the request comes after such a look


class Attack:
    """Faults armed for a collection strike once, at the next request about it at their point."""

    def __init__(self, log: Log, folder: Path) -> None:
        self.log, self.clock, self.socket = log, folder / "clock", folder / "points"
        self.clock.write_text("0")
        self.struck: Counter[str] = Counter()
        self.ways: Counter[str] = Counter()  # in which operations
        self.reset: Callable[[], None]  # cuts every connection between the application and Milvus
        self.kill_milvus: Callable[[], None]
        self.by_others: dict[str, Callable[[Step], None]]  # what somebody does past the application
        self.rename_late: Callable[[str], Callable[[], None]]  # what Milvus may do when all is over
        self.workers: Callable[[], list[int]]  # the processes of the application
        self.name_of: Callable[[str], str] = lambda name: name
        self._armed: dict[str, tuple[Step, list[Fault]]] = {}
        self._at_it: dict[str, tuple[int, int]] = {}  # its process, and that of its connection
        self._later: list[threading.Timer] = []
        self._state = threading.Lock()
        self._chance = random.Random()

    def arm(self, step: Step) -> None:
        with self._state:
            self._armed[step.collection] = (step, list(step.faults))

    def stop(self) -> None:
        """From now on all is well. Returns when nothing is on its way any more."""
        with self._state:
            self._armed.clear()
        for timer in self._later:
            timer.join()

    def strike_itself(self, step: Step, action: str) -> None:
        """What somebody does while the dialog is open. Raises what pymilvus does."""
        self.by_others[action](step)
        with self._state:
            self._note(step, ("shown", action))

    def _note(self, step: Step, fault: Fault) -> None:
        self.struck["/".join(fault)] += 1
        self.ways[step.way] += 1

    def strike(self, collection: str, point: str, at_it: tuple[int, int] | None = None) -> None:
        """Whatever is armed for that collection and point happens now."""
        with self._state:
            if at_it:
                self._at_it[collection] = at_it
            step, faults = self._armed.get(collection, (None, []))
            found = next((fault for fault in faults if fault[0] == point), None)
            if step is None or found is None:
                return
            faults.remove(found)
            self._note(step, found)
        self._carry_out(found[1], step)

    def _carry_out(self, action: str, step: Step) -> None:
        if others := self.by_others.get(action):
            others(step)
        else:
            getattr(self, f"_{action}")(step.collection)

    # --- what happens -------------------------------------------------------------------------

    def _cut(self, collection: str) -> None:
        raise Failure(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def _late(self, collection: str) -> None:
        timer = threading.Timer(LATE, self.rename_late(collection))
        self._later.append(timer)
        timer.start()
        self._cut(collection)

    def _reset(self, collection: str) -> None:
        self.reset()

    def _stall(self, collection: str) -> None:
        time.sleep(STALL)

    def _database(self, collection: str) -> None:
        """For whoever is at it; now and then for everybody."""
        self.log.cut(self._at_it.get(collection, (0, 0))[1] if self._mostly() else 0)

    def _disk(self, collection: str) -> None:
        """Full for a moment, from now on. Now and then for everybody."""
        where = collection if self._mostly() else ""

        def fill() -> None:
            with self.log.full_disk(where):
                time.sleep(DISK_FULL)

        threading.Thread(target=fill).start()
        time.sleep(0.01)

    def _whose(self, collection: str) -> int:
        """The process that is at it, or any, if nobody knows which that is."""
        (process, _), alive = self._at_it.get(collection, (0, 0)), self.workers()
        return process if process in alive else self._chance.choice([*alive, 0])

    def _mostly(self) -> bool:
        return self._chance.randrange(20) > 0

    def _clock(self, collection: str) -> None:
        """Wrong for a moment, and whoever is here is held up in it."""
        self.clock.write_text(str(self._chance.choice(JUMPS)))
        threading.Timer(CLOCK_WRONG, lambda: self.clock.write_text("0")).start()
        time.sleep(HELD_UP)

    def _milvus(self, collection: str) -> None:
        threading.Timer(self._chance.random() / 50, self.kill_milvus).start()

    def _kill(self, collection: str) -> None:
        """SIGKILL to the process that is at it."""
        if process := self._whose(collection):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)

    # --- what the application says --------------------------------------------------------------

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """The other end of points.py."""
        attack = self

        class Line(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                said = self.rfile.readline().decode().rstrip("\n")
                if not said:  # killed at another point
                    return
                point, process, backend, name = said.split(" ", 3)
                attack.strike(attack.name_of(name), point, (int(process), int(backend)))
                with contextlib.suppress(OSError):
                    self.wfile.write(b".")

        class Lines(socketserver.ThreadingUnixStreamServer):
            daemon_threads, request_queue_size = True, 64

        with Lines(str(self.socket), Line) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield
            server.shutdown()
