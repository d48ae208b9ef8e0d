"""Fixtures of the protocol's tests: objects to drop, shorthands, and a log that fails."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from django.conf import settings
from django.db import connection

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.access.principals import Actor
from collections_app.audit.log import Outcome
from collections_app.audit.triggers import TABLE
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent
from collections_app.operations.confirmation import Confirmation, confirm
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.protocol import perform
from collections_app.operations.reconcile import settle
from tests.fixtures import actor, caller
from tests.infra.chain import Chain
from tests.infra.forked import Python
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds

PARTITION = "novels"
DROP = {Kind.COLLECTION: Action.DROP_COLLECTION, Kind.PARTITION: Action.DROP_PARTITION}
UNREADABLE = b"\xff\xff\xff"  # no message of Milvus'
RPC = {
    Action.DROP_COLLECTION: "DropCollection",
    Action.DROP_PARTITION: "DropPartition",
    Action.DROP_ALIAS: "DropAlias",
    Action.RELEASE_COLLECTION: "ReleaseCollection",
    Action.RELEASE_PARTITION: "ReleasePartitions",
}


# --- things to drop -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Thing:
    """A collection, or a partition of one. Everything here goes to Milvus past all faults."""

    seeds: Seeds
    target: Target

    @classmethod
    def make(cls, seeds: Seeds, kind: Kind, **options: Any) -> "Thing":
        collection = seeds(**{"partitions": [PARTITION], **options})
        name = PARTITION if kind is Kind.PARTITION else collection
        return cls(seeds, target_in(collection, kind, name))

    @property
    def action(self) -> Action:
        return DROP[self.target.kind]

    @property
    def rpc(self) -> str:
        return RPC[self.action]

    @property
    def command(self) -> list[str]:
        """What to type after manage.py to drop it."""
        name = self.target.name
        if self.target.kind is Kind.PARTITION:
            where = ["--collection", self.target.collection]
            return ["drop_partition", name, "--confirm", name, *where]
        return ["drop_collection", name, "--confirm", name]

    def once_read(self, chain: Chain, hook: Callable[[], None]) -> None:
        """Run `hook` when the next read of it is complete, before anybody knows."""
        if self.target.kind is Kind.PARTITION:
            chain.relay.after("GetVersion", hook)  # the last call
        else:
            chain.relay.after("ShowCollections", lambda: None)  # beside the other reads
            chain.relay.after("ShowCollections", hook)  # the second witness, after them

    def is_there(self) -> bool:
        client, target = self.seeds.server.client(), self.target
        if target.kind is Kind.PARTITION:
            return bool(client.has_partition(target.collection, target.name, timeout=10))
        return self.seeds.exists(target.name)

    def remove(self) -> None:
        """As somebody does who does not use this application."""
        client, target = self.seeds.server.client(), self.target
        if target.kind is Kind.PARTITION:
            client.drop_partition(target.collection, target.name, timeout=10)
        else:
            client.drop_collection(target.name, timeout=10)

    def replace(self) -> None:
        """Remove it and give its name to another one."""
        self.remove()
        self.add_namesake()

    def add_namesake(self) -> None:
        if self.target.kind is Kind.PARTITION:
            client = self.seeds.server.client()
            client.create_partition(self.target.collection, self.target.name, timeout=10)
        else:
            self.seeds(self.target.name)


def target_in(collection: str, kind: Kind, name: str = "") -> Target:
    return Target(
        cluster="main",
        database="default",
        kind=kind,
        collection=collection,
        name=name or collection,
    )


@pytest.fixture(params=list(DROP), ids=str)
def thing(request: pytest.FixtureRequest, make_collection: Seeds) -> Thing:
    """One of each kind that can be dropped for good."""
    return Thing.make(make_collection, request.param)


# --- short ways to say it -----------------------------------------------------------------------


def consent(target: Target, action: Action | None = None, who: Actor | None = None) -> Confirmation:
    """What the dialog gives to somebody who looks now."""
    action = action or DROP[target.kind]
    look = OPERATIONS[action].read_state(clusters.get(target.cluster).gateway, target)
    return confirm(action, target, look, who or actor())


def carry_out(confirmation: Confirmation, who: Actor | None = None, reason: str = "") -> Outcome:
    return perform(confirmation, caller(who or "ada"), reason=reason)


def leave_unknown(thing: Thing, chain: Chain) -> Confirmation:
    """A drop that is still there, after an answer from which nobody can tell."""
    confirmation = consent(thing.target)
    chain.relay.answer(thing.rpc, lambda _: UNREADABLE)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    chain.relay.forward(thing.rpc)
    return confirmation


def settled(confirmation: Confirmation) -> Outcome:
    """One look of `settle`."""
    return settle(confirmation.operation_id, caller("settler"))


def told() -> list[str]:
    """The audit log as one line per event: "intent" or "outcome succeeded"."""
    return [f"{e.phase} {e.outcome}".strip() for e in AuditEvent.objects.order_by("sequence")]


def on_own_connection(work: Callable[[], Any]) -> Any:
    """What `work` returns or raises, in a thread that leaves no database connection open."""
    try:
        return work()
    except Exception as exc:
        return exc
    finally:
        connection.close()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each returned or raised; all start at the same moment."""
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        barrier.wait(10)
        return on_own_connection(work)

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


