"""`manage.py plan`: create, show, run, and its exit codes."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from collections_app.access.policy import Action
from collections_app.models import ItemState, Plan, PlanState
from collections_app.plans import approving, deciding
from collections_app.plans.rows import digest_of
from tests.fakes import FakeMilvus
from tests.fixtures import actor, rule
from tests.plans.conftest import caller, states

pytestmark = pytest.mark.django_db(transaction=True)


def plan(*words: str) -> tuple[int, str]:
    """Exit code and what it printed; what it says on failure is in there, too."""
    out = io.StringIO()
    try:
        call_command("plan", *words, stdout=out, stderr=out)
    except CommandError as exc:
        return exc.returncode, f"{out.getvalue()}{exc}"
    except SystemExit as exc:
        return int(exc.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture
def full(fake: FakeMilvus) -> FakeMilvus:
    """Three temporary collections, one of them with an alias, and one that is kept."""
    fake.add("tmp_1")
    fake.add("tmp_2", aliases=["now"])
    fake.add("tmp_3", loaded=True)
    fake.add("kept", partitions=["old_1", "old_2"])
    return fake


def test_create_prints_the_counts_first(full: FakeMilvus) -> None:
    code, said = plan("create", "--match", "tmp_*")
    number = Plan.objects.get().pk
    assert code == 0
    assert said.splitlines()[0] == f"Plan {number}: 3 items, 1 is blocked"
    assert "tmp_2: The alias now points to this collection" in said
    assert f'manage.py plan run {number} --confirm "drop 2 on Milvus"' in said
    assert f"/plans/{number}/" in said


def test_create_sends_nothing(full: FakeMilvus) -> None:
    plan("create", "--match", "tmp_*")
    call_command("run_plans", "--once")
    assert full.sent == []


def test_run_hands_the_plan_to_the_background_process(full: FakeMilvus) -> None:
    plan("create", "--match", "tmp_*", "--reason", "old")
    number = str(Plan.objects.get().pk)
    assert plan("run", number, "--confirm", "drop 2 on Milvus")[0] == 0
    assert full.sent == []
    call_command("run_plans", "--once")
    assert sorted(name for _, _, name in full.sent) == ["tmp_1", "tmp_3"]
    code, said = plan("show", number, "--follow")
    assert code == 0
    assert "2 done" in said


def test_run_with_a_wrong_sentence_exits_with_5(full: FakeMilvus) -> None:
    plan("create", "--match", "tmp_*")
    number = str(Plan.objects.get().pk)
    code, said = plan("run", number, "--confirm", "drop 3 on Milvus")
    assert code == 5
    assert "Type exactly: drop 2 on Milvus" in said
    assert Plan.objects.get().state == PlanState.DRAFT


def test_create_from_a_file_takes_its_names_exactly(full: FakeMilvus, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("tmp_1\n\n tmp_3\nmissing\n")
    code, said = plan("create", "--from-file", str(names))
    assert code == 0
    assert [i.name for i in Plan.objects.get().items.order_by("position")] == [
        "tmp_1",
        " tmp_3",
        "missing",
    ]
    assert "3 items, 2 are blocked" in said


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--loaded", "yes"], ["tmp_3"]),
        (["--loaded", "no", "--match", "tmp*"], ["tmp_1", "tmp_2"]),
        (["--older-than", "30d"], ["kept", "tmp_1", "tmp_2", "tmp_3"]),
        (["--partitions-of", "kept", "--match", "old_*"], ["old_1", "old_2"]),
    ],
)
def test_create_with_filters_chooses_the_matching(
    full: FakeMilvus, words: list[str], found: list[str]
) -> None:
    assert plan("create", *words)[0] == 0
    made = Plan.objects.get()
    assert [item.name for item in made.items.order_by("position")] == found
    wanted = Action.DROP_PARTITION if "--partitions-of" in words else Action.DROP_COLLECTION
    assert made.action == wanted


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["create"], 2),
        (["create", "--match", "x", "--from-file", "y"], 2),
        (["create", "--older-than", "soon"], 2),
        (["create", "--older-than", "99999999999d"], 2),
        (["create", "--from-file", "/nowhere"], 2),
        (["create", "--match", "nothing*"], 3),
        (["create", "--match", "*", "--cluster", "none"], 4),
        (["show", "99"], 4),
        (["run", "99", "--confirm", "x"], 4),
        (["pause", "99"], 4),
    ],
)
def test_plan_that_is_impossible_exits_with_its_code(
    full: FakeMilvus, words: list[str], code: int
) -> None:
    assert plan(*words)[0] == code
    assert not Plan.objects.exists()


def test_create_with_milvus_down_exits_with_7(full: FakeMilvus) -> None:
    full.unreachable = True
    assert plan("create", "--match", "*")[0] == 7


def test_plan_command_pauses_resumes_and_cancels(full: FakeMilvus) -> None:
    plan("create", "--match", "tmp_*")
    number = str(Plan.objects.get().pk)
    assert plan("pause", number)[0] == 3
    plan("run", number, "--confirm", "drop 2 on Milvus")
    assert plan("pause", number)[0] == 0
    assert plan("show", number, "--follow")[0] == 6
    assert plan("resume", number)[0] == 0
    assert plan("cancel", number)[0] == 0
    assert plan("show", number, "--follow")[0] == 6
    assert states(Plan.objects.get()).count(ItemState.TODO) == 2


def test_follow_of_a_plan_with_failures_exits_with_1(full: FakeMilvus) -> None:
    plan("create", "--match", "tmp_*")
    number = str(Plan.objects.get().pk)
    plan("run", number, "--confirm", "drop 2 on Milvus")
    full.drop_collection("default", "tmp_1")
    call_command("run_plans", "--once")
    code, said = plan("show", number, "--follow")
    assert code == 1
    assert "skipped" in said


def test_create_json_is_one_object(full: FakeMilvus) -> None:
    code, said = plan("create", "--match", "tmp_*", "--json")
    made: dict[str, Any] = json.loads(said.splitlines()[0])
    assert (code, made["ok"], made["exit_code"]) == (0, True, 0)
    assert made["counts"] == {"todo": 2, "blocked": 1}
    assert made["sentence"] == "drop 2 on Milvus"


# --- where a second person has to approve ---------------------------------------------------------


@pytest.fixture
def two_people(settings: Any) -> None:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=1) for key, cluster in found}
    settings.ACCESS = (rule("approver", "approve"),)


def approve(number: int) -> None:
    """Somebody does, on the pages."""
    row = Plan.objects.get(pk=number)
    items = approving.sheet(row).to_do
    typed = deciding.sentence_for(row, len(items))
    approving.approve(row, typed, digest_of(row, items), caller(actor("ben", ("approver",))))


@pytest.mark.usefixtures("two_people")
def test_plan_at_the_shell_needs_a_second_person(full: FakeMilvus) -> None:
    plan("create", "--match", "tmp_1")
    number, typed = Plan.objects.get().pk, "drop 1 on Milvus"
    code, said = plan("run", str(number), "--confirm", typed)
    assert code == 8
    assert "awaiting approval" in said
    assert "a second person can approve it until" in said
    code, said = plan("run", str(number), "--confirm", typed)
    assert (code, full.sent) == (3, [])
    approve(number)
    code, said = plan("show", str(number), "--follow")
    assert code == 8
    assert "Approved by Ben;" in said
    assert f'manage.py plan run {number} --confirm "{typed}"' in said
    assert plan("run", str(number), "--confirm", "drop 2 on Milvus")[0] == 5
    assert plan("run", str(number), "--confirm", typed)[0] == 0
    call_command("run_plans", "--once")
    assert full.sent == [("drop_collection", "default", "tmp_1")]


@pytest.mark.usefixtures("two_people")
def test_drop_command_requests_the_approval(full: FakeMilvus) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("drop_collection", "tmp_1", "--confirm", "tmp_1", "--reason", "old")
    number = Plan.objects.get().pk
    assert caught.value.returncode == 8
    assert f'manage.py plan run {number} --confirm "tmp_1"' in str(caught.value)
    assert full.sent == []
    approve(number)
    assert plan("run", str(number), "--confirm", "tmp_1")[0] == 0
    call_command("run_plans", "--once")
    assert full.sent == [("drop_collection", "default", "tmp_1")]
