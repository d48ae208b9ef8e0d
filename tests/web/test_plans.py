"""The pages of plans: from a selection in the list to the summary at the end."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from collections_app.access.policy import Action
from collections_app.audit import log as audit_log
from collections_app.models import BinItem, ItemState, Plan, PlanState
from collections_app.plans import running
from tests.audit.test_export import named
from tests.fakes import FakeMilvus
from tests.fixtures import rule
from tests.infra.seeds import unique_name
from tests.plans.conftest import states
from tests.web import Page

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[..., Client]
NEW = "/clusters/main/plans/new/"


@pytest.fixture
def operator(signed_in: SignIn, fake: FakeMilvus) -> Client:
    return signed_in("operator")


def made(client: Client, *names: str, **fields: Any) -> Plan:
    """A plan from the list's form, read by the background process."""
    answer = client.post(NEW, {"database": "default", "name": names, **fields})
    assert answer.status_code == 302, answer.content
    call_command("run_plans", "--once")
    return Plan.objects.latest("pk")


def page(client: Client, plan: Plan, query: str = "") -> Page:
    return Page(client.get(f"/plans/{plan.pk}/{query}"))


def confirm(client: Client, plan: Plan, typed: str, **fields: str) -> Any:
    shown = page(client, plan)
    digest = re.search(r'name="digest" value="(\w+)"', shown.html)
    data = {"typed": typed, "digest": digest[1] if digest else "", **fields}
    return client.post(f"/plans/{plan.pk}/confirm/", data)


def test_selection_becomes_a_plan_that_shows_what_it_read(
    operator: Client, fake: FakeMilvus
) -> None:
    fake.add("a", rows=7)
    fake.add("b", aliases=["now"])
    fake.add("c")
    plan = made(operator, "a", "b")
    shown = page(operator, plan)
    assert "1 collection will be dropped; 1 blocked" in shown.text
    assert "The alias now points to this collection" in shown.text
    assert reverse("drop-alias", args=["main"]) in shown.html
    assert "drop 1 on Milvus" in shown.text
    assert shown.html.index("item-2") < shown.html.index("item-1"), "what is in the way is first"


def test_list_has_a_checkbox_for_each_row_that_can_be_dropped(
    operator: Client, fake: FakeMilvus, settings: Any
) -> None:
    settings.ACCESS = (rule("operator", "view"), rule("operator", "drop", collections=("a",)))
    fake.add("a")
    fake.add("b")
    listed = Page(operator.get(reverse("collections", args=["main"])))
    assert 'aria-label="Select a"' in listed.html
    assert 'aria-label="Select b"' not in listed.html


def test_list_of_a_viewer_has_no_checkboxes(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.add("a")
    listed = Page(signed_in("viewer").get(reverse("collections", args=["main"])))
    assert "Plan drop" not in listed.html
    assert "col-pick" not in listed.html


def test_plan_of_all_matching_covers_all_pages(operator: Client, fake: FakeMilvus) -> None:
    for number in range(60):
        fake.add(f"tmp_{number:02}")
    fake.add("kept")
    query = {"q": "tmp_*"}
    listed = Page(operator.get(reverse("collections", args=["main"]), query))
    assert "Plan drop of all 60 that match…" in listed.text
    plan = made(operator, all="1", **query)
    assert plan.items.count() == 60
    assert plan.selection == "all that matched: named tmp_*"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"q": "a"}, ["a", "ab"]),
        ({"q": "a*"}, ["a", "ab"]),
        ({"q": "?"}, ["a", "c"]),
        ({"loaded": "yes"}, ["c"]),
        ({"loaded": "no", "q": "b"}, ["ab"]),
        ({"before": "2001-01-01"}, []),
        ({"before": "2030-01-01"}, ["a", "ab", "c"]),
        ({"before": "yesterday"}, ["a", "ab", "c"]),
    ],
)
def test_filters_choose_the_same_rows_for_list_and_plan(
    operator: Client, fake: FakeMilvus, filters: dict[str, str], found: list[str]
) -> None:
    for name in ("a", "ab", "c"):
        fake.add(name, loaded=name == "c")
    listed = Page(operator.get(reverse("collections", args=["main"]), filters))
    assert re.findall(r'aria-label="Select (\w+)"', listed.html) == found
    if found:
        plan = made(operator, all="1", **filters)
        assert [item.name for item in plan.items.order_by("position")] == found


