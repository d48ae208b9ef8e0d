"""`manage.py explain_access`: the rule that grants a user an action, or that none does."""

import io
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from collections_app.access.principals import Actor
from collections_app.audit import log
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.models import AuditEvent
from tests.fixtures import caller, cluster_at, rule

pytestmark = pytest.mark.django_db
PROTECTING = {"collection.protect", "collection.keep_protected"}
ACTIONS = PROTECTING | {
    "collection.unprotect",
    "view",
    "audit.read",
    "collection.drop",
    "partition.drop",
    "collection.release",
    "partition.release",
    "alias.drop",
    "collection.create",
}


@pytest.fixture(autouse=True)
def configured(settings: Any) -> None:
    settings.CLUSTERS = {"main": cluster_at("http://127.0.0.1:1", protected=("billing_*",))}
    settings.ACCESS = (
        rule("team", "view", clusters=("main",)),
        rule("team", "drop_partition", databases=("d1",), collections=("team_*",)),
        rule("others", "*"),
    )


def explain(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("explain_access", *arguments, stdout=out)
    return out.getvalue().splitlines()


def answers(lines: list[str]) -> dict[str, tuple[str, str]]:
    """Action: yes or no, and why."""
    found = [line.split(maxsplit=2) for line in lines if not line.startswith(" ")][1:]
    return {action: (answer, why) for action, answer, why in found}


def complaint(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        explain(*arguments)
    return str(caught.value)


# --- groups that are given ------------------------------------------------------------------------


def test_explain_access_lists_each_action_with_its_reason() -> None:
    lines = explain("--user", "ada", "--groups", "team", "--target", "main/d1/team_books")
    assert lines[0] == "ada, groups: team"
    assert lines[1:3] == [
        "  the rule of team names one of these groups and allows view",
        "  the rule of team names one of these groups and allows drop_partition",
    ]
    found = answers(lines)
    assert set(found) == ACTIONS
    assert {action for action, (answer, _) in found.items() if answer == "yes"} == {
        "view",
        "partition.drop",
        "partition.release",
        *PROTECTING,
    }
    assert found["view"][1] == "Granted by the rule of team"
    assert found["collection.drop"] == ("no", "No rule grants this to your groups")


@pytest.mark.parametrize(
    ("target", "allowed"),
    [
        ("main", {"view", "partition.drop", "partition.release", *PROTECTING}),
        ("main/d1", {"view", "partition.drop", "partition.release", *PROTECTING}),
        ("main/d2", {"view"}),
        ("main/d1/books", {"view"}),
        ("main/d2/team_books", {"view"}),
        ("main/d1/billing_1", {"view"}),
    ],
)
def test_explain_access_for_a_target_follows_its_rules(target: str, allowed: set[str]) -> None:
    found = answers(explain("--user", "ada", "--groups", "team", "--target", target))
    assert {action for action, (answer, _) in found.items() if answer == "yes"} == allowed


def test_explain_access_names_a_lock() -> None:
    lines = explain("--user", "a", "--groups", "others", "--target", "main/d/billing_1")
    assert answers(lines)["collection.drop"] == (
        "no",
        "It is protected by “billing_*” in [clusters.main]",
    )


@pytest.mark.parametrize("groups", ["", "nosuch", "Team", " , "])
def test_explain_access_for_groups_without_a_rule_is_no(groups: str) -> None:
    lines = explain("--user", "ada", "--groups", groups, "--target", "main")
    assert {answer for answer, _ in answers(lines).values()} == {"no"}
    assert not [line for line in lines if line.startswith(" ")]


def test_explain_access_splits_groups_at_commas() -> None:
    lines = explain("--user", "ada", "--groups", "team, others", "--target", "main")
    assert lines[0] == "ada, groups: team, others"
    assert {answer for answer, _ in answers(lines).values()} == {"yes"}


# --- groups that are known ------------------------------------------------------------------------


def test_explain_access_for_an_account_uses_its_current_groups(people: Any) -> None:
    people["viewer"].groups.set([Group.objects.create(name="team")])
    lines = explain("--user", "viewer", "--target", "main")
    assert lines[0] == "viewer, groups: team"
    assert answers(lines)["view"][0] == "yes"


def seen(subject: str, display: str, *groups: str, action: str = "session.sign_in") -> None:
    """The log knows that person."""
    log.write(
        Entry(
            phase=Phase.SESSION,
            action=action,
            caller=caller(
                Actor(
                    issuer="https://login.example",
                    subject=subject,
                    display=display,
                    groups=groups,
                    method="oidc",
                )
            ),
            outcome=Outcome.SUCCEEDED,
        )
    )


@pytest.mark.parametrize("name", ["u-1", "Ada Osei"])
def test_explain_access_without_accounts_uses_the_last_sign_in(name: str, settings: Any) -> None:
    settings.SIGN_IN = "oidc"
    seen("u-1", "Ada Osei", "others")
    seen("u-1", "Ada Osei", "team")
    seen("u-2", "Vera", "others")
    lines = explain("--user", name, "--target", "main/d2")
    assert lines[0] == "Ada Osei, groups: team"
    assert answers(lines)["collection.drop"][0] == "no"


def test_explain_access_for_a_refused_user_says_unknown(settings: Any) -> None:
    settings.SIGN_IN = "oidc"
    seen("u-1", "Ada", "others", action="session.refused")
    assert "Nobody called u-1 is known here" in complaint("--user", "u-1", "--target", "main")


@pytest.mark.parametrize("name", ["u-", "1", "Osei", "%", "u_1", "login.example"])
def test_explain_access_for_a_partial_name_says_unknown(name: str, settings: Any) -> None:
    settings.SIGN_IN = "oidc"
    seen("u-1", "Ada Osei", "team")
    said = complaint("--user", name, "--target", "main")
    assert said == f"Nobody called {name} is known here. Name their groups with --groups."


@pytest.mark.parametrize("name", ["U-1", "ada osei", "ADA OSEI"])
def test_explain_access_for_a_name_in_another_case_says_unknown(name: str, settings: Any) -> None:
    """Two subjects that differ in case are two users."""
    settings.SIGN_IN = "oidc"
    seen("u-1", "Ada Osei", "team")
    said = complaint("--user", name, "--target", "main")
    assert said == f"Nobody called {name} is known here. Name their groups with --groups."


@pytest.mark.parametrize("mode", ["local", "oidc", "proxy"])
def test_explain_access_for_an_unknown_user_says_what_to_do(mode: str, settings: Any) -> None:
    settings.SIGN_IN = mode
    said = complaint("--user", "nobody", "--target", "main")
    assert said == "Nobody called nobody is known here. Name their groups with --groups."


def test_explain_access_for_an_unknown_cluster_lists_clusters() -> None:
    said = complaint("--user", "a", "--groups", "team", "--target", "nosuch/default")
    assert said == "No cluster nosuch is configured. Configured: main."


def test_explain_access_changes_and_records_nothing() -> None:
    explain("--user", "a", "--groups", "team", "--target", "main")
    assert not AuditEvent.objects.exists()
