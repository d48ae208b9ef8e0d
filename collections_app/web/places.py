"""Which databases and collections of a cluster a person may see, for switchers and cards."""

from dataclasses import dataclass

from ..access.policy import Action, Place, databases_named, matches, visible
from ..clusters import Milvus
from ..milvus.errors import Denied
from ..recycle_bin.items import names_by_private_name
from .request import SignedInRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Databases:
    """Names in the order of Milvus. Not complete: these are of the rules, none could be listed."""

    names: list[str]
    is_complete: bool


def databases_seen(request: SignedInRequest, milvus: Milvus) -> Databases:
    """The databases that this person may see. Raises as `gateway.databases`, but not Denied."""
    key = milvus.cluster.key
    try:
        is_complete, names = True, milvus.gateway.databases()
    except Denied:
        is_complete = False
        names = list(dict.fromkeys(["default", *databases_named(request.actor, key)]))
    may = request.permissions.may
    seen = [name for name in names if may(Action.VIEW, Place(cluster=key, database=name))]
    return Databases(names=seen, is_complete=is_complete)


def collections_seen(request: SignedInRequest, milvus: Milvus, database: str) -> list[str]:
    """The collections that this person may see, sorted, without those in the recycle bin.

    Raises as `gateway.collections`.
    """
    key = milvus.cluster.key
    patterns, hidden = visible(request.actor, key, database), names_by_private_name(key, database)
    names = milvus.gateway.collections(database).names
    return sorted(name for name in names if name not in hidden and matches(patterns, name))