# --- a log that fails ---------------------------------------------------------------------------

READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "postgresql": (
        "SET default_transaction_read_only = on",
        "SET default_transaction_read_only = off",
    ),
}
REFUSE = {
    "sqlite": f"""CREATE TRIGGER disk_full BEFORE INSERT ON {TABLE} WHEN NEW.phase = '%s'
        BEGIN SELECT RAISE(ABORT, 'disk full'); END""",
    "postgresql": f"""CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$;
        CREATE TRIGGER disk_full BEFORE INSERT ON {TABLE} FOR EACH ROW
        WHEN (NEW.phase = '%s') EXECUTE FUNCTION disk_full()""",
}
ACCEPT = {
    "sqlite": "DROP TRIGGER disk_full",
    "postgresql": "DROP FUNCTION disk_full() CASCADE",
}


def sql(statement: str, *values: object) -> int:
    """Run one statement; how many rows it touched."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return int(cursor.rowcount)


@contextmanager
def read_only_database() -> Iterator[None]:
    """This connection may read and nothing else."""
    on, off = READ_ONLY[connection.vendor]
    sql(on)
    try:
        yield
    finally:
        sql(off)


@contextmanager
def refused_events(phase: str) -> Iterator[None]:
    """The database refuses events of one phase."""
    sql(REFUSE[connection.vendor] % phase)
    try:
        yield
    finally:
        sql(ACCEPT[connection.vendor])


# --- processes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shell:
    """manage.py in a process of its own, on the database of this test."""

    environment: dict[str, str]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return Python(
            str(settings.BASE_DIR / "manage.py"),
            *arguments,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=60)
            return process.returncode, out, err


def kill_at(chain: Chain, shell: Shell, command: Sequence[str], rpc: str, *, done: bool) -> None:
    """SIGKILL to a command of manage.py, while that request is held at Milvus' door."""
    arrived, killed = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        killed.wait(60)
        if not done:
            raise Failure(grpc.StatusCode.UNAVAILABLE, "never forwarded")

    (chain.relay.after if done else chain.relay.before)(rpc, hold)
    with shell.start(*command) as process:
        try:
            assert arrived.wait(30), process.communicate(timeout=5)
        finally:
            process.kill()
            process.wait(10)
            killed.set()
    assert process.returncode == -signal.SIGKILL


@pytest.fixture
def shell(chain: Chain, transactional_db: None, tmp_path: Path) -> Shell:
    return shell_behind(chain, tmp_path)


def shell_behind(chain: Chain, folder: Path, more: str = "") -> Shell:
    """A shell configured by a TOML file, as in production; `more` are lines of the cluster."""
    config = folder / "milvusadmin.toml"
    config.write_text(
        f'[clusters.main]\nuri = "{chain.uri}"\ntoken = "{chain.token}"\ndrop_timeout = 5.0\n{more}'
    )
    own = {
        "DJANGO_SETTINGS_MODULE": "milvusadmin.settings",
        "MILVUSADMIN_CONFIG": str(config),
        "DATABASE_URL": database_url(),
    }
    return Shell({**os.environ, **own})


def database_url() -> str:
    """The test's own database, for another process."""
    of = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{of['NAME']}"
    person = f"{quote(of['USER'])}:{quote(of['PASSWORD'])}"
    return f"postgres://{person}@{of['HOST']}:{of['PORT']}/{of['NAME']}"
