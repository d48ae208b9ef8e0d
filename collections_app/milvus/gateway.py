"""Reading from one Milvus cluster. Every call has a deadline and raises our own errors only."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from . import schema, translate, unfold
from .connection import Connection
from .errors import Denied, MilvusError, NotFound, Refused, Unreachable
from .sdk import pb
from .types import (
    CollectionDetail,
    CollectionSummary,
    Identity,
    Listing,
    Load,
    Partition,
    ServerInfo,
    Unread,
    unsafe_name,
)

S = TypeVar("S")
T = TypeVar("T")
IN_MEMORY = 1  # ShowType: only what is loaded, with percentages


def readable(read: Callable[[], T], silent: Callable[[], None] = lambda: None) -> T | Unread:
    """The value, or why it can't be had; `silent` is called if Milvus did not answer.

    NotFound goes through: then the whole thing is gone.
    """
    try:
        return read()
    except Denied:
        return Unread.NOT_PERMITTED
    except Refused:
        return Unread.UNKNOWN
    except Unreachable:
        silent()
        return Unread.UNKNOWN


class Gateway:
    """The reads of one cluster. Raises NotFound, Denied, Refused or Unreachable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.cluster = connection.cluster

    def server(self, database: str = "default") -> ServerInfo:
        version = self._connection.version(database)
        return ServerInfo(version=version, lite=self._connection.lite(database))

    def lite(self, database: str) -> bool:
        """Whether this is Milvus Lite, which has no ids. Asks the server only once."""
        return self._connection.lite(database)

    def databases(self) -> list[str]:
        """Names of all databases, sorted."""
        return sorted(self._call("default", "list_databases"))

    def collections(self, database: str) -> Listing:
        """Every collection of a database: two calls, however many there are."""
        reply = self._show_collections(database)
        return Listing(
            names=list(reply.collection_names),
            ids=reply.collection_ids,
            created_ms=reply.created_utc_timestamps,
            held=readable(lambda: self._held(database)),
        )

    def identities(self, database: str) -> dict[str, Identity]:
        """Who bears which name in a database: one call. Without ids on Milvus Lite."""
        reply = self._show_collections(database)
        names = list(reply.collection_names)
        ids = list(reply.collection_ids) or [0] * len(names)
        created = list(reply.created_utc_timestamps) or [0] * len(names)
        found = zip(names, ids, created, strict=True)
        return {name: Identity(id=id_, created_ms=ms or None) for name, id_, ms in found}

    def each(self, read: Callable[[S], T], things: Iterable[S]) -> list[T | Unread]:
        """`read` of each thing, a few at a time. The first one without an answer is the last."""
        stalled = threading.Event()

        def unless_stalled(thing: S) -> T | Unread:
            if stalled.is_set():
                return Unread.UNKNOWN
            return readable(lambda: read(thing), stalled.set)

        return self._connection.each(unless_stalled, things)

    def summaries(self, database: str, names: Iterable[str]) -> dict[str, CollectionSummary]:
        """Rows, partitions and aliases by name. A collection dropped meanwhile is absent."""
        names, stalled = list(names), threading.Event()
        found = self._connection.each(lambda name: self._summary(database, name, stalled), names)
        return {name: row for name, row in zip(names, found, strict=True) if row}

    def collection(self, database: str, name: str) -> CollectionDetail:
        """One collection in full. An alias is not found: nothing may be dropped through it."""
        reply = self._describe(database, name)
        described = unfold.unfold(reply)
        if described["collection_name"] != name:
            raise NotFound(f"{name} is an alias, not a collection")

        def begin(read: Callable[[str, str], T]) -> Callable[[], T | Unread]:
            return self._connection.aside(lambda: readable(lambda: read(database, name)))

        # Side by side, to wait for Milvus once. The rows come last: if they can be counted, it
        # was still there when the others were read.
        coming = begin(self.partitions), begin(self._indexes), begin(self.aliases)
        held = begin(self._load_of)
        partitions, indexes, aliases, load = coming[0](), coming[1](), coming[2](), held()
        rows = readable(lambda: self._rows(database, name))
        identity = _identity(described, partitions, rows)
        return CollectionDetail(
            name=name,
            identity=identity,
            description=described.get("description") or "",
            fields=schema.fields(described),
            functions=schema.functions(described),
            indexes=schema.indexes(indexes),
            aliases=aliases,
            partitions=partitions,
            load=load,
            rows=rows,
            shards=described.get("num_shards", 0),
            consistency=described.get("consistency_level_name", ""),
            dynamic_fields=bool(described.get("enable_dynamic_field")),
            partition_key=schema.partition_key(described),
            properties={str(k): str(v) for k, v in (described.get("properties") or {}).items()},
            snapshot=schema.snapshot(
                described, partitions, indexes, aliases, rows, unfold.raw(reply)
            ),
            external=schema.external(described),
        )

    def partition_rows(
        self, database: str, collection: str, names: Iterable[str]
    ) -> dict[str, int | Unread]:
        """Stored rows of each named partition. One dropped meanwhile is absent."""
        names = list(names)
        counts = self._connection.each(
            lambda name: self._partition_count(database, collection, name), names
        )
        found = zip(names, counts, strict=True)
        return {name: count for name, count in found if count is not None}

    def collection_identity(self, database: str, name: str) -> Identity | None:
        """Who bears this name now; None if nothing does (or only an alias). The look afterwards."""
        try:
            if self._connection.lite(database):
                return self.collection(database, name).identity
            described = unfold.unfold(self._describe(database, name))
        except NotFound:
            return None
        return _identity(described, (), 0) if described["collection_name"] == name else None

    def name_of(self, database: str, collection_id: int) -> str | None:
        """The name that the collection of this id bears now; None if there is none.

        Asked by id, so no rename hides it (seen on 2.3.5; newer ones by their source). Raises
        Denied, Refused or Unreachable.
        """
        request = pb.DescribeCollectionRequest(db_name=database, collectionID=collection_id)
        try:
            return str(self._raw(database, "DescribeCollection", request).schema.name)
        except NotFound:
            return None

    def partitions(self, database: str, name: str) -> tuple[Partition, ...]:
        """The partitions of a collection, sorted by name."""
        reply = self._show_partitions(database, name)
        loads = readable(lambda: self._partition_loads(database, name))
        lite = self._connection.lite(database)
        count = len(reply.partition_names)
        ids = list(reply.partitionIDs) or [0] * count
        created = list(reply.created_utc_timestamps) or [0] * count
        rows = zip(reply.partition_names, ids, created, strict=True)
        found = [
            Partition(
                name=part,
                identity=Identity(id=0 if lite else id_, created_ms=ms or None),
                load=loads if isinstance(loads, Unread) else _load(loads.get(part), lite),
            )
            for part, id_, ms in rows
        ]
        return tuple(sorted(found, key=lambda part: part.name))

    def aliases(self, database: str, name: str) -> tuple[str, ...]:
        """The aliases that point to a collection, sorted."""
        _never_unsafe(name)
        # Raw: pymilvus' own list_aliases asks about `default`, whatever the client's database.
        request = pb.ListAliasesRequest(db_name=database, collection_name=name)
        return tuple(sorted(self._raw(database, "ListAliases", request).aliases))

    def alias_exists(self, database: str, alias: str) -> bool:
        """Whether an alias of this name points at anything. Raises Denied or Unreachable."""
        _never_unsafe(alias)
        request = pb.DescribeAliasRequest(db_name=database, alias=alias)
        try:
            self._raw(database, "DescribeAlias", request)
        except NotFound:
            return False
        return True

    def load(self, database: str, collection: str) -> Load:
        """The load state of a collection that exists. Raises NotFound if it does not."""
        self._describe(database, collection)
        return self._load_of(database, collection)

    # --- single reads -------------------------------------------------------------------------

    def _call(self, database: str, method: str, *args: str) -> Any:
        _never_unsafe(*args)
        client = self._connection.client(database)
        with self._connection.reading(method):
            return getattr(client, method)(*args, timeout=self.cluster.read_timeout)

    def _raw(self, database: str, rpc: str, request: Any) -> Any:
        stub = self._connection.stub(database)
        with self._connection.reading(rpc):
            reply = getattr(stub, rpc)(request, timeout=self.cluster.read_timeout)
            translate.check_status(reply.status)
            return reply

    def _describe(self, database: str, name: str) -> Any:
        """The reply itself: pymilvus would unfold it, and fail at what is newer than pymilvus."""
        _never_unsafe(name)
        request = pb.DescribeCollectionRequest(db_name=database, collection_name=name)
        return self._raw(database, "DescribeCollection", request)

    def _show_collections(self, database: str, **only: Any) -> Any:
        request = pb.ShowCollectionsRequest(db_name=database, **only)
        return self._raw(database, "ShowCollections", request)

    def _loads(self, database: str) -> dict[str, int]:
        reply = self._show_collections(database, type=IN_MEMORY)
        return dict(zip(reply.collection_names, reply.inMemory_percentages, strict=True))

    def _held(self, database: str) -> dict[str, int]:
        """Percent in memory by name, without those that are not loaded."""
        loads = self._loads(database)
        if not self._connection.lite(database):
            return loads
        return {name: percent for name, percent in loads.items() if percent}

    def _load_of(self, database: str, name: str) -> Load:
        return Load(self._held(database).get(name))

    def _summary(
        self, database: str, name: str, stalled: threading.Event
    ) -> CollectionSummary | None:
        """One row of a page; None if it is gone. The first read without an answer is the last."""

        def unless_stalled(read: Callable[[], T]) -> T | Unread:
            return Unread.UNKNOWN if stalled.is_set() else readable(read, stalled.set)

        try:
            known = unless_stalled(lambda: self._partition_total(database, name))
            rows = unless_stalled(lambda: self._rows(database, name))
            aliases = unless_stalled(lambda: self.aliases(database, name))
        except NotFound:
            return None
        if not known:  # Milvus Lite leaves the count out
            parts = readable(lambda: self._show_partitions(database, name))
            known = parts if isinstance(parts, Unread) else len(parts.partition_names)
        return CollectionSummary(rows=rows, partitions=known, aliases=aliases)

    def _partition_total(self, database: str, name: str) -> int:
        """How many partitions a collection has, without unfolding its schema."""
        return int(self._describe(database, name).num_partitions)

    def _rows(self, database: str, name: str) -> int:
        _never_unsafe(name)
        request = pb.GetCollectionStatisticsRequest(db_name=database, collection_name=name)
        return _row_count(self._raw(database, "GetCollectionStatistics", request))

    def _partition_count(self, database: str, collection: str, name: str) -> int | Unread | None:
        try:
            return readable(lambda: self._rows_in(database, collection, name))
        except NotFound:
            return None

    def _rows_in(self, database: str, collection: str, name: str) -> int:
        _never_unsafe(collection, name)
        request = pb.GetPartitionStatisticsRequest(
            db_name=database, collection_name=collection, partition_name=name
        )
        return _row_count(self._raw(database, "GetPartitionStatistics", request))

    def _indexes(self, database: str, name: str) -> list[dict[str, Any]]:
        request = pb.DescribeIndexRequest(db_name=database, collection_name=name)
        try:
            reply = self._raw(database, "DescribeIndex", request)
        except MilvusError as exc:
            if exc.code == "700":  # IndexNotFound: a collection without any index
                return []
            raise
        return [schema.raw_index(description) for description in reply.index_descriptions]

    def _show_partitions(self, database: str, name: str, **only: Any) -> Any:
        _never_unsafe(name)
        request = pb.ShowPartitionsRequest(db_name=database, collection_name=name, **only)
        return self._raw(database, "ShowPartitions", request)

    def _partition_loads(self, database: str, name: str) -> dict[str, int]:
        try:
            reply = self._show_partitions(database, name, type=IN_MEMORY)
        except MilvusError as exc:
            if "not been loaded" in str(exc) or "not loaded" in str(exc):
                return {}
            raise
        return dict(zip(reply.partition_names, reply.inMemory_percentages, strict=True))


def _never_unsafe(*names: str) -> None:
    if any(unsafe_name(name) for name in names):
        raise NotFound("A name with a slash, or only dots, is never sent to a server")


def _row_count(reply: Any) -> int:
    return int(next(stat.value for stat in reply.stats if stat.key == "row_count"))


def _load(percent: int | None, lite: bool) -> Load:
    # Milvus Lite lists everything, at 0 or at 100.
    return Load(None) if percent is None or (lite and not percent) else Load(percent)


def _identity(
    described: dict[str, Any], partitions: Iterable[Partition] | Unread, rows: int | Unread
) -> Identity:
    if described["collection_id"]:
        created = described.get("created_timestamp", 0) >> 18  # hybrid time: milliseconds above
        return Identity(id=described["collection_id"], created_ms=created or None)
    names = partitions if isinstance(partitions, Unread) else sorted(p.name for p in partitions)
    seen = json.dumps([schema.plain(described), names, rows], sort_keys=True, default=str)
    return Identity(fingerprint=hashlib.sha256(seen.encode()).hexdigest()[:16])
