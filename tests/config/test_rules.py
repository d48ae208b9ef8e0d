"""The [[access]] rules of the file: a mistake is named with its rule and its key."""

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


def test_rule_is_read_as_written() -> None:
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


def test_rule_without_databases_and_collections_covers_all() -> None:
    (found,) = rules_from([COMPLETE], CLUSTERS)
    assert (found.databases, found.collections) == (("*",), ("*",))


def test_rules_keep_their_order_and_count_from_one() -> None:
    found = rules_from([{**COMPLETE, "groups": [name]} for name in "cab"], CLUSTERS)
    assert [(r.source, set(r.groups)) for r in found] == [
        ("[[access]] rule 1", {"c"}),
        ("[[access]] rule 2", {"a"}),
        ("[[access]] rule 3", {"b"}),
    ]


def test_rules_in_an_empty_file_are_none() -> None:
    assert rules("") == ()


@pytest.mark.parametrize("tables", [{}, {"groups": ["x"]}, "x", 1, None], ids=repr)
def test_rules_that_are_no_list_are_refused(tables: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"access must be a list .* \[\[access\]\]"):
        rules_from(tables, CLUSTERS)


def test_rule_that_is_no_table_is_named() -> None:
    assert complaint(COMPLETE, COMPLETE, 1) == "[[access]] rule 3 must be a table."


@pytest.mark.parametrize("name", ["groups", "clusters", "actions"])
def test_rule_without_a_required_key_names_the_remedy(name: str) -> None:
    table = {key: value for key, value in COMPLETE.items() if key != name}
    assert complaint(table) == f'[[access]] rule 1 has no {name}. Add {name} = ["…"].'


@pytest.mark.parametrize("name", ["group", "Groups", "cluster", "deny", "action", "protected"])
def test_rule_with_a_misspelt_key_is_refused(name: str) -> None:
    said = complaint({**COMPLETE, name: ["x"]})
    assert said == (
        f"[[access]] rule 1 {name} is not a setting. "
        "Known: groups, clusters, databases, collections, actions."
    )


EXPECTED = {
    "actions": "a list of these: view, drop_partition, drop_collection, drop, purge, "
    "unprotect, approve, create, audit, *"
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
def test_rule_key_that_is_no_list_of_strings_is_refused(name: str, value: Any) -> None:
    said = complaint({**COMPLETE, name: value})
    assert said == f"[[access]] rule 1 {name} must be {EXPECTED.get(name, STRINGS)}."


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", WRONG_ITEMS.values(), ids=WRONG_ITEMS)
def test_rule_item_empty_or_with_outer_spaces_is_refused(name: str, value: Any) -> None:
    said = complaint({**COMPLETE, name: value})
    shown = f", not {value[0]!r}" if name == "actions" else ""
    assert said == f"[[access]] rule 1 {name} must be {EXPECTED.get(name, STRINGS)}{shown}."


@pytest.mark.parametrize("name", ["clusters", "databases", "collections"])
@pytest.mark.parametrize("pattern", ["[ab]", "a]", "{a,b}", "a}", "!x", "a\\*"])
def test_rule_pattern_in_another_syntax_is_refused(name: str, pattern: str) -> None:
    said = complaint({**COMPLETE, name: ["test", pattern]})
    assert said == (
        f"[[access]] rule 1 {name}: {pattern!r} is not a pattern. Use * for any text, ? for "
        "one character, and no other special characters."
    )


@pytest.mark.parametrize("name", ["clusters", "databases", "collections"])
@pytest.mark.parametrize("pattern", ["db/users", "/users", "db/", "/", "a/b/c"])
def test_rule_pattern_with_a_slash_is_refused(name: str, pattern: str) -> None:
    said = complaint({**COMPLETE, name: [pattern]})
    assert said.startswith(f"[[access]] rule 1 {name}: {pattern!r} is not a pattern.")
    assert said.endswith("A / is allowed in protected and approvals_for only.")


@pytest.mark.parametrize("pattern", ["prod", "Test", "prod-", "test?", "staging-*", "?"])
def test_rule_for_an_unknown_cluster_is_refused(pattern: str) -> None:
    said = complaint({**COMPLETE, "clusters": ["test", pattern]})
    assert said == (
        f"[[access]] rule 1 clusters: {pattern!r} matches no cluster. "
        "Known: prod-eu, prod-us, test."
    )


@pytest.mark.parametrize("pattern", ["*", "prod-*", "prod-?u", "test", "*-us"])
def test_rule_pattern_that_fits_a_cluster_is_taken(pattern: str) -> None:
    (found,) = rules_from([{**COMPLETE, "clusters": [pattern]}], CLUSTERS)
    assert found.clusters == (pattern,)


@pytest.mark.parametrize(
    "action", ["drop_alias", "View", "collection.drop", "release", "dropp", "**"]
)
def test_rule_action_unknown_is_refused_with_the_known_ones(action: str) -> None:
    assert complaint({**COMPLETE, "actions": ["view", action]}) == (
        f"[[access]] rule 1 actions must be {EXPECTED['actions']}, not {action!r}."
    )


@pytest.mark.parametrize(
    "action", ["view", "drop_collection", "drop_partition", "drop", "audit", "*"]
)
def test_rule_action_of_each_name_is_taken(action: str) -> None:
    (found,) = rules_from([{**COMPLETE, "actions": [action]}], CLUSTERS)
    assert found.actions == {action}


def test_rule_actions_of_the_file_are_those_of_the_policy() -> None:
    assert get_args(Grant) == tuple(GRANTS)


def test_rule_group_with_any_characters_is_taken() -> None:
    groups = ["*", "a/b", "CN=ops,OU=x", "[x]", "{y}", "a b", "!z", "back\\slash"]
    (found,) = rules_from([{**COMPLETE, "groups": groups}], CLUSTERS)
    assert found.groups == set(groups)
