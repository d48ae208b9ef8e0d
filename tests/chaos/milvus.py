"""A Milvus that can be killed: it comes back with its data. The one of MILVUS_TEST_URI can not."""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.infra.milvus_server import (
    FIXED_PORTS,
    START_LIMIT,
    MilvusServer,
    NoMilvus,
    free_port,
    launch,
    require_free,
    serve,
    stop_group,
    wait_until_it_answers,
)

KILLS = 4  # in a run: the more was dropped, the longer a start takes, up to many minutes
STARTS = 3  # after a SIGKILL it sometimes does not get through its own recovery at once
# After a SIGKILL it waits until the sessions of the killed one are over: 30 s by default, anew with
# each start. Too few, and it ends itself when the machine is busy.
SESSION = ("--extra-config", "common.session.ttl=10")  # seconds


class Mortal:
    """A real server in a folder of its own, and how often it was killed."""

    def __init__(self, server: MilvusServer, folder: Path | None) -> None:
        self.server, self.folder, self.killed = server, folder, 0
        self.up = threading.Event()  # cleared while it is not there
        self.on_death: Callable[[], None] = lambda: None
        self._one = threading.Lock()
        if folder:
            self._start()
        self.up.set()

    def may_be_killed(self) -> bool:
        return self.folder is not None and self.killed < KILLS

    def kill(self) -> None:
        """SIGKILL, and start it again with its data. Returns when it answers."""
        with self._one:
            self.up.clear()
            self.killed += 1
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._start()
            self.on_death()
            self.up.set()

    def stop(self) -> None:
        stop_group(self._process)

    def _start(self) -> None:
        assert self.folder
        port = int(self.server.address.rpartition(":")[2])
        for _ in range(STARTS):
            self._process = launch(self.folder, port, *SESSION)
            problem = wait_until_it_answers(self.server, 3 * START_LIMIT, self._process)
            if not problem:
                return
            stop_group(self._process)
        raise NoMilvus(f"Milvus did not start: {problem}")


@contextlib.contextmanager
def milvus() -> Iterator[Mortal]:
    """Of our own, unless MILVUS_TEST_URI names one."""
    if os.environ.get("MILVUS_TEST_URI"):
        with serve() as server:
            yield Mortal(server, None)
        return
    for port in FIXED_PORTS:
        require_free(port)
    server = MilvusServer(f"http://127.0.0.1:{free_port()}")
    with TemporaryDirectory(prefix="milvus-", ignore_cleanup_errors=True) as folder:
        mortal = Mortal(server, Path(folder))
        try:
            yield mortal
        finally:
            mortal.stop()
