"""`python -m tests.chaos.selftest`: whether each broken build is caught by the count it should be.

OPERATIONS and SEED as for the attack itself. Exit status 1 if one is not caught.
"""

import json
import os
import subprocess
import sys

CAUGHT_BY = {
    "outcome_without_read_back": "outcomes_not_as_milvus_shows",
    "sent_again": "sent_more_than_once",
    "not_compared": "dropped_another_than_shown",
    "intent_after_the_call": "sent_without_intent",
    "age_by_the_clock": "outcomes_not_as_milvus_shows",
    "renamed_and_not_compared": "window_hit",
    "orphans_left": "private_names_left",
}
FOCUS = {
    "age_by_the_clock": "clock",
    "renamed_and_not_compared": "replaced",
    "orphans_left": "late",
}
STRICT = {"renamed_and_not_compared", "orphans_left"}


def main() -> int:
    caught = [_caught(build, count) for build, count in CAUGHT_BY.items()]
    return int(not all(caught))


def _caught(build: str, count: str) -> bool:
    chosen = {"CHAOS_BUILD": build, "CHAOS_STRICT": str(int(build in STRICT))}
    chosen["CHAOS_FOCUS"] = FOCUS.get(build, "")
    environment = {"OPERATIONS": "300", **os.environ, **chosen}
    command = [sys.executable, "-m", "tests.chaos"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    counts = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    found = counts.get(count, 0)
    print(f"{build}\t{count}\t{found}\t{'caught' if found else 'NOT CAUGHT'}", flush=True)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
