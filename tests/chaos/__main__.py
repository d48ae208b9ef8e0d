"""`python -m tests.chaos`: attack, let it settle, check. One JSON line; 1 if a count is not zero.

OPERATIONS: so many must meet their fault, or as many as do in MINUTES. SEED: which.
CHAOS_STRICT=1: with strict_drop. SKIN: v2518, v2620 or v30, as a newer Milvus answers.
CHAOS_BUILD: a build with a promise broken. Milvus is one of our own, which is killed, too, unless
MILVUS_TEST_URI names one; PostgreSQL is that of PGHOST.
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
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.infra.faultproxy import FaultProxy
from tests.infra.gunicorn import App, folder_for, gunicorn, local_session
from tests.infra.seeds import unique_name
from tests.infra.skins import NAMED, NONE

from . import check
from .attack import Attack
from .log import Log
from .milvus import Mortal, milvus
from .operators import Operators
from .plan import DROPPING, RELEASING, STRICT, steps
from .processes import settle_once, settling, workers
from .world import World

DROPPERS, RELEASERS, APPS = 28, 3, 2
NAMES, LOADED = 192, 9
SKIN = NAMED[os.environ.get("SKIN") or NONE.name]
KEY = "chaos-only-" + "s3al" * 12
SETTLED_WITHIN = 120.0  # seconds
CONFIG = """
[clusters.main]
uri = "{uri}"
token = "{token}"
read_timeout = 1.5
drop_timeout = 3
unknown_timeout = 3
breaker_cooldown = 0
max_concurrent = 32
"""


@dataclass
class Scene:
    """All that runs."""

    mortal: Mortal
    log: Log
    attack: Attack
    world: World
    apps: list[App]
    environment: dict[str, str]
    names: list[str] = field(default_factory=lambda: [unique_name("chaos") for _ in range(NAMES)])
    loaded: list[str] = field(default_factory=lambda: [unique_name("held") for _ in range(LOADED)])

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
        missed = check.never_struck(scene.attack, operations)
        told = {
            "faulted": scene.attack.struck.total(),
            "answers": dict(operators.answers),
            "milvus_killed": scene.mortal.killed,
            "never_struck": missed,
            "events": len(scene.log.rows()),
            "seconds": round(time.monotonic() - began),
        }
        print(dict(sorted(scene.attack.struck.items())), file=sys.stderr)
        _keep(scene)
    asked = {"operations": operations, "seed": seed, "strict": STRICT, "skin": SKIN.name}
    print(json.dumps({**asked, **counts, **told}), flush=True)
    wrong = [name for name, count in counts.items() if count and name not in check.REPORTED]
    return int(bool(wrong or missed))


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
        for name in ("output", "settling"):
            if (app.folder / name).exists():
                shutil.copy(app.folder / name, kept / f"{name}-{number}")


def _attacked(scene: Scene, operations: int, seed: str) -> Operators:
    """People work until so many operations have met their fault; then all settles."""
    operators = Operators(scene.world, [f"http://{app.bind}" for app in scene.apps])
    plans = {}
    for number in range(DROPPERS + RELEASERS):
        releases = number >= DROPPERS
        names, acts = (scene.loaded, RELEASING) if releases else (scene.names, DROPPING)
        session = local_session(scene.apps[0], f"p{number}", "operator", scene.environment)
        plans[session] = steps(f"{seed}/{number}", names, acts, scene.mortal.may_be_killed)
    with settling(scene.apps[0], scene.environment):
        end = time.monotonic() + 60 * float(os.environ.get("MINUTES") or 1e6)
        operators.work(plans, lambda: _enough(scene, operations) or time.monotonic() > end)
        _wait_until_settled(scene)
    settle_once(scene.apps[0], scene.environment)
    return operators


def _enough(scene: Scene, operations: int) -> bool:
    return scene.attack.struck.total() >= operations


def _wait_until_settled(scene: Scene) -> None:
    scene.attack.stop()
    scene.mortal.up.wait(SETTLED_WITHIN)
    end = time.monotonic() + SETTLED_WITHIN
    while scene.log.open_claims() and time.monotonic() < end:
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
