"""Listing a cluster. What can't be read is unknown, and changes nothing."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from ..clusters import Milvus
from ..milvus.errors import Denied, MilvusError, NotFound, Refused, Unreachable
from ..milvus.types import Identity
from .ours import last_sequence


@dataclass(kw_only=True)
class Lists:
    """What was read, since when, and where the log ended then.

    `gone` are databases that are there no more; `problems` say what could not be read.
    """

    at: datetime = field(default_factory=timezone.now)
    position: int = field(default_factory=last_sequence)
    read: dict[str, dict[str, Identity]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


def read(milvus: Milvus, known: Collection[str], only: Collection[str]) -> Lists:
    """List all databases, and the known ones that are not among them, each with one call.

    `only` limits it to some. The first one without an answer is the last of this round. Raises
    Unreachable if there was none at all.
    """
    lists = Lists()
    named = [] if only else _databases(milvus, lists)
    for database in only or dict.fromkeys([*named, *known]):
        try:
            lists.read[database] = milvus.gateway.identities(database)
        except NotFound as exc:
            if database in known and database not in named:  # neither listed nor known by name
                lists.read[database] = {}
                lists.gone.add(database)
            else:
                lists.problems.append(f"{database} is not there: {exc}")
        except Unreachable as exc:
            lists.problems.append(f"{database} and those after it: no answer ({exc})")
            break
        except MilvusError as exc:
            lists.problems.append(f"{database} can't be listed: {exc}")
    return lists


def _databases(milvus: Milvus, lists: Lists) -> list[str]:
    try:
        return milvus.gateway.databases()
    except (Denied, Refused) as exc:
        remedy = "Grant ListDatabases, or name them with --database"
        said = remedy if isinstance(exc, Denied) else str(exc)
        lists.problems.append(f"its databases can't be listed, so new ones are not seen. {said}")
        return ["default"]
