"""A Milvus that only answers: `python -m tests.benchmarks.stub 10000` prints its port.

With `no-code` after the number it says what 2.5.18 to 2.6.20 say of a missing collection.

A process of its own, so that its work is not counted as ours. Its answers are serialised
beforehand, and it holds as many collections as a real server would take hours to make.
"""

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from grpc import aio

from collections_app.milvus.sdk import DataType, grpc, pb

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0)]
FIRST_ID = 447_000_000_000_000_000
FIRST_MS = 1_700_000_000_000
IN_MEMORY = 1
PARTITIONS = 1000  # of the collection whose name comes first; the others have one
DATABASES = 100
WORDS = ("orders", "news", "faces", "songs", "parts", "maps", "papers", "films")
MISSING = {"error_code": 4, "code": 100, "reason": "collection not found"}
NO_CODE = {"error_code": 4, "reason": "can't find collection[database=default][collection=]"}

Answer = Callable[[bytes], bytes]


def names(size: int) -> list[str]:
    """What a stub of that size holds, in an order as arbitrary as Milvus' own."""
    made = [f"{WORDS[number % len(WORDS)]}_{number:05d}" for number in range(size)]
    random.Random(size).shuffle(made)
    return made


def number_of(name: str) -> int:
    return int(name.rpartition("_")[2])


class Stub:
    """The answers. Every tenth collection is loaded, every twentieth has an alias."""

    def __init__(self, size: int, missing: dict[str, Any] = MISSING) -> None:
        self._undescribed = _bytes(pb.DescribeCollectionResponse(status=missing))
        self._ids = {name: FIRST_ID + number_of(name) for name in names(size)}
        self._names = {id_: name for name, id_ in self._ids.items()}
        self._described = {name: self._describe(name) for name in self._ids}
        self._rows = {name: _rows(id_) for name, id_ in self._ids.items()}
        self._parted, self._wide = min(self._ids), _bytes(_partitions(PARTITIONS))
        self._narrow = _bytes(_partitions(1))
        self._listed: dict[int, bytes] = {}
        self._list_anew()

    def answers(self) -> dict[str, Answer]:
        """By method of the protocol: all that the gateway calls, and the drop."""
        return {
            "Connect": _always(pb.ConnectResponse(identifier=1)),
            "GetVersion": _always(pb.GetVersionResponse(version="2.3.5")),
            "ListDatabases": _always(pb.ListDatabasesResponse(db_names=_databases())),
            "ShowCollections": self._show_collections,
            "DescribeCollection": self._describe_collection,
            "GetCollectionStatistics": self._collection_statistics,
            "ListAliases": self._list_aliases,
            "DescribeIndex": _always(pb.DescribeIndexResponse(status={"code": 700})),
            "ShowPartitions": self._show_partitions,
            "GetPartitionStatistics": _always(pb.GetPartitionStatisticsResponse(stats=_count(7))),
            "DropCollection": self._drop_collection,
            "RenameCollection": self._rename_collection,
        }

    def _show_collections(self, request: bytes) -> bytes:
        return self._listed[pb.ShowCollectionsRequest.FromString(request).type]

    def _describe_collection(self, request: bytes) -> bytes:
        asked = pb.DescribeCollectionRequest.FromString(request)
        name = asked.collection_name or self._names.get(asked.collectionID, "")
        return self._described.get(name) or self._undescribed

    def _collection_statistics(self, request: bytes) -> bytes:
        name = pb.GetCollectionStatisticsRequest.FromString(request).collection_name
        missing = pb.GetCollectionStatisticsResponse(status=MISSING)
        return self._rows.get(name) or _bytes(missing)

    def _list_aliases(self, request: bytes) -> bytes:
        name = pb.ListAliasesRequest.FromString(request).collection_name
        aliases = [f"current_{name}"] if self._ids.get(name, 1) % 20 == 0 else []
        return _bytes(pb.ListAliasesResponse(aliases=aliases))

    def _show_partitions(self, request: bytes) -> bytes:
        name = pb.ShowPartitionsRequest.FromString(request).collection_name
        return self._wide if name == self._parted else self._narrow

    def _drop_collection(self, request: bytes) -> bytes:
        name = pb.DropCollectionRequest.FromString(request).collection_name
        for held in (self._ids, self._described, self._rows):
            held.pop(name, None)
        self._list_anew()
        return b""  # a Status that says OK

    def _rename_collection(self, request: bytes) -> bytes:
        rename = pb.RenameCollectionRequest.FromString(request)
        for held in (self._ids, self._rows):
            held[rename.newName] = held.pop(rename.oldName)
        del self._described[rename.oldName]
        self._names[self._ids[rename.newName]] = rename.newName
        self._described[rename.newName] = self._describe(rename.newName)
        self._list_anew()
        return b""

    def _list_anew(self) -> None:
        loaded = {name: id_ for name, id_ in self._ids.items() if id_ % 10 == 0}
        percentages = [100] * len(loaded)
        self._listed[0] = _bytes(_listing(self._ids))
        self._listed[IN_MEMORY] = _bytes(_listing(loaded, inMemory_percentages=percentages))

    def _describe(self, name: str) -> bytes:
        id_ = self._ids[name]
        reply = pb.DescribeCollectionResponse(
            collection_name=name,
            collectionID=id_,
            created_timestamp=_created_ms(id_) << 18,
            created_utc_timestamp=_created_ms(id_),
            shards_num=1,
            num_partitions=1,
            db_name="default",
        )
        _add_fields(reply.schema, name)
        return _bytes(reply)


