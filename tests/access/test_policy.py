"""The access policy as tables: a change of the policy is a change of these tables."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import RequestFactory
from django.utils import timezone

from collections_app.access import policy, roles
from collections_app.access.policy import (
    Action,
    Place,
    decide,
    matches,
    may,
    may_everywhere,
    may_somewhere,
    place_of,
    rules_of,
    sign_in_needed,
    visible,
)
from collections_app.access.principals import Actor, Caller
from collections_app.milvus.types import Kind, Target
from milvusadmin.sso import local
from tests.fixtures import actor, cluster_at, rule

OF_COLLECTIONS = {
    Action.DROP_COLLECTION,
    Action.RELEASE_COLLECTION,
    Action.DROP_ALIAS,
    Action.MOVE_TO_BIN,
    Action.RESTORE,
    Action.SET_ALIAS,
    Action.LOAD_COLLECTION,
}
PROTECTING = {Action.PROTECT, Action.KEEP_PROTECTED}
OF_PARTITIONS = {Action.DROP_PARTITION, Action.RELEASE_PARTITION}
DESTROYING = (
    OF_COLLECTIONS | OF_PARTITIONS | PROTECTING | {Action.PURGE, Action.CREATE, Action.UNPROTECT}
)
MUTATING = DESTROYING | {Action.APPROVE}
BOOKS = Place(cluster="main", database="default", collection="books")
SHELL = Caller.shell().actor
TEAM = actor(groups=("team",))


def allowed(who: Actor, place: Place = BOOKS) -> set[Action]:
    return {action for action in Action if may(who, action, place)}


# --- what an action gives -------------------------------------------------------------------------

GIVEN = {
    "view": {Action.VIEW},
    "drop_collection": {Action.VIEW} | OF_COLLECTIONS | PROTECTING,
    "drop_partition": {Action.VIEW} | OF_PARTITIONS | PROTECTING,
    "drop": {Action.VIEW} | OF_PARTITIONS | OF_COLLECTIONS | PROTECTING,
    "purge": {Action.VIEW, Action.PURGE} | PROTECTING,
    "unprotect": {Action.VIEW, Action.UNPROTECT} | PROTECTING,
    "approve": {Action.VIEW, Action.APPROVE},
    "create": {Action.VIEW, Action.CREATE, Action.SET_ALIAS, Action.LOAD_COLLECTION},
    "audit": {Action.READ_AUDIT},
    "*": set(Action),
}


@pytest.mark.parametrize(("name", "given"), GIVEN.items(), ids=GIVEN)
def test_rule_with_an_action_grants_this_and_nothing_else(
    name: str, given: set[Action], settings: Any
) -> None:
    settings.ACCESS = (rule("team", name),)
    assert allowed(TEAM) == given


def test_granted_actions_are_all_in_the_table() -> None:
    """A new action has to be added to the table above."""
    assert set(policy.GRANTS) == set(GIVEN)
    assert {action for action in Action if action.is_mutating} == MUTATING


def test_rules_of_several_groups_add_up(settings: Any) -> None:
    settings.ACCESS = (rule("team", "view", "audit"), rule("others", "drop_partition"))
    assert allowed(actor(groups=("team", "others"))) == {
        Action.VIEW,
        Action.READ_AUDIT,
        *OF_PARTITIONS,
        *PROTECTING,
    }


# --- the default is no ----------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [(), (rule("others", "*"),)], ids=["no rule", "others' rules"])
def test_decide_without_a_rule_for_the_groups_allows_nothing(
    rules: tuple[policy.Rule, ...], settings: Any
) -> None:
    settings.ACCESS = rules
    for action in Action:
        decision = decide(TEAM, action, BOOKS)
        assert not decision.allowed
        assert decision.why == "No rule grants this to your groups"
        assert not may_somewhere(TEAM, action)
        assert not may_everywhere(TEAM, action)
    assert visible(TEAM, "main", "default") == ()
    assert rules_of(TEAM) == []


def test_decide_without_groups_allows_nothing(settings: Any) -> None:
    settings.ACCESS = (rule("team", "*"), rule("", "*"), rule("*", "*"))
    assert allowed(actor(groups=())) == set()


def test_decision_names_its_rule(settings: Any) -> None:
    first = rule("team", "view")
    settings.ACCESS = (first, replace(first, source="the second one"), rule("team", "drop"))
    assert decide(TEAM, Action.VIEW, BOOKS).why == "Granted by the rule of team"
    settings.ACCESS = settings.ACCESS[1:]
    assert decide(TEAM, Action.VIEW, BOOKS).why == "Granted by the second one"


CYRILLIC_A = "\u0430"
NOT_THE_GROUP = {
    "upper case": "TEAM-CAFÉ",
    "title case": "Team-Café",
    "a part of it": "team",
    "more than it": "team-cafés",
    "a space before": " team-café",
    "a space after": "team-café ",
    "a line break after": "team-café\n",
    "zero width": "team\u200b-café",
    "Cyrillic": f"te{CYRILLIC_A}m-café",
    "full width": "ｔｅａｍ-café",
    "decomposed": unicodedata.normalize("NFD", "team-café"),
    "another dash": "team\u2010café",
    "a star": "*",
    "a pattern": "team-*",
    "nothing": "",
}


@pytest.mark.parametrize("group", NOT_THE_GROUP.values(), ids=NOT_THE_GROUP)
def test_group_matches_exactly(group: str, settings: Any) -> None:
    settings.ACCESS = (rule("team-café", "*"),)
    assert allowed(actor(groups=("team-café",))) == set(Action)
    assert allowed(actor(groups=(group,))) == set()
    settings.ACCESS = (rule(group, "*"),)
    assert allowed(actor(groups=("team-café",))) == set(), "nor is a group's name a pattern"


def test_user_name_is_not_a_group(settings: Any) -> None:
    settings.ACCESS = (rule("ada", "*"), rule("Ada", "*"), rule("test|ada", "*"))
    assert allowed(actor("ada", groups=())) == set()


# --- places ---------------------------------------------------------------------------------------

SCOPED = rule("team", "*", clusters=("prod",), databases=("d1",), collections=("c_*",))
PLACES = {
    Place(cluster="prod"): True,
    Place(cluster="prod", database="d1"): True,
    Place(cluster="prod", database="d1", collection="c_1"): True,
    Place(cluster="test"): False,
    Place(cluster="test", database="d1"): False,
    Place(cluster="test", database="d1", collection="c_1"): False,
    Place(cluster="prod", database="d2"): False,
    Place(cluster="prod", database="d2", collection="c_1"): False,
    Place(cluster="prod", database="d1", collection="x"): False,
    Place(cluster="prod", database="d1", collection=""): False,
    Place(cluster="prod", database=""): False,
    Place(cluster=""): False,
}


@pytest.mark.parametrize(("place", "covered"), PLACES.items(), ids=str)
def test_rule_applies_where_all_three_patterns_fit(
    place: Place, covered: bool, settings: Any
) -> None:
    settings.ACCESS = (SCOPED,)
    assert allowed(TEAM, place) == (set(Action) if covered else set())


def test_rules_are_not_combined_into_a_third(settings: Any) -> None:
    """The clusters of one rule and the collections of another grant nothing together."""
    settings.ACCESS = (
        rule("team", "drop", clusters=("test",)),
        rule("team", "view", clusters=("prod",), collections=("c_*",)),
    )
    prod = Place(cluster="prod", database="d1", collection="c_1")
    assert allowed(TEAM, prod) == {Action.VIEW}
    assert allowed(TEAM, replace(prod, collection="x")) == set()
    assert (
        allowed(TEAM, replace(prod, cluster="test"))
        == {Action.VIEW} | OF_COLLECTIONS | OF_PARTITIONS | PROTECTING
    )


@pytest.mark.parametrize("kind", [Kind.COLLECTION, Kind.PARTITION, Kind.ALIAS])
def test_place_of_a_partition_or_alias_is_its_collection(kind: Kind) -> None:
    target = Target(cluster="prod", database="d1", kind=kind, collection="c_1", name="x")
    assert place_of(target) == Place(cluster="prod", database="d1", collection="c_1")


@pytest.mark.parametrize(
    ("where", "everywhere"),
    [
        ({}, True),
        ({"clusters": ("prod", "*")}, True),
        ({"clusters": ("main",)}, False),
        ({"databases": ("default",)}, False),
        ({"collections": ("c_*", "**", "?*")}, False),
    ],
    ids=str,
)
def test_may_everywhere_needs_one_rule_that_says_so(
    where: dict[str, tuple[str, ...]], everywhere: bool, settings: Any
) -> None:
    settings.ACCESS = (rule("team", "audit", **where),)
    assert may_everywhere(TEAM, Action.READ_AUDIT) is everywhere
    assert may_somewhere(TEAM, Action.READ_AUDIT)
    assert not may_everywhere(TEAM, Action.VIEW), "everywhere is asked for one action"
    assert not may_somewhere(TEAM, Action.VIEW)


def test_visible_patterns_of_a_database_are_those_of_its_rules(settings: Any) -> None:
    settings.ACCESS = (
        rule("team", "view", clusters=("prod",), databases=("d1",), collections=("b_*", "a")),
        rule("team", "drop_partition", clusters=("*",), databases=("d?",), collections=("p_*",)),
        rule("team", "audit", collections=("log_*",)),
        rule("others", "view"),
    )
    assert visible(TEAM, "prod", "d1") == ("a", "b_*", "p_*")
    assert visible(TEAM, "prod", "d2") == ("p_*",)
    assert visible(TEAM, "test", "d1") == ("p_*",)
    assert visible(TEAM, "prod", "default") == ()
    assert visible(SHELL, "prod", "default") == ("*",)


@pytest.mark.parametrize("name", ["a", "b_1", "p_x", "log_1", "c", "", "A"])
def test_visible_and_may_agree_on_every_name(name: str, settings: Any) -> None:
    settings.ACCESS = (
        rule("team", "view", collections=("b_*", "a")),
        rule("team", "drop_partition", databases=("default",), collections=("p_*",)),
        rule("team", "audit", collections=("log_*",)),
    )
    place = replace(BOOKS, collection=name)
    assert matches(visible(TEAM, "main", "default"), name) == may(TEAM, Action.VIEW, place)


# --- who can't be confirmed now -------------------------------------------------------------------


def test_stale_groups_allow_only_reading(
    settings: Any,
) -> None:
    settings.ACCESS = (rule("team", "*"),)
    stale = replace(TEAM, stale=True)
    assert allowed(stale) == {Action.VIEW, Action.READ_AUDIT}
    assert "does not answer" in decide(stale, Action.DROP_PARTITION, BOOKS).why


# --- how fresh a sign-in has to be ----------------------------------------------------------------


def signed_in_ago(seconds: float, who: Actor = TEAM) -> Actor:
    moment = timezone.now() - timedelta(seconds=seconds)
    return replace(who, authenticated_at=moment.isoformat())


@pytest.mark.parametrize(
    ("reauth", "who", "needed"),
    [
        (None, lambda: TEAM, False),
        (None, lambda: signed_in_ago(10**6), False),
        (600.0, lambda: TEAM, True),
        (600.0, lambda: signed_in_ago(500), False),
        (600.0, lambda: signed_in_ago(700), True),
        (600.0, lambda: signed_in_ago(-60), False),
        (600.0, lambda: SHELL, False),
    ],
    ids=["off", "off, old", "unknown", "young", "old", "clock ahead", "shell"],
)
def test_sign_in_needed_follows_the_cluster(
    reauth: float | None, who: Callable[[], Actor], needed: bool, settings: Any
) -> None:
    cluster = cluster_at("http://127.0.0.1:1", reauth=reauth)
    settings.CLUSTERS = {"main": cluster, "free": replace(cluster, key="free", reauth=None)}
    assert sign_in_needed(who(), "main") is needed
    assert not sign_in_needed(who(), "free")
    assert not sign_in_needed(who(), "gone")


# --- the shell, and the roles of local accounts ---------------------------------------------------


def test_shell_needs_no_rule(settings: Any) -> None:
    settings.ACCESS = ()
    assert allowed(SHELL) == set(Action)
    assert all(may_somewhere(SHELL, a) and may_everywhere(SHELL, a) for a in Action)


def test_subject_called_shell_is_not_the_shell(settings: Any) -> None:
    settings.ACCESS = ()
    impostor = Actor(issuer=SHELL.issuer, subject=SHELL.subject, display="shell", groups=("shell",))
    assert allowed(impostor) == set()


ROLES = {
    "viewer": {Action.VIEW},
    "operator": {Action.VIEW} | OF_COLLECTIONS | OF_PARTITIONS | PROTECTING,
    "purger": {Action.VIEW, Action.PURGE} | PROTECTING,
    "approver": {Action.VIEW, Action.APPROVE},
    "unprotector": {Action.VIEW, Action.UNPROTECT} | PROTECTING,
    "auditor": {Action.READ_AUDIT},
    "outsider": set(),
}


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "given"), ROLES.items(), ids=ROLES)
def test_role_grants_the_actions_of_its_name(
    role: str, given: set[Action], people: dict[str, Any]
) -> None:
    request: Any = RequestFactory().get("/")
    request.user, request.session = people[role], {}
    who = local.identify(request, fresh=False)
    assert who
    assert allowed(who) == given
    assert who.key == f"local|{role}"
    assert who.groups == ((role,) if role != "outsider" else ())


def test_built_in_rules_are_for_the_roles_only() -> None:
    assert {next(iter(r.groups)): r.actions for r in roles.built_in()} == {
        "viewer": {"view"},
        "operator": {"view", "drop"},
        "purger": {"view", "purge"},
        "approver": {"view", "approve"},
        "creator": {"view", "create"},
        "unprotector": {"view", "unprotect"},
        "auditor": {"audit"},
    }


@pytest.mark.django_db
def test_django_permissions_grant_nothing(people: dict[str, Any]) -> None:
    clerk = people["outsider"]
    clerk.user_permissions.set(Permission.objects.all())
    clerk.is_staff = clerk.is_superuser = True
    clerk.save()
    assert allowed(local.actor_from(clerk)) == set()


@pytest.mark.django_db
def test_rule_for_a_group_beyond_the_roles_counts(people: dict[str, Any], settings: Any) -> None:
    people["outsider"].groups.add(Group.objects.create(name="team"))
    settings.ACCESS = (*settings.ACCESS, rule("team", "view"))
    assert allowed(local.actor_from(people["outsider"])) == {Action.VIEW}


@pytest.mark.django_db
def test_roles_ensured_twice_are_made_once() -> None:
    roles.ensure()
    roles.ensure()
    assert sorted(Group.objects.values_list("name", flat=True)) == [
        "approver",
        "auditor",
        "creator",
        "operator",
        "purger",
        "unprotector",
        "viewer",
    ]
