"""Sixteen processes write ten thousand events: no gap, no deadlock, and how many a second.

Ends with an error if an event is lost, the chain does not verify, or a writer hangs.
"""

import os
import subprocess
import sys
import time
from itertools import pairwise

from .application import application
from .figures import noted
from .measure import rounds
from .places import Place

WRITERS, EVENTS = 16, 10_000
LONGEST = 600  # seconds; a writer that needs more is in a deadlock
WRITE = """
import sys, django
django.setup()
from collections_app import audit, verification
from collections_app.access.principals import Actor, Caller, Origin
from django.db import connection
actor = Actor(issuer="bench", subject=sys.argv[2], display="Writer " + sys.argv[2])
connection.ensure_connection()
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(sys.argv[1])):
    audit.write(audit.Entry(phase=audit.Phase.REJECTED, action="collection.drop",
        caller=Caller(actor, Origin(interface="cli")), outcome=audit.Outcome.DENIED,
        message=f"{sys.argv[2]}/{number}"))
"""


def main() -> None:
    share = rounds(EVENTS) // WRITERS
    with application([Place(1, "http://127.0.0.1:1")]):  # nobody there, and nobody asks
        from django.db import connection

        from collections_app.audit import verify

        before = verify.verify().checked
        seconds = _write(share)
        verdict = verify.verify()
        assert _changes_of_writer() > WRITERS, "they wrote one after the other, not at once"
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
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    try:
        failed = [writer for writer in writers if writer.wait(LONGEST)]
    finally:
        for writer in writers:
            writer.kill()
    assert not failed, f"{len(failed)} writers failed"
    return time.perf_counter() - began


def _changes_of_writer() -> int:
    """How often an event is by another writer than the one before it."""
    from collections_app.models import AuditEvent

    actors = list(AuditEvent.objects.order_by("sequence").values_list("actor", flat=True))
    return sum(one != two for one, two in pairwise(actors))


if __name__ == "__main__":
    main()
