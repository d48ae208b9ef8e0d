"""The application with the attacker's stops in it. To show that the checker sees it, also with one
promise broken. Never deployed.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

import milvusadmin.wsgi  # noqa: F401 - first: it sets Django up

# isort: split
from django.utils import timezone

from collections_app.management.commands import reconcile_operations
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import OutcomeUnknown
from collections_app.milvus.types import Identity
from collections_app.operations import protocol, reconcile, sending, strict

from . import points


def outcome_without_read_back() -> None:
    """An outcome is recorded without a read-back."""
    sending._read_back = lambda case, attempts: (True, "")


def sent_again() -> None:
    """As pymilvus does: a request without an answer is sent once more."""
    send_once = Destroyer._send_once

    def send(self: Destroyer, *args: Any) -> None:
        try:
            send_once(self, *args)
        except OutcomeUnknown:
            send_once(self, *args)

    Destroyer._send_once = send  # type: ignore[method-assign]


def not_compared() -> None:
    """What is there now is not compared with what was shown."""
    protocol._compare = lambda case, state: None


def intent_after_the_call() -> None:
    """The intent is committed when the request has been sent."""
    record, send, kept = protocol._record_intent, protocol.send_once, threading.local()

    def later(*args: Any) -> None:
        kept.args = args

    def send_first(*args: Any) -> Any:
        result = send(*args)
        record(*kept.args)
        return result

    protocol._record_intent, protocol.send_once = later, send_first
    sending._last_check = lambda case, read_deadline, progress: None


def age_by_the_clock() -> None:
    """How long ago an intent was is what the clock says, which may be set."""
    reconcile.age_of = lambda intent: timezone.now() - intent.recorded_at


def renamed_and_not_compared() -> None:
    """Strict mode drops what it renamed, whatever that was."""
    rename = strict._rename

    def renamed(quarantine: strict.Quarantine) -> Identity:
        rename(quarantine)
        return quarantine.identity

    strict._rename = renamed


def orphans_left() -> None:
    """Nobody looks for what a late rename left under a temporary name."""
    reconcile_operations.restore_orphans = lambda *who: []


BUILDS: dict[str, Callable[[], None]] = {
    "outcome_without_read_back": outcome_without_read_back,
    "sent_again": sent_again,
    "not_compared": not_compared,
    "intent_after_the_call": intent_after_the_call,
    "age_by_the_clock": age_by_the_clock,
    "renamed_and_not_compared": renamed_and_not_compared,
    "orphans_left": orphans_left,
}


def prepare(*, settler: bool = False) -> None:
    """The stops, and what CHAOS_BUILD names."""
    points.install(settler=settler)
    if build := os.environ.get("CHAOS_BUILD"):
        BUILDS[build]()
