"""What the page of an open operation says about time, and what came before and after one."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.audit import log, queries
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.health import heartbeat
from collections_app.milvus.types import Kind, Target
from collections_app.models import BinItem, Claim, SendProgress, TaskRun
from collections_app.operations.deadlines import clock_stamp
from collections_app.web import related
from collections_app.web.live import Live, live
from tests.fakes import FakeMilvus
from tests.fixtures import caller

pytestmark = pytest.mark.django_db
ADDRESS = "http://127.0.0.1:1"


def begin(
    action: Action = Action.DROP_COLLECTION,
    kind: Kind = Kind.COLLECTION,
    name: str = "book",
    *,
    operation_id: uuid.UUID | None = None,
    **more: Any,
) -> uuid.UUID:
    """An intent in the log; its id comes back."""
    operation_id = operation_id or uuid.uuid4()
    target = Target(cluster="main", database="default", kind=kind, collection="book", name=name)
    details = {"identity": {"id": 7}, "endpoint": ADDRESS, "snapshot": {}, **more}
    log.write(
        Entry(
            phase=Phase.INTENT,
            action=action,
            caller=caller(),
            operation_id=operation_id,
            target=target.as_dict(),
            details=details,
        )
    )
    return operation_id


def opened(progress: SendProgress = SendProgress.REQUEST, **more: Any) -> Live | None:
    operation_id = begin(**more)
    Claim.objects.create(
        target=operation_id.hex,
        operation_id=operation_id,
        cluster="main",
        actor_display="Ada",
        claimed_at=timezone.now() - timedelta(minutes=more.get("minutes", 0)),
        progress=progress,
    )
    found = queries.story(operation_id)
    assert found
    return live(found)


@pytest.mark.parametrize("progress", SendProgress)
def test_live_of_a_running_operation_waits_for_its_process(
    fake: FakeMilvus, use_cluster: Callable[..., Any], progress: SendProgress
) -> None:
    use_cluster(ADDRESS, drop_timeout=10.0, unknown_timeout=60.0)
    shown = opened(progress)
    assert shown
    assert shown.can_be_asked
    assert "the process that sent it may still run" in shown.asked
    assert "at the latest, if Milvus answers then." in shown.closes


def test_live_of_a_late_operation_closes_with_the_next_answer(
    fake: FakeMilvus, use_cluster: Callable[..., Any]
) -> None:
    use_cluster(ADDRESS)
    stamp = clock_stamp()
    shown = opened(minutes=6, clock={**stamp, "uptime": stamp["uptime"] - 3600})
    assert shown
    assert shown.asked.endswith("This page asks every 15 s while it is open.")
    assert shown.closes == "With the next answer of Milvus."


def test_live_without_its_server_promises_nothing(
    fake: FakeMilvus, use_cluster: Callable[..., Any]
) -> None:
    use_cluster("http://127.0.0.1:2")
    shown = opened()
    assert shown == Live(can_be_asked=False, poll_seconds=15)


@pytest.mark.parametrize(
    ("minutes", "text"), [(None, "has never run"), (0, "asks every few seconds"), (9, "last ran")]
)
def test_live_says_when_the_background_process_ran(
    fake: FakeMilvus, use_cluster: Callable[..., Any], minutes: int | None, text: str
) -> None:
    use_cluster(ADDRESS)
    if minutes is not None:
        at = timezone.now() - timedelta(minutes=minutes)
        TaskRun.objects.create(name=heartbeat.RECONCILE, at=at, ok=True)
    shown = opened()
    assert shown
    assert text in shown.background


def test_live_of_a_closed_operation_is_none(fake: FakeMilvus) -> None:
    found = queries.story(begin())
    assert found
    assert live(found) is None


# --- before and after -----------------------------------------------------------------------------


def titles(operation_id: uuid.UUID, *, is_readable: bool = True) -> tuple[list[str], list[str]]:
    found = queries.story(operation_id)
    assert found
    before = related.before(found, lambda _: is_readable)
    after = related.after(found, lambda _: is_readable)
    return [step.title for step in before], [step.title for step in after]


def test_related_move_and_restore_lead_to_each_other(fake: FakeMilvus) -> None:
    moved = uuid.uuid4()
    private = f"_milvusadmin_bin_{moved.hex}"
    begin(Action.MOVE_TO_BIN, operation_id=moved, private_name=private)
    restored = begin(Action.RESTORE, Kind.BINNED, private, new_name="book_2")
    assert titles(moved) == ([], ["After: Restore collection book_2"])
    assert titles(restored) == (["Before: Move collection to the recycle bin"], [])
    assert titles(moved, is_readable=False) == titles(restored, is_readable=False) == ([], [])


def test_related_move_says_that_it_is_in_the_bin(fake: FakeMilvus) -> None:
    moved = uuid.uuid4()
    private = f"_milvusadmin_bin_{moved.hex}"
    begin(Action.MOVE_TO_BIN, operation_id=moved, private_name=private)
    BinItem.objects.create(
        operation_id=moved,
        cluster="main",
        database="default",
        name="book",
        private_name=private,
        collection_id=7,
        was_loaded=False,
        aliases=[],
        moved_at=timezone.now(),
        purge_at=timezone.now() + timedelta(days=7),
    )
    assert titles(moved) == ([], ["In the recycle bin"])


def test_related_drop_and_creation_lead_to_each_other(fake: FakeMilvus) -> None:
    dropped = begin()
    created = begin(Action.CREATE, Kind.NEW, str(dropped))
    assert titles(dropped) == ([], ["After: Re-create collection book"])
    assert titles(created) == (["Before: Drop collection"], [])


def test_related_plan_is_a_link_to_it(fake: FakeMilvus) -> None:
    found = queries.story(begin(plan={"plan": 3, "item": 2}))
    assert found
    (link,) = related.plan_link(found)
    assert (link.text, link.url) == ("Item 2 of plan 3", "/plans/3/")
    assert found.outcome is Outcome.UNKNOWN
