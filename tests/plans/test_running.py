"""Carrying out a plan on a real Milvus: each item once, and what stops it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import DatabaseError

from collections_app import clusters
from collections_app.audit import log
from collections_app.audit.log import Entry, LogUnwritable, Outcome, Phase
from collections_app.milvus.errors import MilvusError
from collections_app.models import AuditEvent, Claim, ItemState, Plan, PlanState
from collections_app.operations.reconcile import settle
from collections_app.plans import deciding, running, tasks
from collections_app.plans.rows import PlanRejected
from tests.fixtures import actor, rule
from tests.infra.chain import Chain
from tests.infra.waiting import until
from tests.operations.conftest import UNREADABLE, at_once, read_only_database, refused_events
from tests.plans.conftest import caller, confirm, plan_for, states

pytestmark = [pytest.mark.django_db(transaction=True)]

DONE, TODO, RUNNING = ItemState.DONE, ItemState.TODO, ItemState.RUNNING
DROP = "DropCollection"


def run(plan: Plan, seconds: float = 60) -> None:
    running.work(plan, seconds=seconds)
    plan.refresh_from_db()


def answers() -> bool:
    try:
        return bool(clusters.get("main").gateway.server())
    except MilvusError:
        return False


def intents() -> list[Any]:
    events = AuditEvent.objects.filter(phase="intent").order_by("sequence")
    return [json.loads(event.record) for event in events]


@pytest.mark.both_databases
@pytest.mark.parametrize("side_by_side", [1, 4])
def test_plan_run_drops_every_item_once(
    real: Any, confirmed: Callable[..., Plan], make_collection: Any, side_by_side: int
) -> None:
    plan = confirmed(5, at_once=side_by_side)
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.DONE, [DONE] * 5)
    assert not any(make_collection.exists(item.name) for item in plan.items.all())
    wanted = {str(id_) for id_ in plan.items.values_list("operation_id", flat=True)}
    assert {intent["operation_id"] for intent in intents()} == wanted
    assert len(intents()) == 5


def test_item_is_noted_in_the_transaction_of_its_outcome(
    real: Any, confirmed: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = confirmed(1)

    def fail(*_: Any) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(running, "_end_item", fail)
    with pytest.raises(LogUnwritable):
        run(plan)
    assert not AuditEvent.objects.filter(phase="outcome").exists()
    assert (states(plan), Claim.objects.count()) == ([RUNNING], 1)


def test_intent_of_an_item_names_its_plan(real: Any, confirmed: Callable[..., Plan]) -> None:
    plan = confirmed(1)
    run(plan)
    (intent,) = intents()
    part = intent["details"]["plan"]
    assert (part["plan"], part["item"]) == (plan.pk, 1)
    assert part["confirmed_at"] == plan.confirmed_at.isoformat()
    assert intent["details"]["reason"] == "tidy up"
    assert intent["origin"]["interface"] == "plan"


def test_plan_end_is_an_event_with_its_counts(real: Any, confirmed: Callable[..., Plan]) -> None:
    plan = confirmed(2)
    run(plan)
    events = AuditEvent.objects.filter(phase="plan").order_by("sequence")
    assert [event.action for event in events] == ["plan.create", "plan.confirm", "plan.done"]
    assert json.loads(events[2].record)["details"]["counts"] == {"done": 2}


def test_item_replaced_since_is_skipped_and_the_rest_done(
    real: Any, confirmed: Callable[..., Plan], make_collection: Any
) -> None:
    plan = confirmed(3)
    second = plan.items.get(position=2).name
    make_collection.server.client().drop_collection(second)
    make_collection(second)
    run(plan)
    assert states(plan) == [DONE, ItemState.SKIPPED, DONE]
    assert make_collection.exists(second)


def test_item_with_an_alias_since_is_refused_and_the_rest_done(
    real: Any, confirmed: Callable[..., Plan], make_collection: Any, unique: Any
) -> None:
    plan = confirmed(2)
    first, alias = plan.items.get(position=1).name, unique("alias")
    client = make_collection.server.client()
    client.create_alias(first, alias)
    run(plan)
    assert states(plan) == [ItemState.REFUSED, DONE]
    client.drop_alias(alias)
    assert make_collection.exists(first)


def test_item_whose_permission_is_lost_since_is_refused(
    real: Any, confirmed: Callable[..., Plan], settings: Any
) -> None:
    plan = confirmed(2)
    kept = plan.items.get(position=2).name
    settings.ACCESS = (
        rule("operator", "view"),
        rule("operator", "drop", collections=(kept,)),
    )
    run(plan)
    assert states(plan) == [ItemState.REFUSED, DONE]


@pytest.mark.parametrize(
    ("action", "groups", "state"),
    [
        ("session.ended", ("operator",), PlanState.PAUSED),
        ("session.groups", (), PlanState.PAUSED),
        ("session.groups", ("operator",), PlanState.DONE),
        ("session.refused", (), PlanState.DONE),
    ],
)
def test_plan_of_a_signed_out_user_is_paused(
    fake: Any, action: str, groups: tuple[str, ...], state: PlanState
) -> None:
    plan = confirm(plan_for([fake.add("a")]))
    session = Entry(phase=Phase.SESSION, action=action, caller=caller(actor(groups=groups)))
    log.write(session)
    run(plan)
    assert plan.state == state


def test_unknown_outcome_pauses_the_plan(
    faulty: Any, chain: Chain, confirmed: Callable[..., Plan]
) -> None:
    plan = confirmed(3)
    chain.relay.answer(DROP, lambda _: UNREADABLE)
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.PAUSED, [ItemState.UNKNOWN, TODO, TODO])
    assert len(intents()) == 1
    with pytest.raises(PlanRejected, match="still unknown"):
        deciding.resume(plan, caller())


def test_resume_after_the_unknown_is_settled_does_the_rest(
    faulty: Any, chain: Chain, confirmed: Callable[..., Plan], use_cluster: Any, impatient: Any
) -> None:
    plan = confirmed(3)
    chain.relay.answer(DROP, lambda _: UNREADABLE)
    run(plan)
    chain.relay.forward(DROP)
    impatient()
    first = plan.items.get(position=1).operation_id
    until(lambda: settle(first, caller(actor("settler"))) is Outcome.FAILED)
    running.follow(plan)
    use_cluster(chain.uri, chain.token)
    deciding.resume(plan, caller())
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.DONE, [ItemState.FAILED, DONE, DONE])
    assert chain.relay.count(DROP) == 3


def test_milvus_down_pauses_the_plan_and_sends_nothing(
    faulty: Any, chain: Chain, confirmed: Callable[..., Plan]
) -> None:
    plan = confirmed(2)
    chain.proxy.refuse()
    run(plan)
    chain.proxy.ok()
    until(answers)
    assert (plan.state, states(plan)) == (PlanState.PAUSED, [TODO, TODO])
    assert intents() == []
    deciding.resume(plan, caller())
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.DONE, [DONE, DONE])


@pytest.mark.parametrize("decide", [deciding.pause, deciding.cancel])
def test_pause_and_cancel_take_effect_before_the_next_item(
    faulty: Any, chain: Chain, confirmed: Callable[..., Plan], decide: Any
) -> None:
    plan = confirmed(3)
    chain.relay.before(DROP, lambda: decide(Plan.objects.get(pk=plan.pk), caller()))
    run(plan)
    assert states(plan) == [DONE, TODO, TODO]
    assert chain.relay.count(DROP) == 1


def test_two_workers_on_one_plan_take_each_item_once(
    faulty: Any, chain: Chain, confirmed: Callable[..., Plan]
) -> None:
    plan = confirmed(6, at_once=2)
    raised = at_once(*[lambda: run(Plan.objects.get(pk=plan.pk))] * 3)
    assert raised == [None] * 3
    plan.refresh_from_db()
    assert (plan.state, states(plan)) == (PlanState.DONE, [DONE] * 6)
    assert chain.relay.count(DROP) == 6
    assert len(intents()) == 6


@pytest.mark.parametrize("taken", [2000, 2100])
def test_item_taken_back_cannot_be_sent_any_more(
    real: Any, confirmed: Callable[..., Plan], make_collection: Any, taken: int
) -> None:
    """A process is suspended after it took the item, and resumes when the plan is cancelled.

    2100: the clock was wrong then, and was set back.
    """
    plan = confirmed(1)
    item = running.take(plan)
    assert item
    deciding.cancel(plan, caller())
    plan.items.update(taken_at=plan.created_at.replace(year=taken))
    run(plan)
    assert states(plan) == [TODO]
    running._carry_out(plan, item, caller())
    assert make_collection.exists(item.name)
    assert intents() == []


def test_plan_with_an_unwritable_log_sends_nothing_and_goes_on(
    real: Any, confirmed: Callable[..., Plan], use_cluster: Any, make_collection: Any
) -> None:
    plan = confirmed(2)
    with refused_events("intent"), pytest.raises(running.LogUnwritable):
        run(plan)
    assert states(plan) == [RUNNING, TODO]
    assert make_collection.exists(plan.items.get(position=1).name)
    plan.items.filter(state=RUNNING).update(taken_at=plan.created_at.replace(year=2000))
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.DONE, [DONE, DONE])


def test_outcome_unrecorded_is_settled_and_never_resent(
    faulty: Any, chain: Chain, confirmed: Callable[..., Plan], use_cluster: Any, impatient: Any
) -> None:
    plan = confirmed(2)
    with refused_events("outcome"), pytest.raises(running.LogUnwritable):
        run(plan)
    assert states(plan) == [RUNNING, TODO]
    run(plan)  # a living process might still be at it
    assert states(plan) == [RUNNING, TODO]
    impatient()
    until(lambda: running.work(plan, seconds=0) or states(plan) == [DONE, TODO])
    use_cluster(chain.uri, chain.token)
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.DONE, [DONE, DONE])
    assert chain.relay.count(DROP) == 2


def test_read_only_database_takes_no_item(real: Any, confirmed: Callable[..., Plan]) -> None:
    plan = confirmed(1)
    with read_only_database(), pytest.raises(Exception, match=r"(?i)read.?only"):
        run(plan)
    assert states(plan) == [TODO]


def test_drops_per_hour_reached_pauses_the_plan(
    real: Any, confirmed: Callable[..., Plan], settings: Any
) -> None:
    plan = confirmed(3)
    main = clusters.get("main").cluster
    settings.CLUSTERS = {"main": replace(main, drops_per_hour=2)}
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.PAUSED, [DONE, DONE, TODO])
    assert "drops_per_hour" in plan.why
    refused = AuditEvent.objects.filter(phase="rejected", outcome="denied")
    assert refused.count() == 1


def test_plan_over_drops_per_hour_is_refused(
    real: Any, make_collection: Any, settings: Any
) -> None:
    main = clusters.get("main").cluster
    settings.CLUSTERS = {"main": replace(main, drops_per_hour=1)}
    with pytest.raises(PlanRejected, match="drops_per_hour leaves you 1"):
        confirm(plan_for([make_collection(), make_collection()]))
    refused = AuditEvent.objects.filter(phase="rejected", action="plan.confirm")
    assert refused.count() == 1


def test_unexpected_error_fails_the_item_and_the_rest_is_done(
    fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = confirm(plan_for([fake.add("a"), fake.add("b")]))
    perform = running.perform

    def stumble(confirmation: Any, *args: Any, **kwargs: Any) -> Any:
        if confirmation.target.name == "a":
            raise ValueError("a bug")
        return perform(confirmation, *args, **kwargs)

    monkeypatch.setattr(running, "perform", stumble)
    run(plan)
    assert (plan.state, states(plan)) == (PlanState.DONE, [ItemState.FAILED, DONE])


def test_unconfigured_cluster_pauses_the_plan(fake: Any, settings: Any) -> None:
    plan = confirm(plan_for([fake.add("a")]))
    settings.CLUSTERS = {}
    tasks.ring(plan)
    plan.refresh_from_db()
    tasks.work_on_plan.call(plan.pk, plan.ticket)
    plan.refresh_from_db()
    assert (plan.state, states(plan)) == (PlanState.PAUSED, [TODO])
