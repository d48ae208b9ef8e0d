"""`python -m tests.chaos.selftest`: whether each broken build is caught by the count it should be.

OPERATIONS and SEED as for the attack itself; BUILDS names some of them. Exit status 1 if one is
not caught.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Broken:
    """A build that breaks a promise: which count must say so, and what comes more often then."""

    build: str
    caught_by: str
    crowds: str = "dropping,releasing"
    focus: str = ""
    strict: bool = False


WRONG_OUTCOME = "outcomes_not_as_milvus_shows"
BROKEN = (
    Broken("outcome_without_read_back", WRONG_OUTCOME),
    Broken("sent_again", "sent_more_than_once"),
    Broken("not_compared", "dropped_another_than_shown"),
    Broken("intent_after_the_call", "sent_without_intent"),
    Broken("age_by_the_clock", WRONG_OUTCOME, focus="clock"),
    Broken("renamed_and_not_compared", "window_hit", "dropping", "replaced", strict=True),
    Broken("orphans_left", "private_names_left", "dropping", "late", strict=True),
    Broken("purged_before_its_day", "purged_early", "binning"),
    Broken("restored_by_name", "restored_wrong", "binning", "call/taken"),
    Broken("moved_and_not_kept", "lost_in_bin", "binning"),
    Broken("namesakes_left", "private_names_left", "binning", "call/replaced"),
    Broken("sent_again", "plan_item_sent_twice", "planning", "called/cut"),
    Broken("left_over_called_done", "plan_items_lost", "planning", "taken/kill"),
    Broken("cancelled_and_taken", "plan_ran_after_cancel", "planning"),
)


def main() -> int:
    chosen = os.environ.get("BUILDS", "").split()
    caught = [_caught(one) for one in BROKEN if not chosen or one.build in chosen]
    return int(not all(caught))


def _caught(one: Broken) -> bool:
    environment = {
        "OPERATIONS": "300" if one.crowds.startswith("dropping") else "60",
        **os.environ,
        "CHAOS_BUILD": one.build,
        "CHAOS_STRICT": str(int(one.strict)),
        "CHAOS_FOCUS": one.focus,
        "CHAOS_CROWDS": one.crowds,
    }
    command = [sys.executable, "-m", "tests.chaos"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    counts = json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else {}
    found = counts.get(one.caught_by, 0)
    verdict = "caught" if found else "NOT CAUGHT"
    print(f"{one.build}\t{one.caught_by}\t{found}\t{verdict}", flush=True)
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
