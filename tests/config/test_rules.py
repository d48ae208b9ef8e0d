"""The [[access]] rules of the file: what is wrong is named with its rule and its key."""

import tomllib
from typing import Any, get_args

import pytest
from django.core.exceptions import ImproperlyConfigured

from collections_app.access.policy import GRANTS, Rule
from milvusadmin.config.rules import STRINGS, Grant, RuleTable, rules_from

KEYS = RuleTable.__struct_fields__

CLUSTERS = ("prod-eu", "prod-us", "test")
COMPLETE: dict[str, Any] = {"groups": ["ml"], "clusters": ["test"], "actions": ["view"]}


def rules(text: str) -> tuple[Rule, ...]:
    return rules_from(tomllib.loads(text).get("access", []), CLUSTERS)


def complaint(*tables: Any) -> str:
    with pytest.raises(ImproperlyConfigured) as caught:
        rules_from(list(tables), CLUSTERS)
    return str(caught.value)


def test_a_rule_is_read_as_it_is_written() -> None:
    (found,) = rules("""
        [[access]]
        groups = ["ml-platform", "Größe/ops"]
        clusters = ["prod-*", "test"]
        databases = ["default", "team_?"]
        collections = ["a.b", "c_*"]
        actions = ["view", "drop_partition"]
    """)
    assert found == Rule(
        source="[[access]] rule 1",
        groups=frozenset({"ml-platform", "Größe/ops"}),
        clusters=("prod-*", "test"),
        databases=("default", "team_?"),
        collections=("a.b", "c_*"),
        actions=frozenset({"view", "drop_partition"}),
    )


def test_databases_and_collections_not_named_are_all() -> None:
    (found,) = rules_from([COMPLETE], CLUSTERS)
    assert (found.databases, found.collections) == (("*",), ("*",))


def test_rules_keep_their_order_and_are_counted_from_one() -> None:
    found = rules_from([{**COMPLETE, "groups": [name]} for name in "cab"], CLUSTERS)
    assert [(r.source, set(r.groups)) for r in found] == [
        ("[[access]] rule 1", {"c"}),
        ("[[access]] rule 2", {"a"}),
        ("[[access]] rule 3", {"b"}),
    ]


def test_no_rules_are_no_rules() -> None:
    assert rules("") == ()


@pytest.mark.parametrize("tables", [{}, {"groups": ["x"]}, "x", 1, None], ids=repr)
def test_rules_are_a_list(tables: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"access must be a list .* \[\[access\]\]"):
        rules_from(tables, CLUSTERS)


def test_the_message_names_the_rule_at_fault() -> None:
    assert complaint(COMPLETE, COMPLETE, 1) == "[[access]] rule 3 must be a table."


@pytest.mark.parametrize("name", ["groups", "clusters", "actions"])
def test_what_a_rule_must_have_is_said_with_a_remedy(name: str) -> None:
    table = {key: value for key, value in COMPLETE.items() if key != name}
    assert complaint(table) == f'[[access]] rule 1 has no {name}. Add {name} = ["…"].'


@pytest.mark.parametrize("name", ["group", "Groups", "cluster", "deny", "action", "protected"])
def test_a_key_spelt_wrong_is_not_ignored(name: str) -> None:
    said = complaint({**COMPLETE, name: ["x"]})
    assert said == (
        f"[[access]] rule 1 {name} is not a setting. "
        "Known: groups, clusters, databases, collections, actions."
    )


