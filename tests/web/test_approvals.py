"""The pages of two people: ask, approve or reject, run; and who sees what."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from collections_app.models import AuditEvent, Notification, Plan, PlanState
from tests.fakes import FakeMilvus
from tests.fixtures import People, rule
from tests.web import Page, act_url, confirm

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def two_people(settings: Any, fake: FakeMilvus) -> None:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=1) for key, cluster in found}


@pytest.fixture
def operator(signed_in: SignIn) -> Client:
    return signed_in("operator")


@pytest.fixture
def approver(signed_in: SignIn) -> Client:
    return signed_in("approver")


def asked(client: Client, fake: FakeMilvus, name: str = "books") -> Plan:
    """The operator confirms the drop of a collection in its dialog."""
    fake.add(name, rows=3)
    answer = confirm(client, act_url("drop-collection", name), name, reason="old")
    assert answer.status_code == 302, answer.content
    return Plan.objects.latest("pk")


def page(client: Client, plan: Plan) -> Page:
    return Page(client.get(f"/plans/{plan.pk}/"))


def send(client: Client, plan: Plan, decision: str, **fields: str) -> Any:
    shown = re.search(r'name="digest" value="(\w+)"', page(client, plan).html)
    data = {"digest": shown[1] if shown else "", **fields}
    return client.post(f"/plans/{plan.pk}/{decision}/", data)


def waiting(client: Client) -> str:
    """What the header counts."""
    found = Page(client.get("/plans/")).find("span", id="approvals-waiting")
    return found[0].text if found else ""


def test_dialog_asks_for_approval_and_sends_nothing(operator: Client, fake: FakeMilvus) -> None:
    fake.add("books")
    dialog = Page(operator.get(act_url("drop-collection", "books")))
    assert "A second person has to approve this" in dialog.text
    assert "Request approval for books" in dialog.text
    plan = asked(operator, fake, "more")
    assert (plan.state, fake.sent) == (PlanState.AWAITING, [])
    shown = page(operator, plan)
    assert "A second person has to approve this. You can leave this page" in shown.text
    assert not shown.find("form", action=f"/plans/{plan.pk}/approve/")
    assert not shown.find("form", action=f"/plans/{plan.pk}/run/")


def test_two_people_drop_a_collection_on_the_pages(
    operator: Client, approver: Client, fake: FakeMilvus
) -> None:
    plan = asked(operator, fake)
    sheet = page(approver, plan)
    assert "Drop collection books: approve or reject" in sheet.text
    assert "Nothing changed since the request" in sheet.text
    assert "permanently deletes 1 collection with about 3 rows" in sheet.text
    assert send(approver, plan, "approve", typed="books").status_code == 302
    assert "Only operator, who requested the approval, can run it." in page(approver, plan).text
    assert "Approved by approver" in page(operator, plan).text
    assert send(operator, plan, "run", typed="books").status_code == 302
    call_command("run_plans", "--once")
    assert fake.sent == [("drop_collection", "default", "books")]
    assert "1 of 1 carried out" in page(operator, plan).text


def test_approver_sees_what_changed_and_approves_only_that(
    operator: Client, approver: Client, fake: FakeMilvus
) -> None:
    plan = asked(operator, fake)
    stale = page(approver, plan)
    digest = re.search(r'name="digest" value="(\w+)"', stale.html)
    assert digest
    fake._databases["default"].collections["books"].partitions["_default"].rows = 9
    old = approver.post(f"/plans/{plan.pk}/approve/", {"typed": "books", "digest": digest[1]})
    assert old.status_code == 409
    now = Page(old)
    assert "Something changed since this page showed it" in now.text
    assert "1 of 1 changed since the request" in now.text
    assert "Changed. Rows: 3 → 9" in now.text
    assert send(approver, plan, "approve", typed="books").status_code == 302


def test_next_page_of_items_shows_the_sheet_that_was_read(
    operator: Client, approver: Client, fake: FakeMilvus
) -> None:
    plan = asked(operator, fake)
    page(approver, plan)
    fake.unreachable = True
    more = Page(approver.get(f"/plans/{plan.pk}/?page=1"))
    assert "every item was read again" in more.text
    assert "can’t be read now" in page(approver, plan).text, "opened anew, it is read anew"


def test_approver_of_a_long_plan_gets_the_page_before_its_sheet(
    operator: Client, approver: Client, fake: FakeMilvus
) -> None:
    names = [fake.add(f"c_{number}") for number in range(51)]
    operator.post("/clusters/main/plans/new/", {"database": "default", "name": names})
    call_command("run_plans", "--once")
    plan = Plan.objects.get()
    send(operator, plan, "confirm", typed="drop 51 on Milvus")
    fake.unreachable = True
    first = page(approver, plan)
    assert "Reading 51 collections again" in first.text
    assert not first.find("form", action=f"/plans/{plan.pk}/approve/")
    fake.unreachable = False
    later = first.find("div", id="plan")[0].attrs
    assert later["hx-trigger"] == "load"
    sheet = Page(approver.get(later["hx-get"]))
    assert "every item was read again" in sheet.text
    assert "hx-trigger" not in sheet.find("div", id="plan")[0].attrs
    digest = re.search(r'name="digest" value="(\w+)"', sheet.html)
    data = {"digest": digest[1] if digest else "", "typed": "drop 51 on Milvus"}
    assert approver.post(f"/plans/{plan.pk}/approve/", data).status_code == 302


def test_rejection_needs_a_reason_and_shows_it(
    operator: Client, approver: Client, fake: FakeMilvus
) -> None:
    plan = asked(operator, fake)
    assert "Say why. Nothing was rejected." in Page(send(approver, plan, "reject", why=" ")).text
    assert send(approver, plan, "reject", why="Search needs it").status_code == 302
    shown = page(operator, plan)
    assert "Rejected by approver: Search needs it" in shown.text
    assert "Nothing was sent to Milvus" in shown.text


def test_wrong_name_of_either_person_starts_nothing(
    operator: Client, approver: Client, fake: FakeMilvus
) -> None:
    plan = asked(operator, fake)
    for client, decision in ((approver, "approve"), (operator, "run")):
        wrong = send(client, plan, decision, typed="Books")
        assert wrong.status_code == 422
        assert "That is not the sentence" in Page(wrong).text
        send(client, plan, decision, typed="books")
    assert Plan.objects.get().state == PlanState.RUNNING


@pytest.mark.parametrize("decision", ["approve", "reject", "run"])
def test_decision_of_the_wrong_person_is_refused(
    operator: Client, approver: Client, signed_in: SignIn, fake: FakeMilvus, decision: str
) -> None:
    plan = asked(operator, fake)
    fields = {"typed": "books", "digest": plan.digest, "why": "no"}
    wrong = [signed_in("viewer"), signed_in("other")]
    wrong += [operator] if decision != "run" else [approver]
    if decision == "run":
        send(approver, plan, "approve", typed="books")
    before = Plan.objects.get().state
    for client in wrong:
        answer = client.post(f"/plans/{plan.pk}/{decision}/", fields)
        assert answer.status_code == 409
    assert Plan.objects.get().state == before
    assert AuditEvent.objects.filter(outcome="denied").count() == len(wrong)


def test_requester_with_every_role_can_not_approve(
    operator: Client, fake: FakeMilvus, people: People, settings: Any
) -> None:
    settings.ACCESS = (rule("operator", "*"),)
    plan = asked(operator, fake)
    assert "approve or reject" not in page(operator, plan).text
    answer = operator.post(f"/plans/{plan.pk}/approve/", {"typed": "books", "digest": plan.digest})
    assert answer.status_code == 409
    assert "Nobody can approve what they asked for themselves" in Page(answer).text


def test_header_and_page_count_what_waits_for_somebody(
    operator: Client, approver: Client, signed_in: SignIn, fake: FakeMilvus
) -> None:
    plan = asked(operator, fake)
    asked(operator, fake, "more")
    assert (waiting(approver), waiting(operator), waiting(signed_in("other"))) == ("2", "", "")
    listed = Page(approver.get("/approvals/"))
    assert "Drop collection books" in listed.text
    assert "No request waits for your approval." in Page(operator.get("/approvals/")).text
    send(approver, plan, "approve", typed="books")
    assert (waiting(approver), waiting(operator)) == ("1", "1")
    assert "Approved" in Page(operator.get("/approvals/")).text


def test_pages_without_a_rule_do_not_mention_approvals(
    operator: Client, fake: FakeMilvus, settings: Any
) -> None:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=0) for key, cluster in found}
    fake.add("books")
    assert "pproval" not in Page(operator.get("/plans/")).text
    assert "pproval" not in Page(operator.get(act_url("drop-collection", "books"))).text


def test_sheet_says_that_milvus_does_not_answer(
    operator: Client, approver: Client, fake: FakeMilvus
) -> None:
    plan = asked(operator, fake)
    fake.unreachable = True
    shown = page(approver, plan)
    assert "what changed is unknown and nothing can be approved" in shown.text
    assert not shown.find("form", action=f"/plans/{plan.pk}/approve/")
    assert shown.find("form", action=f"/plans/{plan.pk}/reject/")


def test_plan_hidden_from_an_approver_is_not_found(
    operator: Client, approver: Client, fake: FakeMilvus, settings: Any
) -> None:
    settings.ACCESS = (rule("operator", "drop"), rule("approver", "approve", collections=("x",)))
    plan = asked(operator, fake)
    assert approver.get(f"/plans/{plan.pk}/").status_code == 404
    assert waiting(approver) == ""


def test_old_session_has_to_sign_in_before_it_approves(
    operator: Client, approver: Client, fake: FakeMilvus, settings: Any
) -> None:
    plan = asked(operator, fake)
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, reauth=60.0) for key, cluster in found}
    shown = page(approver, plan)
    assert "Sign in again" in shown.text
    answer = approver.post(f"/plans/{plan.pk}/approve/", {"typed": "books", "digest": plan.digest})
    assert answer.status_code == 409
    assert "This cluster requires a recent sign-in" in Page(answer).text
    approver.logout()
    assert approver.post(f"/plans/{plan.pk}/approve/", {}).status_code == 302
    assert Plan.objects.get().state == PlanState.AWAITING


def test_page_shows_what_was_not_delivered(
    operator: Client, approver: Client, signed_in: SignIn, fake: FakeMilvus
) -> None:
    plan, now = asked(operator, fake), timezone.now()
    Notification.objects.create(
        event="plan.request",
        channel="webhook",
        plan=plan.pk,
        facts={"title": "Approval requested"},
        created_at=now,
        due_at=now,
        attempts=3,
        problem="it answered <b>500</b>",
    )
    shown = Page(approver.get("/approvals/"))
    assert "by webhook: it answered <b>500</b>. Attempt 3 of 8" in shown.text
    assert "Notifications not delivered" not in Page(signed_in("auditor").get("/approvals/")).text
