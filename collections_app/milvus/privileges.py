"""Which rights our account has at Milvus, found out without changing anything.

Reads are tried, on names that nothing has: Milvus looks at the right first. What destroys is never
tried; those rights are read from the account's roles, if it may read them. Up to 2.6 Milvus judges
each request in the database that its connection names, so each database is asked by itself.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from . import grants
from .connection import Connection
from .errors import Denied, MilvusError, Unreachable
from .grants import ADMIN, PUBLIC, Grant
from .sdk import ObjectPrivilege, pb

NOBODY = "milvus_admin_doctor"
ROOT = "root"
LIST_DATABASES = "Global ListDatabases"
# The kind of object that Milvus grants it on, and the right.
READS = {
    LIST_DATABASES: ("ListDatabases", pb.ListDatabasesRequest, ()),
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
PLAIN = {name.removeprefix("Privilege") for name in ObjectPrivilege.keys()}  # noqa: SIM118
GROUP = ("ReadOnly", "ReadWrite", "Admin")  # how the groups of rights of Milvus 2.5 and later end
# Every version checks these, and `public` never has them: to have one without a grant is to be
# above the checks.
CHECKED = ("Collection GetStatistics", "Collection ShowPartitions")
HELD = (
    "its roles lack some of these, and this server may hold root to its roles "
    "(common.security.rootShouldBindRole)"
)


@dataclass(frozen=True, slots=True)
class Rights:
    """What was found in one database.

    `missing` are rights that it surely lacks, as "Kind Right"; `denial` is what Milvus said to the
    first one that was tried. `unknown` says why others can't be known.
    """

    account: str
    roles: tuple[str, ...] = ()
    missing: list[str] = field(default_factory=list)
    unknown: str = ""
    denial: str = field(default="", compare=False)  # newer servers name the database in it


def find(connection: Connection, database: str = "default") -> Rights:
    """What the account may do in a database. Raises Unreachable.

    ListDatabases belongs to no database: Milvus Admin asks for it in `default`, and so does this.
    """
    account = grants.account(connection, database)
    reads = [right for right in READS if right != LIST_DATABASES or database == "default"]
    answers = {right: _denial(connection, database, right) for right in reads}
    missing = [right for right, denial in answers.items() if denial]
    denial = next(filter(None, answers.values()), "")
    found = Rights(account, missing=missing, denial=denial)
    if not account:
        return replace(found, unknown=_why_nameless(connection, database))
    try:
        roles = grants.roles(connection, database, account)
        granted = _granted(connection, database, roles)
    except Unreachable:
        raise
    except MilvusError:
        return replace(found, unknown="it may not read its own roles")
    return _judged(connection, replace(found, roles=roles), granted)


def _why_nameless(connection: Connection, database: str) -> str:
    if grants.token(connection, database):
        return "an API key has no readable roles"
    return "no account is named by a token"


def _judged(connection: Connection, found: Rights, granted: set[Grant]) -> Rights:
    names = {grant.right for grant in granted}
    if ADMIN in found.roles or names & EVERYTHING:
        return found
    if found.account == ROOT and _above_checks(found.missing, names):
        return found
    if any(map(_is_group, names)):
        return replace(found, unknown="its roles have groups of rights")
    needed = (*ACTS, STRICT) if connection.cluster.strict_drop else ACTS
    lacking = [right for right in needed if right.split()[1] not in names]
    if lacking and found.account == ROOT and not found.missing:
        return replace(found, unknown=HELD)
    return replace(found, missing=found.missing + lacking)


def _is_group(name: str) -> bool:
    """Whether a granted name stands for several rights: a group of Milvus, or one that is new."""
    return name.endswith(GROUP) or name not in PLAIN


def is_above_checks(connection: Connection, database: str, roles: Iterable[str]) -> bool:
    """Whether Milvus lets root do what none of its roles was granted. Raises MilvusError.

    Up to 2.5.3 root always may. Since then `common.security.rootShouldBindRole` can hold root to
    its roles (PR #39324; 2.4 got it as #39325). No call tells that setting, so this tries reads.
    """
    denied = [right for right in CHECKED if _denial(connection, database, right)]
    names = {grant.right for grant in _granted(connection, database, roles)}
    return _above_checks(denied, names)


def _above_checks(denied: Iterable[str], granted: set[str]) -> bool:
    if granted & EVERYTHING or any(map(_is_group, granted)):
        return False  # one of these may be what lets it through
    return any(right not in denied and right.split()[1] not in granted for right in CHECKED)


def grant(rights: Rights, databases: Sequence[str] = ("default",)) -> str:
    """What whoever runs Milvus types in Python to mend it."""
    role = next(iter(rights.roles), "")
    pairs = ", ".join(f'("{kind}", "{right}")' for kind, right in map(str.split, rights.missing))
    first = ""
    if not role:
        role = "milvus_admin"
        first = f'client.create_role("{role}"); client.grant_role("{rights.account}", "{role}"); '
    return (
        f'{first}[client.grant_privilege("{role}", kind, right, "*", db_name=database) '
        f"for database in {list(databases)!r} for kind, right in [{pairs}]]"
    )


def _denial(connection: Connection, database: str, right: str) -> str:
    """What Milvus says where this read is not permitted, or an empty string."""
    rpc, request, names = READS[right]
    named = dict.fromkeys(names, NOBODY)
    if "db_name" in request.DESCRIPTOR.fields_by_name:
        named["db_name"] = database
    try:
        connection.read(database, rpc, request(**named))
    except Denied as exc:
        return str(exc) or "permission denied"
    except Unreachable:
        raise
    except MilvusError:  # it may ask; nothing of that name is there
        return ""
    return ""


def _granted(connection: Connection, database: str, roles: Iterable[str]) -> set[Grant]:
    every = (grants.granted(connection, database, role) for role in (*roles, PUBLIC))
    return {grant for granted in every for grant in granted}