def test_partitions_are_selected_in_their_collection(operator: Client, fake: FakeMilvus) -> None:
    fake.add("books", partitions=["old", "new"])
    shown = Page(operator.get("/clusters/main/collection/?database=default&name=books"))
    assert 'aria-label="Select old"' in shown.html
    assert 'aria-label="Select _default"' not in shown.html
    plan = made(operator, "old", collection="books")
    assert plan.action == Action.DROP_PARTITION
    confirm(operator, plan, "drop 1 on Milvus")
    call_command("run_plans", "--once")
    assert fake.sent == [("drop_partition", "default", "books", "old")]


def test_plan_confirmed_runs_and_its_page_shows_progress(
    operator: Client, fake: FakeMilvus
) -> None:
    plan = made(operator, fake.add("a"), fake.add("b"))
    assert confirm(operator, plan, "drop 2 on Milvus", reason="old").status_code == 302
    running_page = page(operator, plan)
    assert "Pause plan" in running_page.text
    assert 'hx-trigger="every 2s"' in running_page.html
    call_command("run_plans", "--once")
    shown = page(operator, plan)
    assert "2 of 2 carried out" in shown.text
    assert "2 dropped" in shown.text
    assert "old" in shown.text
    assert "every 2s" not in shown.html
    operation = plan.items.get(position=1).operation_id
    assert f"/operations/{operation}/" in shown.html
    assert "Plan" in Page(operator.get(f"/operations/{operation}/")).text


@pytest.mark.parametrize("typed", ["", "drop 1 on Milvus", "DROP 2 ON MILVUS"])
def test_plan_confirmed_with_a_wrong_sentence_is_not_started(
    operator: Client, fake: FakeMilvus, typed: str
) -> None:
    plan = made(operator, fake.add("a"), fake.add("b"))
    answer = confirm(operator, plan, typed)
    assert answer.status_code == 422
    assert "Nothing was started" in Page(answer).text
    plan.refresh_from_db()
    assert plan.state == PlanState.DRAFT


def test_plan_item_removed_changes_the_sentence(operator: Client, fake: FakeMilvus) -> None:
    plan = made(operator, fake.add("a"), fake.add("b"))
    stale = page(operator, plan)
    digest = re.search(r'name="digest" value="(\w+)"', stale.html)
    operator.post(f"/plans/{plan.pk}/take-out/", {"item": ["1"]})
    assert "drop 1 on Milvus" in page(operator, plan).text
    assert digest
    data = {"typed": "drop 1 on Milvus", "digest": digest[1]}
    answer = operator.post(f"/plans/{plan.pk}/confirm/", data)
    assert answer.status_code == 409
    assert "The list changed" in Page(answer).text


def test_plan_is_paused_resumed_and_cancelled_from_its_page(
    operator: Client, fake: FakeMilvus
) -> None:
    plan = made(operator, fake.add("a"), fake.add("b"))
    confirm(operator, plan, "drop 2 on Milvus")
    operator.post(f"/plans/{plan.pk}/pause/")
    assert "Paused by operator" in page(operator, plan).text
    call_command("run_plans", "--once")
    assert states(plan) == [ItemState.TODO] * 2
    operator.post(f"/plans/{plan.pk}/resume/")
    running.work(Plan.objects.get(pk=plan.pk), seconds=0)
    operator.post(f"/plans/{plan.pk}/cancel/")
    assert "Cancelled by operator" in page(operator, plan).text
    assert operator.post(f"/plans/{plan.pk}/resume/").status_code == 409


def test_plan_of_another_operator_can_be_stopped_not_confirmed(
    operator: Client, signed_in: SignIn, fake: FakeMilvus
) -> None:
    plan, other = made(operator, fake.add("a")), signed_in("other")
    shown = page(other, plan)
    assert "Only its author can confirm it" in shown.text
    assert "Cancel plan" in shown.text
    assert confirm(other, plan, "drop 1 on Milvus").status_code == 422
    answer = other.post(
        f"/plans/{plan.pk}/confirm/", {"typed": "drop 1 on Milvus", "digest": "0" * 64}
    )
    assert answer.status_code == 409
    assert other.post(f"/plans/{plan.pk}/cancel/").status_code == 302


