"""Single reads of one cluster: one request each, its answer as plain data or as it came."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from . import schema
from .connection import Connection
from .errors import Contradiction, Denied, MilvusError, MilvusRejected, NotFound, Unreachable
from .sdk import pb
from .types import Identity, Unread, unsafe_name

T = TypeVar("T")
IN_MEMORY = 1  # ShowType: only what is loaded, with percentages
NO_INDEX = "700"


def readable(read: Callable[[], T], silent: Callable[[], None] = lambda: None) -> T | Unread:
    """The value, or why it can't be had; `silent` is called if Milvus did not answer.

    NotFound goes through: then the whole thing is gone.
    """
    try:
        return read()
    except Denied:
        return Unread.NOT_PERMITTED
    except (MilvusRejected, Contradiction):
        return Unread.UNKNOWN
    except Unreachable:
        silent()
        return Unread.UNKNOWN


def detail_of(read: Callable[[], T]) -> T | Unread:
    """The same for a part of something that exists: what is not found is only that part."""
    try:
        return readable(read)
    except NotFound:
        return Unread.UNKNOWN


@dataclass(frozen=True, slots=True)
class Names:
    """Which collection has which name in a database: one answer, in columns.

    A plan looks up one of thousands in it, thousands of times.
    """

    names: Sequence[str]
    ids: Sequence[int]
    created_ms: Sequence[int]

    @classmethod
    def of(cls, reply: Any) -> "Names":
        """A reply of ShowCollections."""
        names = list(reply.collection_names)
        ids, created = list(reply.collection_ids), reply.created_utc_timestamps
        return cls(names, _column(ids, names), _column(created, names))

    def identity_of(self, name: str) -> Identity | None:
        """Of the collection that has this name."""
        return self.identity_at(self.names.index(name)) if name in self.names else None

    def name_of(self, collection_id: int) -> str | None:
        """The name that the collection of this id has."""
        known = collection_id in self.ids
        return self.names[self.ids.index(collection_id)] if known else None

    def identity_at(self, at: int) -> Identity:
        """Of the collection in this place of the list."""
        return Identity(id=self.ids[at], created_ms=self.created_ms[at] or None)


class Reads:
    """Every method raises NotFound, Denied, MilvusRejected, Unreachable or Contradiction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def version(self, database: str) -> str:
        """The server's own word for its version."""
        return self._connection.version(database)

    def databases(self) -> list[str]:
        """Names of all databases, sorted."""
        return sorted(self._ask("default", "ListDatabases", pb.ListDatabasesRequest()).db_names)

    def collections(self, database: str, **only: Any) -> Any:
        """The reply of ShowCollections, with as many ids and times as names, or none."""
        reply = self._ask(
            database, "ShowCollections", pb.ShowCollectionsRequest(db_name=database, **only)
        )
        for numbers in (reply.collection_ids, reply.created_utc_timestamps):
            _column(numbers, reply.collection_names)
        return reply

    def identities(self, database: str) -> dict[str, Identity]:
        """Which collection has which name in a database. Without ids on Milvus Lite."""
        names = Names.of(self.collections(database))
        return {name: names.identity_at(at) for at, name in enumerate(names.names)}

    def listed(self, database: str) -> "Names":
        """The same, to look up single ones; empty if there is no such database."""
        try:
            return Names.of(self.collections(database))
        except NotFound:
            return Names([], [], [])

    def start(self, read: Callable[[], T]) -> Callable[[], T]:
        """Start a read beside others. What comes back waits for its value, or raises."""
        return self._connection.start(read)

    def loads(self, database: str) -> dict[str, int]:
        """Percent in memory by name, of what is loaded or on the way."""
        try:
            reply = self.collections(database, type=IN_MEMORY)
        except NotFound as exc:  # of any collection that is being dropped just now
            raise Contradiction(f"The load states can't be read: {exc}", exc.code) from exc
        percent = _column(reply.inMemory_percentages, reply.collection_names)
        held = dict(zip(reply.collection_names, percent, strict=True))
        if not self._connection.lite(database):
            return held
        return {name: percent for name, percent in held.items() if percent}  # Lite lists all

    def describe(self, database: str, name: str) -> Any:
        """The reply of DescribeCollection. An alias finds its collection."""
        never_unsafe(name)
        request = pb.DescribeCollectionRequest(db_name=database, collection_name=name)
        return self._ask(database, "DescribeCollection", request)

    def describe_id(self, database: str, collection_id: int) -> Any:
        """The same, by id. Whose id the reply has is for the caller to compare."""
        request = pb.DescribeCollectionRequest(db_name=database, collectionID=collection_id)
        return self._ask(database, "DescribeCollection", request)

    def rows(self, database: str, name: str) -> int:
        """Stored rows of a collection."""
        never_unsafe(name)
        request = pb.GetCollectionStatisticsRequest(db_name=database, collection_name=name)
        return _row_count(self._ask(database, "GetCollectionStatistics", request))

    def rows_in(self, database: str, collection: str, name: str) -> int:
        """Stored rows of a partition."""
        never_unsafe(collection, name)
        request = pb.GetPartitionStatisticsRequest(
            db_name=database, collection_name=collection, partition_name=name
        )
        return _row_count(self._ask(database, "GetPartitionStatistics", request))

    def indexes(self, database: str, name: str) -> list[dict[str, Any]]:
        """The indexes as plain data."""
        never_unsafe(name)
        request = pb.DescribeIndexRequest(db_name=database, collection_name=name)
        try:
            reply = self._ask(database, "DescribeIndex", request)
        except MilvusError as exc:
            if exc.code == NO_INDEX:
                return []
            raise
        return [schema.raw_index(description) for description in reply.index_descriptions]

    def partitions(self, database: str, name: str) -> dict[str, Identity]:
        """Which partition has which name in a collection. Without ids on Milvus Lite."""
        never_unsafe(name)
        request = pb.ShowPartitionsRequest(db_name=database, collection_name=name)
        reply = self._ask(database, "ShowPartitions", request)
        names, lite = reply.partition_names, self._connection.lite(database)
        ids = [0] * len(names) if lite else _column(reply.partitionIDs, names)
        created = _column(reply.created_utc_timestamps, names)
        found = zip(names, ids, created, strict=True)
        return {part: Identity(id=id_, created_ms=ms or None) for part, id_, ms in found}

    def partition_loads(self, database: str, name: str) -> dict[str, int]:
        """Percent in memory by name, of the partitions that are loaded or on the way."""
        never_unsafe(name)
        request = pb.ShowPartitionsRequest(db_name=database, collection_name=name, type=IN_MEMORY)
        try:
            reply = self._ask(database, "ShowPartitions", request)
        except MilvusError as exc:
            if "not been loaded" in str(exc) or "not loaded" in str(exc):
                return {}
            raise
        percent = _column(reply.inMemory_percentages, reply.partition_names)
        held = dict(zip(reply.partition_names, percent, strict=True))
        if not self._connection.lite(database):
            return held
        return {part: percent for part, percent in held.items() if percent}

    def aliases(self, database: str, name: str) -> tuple[str, ...]:
        """The aliases that point to a collection, sorted."""
        never_unsafe(name)
        # pymilvus' own list_aliases asks about `default`, whatever the client's database.
        request = pb.ListAliasesRequest(db_name=database, collection_name=name)
        return tuple(sorted(self._ask(database, "ListAliases", request).aliases))

    def replicas(self, database: str, name: str) -> int:
        """How many replicas are in memory, of a collection that is loaded."""
        never_unsafe(name)
        request = pb.GetReplicasRequest(db_name=database, collection_name=name)
        return len(self._ask(database, "GetReplicas", request).replicas)

    def alias_exists(self, database: str, alias: str) -> bool:
        """Whether an alias of this name points at anything."""
        never_unsafe(alias)
        request = pb.DescribeAliasRequest(db_name=database, alias=alias)
        try:
            self._ask(database, "DescribeAlias", request)
        except NotFound:
            return False
        return True

    def _ask(self, database: str, rpc: str, request: Any) -> Any:
        return self._connection.read(database, rpc, request)


def never_unsafe(*names: str) -> None:
    """Raise NotFound for a name that must not be sent to any server."""
    if any(unsafe_name(name) for name in names):
        raise NotFound("A name with a slash, or only dots, is never sent to a server")


def _column(numbers: Sequence[int], names: Sequence[str]) -> Sequence[int]:
    """One number for each name; zeros where the server sends none, as Milvus Lite does."""
    if len(numbers) not in {0, len(names)}:
        raise Contradiction(f"Milvus listed {len(names)} names with {len(numbers)} numbers")
    return numbers or [0] * len(names)


def _row_count(reply: Any) -> int:
    """Raises Contradiction for an answer without the number that was asked for."""
    said = next((stat.value for stat in reply.stats if stat.key == "row_count"), "nothing")
    if not said.isdecimal():
        raise Contradiction(f"Asked for a row count, Milvus answered {said[:40]}")
    return int(said)
