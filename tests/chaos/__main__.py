"""`python -m tests.chaos`: attack, let it settle, check. One JSON line; 1 if a count is not zero.

OPERATIONS: so many must meet their fault, or as many as do in MINUTES. SEED: which.
CHAOS_STRICT=1: with strict_drop. SKIN: v2518, v2620 or v30, as a newer Milvus answers.
CHAOS_BUILD: a build with a promise broken. CHAOS_CROWDS: only these people.
Milvus is one of our own, which is killed, too, unless MILVUS_TEST_URI names one; PostgreSQL is
that of PGHOST.
KEEP: a folder for the log, the requests, and what the processes wrote.
"""

import contextlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from tests.infra.faultproxy import FaultProxy
from tests.infra.gunicorn import App, folder_for, gunicorn, local_sessions
from tests.infra.seeds import unique_name
from tests.infra.skins import NAMED, NONE

from . import check
from .attack import Attack
from .log import Log
from .milvus import Mortal, milvus
from .operators import Operators
from .processes import command, loops, workers
from .steps import BINNING, DROPPING, PLANNING, RELEASING, STRICT, Step, steps
from .world import World

APPS = 2
SHORT = 200  # operations: a shorter run has fewer people
SKIN = NAMED[os.environ.get("SKIN") or NONE.name]
KEY = "chaos-only-" + "s3al" * 12
SETTLED_WITHIN = 120.0  # seconds
LONGER = 180.0  # seconds after that many operations, until each way was done
CONFIG = """
[clusters.main]
uri = "{uri}"
token = "{token}"
read_timeout = 1.5
drop_timeout = 3
unknown_timeout = 1
breaker_cooldown = 0
max_concurrent = 32
recycle_bin = "8s"
plan_at_once = 2
"""


@dataclass(frozen=True)
class Crowd:
    """People who do the same with the same names."""

    ways: dict[str, int]
    people: int
    names: list[str]
    in_short: int  # people in a short run

    @classmethod
    def of(cls, ways: dict[str, int], people: int, in_short: int, names: int) -> "Crowd":
        return cls(ways, people, [unique_name("chaos") for _ in range(names)], in_short)


CROWDS = {
    "dropping": Crowd.of(DROPPING, 18, 3, names=120),
    "releasing": Crowd.of(RELEASING, 3, 2, names=9),
    "binning": Crowd.of(BINNING, 12, 6, names=36),
    "planning": Crowd.of(PLANNING, 4, 3, names=40),
}
CHOSEN = [CROWDS[name] for name in (os.environ.get("CHAOS_CROWDS") or ",".join(CROWDS)).split(",")]
WANTED = {way for crowd in CHOSEN for way in crowd.ways}  # each must be done, and meet a fault


@dataclass
class Scene:
    """All that runs."""

    mortal: Mortal
    log: Log
    attack: Attack
    world: World
    apps: list[App]
    environment: dict[str, str]

    @property
    def copies(self) -> list[Path]:
        return [app.folder / "audit.jsonl" for app in self.apps]


def main() -> int:
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # "not found" is an answer here
    operations = int(os.environ.get("OPERATIONS") or 500)
    seed = os.environ.get("SEED") or "1"
    began = time.monotonic()
    with _scene() as scene:
        operators = _attacked(scene, operations, seed)
        counts = check.counts(scene.world, operators, scene.log, KEY, scene.copies)
        missed = _missed(scene, operators, operations)
        told = _told(scene, operators) | {"seconds": round(time.monotonic() - began)}
        _keep(scene)
    asked = {"operations": operations, "seed": seed, "strict": STRICT, "skin": SKIN.name}
    print(json.dumps({**asked, **counts, **missed, **told}), flush=True)
    wrong = [name for name, count in counts.items() if count and name not in check.REPORTED]
    return int(bool(wrong or any(missed.values())))


def _missed(scene: Scene, operators: Operators, operations: int) -> dict[str, list[str]]:
    """What was to be attacked, and was not."""
    return {
        "never_struck": check.never_struck(scene.attack, operations),
        "never_done": list(_undone(scene, operators)),
    }


def _told(scene: Scene, operators: Operators) -> dict[str, object]:
    """What happened, for people who wonder how much."""
    print(dict(sorted(scene.attack.struck.items())), file=sys.stderr)
    return {
        "faulted": scene.attack.struck.total(),
        "faulted_ways": dict(scene.attack.ways),
        "done_ways": dict(operators.done),
        "plans": {"made": len(operators.planners.sizes), **operators.planners.decided},
        "answers": dict(operators.answers),
        "milvus_killed": scene.mortal.killed,
        "events": len(scene.log.rows()),
    }


def _keep(scene: Scene) -> None:
    """What somebody needs who wants to know how a count came about."""
    if not (folder := os.environ.get("KEEP")):
        return
    kept = Path(folder)
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "requests").write_text("\n".join(scene.world.story))
    (kept / "log").write_text("\n".join(row.text for row in scene.log.rows()))
    (kept / "milvus").write_text("\n".join(f"{i} {n}" for i, n in scene.world.there().items()))
    for number, app in enumerate(scene.apps):
        for name in ("output", "background"):
            if (app.folder / name).exists():
                shutil.copy(app.folder / name, kept / f"{name}-{number}")