EXPECTED = {
    "actions": "a list of these: view, drop_partition, drop_collection, drop, purge, audit, *"
}
WRONG_LISTS = {
    "text": "ml",
    "nothing in it": [],
    "a number": 1,
    "numbers": [1],
    "a list in it": [["ml"]],
    "true": True,
    "a table": {"a": "b"},
}
WRONG_ITEMS = {
    "empty": [""],
    "a space": [" "],
    "space before": [" ml"],
    "space after": ["ml "],
    "line break": ["ml\n"],
    "no-break space": ["ml\u00a0"],
    "one of two": ["ml", ""],
}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", WRONG_LISTS.values(), ids=WRONG_LISTS)
def test_each_key_is_a_list_of_strings(name: str, value: Any) -> None:
    said = complaint({**COMPLETE, name: value})
    assert said == f"[[access]] rule 1 {name} must be {EXPECTED.get(name, STRINGS)}."


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", WRONG_ITEMS.values(), ids=WRONG_ITEMS)
def test_no_item_is_empty_or_has_spaces_that_nobody_sees(name: str, value: Any) -> None:
    said = complaint({**COMPLETE, name: value})
    shown = f", not {value[0]!r}" if name == "actions" else ""
    assert said == f"[[access]] rule 1 {name} must be {EXPECTED.get(name, STRINGS)}{shown}."


@pytest.mark.parametrize("name", ["clusters", "databases", "collections"])
@pytest.mark.parametrize("pattern", ["[ab]", "a]", "{a,b}", "a}", "!x", "a\\*"])
def test_what_other_programs_take_for_a_pattern_is_refused(name: str, pattern: str) -> None:
    said = complaint({**COMPLETE, name: ["test", pattern]})
    assert said == (
        f"[[access]] rule 1 {name}: {pattern!r} is not a pattern. Use * for any text, ? for "
        "one character, and no other special characters."
    )


@pytest.mark.parametrize("name", ["clusters", "databases", "collections"])
@pytest.mark.parametrize("pattern", ["db/users", "/users", "db/", "/", "a/b/c"])
def test_a_slash_belongs_into_a_lock_only(name: str, pattern: str) -> None:
    said = complaint({**COMPLETE, name: [pattern]})
    assert said.startswith(f"[[access]] rule 1 {name}: {pattern!r} is not a pattern.")
    assert said.endswith("A / is allowed in protected only.")


@pytest.mark.parametrize("pattern", ["prod", "Test", "prod-", "test?", "staging-*", "?"])
def test_a_cluster_that_there_is_not_is_a_typing_error(pattern: str) -> None:
    said = complaint({**COMPLETE, "clusters": ["test", pattern]})
    assert said == (
        f"[[access]] rule 1 clusters: {pattern!r} matches no cluster. "
        "Known: prod-eu, prod-us, test."
    )


@pytest.mark.parametrize("pattern", ["*", "prod-*", "prod-?u", "test", "*-us"])
def test_a_pattern_that_fits_a_cluster_is_taken(pattern: str) -> None:
    (found,) = rules_from([{**COMPLETE, "clusters": [pattern]}], CLUSTERS)
    assert found.clusters == (pattern,)


@pytest.mark.parametrize(
    "action", ["drop_alias", "View", "collection.drop", "release", "dropp", "**"]
)
def test_an_action_that_there_is_not_is_named_with_those_there_are(action: str) -> None:
    assert complaint({**COMPLETE, "actions": ["view", action]}) == (
        f"[[access]] rule 1 actions must be {EXPECTED['actions']}, not {action!r}."
    )


@pytest.mark.parametrize(
    "action", ["view", "drop_collection", "drop_partition", "drop", "audit", "*"]
)
def test_every_action_there_is_is_taken(action: str) -> None:
    (found,) = rules_from([{**COMPLETE, "actions": [action]}], CLUSTERS)
    assert found.actions == {action}


def test_actions_of_the_file_are_those_of_the_rules() -> None:
    assert get_args(Grant) == tuple(GRANTS)


def test_a_group_is_taken_as_it_is_with_whatever_is_in_it() -> None:
    groups = ["*", "a/b", "CN=ops,OU=x", "[x]", "{y}", "a b", "!z", "back\\slash"]
    (found,) = rules_from([{**COMPLETE, "groups": groups}], CLUSTERS)
    assert found.groups == set(groups)
