"""The short form of `make chaos`: some operations, each with a fault, and no violation.

Each way is done, and each meets a fault: else its exit status is not 0.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.infra.gunicorn import ROOT

MUST_BE_ZERO = (
    "sent_without_intent",
    "sent_more_than_once",
    "dropped_another_than_shown",
    "without_final_outcome",
    "outcomes_not_as_milvus_shows",
    "private_names_left",
    "purged_early",
    "restored_wrong",
    "lost_in_bin",
    "plan_item_sent_twice",
    "plan_items_lost",
    "plan_ran_after_cancel",
    "broken_links",
    "events_lost",
)


# All of it once; then each skin once, and strict mode where what is missing has no code, each with
# the people whom it makes a difference to.
RUNS = {
    "plain": {},
    "strict": {"CHAOS_STRICT": "1", "CHAOS_CROWDS": "dropping,planning"},
    "v2518": {"SKIN": "v2518", "CHAOS_CROWDS": "dropping,releasing"},
    "v2620": {"SKIN": "v2620", "CHAOS_STRICT": "1", "CHAOS_CROWDS": "dropping,binning"},
    "v30": {"SKIN": "v30", "CHAOS_CROWDS": "releasing,binning"},
}


AT_ONCE = 3  # a run waits most of its time


def run(chosen: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "OPERATIONS": "40", "SEED": "7", "CHAOS_STRICT": "0", **chosen}
    return subprocess.run(
        [sys.executable, "-m", "tests.chaos"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def runs(milvus_server: object) -> Iterator[dict[str, "Future[subprocess.CompletedProcess[str]]"]]:
    """All of them, on one Milvus: each has a database of its own, and names of its own."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(run, chosen) for name, chosen in RUNS.items()}


@pytest.mark.parametrize("name", RUNS)
def test_chaos_run_repeats_loses_and_hides_nothing(runs: dict[str, Any], name: str) -> None:
    done = runs[name].result()
    assert done.stdout, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    broken = {name: counts[name] for name in MUST_BE_ZERO if counts[name]}
    assert not broken, f"{broken}\n{done.stderr[-5000:]}"
    assert done.returncode == 0
    assert counts["faulted"] >= 40
