"""Listing a cluster. What can't be read is unknown, and changes nothing."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from django.utils import timezone

from ..clusters import Milvus, same_server
from ..milvus.errors import Denied, MilvusError, MilvusRejected, NotFound, Unreachable
from ..milvus.types import Identity
from .attribution import last_sequence, of_rehearsals

T = TypeVar("T")


@dataclass(kw_only=True)
class Lists:
    """What was read, since when, and where the log ended then.

    `dropped` are databases that no longer exist; `problems` say what could not be read.
    """

    at: datetime = field(default_factory=timezone.now)
    position: int = field(default_factory=last_sequence)
    read: dict[str, dict[str, Identity]] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def read_lists(milvus: Milvus, known: Collection[str], only: Collection[str]) -> Lists:
    """List all databases, and the known ones that are not among them, each with one call.

    `only` limits it to some. The first one without an answer is the last of this round. Raises
    Unreachable if there was none at all. The things of a rehearsal are left out: they are in the
    log already, and gone in a moment.
    """
    lists = Lists()
    listed = [] if only else _databases(milvus, lists)
    named = _without_rehearsals(milvus, lists, dict.fromkeys(listed))
    for database in only or dict.fromkeys([*named, *known]):
        try:
            identities = milvus.gateway.identities(database)
            lists.read[database] = _without_rehearsals(milvus, lists, identities)
        except NotFound as exc:
            if database in known and database not in named:  # neither listed nor known by name
                lists.read[database] = {}
                lists.dropped.add(database)
            else:
                lists.problems.append(f"{database} is not there: {exc}")
        except Unreachable as exc:
            lists.problems.append(f"{database} and those after it: no answer ({exc})")
            break
        except MilvusError as exc:
            lists.problems.append(f"{database} can't be listed: {exc}")
    return lists


def _without_rehearsals(milvus: Milvus, lists: Lists, names: dict[str, T]) -> dict[str, T]:
    hidden = of_rehearsals(same_server(milvus.cluster.key), names, lists.position)
    return {name: thing for name, thing in names.items() if name not in hidden}


def _databases(milvus: Milvus, lists: Lists) -> list[str]:
    try:
        return milvus.gateway.databases()
    except (Denied, MilvusRejected) as exc:
        remedy = "Grant ListDatabases, or name them with --database"
        hint = remedy if isinstance(exc, Denied) else str(exc)
        lists.problems.append(f"its databases can't be listed, so new ones are not seen. {hint}")
        return ["default"]
