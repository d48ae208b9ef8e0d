"""What is listed: a database of N collections, on the stub or on the real Milvus."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.infra.milvus_server import MilvusServer, serve
from tests.infra.seeds import FAILED, Seeds

from . import stub

DEFAULT_SIZES = {"stub": "1000,10000,50000", "real": "1000,3000"}
AT_ONCE = 8  # collections made at a time
ROUNDS = 5
SPARE = "bench_spare"  # the database of those that are there to be dropped


@dataclass(frozen=True)
class Place:
    """A database of a known size. `spare` are collections that may be dropped, in `spare_in`."""

    size: int
    uri: str
    token: str = ""
    database: str = "default"
    spare: tuple[str, ...] = ()
    spare_in: str = "default"
    more: str = ""  # settings of its cluster, in TOML

    @property
    def key(self) -> str:
        """Its cluster in the configuration."""
        return f"c{self.size}"


def target() -> str:
    return os.environ.get("TARGET") or "stub"


def sizes() -> list[int]:
    chosen = os.environ.get("SIZES") or DEFAULT_SIZES[target()]
    return sorted(int(size) for size in chosen.split(","))


@contextlib.contextmanager
def places(wanted: list[int], spare: int = 0) -> Iterator[list[Place]]:
    """A place of each size; the first one has `spare` collections to drop."""
    with contextlib.ExitStack() as stack:
        if target() == "real":
            server = stack.enter_context(serve())
            yield [_filled(server, size, spare if size == wanted[0] else 0) for size in wanted]
        else:
            yield [stack.enter_context(_stub(size, spare)) for size in wanted]


# --- stub -----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _stub(size: int, spare: int) -> Iterator[Place]:
    command = [sys.executable, "-m", "tests.benchmarks.stub", str(size)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            uri = f"http://127.0.0.1:{int(process.stdout.readline())}"
            yield Place(size, uri, spare=_droppable(size)[:spare])
        finally:
            process.terminate()


def _droppable(size: int) -> tuple[str, ...]:
    """From the end of the alphabet, so that the first page stays; odd ones have no alias."""
    return tuple(name for name in sorted(stub.names(size))[::-1] if stub.number_of(name) % 2)


# --- real -----------------------------------------------------------------------------------------


def _filled(server: MilvusServer, size: int, spare: int) -> Place:
    """Fill it up to its size; what an earlier run left there is kept."""
    database = f"bench_{size}"
    _fill(server, database, [f"c_{number:05d}" for number in range(size)])
    to_drop = [f"spare_{number:03d}" for number in range(spare)]
    if spare:
        _fill(server, SPARE, to_drop)
    return Place(size, server.uri, server.token, database, tuple(to_drop), SPARE)


def _fill(server: MilvusServer, database: str, wanted: list[str]) -> None:
    """A busy Milvus misses deadlines: what is missing then is made in the next round."""
    if database not in server.client().list_databases(timeout=30):
        server.client().create_database(database, timeout=30)
    for _ in range(ROUNDS):
        there = set(server.client(database).list_collections(timeout=60))
        missing = [name for name in wanted if name not in there]
        if not missing:
            return
        print(f"making {len(missing)} collections in {database}", file=sys.stderr, flush=True)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(partial(_make, server, database), missing))
    raise RuntimeError(f"{database} still lacks collections after {ROUNDS} rounds")


def _make(server: MilvusServer, database: str, name: str) -> None:
    with contextlib.suppress(*FAILED):
        Seeds(server)(name, database=database)
