"""`python -m tests.chaos`: attack, let it settle, check. One JSON line; 1 if a count is not zero.

OPERATIONS and SEED choose how much and which; CHAOS_BUILD runs a build with a promise broken.
Milvus is the one of MILVUS_TEST_URI, PostgreSQL that of PGHOST.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.infra.faultproxy import FaultProxy
from tests.infra.gunicorn import ROOT, App, folder_for, gunicorn, local_session
from tests.infra.milvus_server import serve
from tests.infra.seeds import unique_name

from .log import FINAL, Log, Row, broken_links
from .operators import Operators
from .world import World

PEOPLE, NAMES = 4, 16
KEY = "chaos-only-" + "s3al" * 12
SETTLED_WITHIN = 120.0  # seconds
CONFIG = """
[clusters.main]
uri = "{uri}"
token = "{token}"
read_timeout = 0.5
drop_timeout = 0.5
settle_after = 0.5
pause = 0
at_once = 32
"""


def main() -> int:
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)  # "not found" is an answer here
    operations = int(os.environ.get("OPERATIONS") or 500)
    seed = int(os.environ.get("SEED") or 1)
    with serve() as server, _database() as url, contextlib.ExitStack() as stack:
        log = Log(url)
        world = stack.enter_context(World(server, log))
        proxy = stack.enter_context(FaultProxy("127.0.0.1", world.port))
        world.reset = proxy.cut
        stack.callback(world.seeds.clean)
        environment = _environment(stack, url, f"http://127.0.0.1:{proxy.port}", server.token)
        app = stack.enter_context(gunicorn(environment, module="tests.chaos.builds"))
        log.prepare()
        people = [local_session(app, f"p{n}", "operator", environment) for n in range(PEOPLE)]
        names = [unique_name("chaos") for _ in range(NAMES)]
        operators = Operators(world, f"http://{app.bind}", people, names)
        with _reconciling(app, environment):
            operators.work(operations, seed)
            _wait_until_settled(log)
        counts = _counts(world, operators, log, app)
    told = {"answers": dict(operators.answers), "struck": sum(world.struck.values())}
    print(json.dumps({"operations": operations, "seed": seed, **counts, **told}), flush=True)
    print(dict(sorted(world.struck.items())), file=sys.stderr)
    return int(any(count for name, count in counts.items() if name != "window_hit"))


def _counts(world: World, operators: Operators, log: Log, app: App) -> dict[str, int]:
    rows = log.rows()
    return {
        "sent_without_intent": world.without_intent,
        "sent_more_than_once": sum(count - 1 for count in world.sent.values()),
        "dropped_another_than_shown": operators.dropped_another,
        "window_hit": world.window,
        "without_final_outcome": len(_intents(rows).keys() - _outcomes(rows).keys()),
        "outcomes_not_as_milvus_shows": _wrong_outcomes(world, rows),
        "broken_links": broken_links(rows, KEY),
        "events_lost": _lost(rows, app.folder / "audit.jsonl"),
    }


def _intents(rows: list[Row]) -> dict[str, int]:
    """Which id each operation was about."""
    records = [row.record for row in rows]
    return {
        record["operation_id"]: int(record["details"]["identity"]["id"])
        for record in records
        if record["phase"] == "intent"
    }


def _outcomes(rows: list[Row]) -> dict[str, str]:
    """The final outcome of each operation that has one."""
    records = [row.record for row in rows]
    return {
        record["operation_id"]: record["outcome"]
        for record in records
        if record["phase"] == "outcome" and record["outcome"] in FINAL
    }


def _wrong_outcomes(world: World, rows: list[Row]) -> int:
    """Each id that was ever made is there, or exactly one operation dropped it."""
    intents, outcomes = _intents(rows), _outcomes(rows)
    there = {world.id_of(name) for name in set(world.made.values())}
    dropped = [intents[one] for one, outcome in outcomes.items() if outcome == "succeeded"]
    wrong = 0
    for made in world.made:
        times = dropped.count(made)
        gone = made not in there
        excused = made in world.behind  # somebody else may have been first
        wrong += times != gone if not excused else times > 1
    return wrong


def _lost(rows: list[Row], copy: Path) -> int:
    """Lines that were written after a commit, and are not in the log as they were."""
    known = {row.hash for row in rows}
    lines = [json.loads(line) for line in copy.read_text().splitlines()]
    return sum(line["hash"] not in known for line in lines)


def _wait_until_settled(log: Log) -> None:
    end = time.monotonic() + SETTLED_WITHIN
    while log.open_claims() and time.monotonic() < end:
        time.sleep(0.5)


# --- around it ------------------------------------------------------------------------------------


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


def _environment(stack: contextlib.ExitStack, url: str, uri: str, token: str) -> dict[str, str]:
    config = stack.enter_context(folder_for()) / "config.toml"
    config.write_text(CONFIG.format(uri=uri, token=token))
    build = os.environ.get("CHAOS_BUILD", "")
    return {
        "DATABASE_URL": url,
        "AUDIT_KEY": KEY,
        "SIGN_IN": "local",
        "LOOPBACK_ONLY": "1",
        "MILVUSADMIN_CONFIG": str(config),
        "CHAOS_BUILD": build,
    }


@contextlib.contextmanager
def _reconciling(app: App, environment: dict[str, str]) -> Iterator[None]:
    """The loop that settles, as it runs beside the application."""
    command = [sys.executable, "manage.py", "reconcile_operations", "--loop", "--every", "0.5"]
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    own = {
        "DATA_DIR": str(app.folder),
        "AUDIT_LOG_FILE": str(app.folder / "audit.jsonl"),
        "SECRET_KEY": "chaos-only-" + "k3y" * 15,
    }
    with (app.folder / "reconciling").open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=known | own | environment, stdout=output, stderr=output
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


if __name__ == "__main__":
    sys.exit(main())