def test_plan_of_others_for_a_viewer_is_read_only(
    operator: Client, signed_in: SignIn, fake: FakeMilvus
) -> None:
    plan, viewer = made(operator, fake.add("a")), signed_in("viewer")
    shown = page(viewer, plan)
    assert "Cancel plan" not in shown.text
    assert viewer.post(f"/plans/{plan.pk}/cancel/").status_code == 409
    assert viewer.post(NEW, {"database": "default", "name": ["a"]}).status_code == 403


def test_plan_hides_items_that_a_rule_hides(
    operator: Client, signed_in: SignIn, fake: FakeMilvus, settings: Any
) -> None:
    plan = made(operator, fake.add("a"), fake.add("secret"))
    settings.ACCESS = (*settings.ACCESS[1:], rule("viewer", "view", collections=("a",)))
    viewer = signed_in("viewer")
    assert "secret" not in page(viewer, plan).html
    assert "1 that you may not see" in page(viewer, plan).text
    assert b"secret" not in b"".join(viewer.get(f"/plans/{plan.pk}/items.csv"))
    settings.ACCESS = (rule("viewer", "view", collections=("c",)),)
    assert viewer.get(f"/plans/{plan.pk}/").status_code == 404
    assert "No plans" in Page(viewer.get("/plans/")).text


def test_plan_page_without_a_background_process_says_so(operator: Client, fake: FakeMilvus) -> None:
    fake.add("a")
    operator.post(NEW, {"database": "default", "name": ["a"]})
    plan = Plan.objects.get()
    assert "The background process does not run" in page(operator, plan).text
    call_command("run_plans", "--once")
    assert "does not run" not in page(operator, plan).text


def test_plan_summary_shows_failures_first_and_filters_by_state(
    operator: Client, fake: FakeMilvus
) -> None:
    plan = made(operator, *[fake.add(name) for name in "abc"])
    confirm(operator, plan, "drop 3 on Milvus")
    fake.drop_collection("default", "b")
    call_command("run_plans", "--once")
    shown = page(operator, plan)
    assert re.findall(r'id="item-(\d)"', shown.html) == ["2", "1", "3"]
    skipped = page(operator, plan, "?state=skipped")
    assert re.findall(r'id="item-(\d)"', skipped.html) == ["2"]


def test_plan_export_escapes_csv_formulas(operator: Client, fake: FakeMilvus) -> None:
    plan = made(operator, fake.add("a", rows=3))
    plan.items.update(name="=cmd()")
    answer = operator.get(f"/plans/{plan.pk}/items.csv")
    text = b"".join(answer).decode()
    assert "'=cmd()" in text
    assert answer.headers["Content-Disposition"] == f'attachment; filename="plan-{plan.pk}.csv"'


def test_plan_without_a_selection_is_not_made(operator: Client, fake: FakeMilvus) -> None:
    answer = operator.post(NEW, {"database": "default"})
    assert answer.status_code == 409
    assert "Nothing is selected" in Page(answer).text


def test_plan_confirmation_with_an_old_sign_in_is_refused(
    operator: Client, fake: FakeMilvus, settings: Any
) -> None:
    settings.CLUSTERS = {"main": replace(settings.CLUSTERS["main"], reauth=300.0)}
    plan = made(operator, fake.add("a"))
    shown = page(operator, plan)
    assert "requires a sign-in that is at most" in shown.text
    assert f"next=%2Fplans%2F{plan.pk}%2F" in shown.html
    data = {"typed": "drop 1 on Milvus", "digest": "0" * 64}
    assert operator.post(f"/plans/{plan.pk}/confirm/", data).status_code == 409


def test_plan_cancelled_before_it_was_confirmed_promises_nothing(
    operator: Client, fake: FakeMilvus
) -> None:
    plan = made(operator, fake.add("a"))
    operator.post(f"/plans/{plan.pk}/cancel/")
    shown = page(operator, plan)
    assert "Nothing was dropped" in shown.text
    assert "Not begun" in shown.text
    assert not re.search("will be dropped|to do", shown.text, re.IGNORECASE)


