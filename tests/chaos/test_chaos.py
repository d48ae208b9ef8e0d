"""The short form of `make chaos`: some operations, each with a fault, and nothing may be wrong."""

import json
import os
import subprocess
import sys

import pytest

from tests.infra.gunicorn import ROOT

MUST_BE_ZERO = (
    "sent_without_intent",
    "sent_more_than_once",
    "dropped_another_than_shown",
    "without_final_outcome",
    "outcomes_not_as_milvus_shows",
    "private_names_left",
    "broken_links",
    "events_lost",
)


@pytest.mark.parametrize("strict", ["0", "1"], ids=["plain", "strict"])
def test_nothing_twice_nothing_unrecorded_nothing_lost(milvus_server: object, strict: str) -> None:
    environment = {**os.environ, "OPERATIONS": "40", "SEED": "7", "CHAOS_STRICT": strict}
    command = [sys.executable, "-m", "tests.chaos"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])
    assert {name: counts[name] for name in MUST_BE_ZERO} == dict.fromkeys(MUST_BE_ZERO, 0)
    assert done.returncode == 0
    assert counts["faulted"] >= 40
    assert counts["answers"].get("done", 0) > 0
