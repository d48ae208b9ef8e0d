"""The background process: tasks in slices, two workers, and workers that are killed."""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from django.core.management import call_command
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.audit import log
from collections_app.audit.log import Outcome
from collections_app.models import AuditEvent, ItemState, Plan, PlanState
from collections_app.operations import sending
from collections_app.operations.claims import last_outcome, record_outcome
from collections_app.operations.sending import follow_up
from collections_app.plans import building, deciding, running, tasks
from collections_app.plans.rows import confirmation_of
from tests.fakes import Lost
from tests.fixtures import let_time_pass
from tests.infra.chain import Chain
from tests.infra.relay import Failure
from tests.infra.waiting import until
from tests.operations.conftest import Shell, shell_behind
from tests.plans.conftest import caller, confirm, plan_for, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
DONE, TODO, RUNNING = ItemState.DONE, ItemState.TODO, ItemState.RUNNING


@pytest.fixture
def shell(chain: Chain, transactional_db: None, tmp_path: Path) -> Shell:
    return shell_behind(chain, tmp_path)


@contextmanager
def worker(shell: Shell) -> Iterator["subprocess.Popen[str]"]:
    """`manage.py run_plans`; told to stop, it has to end well."""
    with shell.start("run_plans", "--every", "0.1") as process:
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)
        finally:
            if process.poll() is None:
                process.kill()
    assert process.returncode == 0


def is_over(plan: Plan) -> bool:
    plan.refresh_from_db()
    return plan.state == PlanState.DONE


