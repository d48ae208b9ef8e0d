"""A Milvus in memory, for tests above the gateway.

tests/test_contract.py keeps it honest. It behaves as the real 2.3.5 does: it says OK to dropping
what does not exist, refuses to drop a loaded partition, and leaves an alias behind when its
collection is dropped.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar, cast

import pytest
from django.conf import settings

from collections_app import clusters
from collections_app.milvus.bulkhead import Bulkhead
from collections_app.milvus.circuit_breaker import CircuitBreaker
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import (
    Denied,
    MilvusRejected,
    NotFound,
    OutcomeUnknown,
    Unreachable,
)
from collections_app.milvus.gateway import Gateway, readable
from collections_app.milvus.types import (
    Cluster,
    CollectionDetail,
    CollectionSummary,
    Field,
    Identity,
    Index,
    Listing,
    Load,
    Partition,
    ServerInfo,
    Unread,
    unsafe_name,
)

S = TypeVar("S")
T = TypeVar("T")
EPOCH_MS = 1_700_000_000_000
DEFAULT_PARTITION = "_default"
FIELDS = (
    Field(name="id", type="INT64", description="", notes=("primary key",)),
    Field(name="vector", type="FLOAT_VECTOR", description="", notes=("dim 4",)),
)


class Lost(Enum):
    """An act whose answer never comes: whether Milvus carried it out all the same."""

    DONE = "done"
    UNDONE = "undone"


@dataclass
class FakePartition:
    identity: Identity
    rows: int = 0
    loaded: bool = False


@dataclass
class FakeCollection:
    identity: Identity
    partitions: dict[str, FakePartition]
    description: str = ""
    partition_key: str = ""

    @property
    def loaded(self) -> bool:
        return any(p.loaded for p in self.partitions.values())

    @property
    def rows(self) -> int:
        return sum(p.rows for p in self.partitions.values())


@dataclass
class FakeDatabase:
    collections: dict[str, FakeCollection] = field(default_factory=dict)
    aliases: dict[str, FakeCollection] = field(default_factory=dict)


class FakeMilvus:
    """Gateway and destroyer in one. Tests change it with `add` and the switches.

    `unreachable`: nothing answers. `denied(...)`: these reads or acts are not permitted, named
    like the methods ("collections", "aliases", "partitions", "rows", "load", "drop_collection").
    `all_listed`: whether lists are known to be complete.
    `next_act`: the next act is sent and its answer is lost. `sent` holds every act that arrived.
    """

    def __init__(self) -> None:
        self.cluster = Cluster(key="fake", label="Fake", uri="http://127.0.0.1:1")
        self.unreachable = False
        self.all_listed = True
        self.next_act: Lost | None = None
        self.sent: list[tuple[str, ...]] = []
        self._denied: set[str] = set()
        self._ids = itertools.count(1001)
        self._databases = {"default": FakeDatabase()}

    # --- what tests do ------------------------------------------------------------------------

    def add(
        self,
        name: str,
        *,
        database: str = "default",
        partitions: Sequence[str] = (),
        aliases: Sequence[str] = (),
        rows: int | Mapping[str, int] = 0,
        loaded: bool = False,
        partition_key: bool = False,
        description: str = "",
    ) -> str:
        """A new collection, like `Seeds` makes one; its name comes back."""
        found = self._databases.setdefault(database, FakeDatabase())
        if name in found.collections or name in found.aliases:
            raise MilvusRejected(f"duplicated collection name {name}", "65535")
        names = [f"_default_{n}" for n in range(64)] if partition_key else [DEFAULT_PARTITION]
        counts = {names[0]: rows} if isinstance(rows, int) else rows
        found.collections[name] = FakeCollection(
            identity=self._identity(),
            partitions={
                part: FakePartition(self._identity(), counts.get(part, 0), loaded)
                for part in [*names, *partitions]
            },
            description=description,
            partition_key="tenant" if partition_key else "",
        )
        found.aliases |= dict.fromkeys(aliases, found.collections[name])
        return name

    def denied(self, *methods: str) -> None:
        """From now on the account may not do these."""
        self._denied |= set(methods)

    def _identity(self) -> Identity:
        id_ = next(self._ids)
        return Identity(id=id_, created_ms=EPOCH_MS + id_)

    # --- gateway ------------------------------------------------------------------------------

    def server(self, database: str = "default") -> ServerInfo:
        self._reach(database)
        return ServerInfo(version="v2.3.5-fake", lite=False)

    def begin_server(self, database: str) -> Callable[[], ServerInfo]:
        return lambda: self.server(database)

    def for_many(self) -> "FakeMilvus":
        return self

    def is_standby(self, database: str) -> bool:
        return False

    def lite(self, database: str) -> bool:
        return False

    def lists_everything(self, database: str) -> bool:
        return self.all_listed

    def databases(self) -> list[str]:
        self._permit("databases", "default")
        return sorted(self._databases)

    def collections(self, database: str) -> Listing:
        self._permit("collections", database)
        found = self._database(database).collections
        held = {name: 100 for name, one in found.items() if one.loaded}
        return Listing(
            names=list(found),
            ids=[one.identity.id for one in found.values()],
            created_ms=[one.identity.created_ms or 0 for one in found.values()],
            held=self._read("load", lambda: held),
        )

    def identities(self, database: str) -> dict[str, Identity]:
        self._permit("collections", database)
        return {name: one.identity for name, one in self._database(database).collections.items()}

    def each(self, read: Callable[[S], T], things: Iterable[S]) -> list[T | Unread]:
        return [readable(lambda thing=thing: read(thing)) for thing in things]

    def summaries(self, database: str, names: Iterable[str]) -> dict[str, CollectionSummary]:
        self._reach()
        known = self._databases.get(database, FakeDatabase())
        return {
            name: CollectionSummary(
                rows=self._read("rows", lambda name=name: known.collections[name].rows),
                partitions=len(known.collections[name].partitions),
                aliases=self._read("aliases", lambda name=name: _aliases_of(known, name)),
            )
            for name in names
            if name in known.collections
        }

    def collection(self, database: str, name: str) -> CollectionDetail:
        self._permit("collection", database)
        found = self._found(database, name)
        partitions = self._read("partitions", lambda: self.partitions(database, name))
        aliases = self._read("aliases", lambda: self.aliases(database, name))
        rows = self._read("rows", lambda: found.rows)
        return CollectionDetail(
            name=name,
            identity=found.identity,
            description=found.description,
            fields=FIELDS,
            functions=(),
            indexes=self._read("indexes", lambda: _indexes(found)),
            aliases=aliases,
            partitions=partitions,
            load=self._read("load", lambda: _load(found.loaded)),
            rows=rows,
            shards=1,
            consistency="Bounded",
            dynamic_fields=False,
            partition_key=found.partition_key,
            properties={},
            snapshot={
                "describe": {"collection_name": name, "collection_id": found.identity.id},
                "partitions": list(found.partitions),
                "aliases": [] if isinstance(aliases, Unread) else list(aliases),
                "rows": None if isinstance(rows, Unread) else rows,
            },
        )

    def partition_rows(
        self, database: str, collection: str, names: Iterable[str]
    ) -> dict[str, int | Unread]:
        self._reach()
        try:
            parts = self._found(database, collection, through_alias=True).partitions
        except NotFound:
            return {}
        return {
            name: self._read("rows", lambda name=name: parts[name].rows)
            for name in names
            if name in parts
        }

    def collection_identity(self, database: str, name: str) -> Identity | None:
        try:
            self._permit("collection", database)
            return self._found(database, name).identity
        except NotFound:
            return None

    def name_of(self, database: str, collection_id: int) -> str | None:
        self._permit("name_of", database)
        known = self._databases.get(database, FakeDatabase()).collections
        return next((n for n, one in known.items() if one.identity.id == collection_id), None)

    def are_gone(self, database: str, name: str, collection_id: int) -> bool:
        known = self.collection_identity(database, name) or self.name_of(database, collection_id)
        return known is None

    def partitions(self, database: str, name: str) -> tuple[Partition, ...]:
        self._permit("partitions", database)
        found = self._found(database, name, through_alias=True).partitions
        return tuple(
            Partition(
                name=part,
                identity=found[part].identity,
                load=self._read("load", lambda part=part: _load(found[part].loaded)),
            )
            for part in sorted(found)
        )

    def aliases(self, database: str, name: str) -> tuple[str, ...]:
        self._permit("aliases", database)
        self._found(database, name)
        return _aliases_of(self._databases[database], name)

    def load(self, database: str, collection: str) -> Load:
        self._permit("load", database)
        return _load(self._found(database, collection, through_alias=True).loaded)

    # --- destroyer ----------------------------------------------------------------------------

    def drop_collection(self, database: str, name: str) -> None:
        def drop() -> None:
            known = self._databases.get(database, FakeDatabase())
            if name in known.aliases:
                raise MilvusRejected(f"cannot drop the collection via alias = {name}", "65535")
            known.collections.pop(name, None)

        self._act(drop, "drop_collection", database, name)

    def rename_collection(self, database: str, name: str, new: str) -> None:
        def rename() -> None:
            known = self._databases.get(database, FakeDatabase())
            if new in known.collections or new in known.aliases:
                text = f"duplicated new collection name {database}:{new} with other collection name"
                raise MilvusRejected(text, "65535")
            if name not in known.collections:
                raise MilvusRejected(f"collection not found[collection={name}]", "100")
            known.collections[new] = known.collections.pop(name)

        self._act(rename, "rename_collection", database, name, new)

    def drop_partition(self, database: str, collection: str, name: str) -> None:
        def drop() -> None:
            found = self._there(database, collection)
            part = found.partitions.get(name)
            if found.partition_key:
                raise MilvusRejected(
                    "disable drop partition if partition key mode is used", "65535"
                )
            if name == DEFAULT_PARTITION:
                raise MilvusRejected("default partition cannot be deleted", "65535")
            if part and part.loaded:
                text = "partition cannot be dropped, partition is loaded, please release it first"
                raise MilvusRejected(text, "65535")
            found.partitions.pop(name, None)

        self._act(drop, "drop_partition", database, collection, name)

    def release_collection(self, database: str, name: str) -> None:
        def release() -> None:
            for part in self._there(database, name).partitions.values():
                part.loaded = False

        self._act(release, "release_collection", database, name)

    def release_partition(self, database: str, collection: str, name: str) -> None:
        def release() -> None:
            found = self._there(database, collection)
            if name not in found.partitions:
                raise MilvusRejected(f"partition not found[partition={name}]", "200")
            found.partitions[name].loaded = False

        self._act(release, "release_partition", database, collection, name)

    def drop_alias(self, database: str, alias: str) -> None:
        def drop() -> None:
            self._databases.get(database, FakeDatabase()).aliases.pop(alias, None)

        self._act(drop, "drop_alias", database, alias)

    # --- how it answers -----------------------------------------------------------------------

    def _act(self, carry_out: Callable[[], None], method: str, *names: str) -> None:
        if any(unsafe_name(name) for name in names[1:]):
            raise MilvusRejected(
                "A name with a slash, or only dots, is never sent to a server.", "local"
            )
        self._reach(names[0])
        self.sent.append((method, *names))
        if method in self._denied:
            raise Denied(f"{method}: permission deny", "StatusCode.PERMISSION_DENIED")
        lost, self.next_act = self.next_act, None
        if lost is not Lost.UNDONE:
            carry_out()
        if lost:
            raise OutcomeUnknown("Deadline Exceeded", "StatusCode.DEADLINE_EXCEEDED")

    def _reach(self, database: str = "default") -> None:
        if unsafe_name(database):
            raise NotFound("A database's name has no slash, and is not only dots")
        if self.unreachable:
            raise Unreachable("Fail connecting to server", "2")

    def _permit(self, method: str, database: str) -> None:
        self._reach(database)
        if method in self._denied:
            raise Denied(f"{method}: permission deny", "StatusCode.PERMISSION_DENIED")

    def _read(self, method: str, read: Callable[[], T]) -> T | Unread:
        return Unread.NOT_PERMITTED if method in self._denied else read()

    def _database(self, name: str) -> FakeDatabase:
        if name not in self._databases:
            raise NotFound(f"database not found[database={name}]", "800")
        return self._databases[name]

    def _found(self, database: str, name: str, *, through_alias: bool = False) -> FakeCollection:
        known = self._databases.get(database, FakeDatabase())
        found = known.collections.get(name)
        if found is None and through_alias:
            found = known.aliases.get(name)
        if found is None or found not in known.collections.values():
            message = f"collection not found[database={database}][collection={name}]"
            raise NotFound(message, "100")
        return found

    def _there(self, database: str, name: str) -> FakeCollection:
        """What an act works on: an alias will do, and what is missing is refused."""
        try:
            return self._found(database, name, through_alias=True)
        except NotFound as exc:
            raise MilvusRejected(str(exc), exc.code) from exc


def _load(loaded: bool) -> Load:
    return Load(100 if loaded else None)


def _aliases_of(database: FakeDatabase, name: str) -> tuple[str, ...]:
    found = database.collections[name]
    return tuple(sorted(alias for alias, real in database.aliases.items() if real is found))


def _indexes(found: FakeCollection) -> tuple[Index, ...]:
    if not found.loaded:
        return ()
    return (Index(name="vector", field="vector", type="FLAT", metric="L2", params={}),)


def use_fake(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> FakeMilvus:
    """A fake Milvus behind every configured cluster. `changes` are made to the clusters."""
    fake = FakeMilvus()
    impatient = {"read_timeout": 3.0, "drop_timeout": 3.0, "unknown_timeout": 1.0, **changes}

    def get(key: str) -> clusters.Milvus:
        if key not in settings.CLUSTERS:
            raise clusters.UnknownCluster(key)
        cluster = fake.cluster = replace(settings.CLUSTERS[key], **impatient)
        gateway, destroyer = cast(Gateway, fake), cast(Destroyer, fake)
        bulkhead, breaker = Bulkhead(cluster), CircuitBreaker(cluster)
        return clusters.Milvus(cluster, gateway, destroyer, bulkhead, breaker)

    monkeypatch.setattr(clusters, "get", get)
    return fake
