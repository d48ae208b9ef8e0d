"""Reading the [[access]] rules: validated at start, with messages that name the key."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from collections_app.access import GIVES, Rule, matches

KEYS = ("groups", "clusters", "databases", "collections", "actions")
REQUIRED = ("groups", "clusters", "actions")


def rules_from(tables: Any, clusters: Iterable[str]) -> tuple[Rule, ...]:
    """The rules in their order. Raises ImproperlyConfigured with the key at fault."""
    if not isinstance(tables, list):
        raise ImproperlyConfigured("access must be a list of rules: write [[access]].")
    return tuple(_rule(number, table, list(clusters)) for number, table in enumerate(tables, 1))


def _rule(number: int, table: Any, clusters: list[str]) -> Rule:
    where = f"[[access]] rule {number}"
    if not isinstance(table, dict):
        raise ImproperlyConfigured(f"{where} must be a table.")
    _check_keys(where, table)
    rule = Rule(
        source=where,
        groups=frozenset(strings(f"{where} groups", table["groups"])),
        actions=frozenset(_actions(f"{where} actions", table["actions"])),
        clusters=patterns(f"{where} clusters", table["clusters"]),
        databases=patterns(f"{where} databases", table.get("databases", ["*"])),
        collections=patterns(f"{where} collections", table.get("collections", ["*"])),
    )
    _check_clusters(where, rule, clusters)
    return rule


def _check_keys(where: str, table: dict[str, Any]) -> None:
    for name in table:
        if name not in KEYS:
            known = ", ".join(KEYS)
            raise ImproperlyConfigured(f"{where} {name} is not a key. Known: {known}.")
    for name in REQUIRED:
        if name not in table:
            raise ImproperlyConfigured(f'{where} has no {name}. Add {name} = ["…"].')


def _check_clusters(where: str, rule: Rule, clusters: list[str]) -> None:
    """A typing error here would silently give nothing."""
    for pattern in rule.clusters:
        if not any(matches((pattern,), key) for key in clusters):
            known = ", ".join(clusters)
            raise ImproperlyConfigured(
                f"{where} clusters: {pattern!r} fits no cluster. Known: {known}."
            )


def _actions(named: str, value: Any) -> tuple[str, ...]:
    actions = strings(named, value)
    for action in actions:
        if action not in GIVES:
            known = ", ".join(GIVES)
            raise ImproperlyConfigured(f"{named}: {action!r} is no action. Known: {known}.")
    return actions


def strings(named: str, value: Any) -> tuple[str, ...]:
    """A list of at least one string, none of them empty."""
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise ImproperlyConfigured(f'{named} must be a list of strings, such as ["one", "two"].')
    if not all(v.strip() == v and v for v in value):
        raise ImproperlyConfigured(f"{named} has an item that is empty or has spaces at its ends.")
    return tuple(value)


def patterns(named: str, value: Any, *, slash: bool = False) -> tuple[str, ...]:
    """A list of patterns: `*` any text, `?` one character. `slash` allows "database/collection"."""
    if slash and value == []:
        return ()
    found = strings(named, value)
    for pattern in found:
        if any(character in pattern for character in "[]{}!\\"):
            raise ImproperlyConfigured(
                f"{named}: {pattern!r} is no pattern. * is any text, ? is one character, and "
                "nothing else is special."
            )
        if pattern.count("/") > (1 if slash else 0) or pattern.endswith("/"):
            raise ImproperlyConfigured(
                f"{named}: {pattern!r} is no pattern."
                + (" Use name or database/name." if slash else " A / belongs into locked only.")
            )
    return found