def an_hour_later(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can be carrying out what is in progress any more."""
    plan.items.filter(state=RUNNING).update(taken_at=timezone.now() - timedelta(hours=1))
    let_time_pass(monkeypatch)


def intents() -> int:
    return AuditEvent.objects.filter(phase="intent").count()


def test_worker_reads_and_runs_a_plan(faulty: Any, shell: Shell, make_collection: Any) -> None:
    names = [make_collection() for _ in range(3)]
    pairs = [(name, name) for name in names]
    plan = building.create(Action.DROP_COLLECTION, "main", "default", pairs, caller())
    tasks.ring(plan)
    with worker(shell):
        until(lambda: Plan.objects.get(pk=plan.pk).state == PlanState.DRAFT)
        plan.refresh_from_db()
        tasks.ring(confirm(plan))
        until(lambda: is_over(plan))
    assert states(plan) == [DONE] * 3
    assert not any(map(make_collection.exists, names))


def test_two_workers_drop_each_item_once(
    faulty: Any, chain: Chain, shell: Shell, confirmed: Callable[..., Plan]
) -> None:
    plans = [confirmed(4), confirmed(4, at_once=4)]
    with worker(shell), worker(shell):
        for plan in plans * 2:  # a second task for each, as after a stall
            tasks.ring(plan)
        for plan in plans:
            until(lambda plan=plan: is_over(plan), 60)
    assert states(plans[0]) == states(plans[1]) == [DONE] * 4
    assert chain.relay.count("DropCollection") == intents() == 8


@contextmanager
def killed_at(chain: Chain, shell: Shell, rpc: str, *, done: bool) -> Iterator[None]:
    """SIGKILL to a worker while that request is held at Milvus' door."""
    arrived, killed = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        killed.wait(60)
        if not done:
            raise Failure(grpc.StatusCode.UNAVAILABLE, "never forwarded")

    (chain.relay.after if done else chain.relay.before)(rpc, hold)
    with shell.start("run_plans", "--every", "0.1") as process:
        try:
            assert arrived.wait(30), process.communicate(timeout=5)
        finally:
            process.kill()
            process.wait(10)
            killed.set()
    yield


@pytest.mark.parametrize(
    ("rpc", "done", "first"),
    [
        ("DescribeCollection", False, DONE),  # marked, no intent: taken back, then dropped
        ("DropCollection", False, ItemState.FAILED),  # sent, and lost on the way
        ("DropCollection", True, DONE),  # dropped, no outcome recorded
    ],
    ids=["marked", "sent", "dropped"],
)
def test_worker_killed_is_continued_where_it_was(
    faulty: Any,
    chain: Chain,
    shell: Shell,
    confirmed: Callable[..., Plan],
    monkeypatch: pytest.MonkeyPatch,
    rpc: str,
    done: bool,
    first: ItemState,
) -> None:
    plan = confirmed(3)
    tasks.ring(plan)
    with killed_at(chain, shell, rpc, done=done):
        assert states(plan) == [RUNNING, TODO, TODO]
    an_hour_later(plan, monkeypatch)
    running.work(plan, seconds=60)
    assert is_over(plan)
    assert states(plan) == [first, DONE, DONE]
    assert chain.relay.count("DropCollection") == intents() == 3


class Killed(BaseException):
    """SIGKILL: nothing of the process goes on."""


def test_worker_killed_between_intent_and_sending_goes_on(
    faulty: Any,
    chain: Chain,
    confirmed: Callable[..., Plan],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = confirmed(2)

    def die(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(sending, "_last_check", die)
        running.work(plan, seconds=60)
    assert states(plan) == [RUNNING, TODO]
    assert intents() == 1
    an_hour_later(plan, monkeypatch)
    running.work(plan, seconds=60)
    assert states(plan) == [ItemState.FAILED, DONE]
    assert chain.relay.count("DropCollection") == 1


# --- tasks --------------------------------------------------------------------------------------


def test_task_with_an_old_ticket_does_nothing(fake: Any) -> None:
    plan = building.create(Action.DROP_COLLECTION, "main", "default", [("a", "a")], caller())
    tasks.ring(plan)
    tasks.ring(plan)
    assert tasks.work_on_plan.call(plan.pk, 1) == "another task works on it"
    assert tasks.work_on_plan.call(plan.pk, 2) == PlanState.DRAFT


def test_item_done_late_by_milvus_is_told_as_done(fake: Any) -> None:
    plan = confirm(plan_for([fake.add("a")]))
    fake.next_act = Lost.UNDONE
    running.work(plan, seconds=10)
    settled = confirmation_of(plan, plan.items.get())
    assert record_outcome(settled, Outcome.FAILED, "still there", caller(), {})
    tasks.wake()
    assert states(plan) == [ItemState.FAILED]
    last = last_outcome(settled.operation_id)
    assert last
    follow_up(last, settled.target, Outcome.SUCCEEDED, "it came late", caller())
    tasks.wake()
    assert states(plan) == [ItemState.DONE]


@pytest.mark.parametrize("minutes", [-1, 10], ids=["long ago", "before the clock was set back"])
def test_plan_without_work_for_long_is_woken(fake: Any, minutes: int) -> None:
    fake.add("a")
    plan = building.create(Action.DROP_COLLECTION, "main", "default", [("a", "a")], caller())
    tasks.wake()
    call_command("run_plans", "--once")
    assert states(plan) == [ItemState.UNREAD]
    Plan.objects.update(worked_at=timezone.now() + timedelta(minutes=minutes))
    call_command("run_plans", "--once")
    assert states(plan) == [TODO]


def test_worker_told_to_stop_takes_no_further_item(
    fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [(fake.add(name), name) for name in ("a", "b")]
    plan = building.create(Action.DROP_COLLECTION, "main", "default", names, caller())
    building.read_items(plan)
    confirm(plan)
    carry_out = running._carry_out

    def last(*args: Any) -> None:
        running.stopping.set()
        carry_out(*args)

    monkeypatch.setattr(running, "_carry_out", last)
    running.work(plan, seconds=60)
    running.stopping.clear()
    assert states(plan) == [DONE, TODO]


def test_worker_with_a_failing_database_goes_on(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = building.create(Action.DROP_COLLECTION, "main", "default", [("a", "a")], caller())
    tasks.ring(plan)

    def fail(*_: Any, **__: Any) -> None:
        raise log.LogUnwritable("OperationalError")

    monkeypatch.setattr(building, "read_items", fail)
    call_command("run_plans", "--once")
    monkeypatch.undo()
    plan.refresh_from_db()
    assert plan.state == PlanState.READING


def test_plan_cancelled_is_not_worked_on(fake: Any) -> None:
    fake.add("a")
    plan = building.create(Action.DROP_COLLECTION, "main", "default", [("a", "a")], caller())
    building.read_items(plan)
    tasks.ring(confirm(plan))
    deciding.cancel(plan, caller())
    call_command("run_plans", "--once")
    assert states(plan) == [TODO]
    assert fake.sent == []