def test_cluster_with_a_recycle_bin_plans_moves_to_it(
    use_cluster: Any, milvus_server: Any, make_collection: Any, signed_in: SignIn
) -> None:
    use_cluster(milvus_server.uri, milvus_server.token, recycle_bin=604_800.0)
    name = make_collection(f"{unique_name()}_only")  # no other name begins with it
    client = signed_in("operator")
    listed = Page(client.get(reverse("collections", args=["main"]), {"q": name}))
    assert "Plan move of all 1 that match…" in listed.text
    assert "Drop permanently instead" not in listed.text, "an operator may not"
    plan = made(client, name)
    shown = page(client, plan)
    assert "1 collection will be moved to the recycle bin" in shown.text
    assert "permanently deletes" not in shown.text
    confirm(client, plan, "move 1 on Test")
    call_command("run_plans", "--once")
    assert "1 moved to the recycle bin" in page(client, plan).text
    item = BinItem.objects.get()
    assert item.operation_id == plan.items.get().operation_id
    make_collection()  # a plan needs an item
    again = made(client, all="1")
    assert item.private_name not in again.items.values_list("name", flat=True)
    make_collection.server.client().drop_collection(item.private_name)


def test_plan_beside_a_recycle_bin_can_drop_permanently(
    fake: FakeMilvus, signed_in: SignIn, settings: Any
) -> None:
    settings.CLUSTERS = {"main": replace(settings.CLUSTERS["main"], recycle_bin=604_800.0)}
    settings.ACCESS = (rule("operator", "*"),)
    fake.add("a")
    listed = Page(signed_in("operator").get(reverse("collections", args=["main"])))
    assert "Drop permanently instead" in listed.text
    plan = made(signed_in("operator"), "a", permanently="1")
    assert plan.action == Action.DROP_COLLECTION
    assert "permanently deletes 1 collection" in page(signed_in("operator"), plan).text


def test_plan_restores_what_another_plan_moved(
    use_cluster: Any, milvus_server: Any, make_collection: Any, signed_in: SignIn
) -> None:
    use_cluster(milvus_server.uri, milvus_server.token, recycle_bin=604_800.0)
    names = sorted(make_collection() for _ in range(3))
    client = signed_in("operator")
    moved = made(client, *names)
    assert "Plan restore" not in page(client, moved).text
    confirm(client, moved, "move 3 on Test")
    call_command("run_plans", "--once")
    assert "Plan restore of all 3…" in page(client, moved).text
    assert "Plan restore" not in page(signed_in("viewer"), moved).text
    taken = names.pop()
    make_collection(taken)
    assert client.post(f"/plans/{moved.pk}/restore/").status_code == 302
    call_command("run_plans", "--once")
    plan = Plan.objects.latest("pk")
    shown = page(client, plan)
    assert "3 collections will be restored" in shown.text
    assert f"what plan {moved.pk} moved to the recycle bin" in shown.text
    assert "permanently" not in shown.text
    confirm(client, plan, "restore 3 on Test")
    call_command("run_plans", "--once")
    states = dict(plan.items.values_list("collection", "state"))
    assert states == {**dict.fromkeys(names, "done"), taken: "refused"}
    assert [item.name for item in BinItem.objects.all()] == [taken]
    assert set(names) <= set(make_collection.server.client().list_collections())
    assert "Plan restore of 1 collection…" in page(client, moved).text
    make_collection.server.client().drop_collection(BinItem.objects.get().private_name)


def test_plan_of_nothing_left_to_restore_is_not_made(
    use_cluster: Any, milvus_server: Any, make_collection: Any, signed_in: SignIn
) -> None:
    use_cluster(milvus_server.uri, milvus_server.token, recycle_bin=604_800.0)
    client = signed_in("operator")
    moved = made(client, make_collection())
    answer = client.post(f"/plans/{moved.pk}/restore/")
    assert (answer.status_code, Plan.objects.count()) == (409, 1)
    assert "No plan was made" in Page(answer).text


def test_plan_until_confirmed_shows_the_last_event_of_each_item(
    operator: Client, fake: FakeMilvus
) -> None:
    for name in ("a", "b"):
        fake.add(name)
    audit_log.write(named("a"))
    plan = made(operator, "a", "b")
    said = "Last event: "
    assert page(operator, plan).text.count(said) == 1
    confirm(operator, plan, "drop 2 on Milvus")
    assert said not in page(operator, plan).text
