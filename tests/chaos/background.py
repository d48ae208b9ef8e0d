"""`python -m tests.chaos.background`: the loops beside the application, with the attacker's stops.

Forked from a process that has loaded everything, so that one that was killed is back at once.
`python -m tests.chaos.background COMMAND …` runs one command without the stops.
"""

import os
import signal
import sys
import time
import traceback

from . import builds  # first: it sets Django up

# isort: split
from django.core.management import call_command

LOOPS = {
    "settling": ("reconcile_operations", "--loop", "--every", "0.5"),
    "purging": ("purge_recycle_bin", "--loop", "--every", "1"),
    "planning-1": ("run_plans", "--every", "0.5"),
    "planning-2": ("run_plans", "--every", "0.5"),
}


def keep_running() -> None:
    """Until SIGTERM, which the loops get, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    running: dict[int, str] = {}
    try:
        running |= {_forked(name): name for name in LOOPS}
        while True:
            name = running.pop(os.wait()[0])
            time.sleep(0.1)
            running[_forked(name)] = name
    finally:
        for process in running:
            os.kill(process, signal.SIGTERM)
        for process in running:
            os.waitpid(process, 0)


def _forked(name: str) -> int:
    """The process of that loop."""
    if process := os.fork():
        return process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        builds.prepare(settler=name == "settling")
        call_command(*LOOPS[name])
    except BaseException:
        traceback.print_exc()
    os._exit(1)


if __name__ == "__main__":
    if sys.argv[1:]:
        builds.prepare()
        call_command(*sys.argv[1:])
    else:
        keep_running()
