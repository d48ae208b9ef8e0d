"""The doctor on the databases of one cluster: what the account lacks in each, and what lists hide.

Databases with the same finding share its line: a hundred of them are one line, not a hundred.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from django.conf import settings

from collections_app.access.policy import matches
from collections_app.milvus import privileges, visibility
from collections_app.milvus.connection import Connection
from collections_app.milvus.errors import Denied, MilvusRejected, NotFound
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.privileges import Rights

from .findings import Finding, ok, warning

EXAMINED = 100  # databases; each costs about ten reads
NAMED = 5  # databases in one line
WILD = "*?"
LISTING = 'client.grant_privilege(ROLE, "Global", "ListDatabases", "*", db_name="default")'


class Database(NamedTuple):
    """What was found in one database."""

    name: str
    rights: Rights
    lists_everything: bool


def look(about: str, connection: Connection) -> Iterator[Finding]:
    """Examine every database that the account may list, and those that access rules name."""
    listed, named = _listed(connection), _named(connection.cluster.key)
    names = listed or sorted(named) or ["default"]
    if listed:
        yield from _not_listed(about, sorted(named - set(listed)))
    elif "default" not in names:  # else it is among the rights there
        yield _not_listing(about, names)
    if len(names) > EXAMINED:
        yield warning(
            about,
            f"only the first {EXAMINED} of {len(names)} databases were examined",
            "Privileges in the others may differ.",
        )
    found = connection.each(lambda name: _examined(connection, name), names[:EXAMINED])
    for part in _grouped(found):
        yield from _rights(about, part[0].rights, [d.name for d in part], len(found))
    short = [database for database in found if not database.lists_everything]
    if short:
        yield _short_lists(about, short[0].rights, [d.name for d in short], len(found))


def _listed(connection: Connection) -> list[str]:
    """All databases that the account is shown; empty if it may not list them."""
    try:
        return Gateway(connection).databases()
    except (Denied, NotFound, MilvusRejected):
        return []


def _named(cluster: str) -> set[str]:
    """The databases that rules for this cluster name letter by letter, and `default` if it fits."""
    patterns = {
        pattern
        for rule in settings.ACCESS
        if matches(rule.clusters, cluster)
        for pattern in rule.databases
    }
    named = {pattern for pattern in patterns if not any(sign in pattern for sign in WILD)}
    return named | ({"default"} if matches(patterns, "default") else set())


def _examined(connection: Connection, name: str) -> Database:
    found = privileges.find(connection, name)
    return Database(name, found, visibility.lists_everything(connection, name))


def _grouped(databases: Iterable[Database]) -> list[list[Database]]:
    """Those with the same rights together."""
    groups: list[list[Database]] = []
    for database in databases:
        same = next((group for group in groups if group[0].rights == database.rights), None)
        if same:
            same.append(database)
        else:
            groups.append([database])
    return groups


def _not_listed(about: str, names: list[str]) -> Iterator[Finding]:
    if names:
        yield warning(
            about,
            f"access rules name {_join(names)}, but Milvus does not list it for this account",
            "Check the spelling in [[access]]. If the database exists, the account has no "
            "privilege in it.",
        )


def _not_listing(about: str, names: list[str]) -> Finding:
    return warning(
        about,
        f"the account can't list databases, or sees none; examined: {_join(names)}",
        "These databases are in the access rules. Milvus Admin needs ListDatabases in `default`. "
        f"The Milvus administrator grants it there: {LISTING}",
    )


def _rights(about: str, found: Rights, names: list[str], total: int) -> Iterator[Finding]:
    account, where = found.account or "the account", _where(names, total)
    if found.missing:
        lacking = ", ".join(right.split()[1] for right in found.missing)
        said = f" Milvus said: {found.denial}." if found.denial else ""
        yield warning(
            about,
            f"{account} lacks {lacking} {where}",
            "Pages show 'not permitted' for what the account can't read, and Milvus refuses what "
            f"it can't do.{said} The Milvus administrator grants it in Python: "
            f"{privileges.grant(found, names)}",
        )
    if found.unknown:
        acts = ", ".join(right.split()[1] for right in privileges.ACTS)
        yield warning(
            about,
            f"it is unknown whether {account} has {acts} {where}: {found.unknown}",
            f"Ask the Milvus administrator to run client.describe_user({found.account!r}), and "
            f"client.describe_role(…, db_name={names[0]!r}) for each of its roles.",
        )
    elif not found.missing:
        yield ok(about, f"{account} has every privilege that Milvus Admin uses {where}")


def _short_lists(about: str, found: Rights, names: list[str], total: int) -> Finding:
    return warning(
        about,
        f"lists of collections {_where(names, total)} may be incomplete: Milvus shows only what "
        f"{found.account or 'the account'} was granted, and no grant on all collections was found",
        "An empty list does not mean that the database is empty. A Collection privilege on "
        '"*" in that database shows everything, such as client.grant_privilege('
        f'ROLE, "Collection", "GetStatistics", "*", db_name={names[0]!r}).',
    )


def _where(names: list[str], total: int) -> str:
    return f"in all {total} databases" if len(names) == total > 1 else f"in {_join(names)}"


def _join(names: list[str]) -> str:
    if len(names) <= NAMED:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
