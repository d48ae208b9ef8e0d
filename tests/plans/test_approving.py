"""Two people and one plan: what an approval is bound to, and every way round it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.access.principals import Actor, Caller
from collections_app.audit import log
from collections_app.audit.log import Entry, LogUnwritable, Outcome, Phase
from collections_app.milvus.errors import Unreachable
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent, ItemState, Plan, PlanState, Protection
from collections_app.operations import confirmation, protocol
from collections_app.operations.kinds import OPERATIONS
from collections_app.plans import approving, deciding, running, tasks
from collections_app.plans.deciding import WrongSentence
from collections_app.plans.rows import PlanRejected, digest_of, to_do
from milvusadmin.sso.local import actor_from
from tests.fakes import FakeMilvus
from tests.fixtures import actor, rule
from tests.infra.chain import Chain
from tests.infra.waiting import until
from tests.operations.conftest import at_once, read_only_database
from tests.plans.conftest import caller, confirm, plan_for, states

pytestmark = [pytest.mark.django_db(transaction=True)]

ADA, BEN, CLEO = (actor(name, (name,)) for name in ("ada", "ben", "cleo"))
AWAITING, READY, EXPIRED = PlanState.AWAITING, PlanState.READY, PlanState.EXPIRED


@pytest.fixture(autouse=True)
def two_people(settings: Any) -> None:
    """Ada drops, Ben and Cleo approve; none of them does both."""
    settings.ACCESS = (
        rule("ada", "drop", "purge"),
        rule("ben", "approve"),
        rule("cleo", "approve"),
    )
    change_rule(settings)


def change_rule(settings: Any, **changes: Any) -> None:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {k: replace(c, **{"approvals": 1, **changes}) for k, c in found}


@pytest.fixture
def real_pair(use_cluster: Callable[..., Any], chain: Chain) -> Chain:
    """The application behind `chain`, where two people are needed."""
    use_cluster(chain.uri, chain.token, approvals=1)
    return chain


def requested(fake: FakeMilvus, *names: str) -> Plan:
    """A plan of Ada's that awaits approval."""
    for name in set(names) - set(fake.collections("default").names):
        fake.add(name)
    return confirm(plan_for(list(names), ADA), ADA)


def set_rows(fake: FakeMilvus, name: str, rows: int) -> None:
    fake._databases["default"].collections[name].partitions["_default"].rows = rows


def dropped(fake: FakeMilvus, name: str) -> None:
    del fake._databases["default"].collections[name]


def replaced(fake: FakeMilvus, name: str) -> None:
    dropped(fake, name)
    fake.add(name)


def approve(plan: Plan, who: Actor = BEN, typed: str = "") -> Plan:
    """As the page does: with what it shows, read afresh."""
    items = approving.sheet(plan).to_do
    sentence = deciding.sentence_for(plan, len(items))
    approving.approve(plan, typed or sentence, digest_of(plan, items), caller(who))
    return plan


def run(plan: Plan, who: Actor = ADA) -> Plan:
    typed, digest = deciding.sentence(plan), digest_of(plan, to_do(plan))
    approving.run(plan, typed, digest, caller(who))
    return plan


def work(plan: Plan) -> Plan:
    running.work(plan, seconds=60)
    plan.refresh_from_db()
    return plan


def asked(fake: FakeMilvus, name: str, action: Action = Action.DROP_COLLECTION) -> Plan:
    """Ada confirmed one drop in its dialog."""
    return approving.ask(consent(fake, name, action), caller(ADA), reason="old")


def consent(fake: Any, name: str, action: Action = Action.DROP_COLLECTION) -> Any:
    target = Target(
        cluster="main", database="default", kind=Kind.COLLECTION, collection=name, name=name
    )
    return confirmation.confirm(action, target, OPERATIONS[action].read_state(fake, target), ADA)


def recorded(action: str) -> list[dict[str, Any]]:
    events = AuditEvent.objects.filter(action=action).order_by("sequence")
    return [json.loads(event.record) for event in events]


