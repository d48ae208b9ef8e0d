"""Reading the [[access]] rules: validated at start, with messages that name the key."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar, get_args, get_type_hints

import msgspec
from django.core.exceptions import ImproperlyConfigured
from msgspec import Meta

from collections_app.access.policy import Rule, matches

Table = TypeVar("Table", bound=msgspec.Struct)
Grant = Literal[
    "view",
    "drop_partition",
    "drop_collection",
    "drop",
    "purge",
    "unprotect",
    "approve",
    "create",
    "audit",
    "*",
]  # as in GRANTS
Trimmed = Annotated[str, Meta(pattern=r"(?s)\A\S(.*\S)?\Z")]
STRINGS = 'a list of strings such as ["one", "two"], none empty or with spaces at its ends'
Strings = Annotated[tuple[Trimmed, ...], Meta(min_length=1, description=STRINGS)]
ACTIONS = f"a list of these: {', '.join(get_args(Grant))}"
Actions = Annotated[tuple[Grant, ...], Meta(min_length=1, description=ACTIONS)]


class RuleTable(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One [[access]] table as it is written. An annotation's description says what is expected."""

    groups: Strings
    clusters: Strings
    databases: Strings = ("*",)
    collections: Strings = ("*",)
    actions: Actions


def rules_from(tables: Any, clusters: Iterable[str]) -> tuple[Rule, ...]:
    """The rules in their order. Raises ImproperlyConfigured with the key at fault."""
    if not isinstance(tables, list):
        raise ImproperlyConfigured("access must be a list of rules: write [[access]].")
    return tuple(_rule(number, table, list(clusters)) for number, table in enumerate(tables, 1))


def _rule(number: int, table: Any, clusters: list[str]) -> Rule:
    where = f"[[access]] rule {number}"
    read = checked(where, table, RuleTable)
    rule = Rule(
        source=where,
        groups=frozenset(read.groups),
        actions=frozenset(read.actions),
        clusters=patterns(f"{where} clusters", read.clusters),
        databases=patterns(f"{where} databases", read.databases),
        collections=patterns(f"{where} collections", read.collections),
    )
    _check_clusters(where, rule, clusters)
    return rule


def _check_clusters(where: str, rule: Rule, clusters: list[str]) -> None:
    """A typing error here would silently give nothing."""
    for pattern in rule.clusters:
        if not any(matches((pattern,), key) for key in clusters):
            known = ", ".join(clusters)
            raise ImproperlyConfigured(
                f"{where} clusters: {pattern!r} matches no cluster. Known: {known}."
            )


def checked(where: str, table: Any, kind: type[Table]) -> Table:
    """The table as that struct. Raises ImproperlyConfigured with the key and the remedy."""
    if not isinstance(table, dict):
        raise ImproperlyConfigured(f"{where} must be a table.")
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as exc:
        raise ImproperlyConfigured(f"{where} {_remedy(str(exc), kind)}.") from None


def _remedy(problem: str, kind: type[msgspec.Struct]) -> str:
    """What to do about it. The value is shown only where it should be one of a list: no secret."""
    if unknown := re.search(r"unknown field `(.*)`", problem, re.DOTALL):
        return f"{unknown[1]} is not a setting. Known: {', '.join(kind.__struct_fields__)}"
    if missing := re.search(r"missing required field `(.*)`", problem):
        return f'has no {missing[1]}. Add {missing[1]} = ["…"]'
    key = re.split(r"\W", problem.rpartition("`$.")[2])[0]
    expected = get_type_hints(kind, include_extras=True)[key].__metadata__[0].description
    shown = re.match("Invalid enum value ('.*')", problem)
    return f"{key} must be {expected}" + (f", not {shown[1]}" if shown else "")


def patterns(named: str, found: tuple[str, ...], *, slash: bool = False) -> tuple[str, ...]:
    """Checked: `*` any text, `?` one character. `slash` allows "database/collection"."""
    for pattern in found:
        if any(character in pattern for character in "[]{}!\\"):
            raise ImproperlyConfigured(
                f"{named}: {pattern!r} is not a pattern. Use * for any text, ? for one character, "
                "and no other special characters."
            )
        if pattern.count("/") > (1 if slash else 0) or pattern.endswith("/"):
            raise ImproperlyConfigured(
                f"{named}: {pattern!r} is not a pattern."
                + (
                    " Use name or database/name."
                    if slash
                    else " A / is allowed in protected and approvals_for only."
                )
            )
    return found
