"""Which rights our account has at Milvus, found out without changing anything.

Reads are tried, on names that nothing has: Milvus looks at the right first. What destroys is never
tried; those rights are read from the account's roles, if it may read them.
"""

from dataclasses import dataclass, field
from typing import Any

from .connection import Connection
from .errors import Denied, MilvusError, Unreachable
from .sdk import pb

NOBODY = "milvus_admin_doctor"
# The kind of object that Milvus grants it on, and the right.
READS = {
    "Global ListDatabases": ("ListDatabases", pb.ListDatabasesRequest, ()),
    "Global ShowCollections": ("ShowCollections", pb.ShowCollectionsRequest, ()),
    "Global DescribeCollection": (
        "DescribeCollection",
        pb.DescribeCollectionRequest,
        ("collection_name",),
    ),
    "Collection GetStatistics": (
        "GetCollectionStatistics",
        pb.GetCollectionStatisticsRequest,
        ("collection_name",),
    ),
    "Collection ShowPartitions": (
        "ShowPartitions",
        pb.ShowPartitionsRequest,
        ("collection_name",),
    ),
    "Collection IndexDetail": ("DescribeIndex", pb.DescribeIndexRequest, ("collection_name",)),
    "Global ListAliases": ("ListAliases", pb.ListAliasesRequest, ("collection_name",)),
    "Global DescribeAlias": ("DescribeAlias", pb.DescribeAliasRequest, ("alias",)),
}
ACTS = (
    "Global DropCollection",
    "Collection DropPartition",
    "Collection Release",
    "Global DropAlias",
)
STRICT = "Global RenameCollection"  # what strict mode needs on top
EVERYTHING = {"All", "*"}
GROUP = ("ReadOnly", "ReadWrite", "Admin")  # how the groups of rights of Milvus 2.5 and later end


@dataclass(frozen=True, slots=True)
class Rights:
    """`missing` are rights that it surely lacks, as "Kind Right". `unknown` says why others are."""

    account: str
    roles: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    unknown: str = ""


def find(connection: Connection) -> Rights:
    """What the account may do in the database `default`. Raises Unreachable."""
    account = _account(connection)
    missing = [right for right, read in READS.items() if not _may(connection, *read)]
    if account == "root":
        return Rights(account, missing=missing)
    try:
        roles = _roles(connection, account) if account else ()
        granted = {right for role in (*roles, "public") for right in _granted(connection, role)}
    except Unreachable:
        raise
    except MilvusError:
        reason = "it may not read its own roles" if account else "an API key has no readable roles"
        return Rights(account, missing=missing, unknown=reason)
    return _judged(connection, account, roles, missing, granted)


def _judged(
    connection: Connection,
    account: str,
    roles: tuple[str, ...],
    missing: list[str],
    granted: set[str],
) -> Rights:
    if not account:
        return Rights(account, missing=missing, unknown="no account is named by a token")
    if "admin" in roles or granted & EVERYTHING:
        return Rights(account, roles, missing)
    if any(right.endswith(GROUP) for right in granted):
        return Rights(account, roles, missing, "its roles have groups of rights")
    needed = (*ACTS, STRICT) if connection.cluster.strict_drop else ACTS
    lacking = [right for right in needed if right.split()[1] not in granted]
    return Rights(account, roles, missing + lacking)


def grant(rights: Rights) -> str:
    """What whoever runs Milvus types in Python to mend it."""
    role = next((role for role in rights.roles if role != "public"), "")
    pairs = ", ".join(f'("{kind}", "{right}")' for kind, right in map(str.split, rights.missing))
    first = ""
    if not role:
        role = "milvus_admin"
        first = f'client.create_role("{role}"); client.grant_role("{rights.account}", "{role}"); '
    return (
        f'{first}[client.grant_privilege("{role}", kind, right, "*") for kind, right in [{pairs}]]'
    )


def _account(connection: Connection) -> str:
    """The user of the token (or of the address); empty for an API key, and for none."""
    user, colon, _ = connection.client("default")._config.token.partition(":")
    return user if colon else ""


def _may(connection: Connection, rpc: str, request: Any, names: tuple[str, ...]) -> bool:
    try:
        _ask(connection, rpc, request(**dict.fromkeys(names, NOBODY)))
    except Denied:
        return False
    except Unreachable:
        raise
    except MilvusError:  # it may ask; nothing of that name is there
        return True
    return True


def _roles(connection: Connection, account: str) -> tuple[str, ...]:
    user = {"user": {"name": account}, "include_role_info": True}
    reply = _ask(connection, "SelectUser", pb.SelectUserRequest(**user))
    return tuple(role.name for result in reply.results for role in result.roles)


def _granted(connection: Connection, role: str) -> set[str]:
    request = pb.SelectGrantRequest(entity={"role": {"name": role}, "db_name": "default"})
    reply = _ask(connection, "SelectGrant", request)
    return {entity.grantor.privilege.name for entity in reply.entities}


def _ask(connection: Connection, rpc: str, request: Any) -> Any:
    return connection.read("default", rpc, request)
