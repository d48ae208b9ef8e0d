"""Reading from one Milvus cluster. Every call has a deadline and raises our own errors only."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from . import schema, unfold, visibility
from .connection import Connection
from .errors import NotFound
from .reads import Reads, detail_of, readable
from .shared_reads import SharedReads
from .standby import StandbyCheck
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
from .witnesses import Witnesses

S = TypeVar("S")
T = TypeVar("T")
NOTHING_READ = CollectionSummary(
    rows=Unread.UNKNOWN, partitions=Unread.UNKNOWN, aliases=Unread.UNKNOWN
)


class Gateway:
    """The reads of one cluster.

    Raises NotFound, Denied, MilvusRejected, Unreachable or Contradiction.
    """

    def __init__(self, connection: Connection, reads: Reads | None = None) -> None:
        self._connection = connection
        self._reads = reads or Reads(connection)
        self._witnesses = Witnesses(self._reads)
        self.cluster = connection.cluster
        self.is_standby = StandbyCheck(connection)

    def for_many(self) -> "Gateway":
        """For many things of one database that are read at about the same time: what is about the
        whole database is asked once. Who finds a Contradiction should look at that thing alone.
        """
        return Gateway(self._connection, SharedReads(self._connection))

    def server(self, database: str = "default") -> ServerInfo:
        version = self._reads.version(database)
        return ServerInfo(version=version, lite=self._connection.lite(database))

    def begin_server(self, database: str) -> Callable[[], ServerInfo]:
        """`server` beside what is read next. What comes back waits for its answer, or raises."""
        return self._reads.start(lambda: self.server(database))

    def lite(self, database: str) -> bool:
        """Whether this is Milvus Lite, which has no ids. Asks the server only once."""
        return self._connection.lite(database)

    def databases(self) -> list[str]:
        """Names of all databases, sorted."""
        return self._reads.databases()

    def collections(self, database: str) -> Listing:
        """Every collection of a database: two calls, however many there are."""
        reply = self._reads.collections(database)
        return Listing(
            names=list(reply.collection_names),
            ids=reply.collection_ids,
            created_ms=reply.created_utc_timestamps,
            held=detail_of(lambda: self._reads.loads(database)),
        )

    def identities(self, database: str) -> dict[str, Identity]:
        """Which collection has which name in a database: one call. Without ids on Milvus Lite."""
        return self._reads.identities(database)

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
        rows = {name: row for name, row in zip(names, found, strict=True) if row}
        missing = {name for name in names if name not in rows and not unsafe_name(name)}
        if missing:  # not described: gone only if the list says so, too
            there = self._reads.listed(database).names
            rows |= dict.fromkeys(missing.intersection(there), NOTHING_READ)
        return rows

    def collection(self, database: str, name: str) -> CollectionDetail:
        """One collection in full. An alias is not found: nothing may be dropped through it."""
        return self._witnesses.agree_on(
            database, name, lambda: self._detail(database, name), lambda detail: detail.identity.id
        )

    def recorded(self, name: str, snapshot: Mapping[str, Any]) -> CollectionDetail:
        """A collection as a snapshot tells it, under that name. Asks nobody."""
        return schema.recorded(name, snapshot)

    def partition_rows(
        self, database: str, collection: str, names: Iterable[str]
    ) -> dict[str, int | Unread]:
        """Stored rows of each named partition. One dropped meanwhile is absent."""
        names = list(names)
        counts = self._connection.each(
            lambda name: self._partition_count(database, collection, name), names
        )
        rows = {n: rows for n, rows in zip(names, counts, strict=True) if rows is not None}
        missing = {name for name in names if name not in rows and not unsafe_name(name)}
        if missing:  # not counted: gone only if the list says so, too
            there = self._partitions_there(database, collection)
            rows |= dict.fromkeys(missing & set(there), Unread.UNKNOWN)
        return rows

    def collection_identity(self, database: str, name: str) -> Identity | None:
        """Which collection has this name now; None if none has, or only an alias has it."""
        try:
            if self._connection.lite(database):
                return self.collection(database, name).identity
            return self._witnesses.identity(database, name)
        except NotFound:
            return None

    def name_of(self, database: str, collection_id: int) -> str | None:
        """The name that the collection of this id has now; None if there is none.

        `database` is the one where it was seen. No rename hides it, nor a move to another one.
        """
        return self._witnesses.name_of(database, collection_id)

    def are_gone(self, database: str, name: str, collection_id: int) -> bool:
        """Whether surely nothing has this name any more, and no collection this id. False if that
        takes a closer look: `collection_identity` and `name_of`.
        """
        return self._witnesses.are_gone(database, name, collection_id)

    def partitions(self, database: str, name: str) -> tuple[Partition, ...]:
        """The partitions of a collection, sorted by name."""
        found = self._reads.partitions(database, name)
        return _partitions(found, detail_of(lambda: self._reads.partition_loads(database, name)))

    def aliases(self, database: str, name: str) -> tuple[str, ...]:
        """The aliases that point to a collection, sorted."""
        return self._reads.aliases(database, name)

    def alias_exists(self, database: str, alias: str) -> bool:
        """Whether an alias of this name points at anything."""
        return self._reads.alias_exists(database, alias)

    def load(self, database: str, collection: str) -> Load:
        """The load state of a collection that exists. Raises NotFound if it does not."""
        if self.collection_identity(database, collection) is None:
            raise NotFound(f"collection not found[collection={collection}]")
        return self._load_of(database, collection)

    # --- pieces -------------------------------------------------------------------------------

    def _detail(self, database: str, name: str) -> CollectionDetail:

        def begin(read: Callable[[str, str], T]) -> Callable[[], T | Unread]:
            return self._reads.start(lambda: detail_of(lambda: read(database, name)))

        # Side by side, to wait for Milvus once.
        begun = begin(self._reads.partitions), begin(self._reads.indexes), begin(self.aliases)
        begun_too = begin(self._load_of), begin(self._reads.rows)
        reply = self._reads.describe(database, name)
        described = unfold.unfold(reply)
        if described["collection_name"] != name:
            raise NotFound(f"{name} is an alias, not a collection")
        indexes, aliases = begun[1](), begun[2]()
        load, rows = begun_too[0](), begun_too[1]()
        partitions = self._with_loads(database, name, begun[0](), load)
        replicas = self._replicas(database, name, load)
        return CollectionDetail(
            name=name,
            identity=_identity(described, partitions, rows),
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
                described, partitions, indexes, aliases, rows, load, replicas, unfold.raw(reply)
            ),
            external=schema.external(described),
        )

    def _with_loads(
        self, database: str, name: str, found: dict[str, Identity] | Unread, load: Load | Unread
    ) -> tuple[Partition, ...] | Unread:
        """The partitions, with a request only if something of their collection may be in memory:
        a loaded partition puts its collection into the list of those (seen: 2.3.5).
        """
        if isinstance(found, Unread):
            return found
        if isinstance(load, Load) and not load.held:
            return _partitions(found, {})
        return _partitions(found, detail_of(lambda: self._reads.partition_loads(database, name)))

    def _replicas(self, database: str, name: str, load: Load | Unread) -> int | Unread:
        """In memory: none if it is not loaded, and one on Milvus Lite, which does not tell."""
        if isinstance(load, Unread):
            return load
        if not load.held or self.lite(database):
            return int(load.held)
        return detail_of(lambda: self._reads.replicas(database, name))

    def _load_of(self, database: str, name: str) -> Load:
        return Load(self._reads.loads(database).get(name))

    def _summary(
        self, database: str, name: str, stalled: threading.Event
    ) -> CollectionSummary | None:
        """One row of a page; None if it is gone. The first read without an answer is the last."""

        def unless_stalled(read: Callable[[], T]) -> T | Unread:
            return Unread.UNKNOWN if stalled.is_set() else readable(read, stalled.set)

        try:
            known = unless_stalled(lambda: self._partition_total(database, name))
        except NotFound:
            return None
        rows = unless_stalled(lambda: detail_of(lambda: self._reads.rows(database, name)))
        aliases = unless_stalled(lambda: detail_of(lambda: self.aliases(database, name)))
        if not known:  # Milvus Lite leaves the count out
            parts = detail_of(lambda: self._reads.partitions(database, name))
            known = parts if isinstance(parts, Unread) else len(parts)
        return CollectionSummary(rows=rows, partitions=known, aliases=aliases)

    def _partition_total(self, database: str, name: str) -> int:
        """How many partitions a collection has. The schema is not unfolded for it."""
        return int(self._reads.describe(database, name).num_partitions)

    def _partitions_there(self, database: str, collection: str) -> Iterable[str]:
        """The names of its partitions; none if the collection is gone."""
        try:
            return self._reads.partitions(database, collection)
        except NotFound:
            return ()

    def _partition_count(self, database: str, collection: str, name: str) -> int | Unread | None:
        try:
            return readable(lambda: self._reads.rows_in(database, collection, name))
        except NotFound:
            return None

    # --- what an empty list means -------------------------------------------------------------

    def lists_everything(self, database: str) -> bool:
        """Whether `collections` surely has all of them; else an empty one proves nothing."""
        return visibility.lists_everything(self._connection, database)


def _partitions(
    found: dict[str, Identity], loads: dict[str, int] | Unread
) -> tuple[Partition, ...]:
    return tuple(
        Partition(
            name=part,
            identity=found[part],
            load=loads if isinstance(loads, Unread) else Load(loads.get(part)),
        )
        for part in sorted(found)
    )


def _identity(
    described: dict[str, Any], partitions: Iterable[Partition] | Unread, rows: int | Unread
) -> Identity:
    if described["collection_id"]:
        created = described.get("created_timestamp", 0) >> 18  # hybrid time: milliseconds above
        return Identity(id=described["collection_id"], created_ms=created or None)
    names = partitions if isinstance(partitions, Unread) else sorted(p.name for p in partitions)
    what = {k: v for k, v in schema.plain(described).items() if k != "collection_name"}  # a rename
    seen = json.dumps([what, names, rows], sort_keys=True, default=str)
    return Identity(fingerprint=hashlib.sha256(seen.encode()).hexdigest()[:16])
