"""Stop points: the application halts at each step of the protocol until the fault was injected.

Also the clock of the application, which the attacker sets.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from collections_app.audit import log
from collections_app.audit.log import Entry, Phase
from collections_app.milvus.destroy import Destroyer
from collections_app.operations import protocol, reconcile
from collections_app.plans import running, tasks
from collections_app.recycle_bin import purging


def stop_at(point: str, name: str) -> None:
    """Say where we are. When this returns, what was to happen here has happened."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ["CHAOS_POINTS"])
        line.sendall(f"{point} {os.getpid()} {_backend()} {name}\n".encode())
        line.recv(1)


def _backend() -> int:
    """The process of the database that serves this thread, so that it can be cut off; 0 if none."""
    raw = connection.connection
    return raw.info.backend_pid if raw is not None and not raw.closed else 0


def install(*, settler: bool = False) -> None:
    """Put the stops into this process. The loop that settles has two of its own."""
    _set_the_clock()
    _around_append("settled" if settler else "outcome")
    _before(
        protocol, "perform", "begun", lambda confirmation, *_, **__: confirmation.target.collection
    )
    _before(protocol, "_intent", "claim", lambda case, *_: case.target.collection)
    _before(protocol, "send_once", "intended", lambda case, *_: case.target.collection)
    _before(Destroyer, "_send_once", "sending", lambda _, database, rpc, request, *names: names[0])
    _around_verify_and_record()
    _before(purging, "_purge", "due", lambda item: item.name)
    _before(tasks, "ring", "handed", lambda plan, **_: _first_item(plan))
    _before(running, "_carry_out", "taken", lambda plan, item, *_: item.collection)
    _before(running, "_end_item", "noted", lambda plan, item, *_: item.collection)
    _make_haste()
    if settler:
        _before(
            reconcile, "_certain_outcome", "settling", lambda intent, *_: intent.target.collection
        )


def _first_item(plan: Any) -> str:
    first = plan.items.order_by("position").first()
    return str(first.collection) if first else ""


def _make_haste() -> None:
    """What is tried again after long is tried again soon."""
    purging.RETRY_AFTER = timedelta(seconds=3)
    tasks.STALLED = timedelta(seconds=4)


def _before(owner: Any, function: str, point: str, name_in: Callable[..., str]) -> None:
    original = getattr(owner, function)

    def stopping(*args: Any, **named: Any) -> Any:
        stop_at(point, name_in(*args, **named))
        return original(*args, **named)

    setattr(owner, function, stopping)


def _around_verify_and_record() -> None:
    original = protocol.verify_and_record

    def stopping(case: Any, answer: Any) -> Any:
        stop_at("answered", case.target.collection)
        outcome = original(case, answer)
        stop_at("recorded", case.target.collection)
        return outcome

    protocol.verify_and_record = stopping


def _around_append(outcome: str) -> None:
    """In the transaction: the event is there, and not committed."""
    append, points = log.append, {Phase.INTENT: "intent", Phase.OUTCOME: outcome}

    def stopping(entry: Entry, *head: Any) -> Any:
        event = append(entry, *head)
        if point := points.get(entry.phase):
            stop_at(point, (entry.target or {}).get("collection", ""))
        return event

    log.append = stopping


def _set_the_clock() -> None:
    now, hand = timezone.now, Path(os.environ["CHAOS_CLOCK"])

    def jumping() -> Any:
        return now() + timedelta(seconds=float(hand.read_text() or 0))

    timezone.now = jumping
