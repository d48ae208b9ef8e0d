"""The calls that change something in Milvus: drops first of all. Each is sent exactly once.

pymilvus re-sends a call when the connection breaks before the answer, and reports success; by
then the name may belong to another collection, and the second drop takes that one. So these go
through the raw stub, which sends once. No other file may send them (tests hold it).

All of them return None once Milvus has answered OK, which proves nothing: Milvus says OK to
dropping what does not exist. They raise Denied, MilvusRejected, Unreachable (nothing was sent) or
OutcomeUnknown (it was sent, and no clear answer came).
"""

from typing import Any

from google.protobuf.json_format import ParseDict, ParseError

from . import error_mapping
from .blueprint import Blueprint, Data
from .connection import Connection
from .errors import Standby
from .metrics import Measured
from .sdk import pb, schema_pb2
from .types import unsafe_name


class Destroyer:
    """What can be changed on one cluster. Every call has the cluster's `drop_timeout`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def drop_collection(self, database: str, name: str) -> None:
        request = pb.DropCollectionRequest(db_name=database, collection_name=name)
        self._send_once(database, "DropCollection", request, name)

    def rename_collection(self, database: str, name: str, new: str) -> None:
        # Without the new database 2.3.5 moves it to `default`.
        request = pb.RenameCollectionRequest(
            db_name=database, oldName=name, newName=new, newDBName=database
        )
        self._send_once(database, "RenameCollection", request, name, new)

    def drop_partition(self, database: str, collection: str, name: str) -> None:
        request = pb.DropPartitionRequest(
            db_name=database, collection_name=collection, partition_name=name
        )
        self._send_once(database, "DropPartition", request, collection, name)

    def release_collection(self, database: str, name: str) -> None:
        request = pb.ReleaseCollectionRequest(db_name=database, collection_name=name)
        self._send_once(database, "ReleaseCollection", request, name)

    def release_partition(self, database: str, collection: str, name: str) -> None:
        request = pb.ReleasePartitionsRequest(
            db_name=database, collection_name=collection, partition_names=[name]
        )
        self._send_once(database, "ReleasePartitions", request, collection, name)

    def load_collection(self, database: str, name: str, replicas: int = 1) -> None:
        """As pymilvus does it. OK only means that Milvus began."""
        request = pb.LoadCollectionRequest(
            db_name=database, collection_name=name, replica_number=replicas
        )
        self._send_once(database, "LoadCollection", request, name)

    def create_alias(self, database: str, collection: str, alias: str) -> None:
        request = pb.CreateAliasRequest(db_name=database, collection_name=collection, alias=alias)
        self._send_once(database, "CreateAlias", request, collection, alias)

    def create_collection(self, database: str, name: str, blueprint: Blueprint) -> None:
        """2.3.5 answers OK, too, if it has one that is the same (seen); others refuse."""
        request = pb.CreateCollectionRequest(
            db_name=database,
            collection_name=name,
            schema=_schema(name, blueprint).SerializeToString(),
            shards_num=blueprint.shards,
            consistency_level=blueprint.consistency,
            num_partitions=blueprint.key_partitions,
            properties=_pairs(dict(blueprint.properties)),
        )
        self._send_once(database, "CreateCollection", request, name)

    def create_partition(self, database: str, collection: str, name: str) -> None:
        request = pb.CreatePartitionRequest(
            db_name=database, collection_name=collection, partition_name=name
        )
        self._send_once(database, "CreatePartition", request, collection, name)

    def create_index(self, database: str, collection: str, index: Data) -> None:
        """An index as schema.raw_index describes it. Milvus builds it later."""
        request = pb.CreateIndexRequest(
            db_name=database,
            collection_name=collection,
            field_name=index["field_name"],
            index_name=index["index_name"],
            extra_params=_pairs(index["params"]),
        )
        self._send_once(database, "CreateIndex", request, collection)

    def drop_alias(self, database: str, alias: str) -> None:
        request = pb.DropAliasRequest(db_name=database, alias=alias)
        self._send_once(database, "DropAlias", request, alias)

    def _send_once(self, database: str, rpc: str, request: Any, *names: str) -> None:
        if any(unsafe_name(name) for name in names):
            error_mapping.never("A name with a slash, or only dots, is never sent to a server.")
        cluster = self._connection.cluster
        send, lite = self._connection.sender(database, rpc), self._connection.lite(database)
        sending, writing = self._connection.bulkhead.write(), error_mapping.writing
        try:
            with Measured(cluster.key, rpc), sending, writing(cluster.secrets, lite=lite):
                reply = send(request, cluster.drop_timeout)
                error_mapping.check_status(getattr(reply, "status", reply))
        except Standby:
            self._connection.answered_as(standby=True)
            raise
        self._connection.answered_as(standby=False)


def _schema(name: str, blueprint: Blueprint) -> Any:
    """The schema as a message. Raises MilvusRejected for what is newer than this client."""
    try:
        schema = ParseDict(dict(blueprint.schema), schema_pb2.CollectionSchema())
    except ParseError as exc:
        error_mapping.never(f"This version of Milvus Admin can't write the schema: {exc}.")
    schema.name = name
    return schema


def _pairs(values: Data) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]
