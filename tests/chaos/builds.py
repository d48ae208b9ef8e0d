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

from collections_app.audit.log import Outcome
from collections_app.management.commands import reconcile_operations
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import OutcomeUnknown
from collections_app.milvus.types import Identity
from collections_app.models import BinItem, ItemState, Plan
from collections_app.operations import bin_moves, protocol, reconcile, sending, strict
from collections_app.operations.kinds.move_to_bin import MoveToBin
from collections_app.plans import running
from collections_app.recycle_bin import purging

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


# --- the recycle bin ------------------------------------------------------------------------------


def purged_before_its_day() -> None:
    """The bin purges what it has, whatever its retention says."""
    purging.due = lambda: list(BinItem.objects.all())
    purging._has_been_there = lambda item: True


def restored_by_name() -> None:
    """A restore succeeded when anything has the name: a namesake, too."""
    bin_moves.OutOfBin.is_done = lambda self: bool(  # type: ignore[method-assign]
        self.milvus.gateway.collection_identity(self.target.database, self.new_name)
    )


def moved_and_not_kept() -> None:
    """What went into the bin is not in its index."""
    MoveToBin.on_success = lambda self, operation_id: None  # type: ignore[method-assign]


def namesakes_left() -> None:
    """A namesake that was caught on the way into the bin keeps its private name."""
    bin_moves.IntoBin.find_orphan = lambda self: None  # type: ignore[method-assign]
    strict.restore_name = lambda quarantine, renamed: "Its original name was restored"


# --- plans ----------------------------------------------------------------------------------------


def left_over_called_done() -> None:
    """What a killed worker left is called done, without a look."""

    def call_done(plan: Plan, caller: Any) -> None:
        for item in plan.items.filter(state=ItemState.RUNNING):
            running._end_item(plan, item, Outcome.SUCCEEDED, "", caller)

    running._settle_left_over = call_done


def cancelled_and_taken() -> None:
    """A worker takes items whatever the plan's state is."""
    running._hold_running = lambda plan, ticket, now: True


BUILDS: dict[str, Callable[[], None]] = {
    build.__name__: build
    for build in (
        outcome_without_read_back,
        sent_again,
        not_compared,
        intent_after_the_call,
        age_by_the_clock,
        renamed_and_not_compared,
        orphans_left,
        purged_before_its_day,
        restored_by_name,
        moved_and_not_kept,
        namesakes_left,
        left_over_called_done,
        cancelled_and_taken,
    )
}


def prepare(*, settler: bool = False) -> None:
    """The stops, and what CHAOS_BUILD names."""
    points.install(settler=settler)
    if build := os.environ.get("CHAOS_BUILD"):
        BUILDS[build]()
