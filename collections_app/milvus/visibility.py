"""Whether an empty list means "nothing there", or only "nothing that this account was granted".

From 2.4 on, with authorization, ShowCollections leaves out what no role of the account was
granted on, and answers OK with an empty list where that is everything (read in `root_coord.go`,
`getCurrentUserVisibleCollections`; PR #32576, #38684, #41203). 2.3.5 lists all (seen).
"""

import time
from collections.abc import Iterable

from . import grants, privileges
from .connection import Connection
from .errors import MilvusError, Unreachable
from .grants import ADMIN, ANY, Grant
from .types import Cluster
from .versions import Version

LEAVES_OUT_FROM = 2, 4  # the release line that got PR #32576 (2024-04-29)
GROUPS = {"CollectionReadOnly", "CollectionReadWrite", "CollectionAdmin"}
KEEP = 300.0  # seconds; a grant changes rarely

_answers: dict[tuple[Cluster, str], tuple[float, bool]] = {}


def lists_everything(connection: Connection, database: str) -> bool:
    """Whether a list of this database surely has every collection. False if that is not known.

    Asks Milvus at most once in five minutes, a few cheap reads; raises nothing.
    """
    key = (connection.cluster, database)
    at, answer = _answers.get(key, (0.0, False))
    if at and time.monotonic() - at < KEEP:
        return answer
    try:
        answer = _ask(connection, database)
    except Unreachable:  # it may know soon
        return False
    except MilvusError:
        answer = False
    _answers[key] = time.monotonic(), answer
    return answer


def forget() -> None:
    """Ask again at the next call."""
    _answers.clear()


def _ask(connection: Connection, database: str) -> bool:
    if connection.lite(database) or not grants.token(connection, database):
        return True  # without a token only a server without authorization answers
    version = Version.parse(connection.version(database))
    if version and version.line < LEAVES_OUT_FROM:
        return True
    user = grants.account(connection, database)
    if not user:  # an API key has no readable roles
        return False
    roles = grants.roles(connection, database, user)
    return (
        ADMIN in roles
        or any(opens_all(grants.granted(connection, database, role)) for role in roles)
        or (user == privileges.ROOT and privileges.is_above_checks(connection, database, roles))
    )


def opens_all(granted: Iterable[Grant]) -> bool:
    """Whether these grants of one role show every collection of their database."""
    return any(
        (grant.kind, grant.right) == ("Global", "All")
        or (grant.on == ANY and (grant.kind == "Collection" or grant.right in GROUPS))
        for grant in granted
    )