# --- the road -----------------------------------------------------------------------------------


@pytest.mark.both_databases
def test_plan_of_two_people_is_dropped_after_all_three_steps(
    real_pair: Chain, make_collection: Any
) -> None:
    plan = confirm(plan_for([make_collection(), make_collection()], ADA), ADA)
    assert plan.state == AWAITING
    assert work(plan).state == AWAITING
    assert approve(plan).state == READY
    assert work(plan).state == READY
    assert work(run(plan)).state == PlanState.DONE
    assert not any(make_collection.exists(item.name) for item in plan.items.all())
    assert real_pair.relay.calls.count("DropCollection") == 2
    intent = recorded("collection.drop")[0]
    assert intent["actor"]["subject"] == "ada"
    assert intent["details"]["plan"]["approver"]["subject"] == "ben"


def test_approval_steps_are_recorded_with_both_people(fake: FakeMilvus) -> None:
    work(run(approve(requested(fake, "a"))))
    for action, who in (("plan.request", "ada"), ("plan.approve", "ben"), ("plan.run", "ada")):
        [event] = recorded(action)
        assert event["actor"]["subject"] == who
        assert event["details"]["requester"]["subject"] == "ada"
        if action != "plan.request":
            assert event["details"]["approver"]["subject"] == "ben"
        assert event["details"]["digest"]


def test_one_act_becomes_a_plan_of_one(fake: FakeMilvus) -> None:
    fake.add("books")
    plan = asked(fake, "books")
    assert (plan.state, plan.is_single, fake.sent) == (AWAITING, True, [])
    assert deciding.sentence(plan) == "books"
    assert work(run(approve(plan))).state == PlanState.DONE
    assert fake.sent == [("drop_collection", "default", "books")]


def test_one_act_that_is_asked_twice_is_one_plan(fake: FakeMilvus) -> None:
    fake.add("books")
    once = consent(fake, "books")
    plans = {approving.ask(once, caller(ADA)).pk for _ in range(2)}
    assert len(plans) == Plan.objects.count() == 1


@pytest.mark.both_databases
def test_one_act_that_is_asked_twice_at_once_is_one_plan(fake: FakeMilvus) -> None:
    fake.add("books")
    once = consent(fake, "books")
    plans = at_once(*[lambda: approving.ask(once, caller(ADA)).pk] * 4)
    assert len(set(plans)) == Plan.objects.count() == 1


def test_act_that_changed_since_its_dialog_asks_for_nothing(fake: FakeMilvus) -> None:
    fake.add("books")
    old = consent(fake, "books")
    replaced(fake, "books")
    with pytest.raises(PlanRejected, match="changed since you opened the dialog"):
        approving.ask(old, caller(ADA))
    assert not Plan.objects.exists()
    assert recorded("plan.request")[0]["outcome"] == Outcome.DENIED


def test_act_on_a_milvus_that_is_down_asks_for_nothing(fake: FakeMilvus) -> None:
    fake.add("books")
    old = consent(fake, "books")
    fake.unreachable = True
    with pytest.raises(Unreachable):
        approving.ask(old, caller(ADA))
    assert not Plan.objects.exists()


# --- no way round -------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [ADA, Caller.shell().actor], ids=["a person", "the shell"])
def test_protocol_refuses_what_nobody_approved(fake: FakeMilvus, who: Actor) -> None:
    fake.add("books")
    once = replace(consent(fake, "books"), actor_key=who.key)
    with pytest.raises(protocol.OperationRejected, match="needs the approval of a second person"):
        protocol.perform(once, caller(who))
    assert fake.sent == []
    assert recorded("collection.drop")[0]["outcome"] == Outcome.DENIED


def test_plan_that_ran_before_the_rule_sends_nothing_more(fake: FakeMilvus, settings: Any) -> None:
    change_rule(settings, approvals=0)
    plan = requested(fake, "a", "b")
    assert plan.state == PlanState.RUNNING
    change_rule(settings)
    work(plan)
    assert (states(plan), fake.sent) == ([ItemState.REFUSED] * 2, [])


