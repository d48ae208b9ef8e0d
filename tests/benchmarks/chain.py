"""Sixteen processes write ten thousand events: no gap, no deadlock, and how many a second.

Ends with an error if an event is lost, or the chain does not verify.
"""

import os
import subprocess
import sys
import time

from .application import application
from .figures import noted
from .measure import rounds
from .places import Place

WRITERS, EVENTS = 16, 10_000
WRITE = """
import sys, django
django.setup()
from collections_app import audit
from collections_app.actors import Actor, Origin
from django.db import connection
actor = Actor(issuer="bench", subject=sys.argv[2], display="Writer " + sys.argv[2])
connection.ensure_connection()
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[1])):
    audit.write(audit.Entry(phase=audit.Phase.REFUSED, action="collection.drop",
        actor=actor, origin=Origin(interface="cli"), outcome=audit.Outcome.DENIED,
        message=f"{sys.argv[2]}/{number}"))
"""


def main() -> None:
    share = rounds(EVENTS) // WRITERS
    with application([Place(1, "http://127.0.0.1:1")]):  # nobody there, and nobody asks
        from django.db import connection

        from collections_app import audit

        before = audit.verify().checked
        seconds = _write(share)
        verdict = audit.verify()
        assert not verdict.broken, verdict.broken
        assert verdict.checked - before == share * WRITERS, "events were lost"
        assert verdict.last_sequence == verdict.checked, "there is a gap"
        vendor = connection.vendor
    noted(f"events per second, 16 writers, {vendor}", share * WRITERS, share * WRITERS / seconds)


def _write(share: int) -> float:
    """Seconds from the moment all of them may begin."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITE, str(share), str(number)],
            env=dict(os.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WRITERS)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    began = time.perf_counter()
    for writer in writers:
        writer.communicate("\n")
    failed = [writer.returncode for writer in writers if writer.returncode]
    assert not failed, f"{len(failed)} writers failed"
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