def _add_fields(schema: Any, name: str) -> None:
    schema.name = name
    schema.fields.add(fieldID=100, name="id", data_type=DataType.INT64, is_primary_key=True)
    vector = schema.fields.add(fieldID=101, name="vector", data_type=DataType.FLOAT_VECTOR)
    vector.type_params.add(key="dim", value="128")
    title = schema.fields.add(fieldID=102, name="title", data_type=DataType.VARCHAR)
    title.type_params.add(key="max_length", value="200")
    schema.fields.add(fieldID=103, name="year", data_type=DataType.INT32)


def _listing(ids: dict[str, int], **more: Any) -> Any:
    created = [_created_ms(id_) for id_ in ids.values()]
    return pb.ShowCollectionsResponse(
        collection_names=list(ids),
        collection_ids=list(ids.values()),
        created_timestamps=[ms << 18 for ms in created],
        created_utc_timestamps=created,
        **more,
    )


def _databases() -> list[str]:
    return ["default", *(f"team_{number:02d}" for number in range(1, DATABASES))]


def _partitions(count: int) -> Any:
    return pb.ShowPartitionsResponse(
        partition_names=["_default", *(f"p{number:03d}" for number in range(1, count))],
        partitionIDs=[FIRST_ID - count + number for number in range(count)],
        created_utc_timestamps=[FIRST_MS + number for number in range(count)],
        inMemory_percentages=[0] * count,
    )


def _created_ms(id_: int) -> int:
    return FIRST_MS + (id_ - FIRST_ID) * 60_000


def _rows(id_: int) -> bytes:
    return _bytes(pb.GetCollectionStatisticsResponse(stats=_count(id_ * 37 % 1_000_000)))


def _count(rows: int) -> list[dict[str, str]]:
    return [{"key": "row_count", "value": str(rows)}]


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _always(message: Any) -> Answer:
    reply = _bytes(message)
    return lambda _: reply


class _Everything(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, answers: dict[str, Answer]) -> None:
        self._handlers = {
            method: grpc.unary_unary_rpc_method_handler(_served(answer))
            for method, answer in answers.items()
        }

    def service(self, details: Any) -> Any:
        return self._handlers.get(details.method.rpartition("/")[2])


def _served(answer: Answer) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def serve(request: bytes, context: Any) -> bytes:
        return answer(request)

    return serve


async def main(size: int, *options: str) -> None:
    stub = Stub(size, NO_CODE if "no-code" in options else MISSING)
    server = aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((_Everything(stub.answers()),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