def test_plan_set_to_running_by_hand_sends_nothing(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    Plan.objects.filter(pk=plan.pk).update(state=PlanState.RUNNING)
    plan.refresh_from_db()
    work(plan)
    assert (states(plan), fake.sent) == ([ItemState.REFUSED], [])


PEOPLE = {
    "the requester": ADA,
    "the requester with the permission": replace(ADA, groups=("ada", "ben")),
    "the requester by another method": replace(ADA, groups=("ben",), method="proxy"),
    "the requester's account elsewhere": replace(ADA, groups=("ben",), issuer="local"),
    "somebody without the permission": actor("dora", ("ada",)),
    "the shell": Caller.shell().actor,
}


@pytest.mark.parametrize("who", PEOPLE.values(), ids=PEOPLE)
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_decision_of_anybody_else_is_refused_and_recorded(
    fake: FakeMilvus, who: Actor, decision: str
) -> None:
    plan = requested(fake, "a")
    with pytest.raises(PlanRejected):
        approve(plan, who) if decision == "approve" else approving.reject(plan, "no", caller(who))
    plan.refresh_from_db()
    assert (plan.state, plan.approved_by) == (AWAITING, None)
    assert recorded(f"plan.{decision}")[0]["outcome"] == Outcome.DENIED


def test_author_can_not_approve_what_the_shell_asked_for(fake: FakeMilvus, settings: Any) -> None:
    settings.ACCESS = (rule("ada", "drop", "approve"),)
    plan = confirm(plan_for([fake.add("a")], ADA), Caller.shell().actor)
    with pytest.raises(PlanRejected, match="asked for themselves"):
        approve(plan, ADA)


@pytest.mark.parametrize("who", [BEN, actor("dora", ("ada",)), Caller.shell().actor], ids=str)
def test_approved_plan_run_by_another_user_is_refused(fake: FakeMilvus, who: Actor) -> None:
    plan = approve(requested(fake, "a"))
    with pytest.raises(PlanRejected, match="Only who asked for the approval can run this plan"):
        run(plan, who)
    plan.refresh_from_db()
    assert plan.state == READY
    assert recorded("plan.run")[0]["outcome"] == Outcome.DENIED


def test_approval_needs_the_permission_for_each_item(fake: FakeMilvus, settings: Any) -> None:
    settings.ACCESS = (rule("ada", "drop"), rule("ben", "approve", collections=("a",)))
    plan = requested(fake, "a", "b")
    with pytest.raises(PlanRejected, match="No rule grants this"):
        approve(plan)


def test_request_can_not_be_confirmed_again_nor_thinned_out(fake: FakeMilvus) -> None:
    plan = requested(fake, "a", "b")
    for change in (lambda: confirm(plan, ADA), lambda: deciding.take_out(plan, [1], caller(ADA))):
        with pytest.raises(PlanRejected):
            change()
    assert states(plan) == [ItemState.TODO] * 2


# --- at once, twice, late -----------------------------------------------------------------------


@pytest.mark.both_databases
def test_two_approvers_at_once_are_one_approval(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")

    def decide(who: Actor) -> str:
        try:
            approve(Plan.objects.get(pk=plan.pk), who)
        except PlanRejected as exc:
            return str(exc)
        return "approved"

    answers = at_once(lambda: decide(BEN), lambda: decide(CLEO))
    assert sorted(answers)[-1] == "approved"
    assert sorted(answers)[0] in {"The plan is approved already", "It is approved"}
    assert len([e for e in recorded("plan.approve") if not e["outcome"]]) == 1


@pytest.mark.both_databases
def test_approval_and_rejection_at_once_are_one_of_them(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    works = (
        lambda: approve(Plan.objects.get(pk=plan.pk), BEN),
        lambda: approving.reject(Plan.objects.get(pk=plan.pk), "in use", caller(CLEO)),
    )
    at_once(*[lambda work=work: _attempt(work) for work in works])
    plan.refresh_from_db()
    assert plan.state in {READY, PlanState.REJECTED}
    decided = AuditEvent.objects.filter(action__in=("plan.approve", "plan.reject"), outcome="")
    assert decided.count() == 1


def _attempt(work: Callable[[], Any]) -> None:
    try:
        work()
    except PlanRejected:
        return


def test_rejection_needs_a_reason_and_ends_the_plan(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    with pytest.raises(PlanRejected, match="Say why"):
        approving.reject(plan, "  ", caller(BEN))
    approving.reject(plan, "Still in use.", caller(BEN))
    assert (plan.state, plan.why) == (PlanState.REJECTED, "Rejected by Ben: Still in use")
    with pytest.raises(PlanRejected):
        approve(plan, CLEO)


def late(plan: Plan) -> None:
    Plan.objects.filter(pk=plan.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    plan.refresh_from_db()


def test_request_that_nobody_approved_in_time_expires(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    hours = (plan.expires_at - timezone.now()) / timedelta(hours=1)
    assert 23.9 < hours <= 24
    late(plan)
    with pytest.raises(PlanRejected, match="expired"):
        approve(plan)
    tasks.wake()
    plan.refresh_from_db()
    assert (plan.state, plan.why) == (EXPIRED, "It was not approved in time")


def test_approval_that_is_not_used_in_time_expires(fake: FakeMilvus) -> None:
    plan = approve(requested(fake, "a"))
    minutes = (plan.expires_at - timezone.now()) / timedelta(minutes=1)
    assert 29.9 < minutes <= 30
    late(plan)
    with pytest.raises(PlanRejected, match="expired"):
        run(plan)
    tasks.wake()
    plan.refresh_from_db()
    assert (plan.state, plan.why, fake.sent) == (EXPIRED, "It was not run in time", [])


def test_times_are_those_of_the_configuration(fake: FakeMilvus, settings: Any) -> None:
    change_rule(settings, approval_expires=600.0, execution_expires=60.0)
    plan = requested(fake, "a")
    assert plan.expires_at - timezone.now() < timedelta(minutes=10)
    approve(plan)
    assert plan.expires_at - timezone.now() < timedelta(minutes=1)


# --- what it is bound to ------------------------------------------------------------------------


def lose(settings: Any, group: str) -> None:
    settings.ACCESS = tuple(r for r in settings.ACCESS if group not in r.groups)


CHANGES: dict[str, tuple[Callable[[Any], None], str]] = {
    "the rule is loosened": (lambda s: change_rule(s, approvals=0), "rule of approvals"),
    "the rule has other patterns": (
        lambda s: change_rule(s, approvals_for=("a*",)),
        "rule of approvals",
    ),
    "the server is another": (lambda s: change_rule(s, uri="http://other:1"), "another address"),
    "the requester may no longer": (lambda s: lose(s, "ada"), "Ada is no longer permitted"),
    "what is in it is protected": (lambda s: change_rule(s, protected=("a",)), "protected by"),
    "the cluster is gone": (lambda s: setattr(s, "CLUSTERS", {}), "no such cluster"),
}


@pytest.mark.parametrize(("change", "why"), CHANGES.values(), ids=CHANGES)
def test_request_lapses_when_what_it_is_bound_to_changes(
    fake: FakeMilvus, settings: Any, change: Callable[[Any], None], why: str
) -> None:
    plan = requested(fake, "a")
    change(settings)
    tasks.wake()
    plan.refresh_from_db()
    assert plan.state == EXPIRED
    assert why in plan.why
    assert recorded("plan.lapse")[0]["details"]["requester"]["subject"] == "ada"


OF_BOTH = CHANGES | {
    "the approver may no longer": (lambda s: lose(s, "ben"), "Ben is no longer permitted")
}


@pytest.mark.parametrize("seen_by", ["the requester", "the background process"])
@pytest.mark.parametrize(("change", "why"), OF_BOTH.values(), ids=OF_BOTH)
def test_approval_lapses_when_what_it_is_bound_to_changes(
    fake: FakeMilvus, settings: Any, change: Callable[[Any], None], why: str, seen_by: str
) -> None:
    plan = approve(requested(fake, "a"))
    change(settings)
    if seen_by == "the requester" and settings.CLUSTERS:
        with pytest.raises(PlanRejected, match="does not hold any more"):
            run(plan)
    else:
        tasks.wake()
    plan.refresh_from_db()
    assert (plan.state, fake.sent) == (EXPIRED, [])
    assert why in plan.why


def test_approver_who_lost_the_permission_pauses_the_plan(fake: FakeMilvus, settings: Any) -> None:
    plan = run(approve(requested(fake, "a", "b")))
    lose(settings, "ben")
    work(plan)
    assert (plan.state, fake.sent) == (PlanState.PAUSED, [])
    assert "Ben is no longer permitted to approve this" in plan.why
    deciding.resume(plan, caller(ADA))
    assert work(plan).state == PlanState.PAUSED
    settings.ACCESS = (*settings.ACCESS, rule("ben", "approve"))
    deciding.resume(plan, caller(ADA))
    assert work(plan).state == PlanState.DONE


def test_disabled_account_of_the_approver_stops_the_run(
    fake: FakeMilvus, people: Any, settings: Any
) -> None:
    settings.ACCESS = (rule("operator", "drop"), rule("approver", "approve"))
    operator, approver = actor_from(people["operator"]), actor_from(people["approver"])
    plan = approve(confirm(plan_for([fake.add("a")], operator), operator), approver)
    people["approver"].groups.remove(Group.objects.get(name="approver"))
    with pytest.raises(PlanRejected, match="no longer permitted to approve"):
        run(plan, operator)
    assert fake.sent == []


def test_session_ended_by_the_provider_takes_the_approval_along(fake: FakeMilvus) -> None:
    plan = approve(requested(fake, "a"))
    log.write(Entry(phase=Phase.SESSION, action="session.ended", caller=caller(BEN)))
    tasks.wake()
    plan.refresh_from_db()
    assert plan.state == READY, "leaving is no loss of permissions, until it counts"
    with pytest.raises(PlanRejected, match="Ben is no longer permitted"):
        run(plan)


def test_requester_may_leave_until_the_approval_is_there(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    log.write(Entry(phase=Phase.SESSION, action="session.ended", caller=caller(ADA)))
    assert approve(plan).state == READY


# --- the sheet ----------------------------------------------------------------------------------


def test_sheet_says_what_changed_since_the_request(fake: FakeMilvus) -> None:
    for name in ("a", "b", "c", "d"):
        fake.add(name, rows=1)
    plan = requested(fake, "a", "b", "c", "d")
    set_rows(fake, "a", 2000)
    replaced(fake, "b")
    dropped(fake, "c")
    sheet = approving.sheet(plan)
    assert {one.item.name: one.changes for one in sheet.changed} == {
        "a": ("Rows: 1 → 2,000",),
        "b": ("It was replaced: another object has its name now",),
        "c": ("It does not exist, or you are not permitted to see it",),
    }
    assert [item.name for item in sheet.to_do] == ["a", "d"]


def test_approval_is_for_what_the_approver_saw(fake: FakeMilvus) -> None:
    fake.add("a", rows=1)
    plan = requested(fake, "a", "b")
    set_rows(fake, "a", 5)
    dropped(fake, "b")
    approve(plan, typed="drop 1 on Milvus")
    assert states(plan) == [ItemState.TODO, ItemState.BLOCKED]
    [event] = [e for e in recorded("plan.approve") if not e["outcome"]]
    assert event["details"]["changes"][0] == ["a", "Rows: 1 → 5"]
    assert event["details"]["requested_digest"] != event["details"]["digest"]
    assert work(run(plan)).state == PlanState.DONE
    assert fake.sent == [("drop_collection", "default", "a")]


def test_sheet_that_is_stale_approves_nothing(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    stale = digest_of(plan, approving.sheet(plan).to_do)
    set_rows(fake, "a", 5)
    with pytest.raises(PlanRejected, match="Something changed since this page showed it"):
        approving.approve(plan, "drop 1 on Milvus", stale, caller(BEN))
    plan.refresh_from_db()
    assert plan.state == AWAITING


def test_wrong_sentence_of_the_approver_approves_nothing(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    with pytest.raises(WrongSentence):
        approve(plan, typed="drop 2 on Milvus")
    assert plan.state == AWAITING


def test_approval_with_milvus_down_is_refused(fake: FakeMilvus) -> None:
    plan = requested(fake, "a")
    digest = plan.digest
    fake.unreachable = True
    with pytest.raises(PlanRejected, match="could not be read, so what changed is unknown"):
        approving.approve(plan, "drop 1 on Milvus", digest, caller(BEN))
    plan.refresh_from_db()
    assert plan.state == AWAITING


@pytest.mark.parametrize("change", ["rows", "namesake", "gone"])
def test_item_that_changed_since_the_approval_is_skipped(fake: FakeMilvus, change: str) -> None:
    plan = run(approve(requested(fake, "a", "b")))
    {"rows": lambda: set_rows(fake, "a", 5), "namesake": lambda: replaced(fake, "a")}.get(
        change, lambda: dropped(fake, "a")
    )()
    work(plan)
    assert states(plan) == [ItemState.SKIPPED, ItemState.DONE]
    assert fake.sent == [("drop_collection", "default", "b")]
    if change == "rows":
        message = plan.items.get(position=1).message
        assert message == "It changed since it was approved. Rows: 0 → 5"
        assert recorded("collection.drop")[0]["outcome"] == Outcome.CHANGED


# --- when something is down ---------------------------------------------------------------------


@pytest.mark.both_databases
def test_approval_steps_with_an_unwritable_log_do_nothing(fake: FakeMilvus) -> None:
    plan = plan_for([fake.add("a")], ADA)
    for step, before in ((lambda: confirm(plan, ADA), "draft"), (lambda: approve(plan), AWAITING)):
        with read_only_database(), pytest.raises(LogUnwritable):
            step()
        plan.refresh_from_db()
        assert plan.state == before
        step()
    with read_only_database(), pytest.raises(LogUnwritable):
        run(plan)
    plan.refresh_from_db()
    assert (plan.state, fake.sent) == (READY, [])


def test_milvus_that_hangs_at_the_run_sends_nothing(real_pair: Chain, make_collection: Any) -> None:
    plan = run(approve(confirm(plan_for([make_collection()], ADA), ADA)))
    real_pair.proxy.refuse()
    assert work(plan).state == PlanState.PAUSED
    assert states(plan) == [ItemState.TODO]
    real_pair.proxy.ok()
    until(lambda: not approving.sheet(plan).problem)
    deciding.resume(plan, caller(ADA))
    assert work(plan).state == PlanState.DONE


def test_removal_of_a_protection_that_was_approved_is_requested(
    fake: FakeMilvus, settings: Any
) -> None:
    settings.ACCESS = (rule("ada", "drop", "unprotect"), rule("ben", "approve"))
    fake.add("books")
    protect = consent(fake, "books", Action.PROTECT)
    assert protocol.perform(protect, caller(ADA), reason="mine") is Outcome.SUCCEEDED
    plan = asked(fake, "books", Action.UNPROTECT)
    assert Protection.objects.get().removal_at is None
    assert work(run(approve(plan))).state == PlanState.DONE
    protection = Protection.objects.get()
    assert protection.removal_at is not None
    assert (protection.removed_by, protection.removal_reason) == ("Ada", "old")
