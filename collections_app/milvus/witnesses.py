"""Whether a collection exists, and which one has a name: what two answers of Milvus agree on.

ShowCollections comes from the root coordinator in all versions, and has ids (proxy/task.go).
DescribeCollection may come from a proxy's memory from 2.5.18 on (proxy/meta_cache.go), and can say
"not found" of what is listed (issue #46651). Where they differ, nobody knows.
"""

from collections.abc import Callable, Iterator
from typing import TypeVar

from .errors import Contradiction, Denied, MilvusRejected, NotFound
from .reads import Reads, never_unsafe
from .types import Identity, Unread

T = TypeVar("T")
INVALID_PARAMETER = "1100"  # Milvus' code for an invalid parameter
TRIES = 2  # something may change between the two answers


class Witnesses:
    """Raises Denied, MilvusRejected or Unreachable where one can't be asked; Contradiction if they
    differ twice in a row.
    """

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    def agree_on(
        self, database: str, name: str, describe: Callable[[], T], id_of: Callable[[T], int]
    ) -> T:
        """What `describe` returns, if the list has the same collection under this name.

        Raises NotFound if neither knows one.
        """
        never_unsafe(name)
        for _ in range(TRIES):
            found, missing = _or_missing(describe)
            listed = self._reads.listed(database).identity_of(name)
            if missing and listed is None:
                raise missing
            seen = None if found is None else id_of(found)
            if found is not None and listed and seen == listed.id:
                return found
        in_list = listed.id if listed else None
        raise Contradiction(
            f"ShowCollections lists {name} {_as_id(in_list)}, and DescribeCollection finds it "
            f"{_as_id(seen)}"
        )

    def identity(self, database: str, name: str) -> Identity:
        """Which collection has this name. Raises NotFound if none has, or only an alias."""
        return self.agree_on(
            database, name, lambda: self._described(database, name), lambda i: i.id
        )

    def name_of(self, database: str, collection_id: int) -> str | None:
        """The name that the collection of this id has now; None if there is none.

        `database` is the one where it was seen. No rename hides it, nor a move to another one.
        """
        for _ in range(TRIES):
            lists = self._reads.start(lambda: self._reads.listed(database))
            by_id = self._name_by_id(database, collection_id)
            listed = lists().name_of(collection_id)
            if listed == by_id:
                return listed
            moved = None if listed else self._name_elsewhere(database, collection_id)
            if moved or by_id is Unread.UNKNOWN:
                return listed or moved
        raise Contradiction(
            f"ShowCollections lists id {collection_id} {_as_name(listed)}, and DescribeCollection "
            f"finds it {_as_name(by_id)}"
        )

    def are_gone(self, database: str, name: str, collection_id: int) -> bool:
        """Whether nothing has this name, and no collection this id: one list, which knows both, and
        a description of each agree on that. Where they don't, False says nothing.
        """
        never_unsafe(name)
        lists = self._reads.start(lambda: self._reads.listed(database))
        by_name = self._reads.start(lambda: _or_missing(lambda: self._described(database, name)))
        by_id, (found, _), listed = self._name_by_id(database, collection_id), by_name(), lists()
        answers = by_id, found, listed.identity_of(name), listed.name_of(collection_id)
        return all(answer is None for answer in answers)

    def _described(self, database: str, name: str) -> Identity:
        reply = self._reads.describe(database, name)
        if reply.schema.name != name:
            raise NotFound(f"{name} is an alias, not a collection")
        return Identity(id=reply.collectionID, created_ms=reply.created_timestamp >> 18 or None)

    def _name_by_id(self, database: str, collection_id: int) -> str | Unread | None:
        """None if Milvus knows no such id; UNKNOWN if its answer says nothing about it.

        From 2.5.18 on it may look up the name of the id, and answer about whatever has that name
        (issues #51253, #51313). Some servers and accounts get no answer by id at all.
        """
        try:
            reply = self._reads.describe_id(database, collection_id)
        except NotFound:
            return None
        except Denied:
            return Unread.UNKNOWN
        except MilvusRejected as exc:
            if exc.code != INVALID_PARAMETER:  # refused for now only: too many requests, say
                raise
            return Unread.UNKNOWN
        return str(reply.schema.name) if reply.collectionID == collection_id else Unread.UNKNOWN

    def _name_elsewhere(self, database: str, collection_id: int) -> str | None:
        """Its name in any other database; None if it has none that this account may list."""
        return next(filter(None, self._names_elsewhere(database, collection_id)), None)

    def _names_elsewhere(self, database: str, collection_id: int) -> Iterator[str | None]:
        try:
            others = [name for name in self._reads.databases() if name != database]
        except (Denied, MilvusRejected):
            return
        for other in others:
            yield self._reads.listed(other).name_of(collection_id)


def _or_missing(describe: Callable[[], T]) -> tuple[T | None, NotFound | None]:
    try:
        return describe(), None
    except NotFound as exc:
        return None, exc


def _as_id(id_: int | None) -> str:
    return "not at all" if id_ is None else f"as id {id_}"


def _as_name(name: str | Unread | None) -> str:
    return f"as {name}" if name else "not at all"