def _attacked(scene: Scene, operations: int, seed: str) -> Operators:
    """People work until so many operations have met their fault; then all settles."""
    operators = Operators(scene.world, [f"http://{app.bind}" for app in scene.apps])
    plans = _plans(scene, operators, operations, seed)
    app, environment = scene.apps[0], scene.environment
    with loops(app, environment):
        enough = _Enough(scene, operators, operations)
        operators.work(plans, enough)
        _wait_until_settled(scene, operators, next(iter(plans)))
    for last in (["reconcile_operations"], ["purge_recycle_bin"], ["run_plans", "--once"]):
        command(app, environment, *last)
    return operators


def _plans(
    scene: Scene, operators: Operators, operations: int, seed: str
) -> dict[str, Iterator[Step]]:
    """By the sessions of those who follow them."""
    short = operations < SHORT
    people = [c for c in CHOSEN for _ in range(c.in_short if short else c.people)]
    sessions = local_sessions(scene.apps[0], len(people), "operator,purger", scene.environment)
    kills, undone = scene.mortal.may_be_killed, partial(_undone, scene, operators)
    return {
        session: steps(f"{seed}/{at}", crowd.names, crowd.ways, kills, undone)
        for at, (session, crowd) in enumerate(zip(sessions, people, strict=True))
    }


def _undone(scene: Scene, operators: Operators) -> dict[str, bool]:
    return check.never_done(scene.attack, operators, WANTED)


class _Enough:
    """So many operations met their fault, each way among them; but not for ever."""

    def __init__(self, scene: Scene, operators: Operators, operations: int) -> None:
        self.scene, self.operators, self.operations = scene, operators, operations
        self.began = time.monotonic()
        self.minutes = float(os.environ.get("MINUTES") or 1e6)
        self.struck_at: float | None = None

    def __call__(self) -> bool:
        now, over = time.monotonic(), self.scene.world.over
        if self.scene.attack.struck.total() >= self.operations:
            self.struck_at = self.struck_at or now
            if now > self.struck_at + LONGER or not _undone(self.scene, self.operators):
                over.set()
        if now > self.began + 60 * self.minutes:
            over.set()
        return over.is_set()


def _wait_until_settled(scene: Scene, operators: Operators, session: str) -> None:
    scene.attack.stop()
    scene.mortal.up.wait(SETTLED_WITHIN)
    operators.pause_purging(session)
    end = time.monotonic() + SETTLED_WITHIN
    while time.monotonic() < end and (scene.log.open_claims() or scene.log.restless_plans()):
        time.sleep(0.5)


# --- around it ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _scene() -> Iterator[Scene]:
    with contextlib.ExitStack() as stack:
        mortal, url = stack.enter_context(milvus()), stack.enter_context(_database())
        folder, log = stack.enter_context(folder_for()), Log(url)
        attack = Attack(log, folder)
        attack.workers = workers
        stack.enter_context(attack.listening())
        world = stack.enter_context(World(mortal, attack, SKIN))
        proxy = stack.enter_context(FaultProxy("127.0.0.1", world.port))
        attack.reset = proxy.cut
        stack.callback(world.seeds.clean)
        environment = _environment(folder, url, proxy.port, mortal.server.token)
        module = "tests.chaos.wsgi"
        apps = [stack.enter_context(gunicorn(environment, module=module)) for _ in range(APPS)]
        log.prepare()
        yield Scene(mortal, log, attack, world, apps, environment)


@contextlib.contextmanager
def _database() -> Iterator[str]:
    """A fresh database on the server that psql would find."""
    name = f"chaos_{os.getpid()}"
    found = {key: os.environ.get(key, "") for key in ("PGUSER", "PGPASSWORD", "PGHOST", "PGPORT")}
    server = "postgres://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}".format(**found)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")  # type: ignore[call-overload]
        try:
            yield f"{server}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


def _environment(folder: Path, url: str, port: int, token: str) -> dict[str, str]:
    config = folder / "config.toml"
    text = CONFIG.format(uri=f"http://127.0.0.1:{port}", token=token)
    config.write_text(text + ("strict_drop = true\n" if STRICT else ""))
    return {
        "DATABASE_URL": url,
        "AUDIT_KEY": KEY,
        "SIGN_IN": "local",
        "LOOPBACK_ONLY": "1",
        "MILVUSADMIN_CONFIG": str(config),
        "CHAOS_BUILD": os.environ.get("CHAOS_BUILD", ""),
        "CHAOS_POINTS": str(folder / "points"),
        "CHAOS_CLOCK": str(folder / "clock"),
        "GUNICORN_CMD_ARGS": "--preload",  # a worker that was killed is back at once
    }


if __name__ == "__main__":
    sys.exit(main())
