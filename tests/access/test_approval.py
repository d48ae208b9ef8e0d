"""Two people: where a second one is needed, and whose approval counts."""

from dataclasses import replace
from typing import Any

import pytest

from collections_app.access import approval
from collections_app.access.policy import Action, Place
from collections_app.access.principals import Actor, Caller
from tests.fixtures import actor, cluster_at, rule

ADA, BEN = actor("ada", ("team",)), actor("ben", ("leads",))
SHELL = Caller.shell().actor
BOOKS = Place(cluster="main", database="default", collection="books")


@pytest.fixture(autouse=True)
def two_people(settings: Any) -> None:
    settings.ACCESS = (rule("team", "drop"), rule("leads", "approve"))
    use(settings, approvals=1)


def use(settings: Any, **changes: Any) -> None:
    settings.CLUSTERS = {"main": cluster_at("http://milvus.example:1", **changes)}


@pytest.mark.parametrize("action", list(Action))
def test_action_that_destroys_needs_a_second_person(action: Action) -> None:
    destroying = {
        Action.DROP_COLLECTION,
        Action.DROP_PARTITION,
        Action.MOVE_TO_BIN,
        Action.PURGE,
        "collection.unprotect",
    }
    assert approval.is_needed(action, BOOKS) is (action in destroying)


@pytest.mark.parametrize(
    ("patterns", "needed"),
    [
        (("*",), True),
        (("books",), True),
        (("b*",), True),
        (("default/*",), True),
        (("default/books",), True),
        (("other/*",), False),
        (("*/books",), True),
        (("Books",), False),
        (("old", "b?oks"), True),
        (("ooks",), False),
    ],
)
def test_rule_covers_what_its_patterns_name(
    patterns: tuple[str, ...], needed: bool, settings: Any
) -> None:
    use(settings, approvals=1, approvals_for=patterns)
    assert approval.is_needed(Action.DROP_COLLECTION, BOOKS) is needed


def test_approval_without_a_rule_is_not_needed(settings: Any) -> None:
    use(settings)
    assert not approval.is_needed(Action.DROP_COLLECTION, BOOKS)
    assert approval.rule_of("main") == ""


ELSEWHERE = replace(BEN, issuer="local", method="local")
REFUSED = {
    "the same person": (ADA, ADA),
    "the same, renamed and with other groups": (ADA, replace(BEN, subject="ada")),
    "the same, by another method": (ADA, replace(BEN, subject="ada", method="proxy")),
    "the same, in another spelling": (ADA, replace(BEN, subject="ADA")),
    "somebody of another issuer": (ADA, ELSEWHERE),
    "the same name at another issuer": (ADA, replace(ELSEWHERE, subject="ada")),
    "the shell": (ADA, SHELL),
    "the shell for itself": (SHELL, SHELL),
    "somebody without the permission": (ADA, replace(BEN, groups=("team",))),
    "somebody whose groups can't be confirmed": (ADA, replace(BEN, stale=True)),
}


@pytest.mark.parametrize(("requester", "approver"), REFUSED.values(), ids=REFUSED)
def test_approval_of_this_person_does_not_count(
    requester: Actor, approver: Actor, settings: Any
) -> None:
    settings.ACCESS = (*settings.ACCESS, rule("operator", "*"))
    assert not approval.may_approve(approver, requester, BOOKS).allowed


@pytest.mark.parametrize("requester", [ADA, SHELL], ids=["a person", "the shell"])
def test_approval_of_another_person_counts(requester: Actor) -> None:
    assert approval.may_approve(BEN, requester, BOOKS).allowed


def missing(approver: Actor | None, who: Actor = ADA, action: Action = Action.PURGE) -> str:
    return approval.missing_consent(who, action, BOOKS, is_planned=True, approver=approver)


def test_consent_is_missing_until_somebody_else_gave_it(settings: Any) -> None:
    assert missing(None) == "It needs the approval of a second person"
    assert "Nobody can approve what they asked for themselves" in missing(ADA)
    assert missing(BEN) == ""
    settings.ACCESS = (rule("team", "drop"),)
    assert "No rule grants this" in missing(BEN), "they lost the permission since"


def test_bin_purges_by_itself_what_was_approved_before() -> None:
    assert missing(None, Caller.recycle_bin().actor) == ""


def test_shell_drop_needs_a_second_person() -> None:
    assert missing(None, SHELL) == "It needs the approval of a second person"
