"""Protections that people set: what they refuse, on the real Milvus, and when they end."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.access.principals import Actor, Caller
from collections_app.audit.log import LogUnwritable, Outcome
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, ItemState, Protection
from collections_app.operations import protections, protocol
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.protection_check import protection_problems
from collections_app.operations.protocol import OperationRejected
from collections_app.plans import running
from collections_app.web.wall import wall
from milvusadmin.doctor.protection import look as doctor_look
from tests.fixtures import actor
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import unique_name
from tests.infra.waiting import until
from tests.operations.conftest import (
    RPC,
    Thing,
    at_once,
    carry_out,
    consent,
    refused_events,
    settled,
    sql,
    target_in,
)
from tests.plans.conftest import confirm as confirm_plan
from tests.plans.conftest import plan_for, states

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

DROP = "DropCollection"
BOB = actor("bob", ("operator", "unprotector"))


@pytest.fixture(autouse=True)
def cluster(use_cluster: Callable[..., Any], chain: Chain) -> Any:
    return use_cluster(chain.uri, chain.token, recycle_bin=3600.0, unprotect_delay=60.0)


@pytest.fixture
def books(make_collection: Any) -> Thing:
    return Thing.make(make_collection, Kind.COLLECTION)


def dropper() -> Actor:
    """With the bin, a permanent drop is what a purge is."""
    return actor("ada", ("operator", "purger"))


def protect(thing: Thing, ends: str = "", who: Actor | None = None) -> Protection:
    who = who or actor("carla")
    wanted = consent(thing.target, Action.PROTECT, who)
    outcome = carry_out(replace(wanted, until=ends), who, "quarter closing")
    assert outcome is Outcome.SUCCEEDED
    return Protection.objects.get(pk=wanted.operation_id)


def drop(thing: Thing) -> Outcome:
    who = dropper()
    return carry_out(consent(thing.target, Action.DROP_COLLECTION, who), who)


def unprotect(thing: Thing) -> Outcome:
    return carry_out(consent(thing.target, Action.UNPROTECT, BOB), BOB, "migrated")


def refusal(work: Callable[[], Any]) -> OperationRejected:
    with pytest.raises(OperationRejected) as caught:
        work()
    return caught.value


def pass_time(**columns: Any) -> None:
    """As if so much time had passed: what the rows say is over."""
    Protection.objects.update(**columns)


def past() -> Any:
    return timezone.now() - timedelta(minutes=1)


# --- what it refuses ------------------------------------------------------------------------------

REFUSED = [Action.DROP_COLLECTION, Action.DROP_PARTITION, Action.DROP_ALIAS, Action.MOVE_TO_BIN]


@pytest.mark.parametrize("action", REFUSED, ids=str)
def test_protection_refuses_every_act_that_takes_away(
    action: Action, make_collection: Any, chain: Chain
) -> None:
    name = make_collection(partitions=["novels"], aliases=["lit"] if "alias" in action else [])
    part = {Action.DROP_PARTITION: "novels", Action.DROP_ALIAS: "lit"}.get(action, name)
    kind = Kind(action.partition(".")[0])
    whole = Thing(make_collection, target_in(name, Kind.COLLECTION))
    protect(whole)
    who = dropper()
    problem = refusal(lambda: carry_out(consent(target_in(name, kind, part), action, who), who))
    assert problem.outcome is Outcome.BLOCKED
    assert str(problem).startswith("Carla protected it on ")
    assert "“quarter closing”" in str(problem)
    assert chain.relay.count(RPC.get(action, "RenameCollection")) == 0
    assert whole.is_there()
    event = AuditEvent.objects.order_by("sequence").last()
    assert event and (event.phase, event.outcome, event.action) == ("rejected", "blocked", action)


def test_protection_does_not_refuse_a_release(make_collection: Any) -> None:
    thing = Thing.make(make_collection, Kind.COLLECTION, loaded=True)
    protect(thing)
    assert carry_out(consent(thing.target, Action.RELEASE_COLLECTION)) is Outcome.SUCCEEDED


def test_acts_that_protection_refuses_are_these() -> None:
    refused = {a for a, operation in OPERATIONS.items() if operation.is_refused_if_protected}
    assert refused == {*REFUSED, Action.PURGE}


def test_namesake_of_a_protected_collection_is_protected(books: Thing) -> None:
    protection = protect(books)
    books.replace()
    problem = refusal(lambda: drop(books))
    assert f"another collection of this name, id {protection.collection_id}" in str(problem)
    assert books.is_there()


def test_renamed_collection_keeps_its_protection_by_id(
    books: Thing, make_collection: Any, chain: Chain
) -> None:
    protect(books)
    new = make_collection.renamed(f"{books.target.name}_2")
    books.seeds.server.client().rename_collection(books.target.name, new, timeout=10)
    renamed = Thing(make_collection, target_in(new, Kind.COLLECTION))
    problem = refusal(lambda: drop(renamed))
    assert f"Its name was {books.target.name} then" in str(problem)
    assert chain.relay.count(DROP) == 0


def test_another_collection_is_not_protected(books: Thing, make_collection: Any) -> None:
    protect(books)
    other = Thing.make(make_collection, Kind.COLLECTION)
    assert drop(other) is Outcome.SUCCEEDED


def test_drop_command_at_the_shell_says_who_protected_it(books: Thing, chain: Chain) -> None:
    protect(books)
    with pytest.raises(CommandError) as caught:
        call_command(*books.command, stdout=StringIO(), stderr=StringIO())
    assert caught.value.returncode == 3
    assert "Carla protected it" in str(caught.value)
    assert chain.relay.count(DROP) == 0


def test_item_of_a_plan_that_was_protected_since_is_refused(make_collection: Any) -> None:
    who = dropper()
    names = [make_collection() for _ in range(3)]
    plan = confirm_plan(plan_for(names, who), who)
    protect(Thing(make_collection, target_in(names[1], Kind.COLLECTION)))
    running.work(plan, seconds=60)
    assert states(plan) == [ItemState.DONE, ItemState.REFUSED, ItemState.DONE]
    assert "Carla protected it" in plan.items.get(position=2).message
    assert make_collection.exists(names[1])


def test_plan_shows_a_protected_item_as_blocked(books: Thing) -> None:
    protect(books)
    plan = plan_for([books.target.name], dropper())
    assert states(plan) == [ItemState.BLOCKED]
    assert "Carla protected it" in plan.items.get().message


# --- two people, stale pages, a database that fails -----------------------------------------------


def test_dialog_opened_before_the_protection_is_refused(books: Thing, chain: Chain) -> None:
    who = dropper()
    opened = consent(books.target, Action.DROP_COLLECTION, who)
    protect(books)
    assert "Carla protected it" in str(refusal(lambda: carry_out(opened, who)))
    assert chain.relay.count(DROP) == 0


def test_protection_between_the_look_and_the_intent_counts(
    books: Thing, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare = protocol._compare

    def compare_then_protect(case: Any, state: Any) -> None:
        compare(case, state)
        if case.confirmation.action is Action.DROP_COLLECTION:
            protect(books)

    monkeypatch.setattr(protocol, "_compare", compare_then_protect)
    assert refusal(lambda: drop(books)).outcome is Outcome.CHANGED
    assert chain.relay.count(DROP) == 0
    assert books.is_there()


def test_drop_and_protection_at_once_have_one_winner(make_collection: Any) -> None:
    for _ in range(4):
        thing = Thing.make(make_collection, Kind.COLLECTION)
        who, carla = dropper(), actor("carla")
        to_drop = consent(thing.target, Action.DROP_COLLECTION, who)
        to_protect = consent(thing.target, Action.PROTECT, carla)
        dropped, protected = at_once(
            lambda c=to_drop, w=who: carry_out(c, w),
            lambda c=to_protect, w=carla: carry_out(c, w, "mine"),
        )
        won = [dropped is Outcome.SUCCEEDED, protected is Outcome.SUCCEEDED]
        assert sorted(won) == [False, True], (dropped, protected)
        assert thing.is_there() is (dropped is not Outcome.SUCCEEDED)


def test_drop_while_another_person_unprotects_is_refused(books: Thing, chain: Chain) -> None:
    protect(books)
    who = dropper()
    to_drop = consent(books.target, Action.DROP_COLLECTION, who)
    to_unprotect = consent(books.target, Action.UNPROTECT, BOB)
    dropped, unprotected = at_once(
        lambda: carry_out(to_drop, who), lambda: carry_out(to_unprotect, BOB, "migrated")
    )
    assert isinstance(dropped, OperationRejected)
    assert unprotected is Outcome.SUCCEEDED
    assert chain.relay.count(DROP) == 0


def test_protection_that_cannot_be_read_sends_nothing(books: Thing, chain: Chain) -> None:
    who = dropper()
    opened = consent(books.target, Action.DROP_COLLECTION, who)
    sql("ALTER TABLE collections_app_protection RENAME TO elsewhere")
    try:
        with pytest.raises(DatabaseError):
            carry_out(opened, who)
    finally:
        sql("ALTER TABLE elsewhere RENAME TO collections_app_protection")
    assert chain.relay.count(DROP) == 0
    assert books.is_there()


def test_protection_whose_outcome_is_not_recorded_does_not_hold(
    books: Thing, impatient: Callable[..., Any]
) -> None:
    carla = actor("carla")
    wanted = consent(books.target, Action.PROTECT, carla)
    with refused_events("outcome"), pytest.raises(LogUnwritable):
        carry_out(wanted, carla, "mine")
    assert not Protection.objects.exists()
    impatient()
    until(lambda: settled(wanted) is Outcome.FAILED)
    assert not Protection.objects.exists()


# --- its end --------------------------------------------------------------------------------------


def test_protection_holds_until_its_time_and_no_longer(books: Thing) -> None:
    protect(books, ends=(timezone.now() + timedelta(hours=1)).isoformat())
    assert ", until " in str(refusal(lambda: drop(books)))
    pass_time(until=past())
    assert drop(books) is Outcome.SUCCEEDED


def test_removal_takes_effect_after_the_delay(books: Thing) -> None:
    protect(books)
    assert unprotect(books) is Outcome.SUCCEEDED
    problem = refusal(lambda: drop(books))
    assert "Bob requested its removal, which takes effect on" in str(problem)
    left = Protection.objects.get().removal_at - timezone.now()
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    pass_time(removal_at=past())
    assert drop(books) is Outcome.SUCCEEDED


def test_removal_that_is_cancelled_has_no_effect(books: Thing) -> None:
    protect(books)
    unprotect(books)
    assert carry_out(consent(books.target, Action.KEEP_PROTECTED)) is Outcome.SUCCEEDED
    protection = Protection.objects.get()
    assert (protection.removal_at, protection.removed_by) == (None, "")
    assert refusal(lambda: drop(books)).outcome is Outcome.BLOCKED


def test_removal_needs_the_right_and_records_a_refusal(books: Thing) -> None:
    protect(books)
    carla = actor("carla")  # who set it
    problem = refusal(lambda: carry_out(consent(books.target, Action.UNPROTECT, carla), carla))
    assert problem.outcome is Outcome.DENIED
    event = AuditEvent.objects.order_by("sequence").last()
    assert event and (event.action, event.outcome) == ("collection.unprotect", "denied")
    assert Protection.objects.get().removal_at is None


def test_removal_is_of_the_protections_that_were_shown(books: Thing) -> None:
    protect(books)
    opened = consent(books.target, Action.UNPROTECT, BOB)
    protect(books, who=actor("dora"))
    assert refusal(lambda: carry_out(opened, BOB)).outcome is Outcome.CHANGED
    assert not Protection.objects.exclude(removal_at=None).exists()


def test_second_protection_holds_after_the_first_one_ended(books: Thing) -> None:
    first = protect(books)
    unprotect(books)
    protect(books, who=actor("dora"))
    Protection.objects.filter(pk=first.pk).update(removal_at=past())
    assert "Dora protected it" in str(refusal(lambda: drop(books)))


def test_end_is_recorded_once_with_who_requested_it(books: Thing) -> None:
    protect(books)
    unprotect(books)
    assert protections.record_ended(Caller.shell()) == []
    pass_time(removal_at=past())
    said = at_once(*[lambda: protections.record_ended(Caller.shell())] * 2)
    name = books.target.name
    expected = f"The protection of {name} by Carla ended, as Bob had requested"
    assert sorted(map(len, said)) == [0, 1]
    event = AuditEvent.objects.get(action="protection.ended")
    record = json.loads(event.record)
    assert (record["message"], record["target"]["name"]) == (expected, name)
    assert record["details"]["removal_reason"] == "migrated"
    assert not Protection.objects.exists()


def test_every_step_of_a_protection_is_on_the_record(books: Thing) -> None:
    protect(books, ends="2100-01-01T00:00:00+00:00")
    unprotect(books)
    carry_out(consent(books.target, Action.KEEP_PROTECTED))
    pass_time(until=past())
    protections.record_ended(Caller.shell())
    said = AuditEvent.objects.order_by("sequence").values_list("action", "phase", "outcome")
    assert list(said) == [
        ("collection.protect", "intent", ""),
        ("collection.protect", "outcome", "succeeded"),
        ("collection.unprotect", "intent", ""),
        ("collection.unprotect", "outcome", "succeeded"),
        ("collection.keep_protected", "intent", ""),
        ("collection.keep_protected", "outcome", "succeeded"),
        ("protection.ended", "setting", "succeeded"),
    ]


def test_protection_changed_without_a_record_is_found(books: Thing) -> None:
    protection = protect(books)
    assert list(protection_problems()) == []
    pass_time(until=past())
    (problem,) = protection_problems()
    assert problem.endswith(f"is not as operation {protection.pk} set it")
    pass_time(until=None, removal_at=past())
    assert "no event requested that" in next(protection_problems())
    Protection.objects.all().delete()
    (found,) = doctor_look()
    assert found.state == "problem"
    assert f"the protection of operation {protection.pk} is gone" in found.text


def test_protection_that_ended_by_the_record_is_no_problem(books: Thing) -> None:
    protect(books)
    unprotect(books)
    assert list(protection_problems()) == []
    pass_time(removal_at=past())
    protections.record_ended(Caller.shell())
    assert list(protection_problems()) == []


GRANTS = (("Global", "DropCollection", "*"), ("Collection", "DropPartition", "*"))


def test_code_of_the_wall_takes_the_right_to_drop_from_a_role(
    books: Thing, milvus_server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, role = milvus_server.client(), unique_name("r")
    root.create_role(role, timeout=10)
    for grant in GRANTS:
        root.grant_privilege(role, *grant, timeout=10)
    monkeypatch.setenv("MILVUS_TOKEN", milvus_server.token)
    monkeypatch.setenv("MILVUS_ROLE", role)
    form, _ = wall(milvus_server.uri, "default", books.target.name)
    exec(form.code, {})
    assert not root.describe_role(role, timeout=10).get("privileges")
    root.drop_role(role, timeout=10)


def test_nothing_of_it_is_sent_to_milvus(books: Thing, chain: Chain) -> None:
    protect(books)
    unprotect(books)
    outcomes = AuditEvent.objects.filter(phase="outcome")
    details = [json.loads(row.record)["details"] for row in outcomes]
    assert [one["attempts"] for one in details] == [0, 0]
