"""Small collections and databases on a real server, removed again at the end."""

import contextlib
import itertools
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import grpc
from pymilvus import CollectionSchema, DataType, MilvusClient
from pymilvus.exceptions import MilvusException

from .milvus_server import MilvusServer

FAILED = (MilvusException, grpc.RpcError)
DIMENSION = 4

_numbers = itertools.count(1)
_run = secrets.token_hex(3)


def unique_name(prefix: str = "c") -> str:
    """A name that nothing on the server has, valid for everything Milvus names."""
    return f"{prefix}_{_run}_{next(_numbers)}"


class Seeds:
    """Call it for a new collection: it gives back the name.

    A primary key `id` (INT64) and a `vector` of four numbers. `rows` is how many to insert: into
    the default partition, or by partition. They are flushed, so that the statistics know them.
    """

    def __init__(self, server: MilvusServer) -> None:
        self.server = server
        self._collections: list[tuple[str, str]] = []
        self._aliases: list[tuple[str, str]] = []
        self._databases: list[str] = []

    def __call__(
        self,
        name: str | None = None,
        *,
        database: str = "default",
        partitions: Sequence[str] = (),
        aliases: Sequence[str] = (),
        rows: int | Mapping[str, int] = 0,
        indexed: bool = False,
        loaded: bool = False,
        partition_key: bool = False,
        description: str = "",
    ) -> str:
        name = name or unique_name()
        client = self.server.client(database)
        self._collections.append((database, name))
        client.create_collection(
            name, schema=_schema(partition_key, description), num_partitions=None, timeout=30
        )
        for partition in partitions:
            client.create_partition(name, partition, timeout=30)
        self._insert(client, name, rows, partition_key)
        if indexed or loaded:
            _index(client, name)
        if loaded:
            client.load_collection(name, timeout=60)
        for alias in aliases:
            self._aliases.append((database, alias))
            client.create_alias(name, alias, timeout=30)
        return name

    def database(self, name: str | None = None) -> str:
        """A new, empty database."""
        name = name or unique_name("db")
        self._databases.append(name)
        self.server.client().create_database(name, timeout=30)
        return name

    def renamed(self, name: str, database: str = "default") -> str:
        """A name that something made here may get: it is removed under this one too."""
        self._collections.append((database, name))
        return name

    def exists(self, name: str, database: str = "default") -> bool:
        """Whether a collection or an alias bears this name."""
        return bool(self.server.client(database).has_collection(name, timeout=10))

    def clean(self) -> None:
        """Remove all that was made here, whatever tests have made of it since."""
        for database, alias in self._aliases:
            with contextlib.suppress(*FAILED):
                self.server.client(database).drop_alias(alias, timeout=30)
        for database, name in self._collections:
            with contextlib.suppress(*FAILED):
                self.server.client(database).drop_collection(name, timeout=30)
        for database in self._databases:
            self._drop_database(database)

    def _drop_database(self, name: str) -> None:
        with contextlib.suppress(*FAILED):
            inside = self.server.client(name)
            for collection in inside.list_collections(timeout=10):
                inside.drop_collection(collection, timeout=30)
            self.server.client().drop_database(name, timeout=30)

    def _insert(
        self, client: MilvusClient, name: str, rows: int | Mapping[str, int], tenants: bool
    ) -> None:
        wanted = {"": rows} if isinstance(rows, int) else rows
        keys = itertools.count(1)
        for partition, count in wanted.items():
            data = [_row(next(keys), tenants) for _ in range(count)]
            if data:
                client.insert(name, data, partition_name=partition, timeout=30)
        if any(wanted.values()):
            client.flush(name, timeout=60)


@contextlib.contextmanager
def seeds_on(server: MilvusServer) -> Iterator[Seeds]:
    """A factory whose collections are gone afterwards."""
    seeds = Seeds(server)
    try:
        yield seeds
    finally:
        seeds.clean()


def _schema(partition_key: bool, description: str) -> CollectionSchema:
    schema = MilvusClient.create_schema(auto_id=False, description=description)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSION)
    if partition_key:
        schema.add_field("tenant", DataType.VARCHAR, max_length=64, is_partition_key=True)
    return schema


def _row(key: int, tenants: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"id": key, "vector": [float(key), 0.0, 0.0, 1.0]}
    return row | {"tenant": f"tenant-{key % 3}"} if tenants else row


def _index(client: MilvusClient, name: str) -> None:
    params = client.prepare_index_params()
    params.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_index(name, params, timeout=60)
