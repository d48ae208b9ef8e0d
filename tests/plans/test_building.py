"""Making a plan: what it reads, its blockers, and the decisions about it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.milvus.errors import Contradiction
from collections_app.models import AuditEvent, ItemState, Plan, PlanState
from collections_app.plans import building, deciding, reading, running
from collections_app.plans.deciding import SignInNeeded, WrongSentence
from collections_app.plans.rows import PlanRejected, digest_of, to_do
from tests.fakes import FakeMilvus
from tests.fixtures import actor, rule
from tests.plans.conftest import caller, confirm, plan_for, states

pytestmark = pytest.mark.django_db(transaction=True)
TODO, BLOCKED = ItemState.TODO, ItemState.BLOCKED


def plan_of(fake: FakeMilvus, *names: str, who: Any = None) -> Plan:
    return plan_for([fake.add(name) for name in names], who)


def limited(settings: Any, **changes: Any) -> None:
    settings.CLUSTERS = {"main": replace(settings.CLUSTERS["main"], **changes)}


def test_plan_reads_identity_rows_load_and_aliases(fake: FakeMilvus) -> None:
    fake.add("a", rows=7, loaded=True)
    plan = plan_for(["a"])
    item = plan.items.get()
    assert item.identity["id"] == fake.collection("default", "a").identity.id
    assert item.shown["rows"] == 7
    assert item.shown["load"] == "Loaded"
    assert item.shown["aliases"] == []
    assert (plan.state, item.state) == (PlanState.DRAFT, TODO)


def test_item_with_a_blocker_says_why_and_has_its_remedy(fake: FakeMilvus) -> None:
    fake.add("a", aliases=["now"])
    plan = plan_for(["a", "gone"])
    first, second = plan.items.order_by("position")
    assert "The alias now points to this collection" in first.message
    assert first.shown["remedies"][0]["action"] == Action.DROP_ALIAS
    assert second.message == reading.GONE
    assert states(plan) == [BLOCKED, BLOCKED]


def test_item_without_permission_is_blocked(fake: FakeMilvus, settings: Any) -> None:
    settings.ACCESS = (rule("operator", "view"), rule("operator", "drop", collections=("a",)))
    plan = plan_of(fake, "a", "b")
    assert states(plan) == [TODO, BLOCKED]


def test_item_hidden_reads_as_missing(fake: FakeMilvus, settings: Any) -> None:
    settings.ACCESS = (rule("operator", "drop", collections=("a",)),)
    plan = plan_of(fake, "a", "secret")
    assert plan.items.get(position=2).message == reading.GONE


def test_protected_item_is_blocked(fake: FakeMilvus, settings: Any) -> None:
    limited(settings, protected=("keep*",))
    plan = plan_of(fake, "a", "keep_me")
    assert states(plan) == [TODO, BLOCKED]
    assert "keep*" in plan.items.get(position=2).message


def test_item_newer_than_the_shared_list_is_read_alone(
    fake: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = FakeMilvus()

    def contradict(database: str, name: str) -> None:
        raise Contradiction("the list is older")

    monkeypatch.setattr(older, "collection", contradict)
    monkeypatch.setattr(fake, "for_many", lambda: older)
    assert states(plan_of(fake, "a", "b")) == [TODO, TODO]


def test_plan_with_milvus_down_leaves_items_unread(fake: FakeMilvus) -> None:
    fake.unreachable = True
    plan = building.create(
        Action.DROP_COLLECTION, "main", "default", [("a", "a")], caller(), reason=""
    )
    assert not building.read_items(plan)
    plan.refresh_from_db()
    assert (plan.state, states(plan)) == (PlanState.READING, [ItemState.UNREAD])
    assert plan.why
    fake.unreachable = False
    assert building.read_items(plan)


def test_name_given_twice_is_one_item(fake: FakeMilvus) -> None:
    fake.add("a")
    assert plan_for(["a", "a"]).items.count() == 1


def test_plan_without_items_is_not_made(fake: FakeMilvus) -> None:
    with pytest.raises(PlanRejected, match="Nothing is selected"):
        plan_for([])
    assert not Plan.objects.exists()


def test_plan_over_its_limit_is_refused_and_recorded(fake: FakeMilvus, settings: Any) -> None:
    limited(settings, plan_items_at_most=1)
    with pytest.raises(PlanRejected, match="plan_items_at_most permits 1"):
        plan_of(fake, "a", "b")
    assert not Plan.objects.exists()
    assert AuditEvent.objects.filter(phase="rejected", action="plan.create").count() == 1


# --- confirming ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typed", ["", "drop 2 on milvus", "Drop 2 on Milvus", "drop 3 on Milvus", "drop 2 on Milvus "]
)
def test_plan_with_a_wrong_sentence_is_not_confirmed(fake: FakeMilvus, typed: str) -> None:
    plan = plan_of(fake, "a", "b")
    assert deciding.sentence(plan) == "drop 2 on Milvus"
    with pytest.raises(WrongSentence):
        deciding.confirm(plan, typed, digest_of(plan, to_do(plan)), caller())
    plan.refresh_from_db()
    assert plan.state == PlanState.DRAFT


def test_plan_changed_since_the_page_is_not_confirmed(fake: FakeMilvus) -> None:
    plan = plan_of(fake, "a", "b", "c")
    shown = digest_of(plan, to_do(plan))
    deciding.take_out(plan, [1], caller())
    with pytest.raises(PlanRejected, match="changed since this page"):
        deciding.confirm(plan, "drop 2 on Milvus", shown, caller())


def test_items_removed_are_not_dropped(fake: FakeMilvus) -> None:
    plan = plan_of(fake, "a", "b")
    assert deciding.take_out(plan, [1], caller()) == 1
    running.work(confirm(plan), seconds=60)
    assert states(plan) == [ItemState.REMOVED, ItemState.DONE]
    assert ("drop_collection", "default", "a") not in fake.sent


def test_items_of_a_confirmed_plan_cannot_be_removed(fake: FakeMilvus) -> None:
    plan = confirm(plan_of(fake, "a", "b"))
    with pytest.raises(PlanRejected, match="running already"):
        deciding.take_out(plan, [1], caller())


def test_plan_expired_is_not_confirmed(fake: FakeMilvus) -> None:
    plan = plan_of(fake, "a")
    Plan.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    plan.refresh_from_db()
    with pytest.raises(PlanRejected, match="expired"):
        confirm(plan)
    running.expire()
    plan.refresh_from_db()
    assert plan.state == PlanState.EXPIRED
    assert AuditEvent.objects.filter(action="plan.expire").count() == 1


def test_plan_is_confirmed_once(fake: FakeMilvus) -> None:
    plan = plan_of(fake, "a")
    digest = digest_of(plan, to_do(plan))
    confirm(plan)
    with pytest.raises(PlanRejected, match="running"):
        deciding.confirm(plan, "drop 1 on Milvus", digest, caller())


def test_plan_of_another_user_is_not_confirmed(fake: FakeMilvus) -> None:
    with pytest.raises(PlanRejected, match="Only its author"):
        confirm(plan_of(fake, "a"), actor("bob"))


def test_permission_lost_before_confirming_blocks_the_item(fake: FakeMilvus, settings: Any) -> None:
    plan = plan_of(fake, "a", "b")
    settings.ACCESS = (rule("operator", "view"), rule("operator", "drop", collections=("a",)))
    with pytest.raises(PlanRejected, match="no longer permitted to carry out 1"):
        confirm(plan)
    assert states(plan) == [TODO, BLOCKED]


def test_plan_with_an_old_sign_in_is_not_confirmed(fake: FakeMilvus, settings: Any) -> None:
    limited(settings, reauth=300.0)
    with pytest.raises(SignInNeeded):
        confirm(plan_of(fake, "a"))


def test_sign_in_that_ages_while_the_plan_runs_counts(fake: FakeMilvus, settings: Any) -> None:
    limited(settings, reauth=300.0)
    now = timezone.now()
    fresh = replace(actor(), authenticated_at=now.isoformat())
    plan = confirm(plan_of(fake, "a", who=fresh), fresh)
    old = (now - timedelta(hours=1)).isoformat()
    Plan.objects.update(confirmed_by={**plan.confirmed_by, "authenticated_at": old})
    plan.refresh_from_db()
    running.work(plan, seconds=60)
    assert states(plan) == [ItemState.DONE]


@pytest.mark.parametrize(("who", "allowed"), [("bob", True), ("eve", False)])
def test_plan_is_paused_by_anybody_with_permission_to_drop(
    fake: FakeMilvus, who: str, allowed: bool
) -> None:
    plan = confirm(plan_of(fake, "a"))
    other = actor(who, groups=("operator",) if allowed else ("viewer",))
    if allowed:
        deciding.pause(plan, caller(other))
    else:
        with pytest.raises(PlanRejected, match="not permitted"):
            deciding.pause(plan, caller(other))
    assert plan.state == (PlanState.PAUSED if allowed else PlanState.RUNNING)


def test_plan_is_resumed_only_by_its_confirmer(fake: FakeMilvus) -> None:
    plan = confirm(plan_of(fake, "a"))
    deciding.pause(plan, caller())
    with pytest.raises(PlanRejected, match="Only who confirmed"):
        deciding.resume(plan, caller(actor("bob")))


def test_plan_decision_is_an_event(fake: FakeMilvus) -> None:
    plan = plan_of(fake, "a", "b")
    deciding.take_out(plan, [2], caller())
    confirm(plan)
    deciding.pause(plan, caller())
    deciding.resume(plan, caller())
    deciding.cancel(plan, caller())
    actions = AuditEvent.objects.order_by("sequence").values_list("action", flat=True)
    wanted = ["create", "take_out", "confirm", "pause", "resume", "cancel"]
    assert list(actions) == [f"plan.{word}" for word in wanted]
