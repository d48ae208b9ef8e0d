"""The only calls that create something in Milvus: what a rehearsal tries the product on.

Every name begins with `_milvusadmin_rehearsal_` and the id of the run that made it. Any other name
is refused here, before anything is sent.
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from . import error_mapping, privileges
from .errors import MilvusError, Unreachable
from .gateway import Gateway
from .metrics import Measured
from .sdk import DataType, pb

PREFIX = "_milvusadmin_rehearsal_"
_NAME = re.compile(rf"{PREFIX}([0-9a-f]{{32}})(_[a-z_]+)?")
DIMENSION = 4
SECONDS = 15.0  # for one call: to load a partition takes a busy server that long


def root_of(run: uuid.UUID) -> str:
    """What the names of everything that a run makes begin with, and its database's name."""
    return f"{PREFIX}{run.hex}"


def run_of(name: str) -> uuid.UUID | None:
    """The run whose name this is, letter by letter, or None. Anybody can write such a name."""
    match = _NAME.fullmatch(name)
    return uuid.UUID(match[1]) if match else None


@dataclass(frozen=True, slots=True)
class Raw:
    """What came back from one read, as it came. `code` is a word if gRPC itself refused."""

    code: int | str
    error_code: int
    reason: str
    reply: Any = None

    @property
    def is_ok(self) -> bool:
        return not (self.code or self.error_code)

    def __str__(self) -> str:
        reason = f" “{self.reason}”" if self.reason else ""
        return f"code {self.code}, error_code {self.error_code}{reason}"


class Maker:
    """Creates, on one cluster, and looks at answers in the raw.

    What creates raises NotFound, Denied, MilvusRejected or Unreachable; after Unreachable it may
    be there all the same.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._connection = gateway._connection

    def database(self, name: str) -> None:
        self._create("default", "create_database", name)

    def drop_database(self, name: str) -> None:
        """Milvus drops only an empty one. Raises as what creates does."""
        self._create("default", "drop_database", name)

    def collection(self, database: str, name: str) -> None:
        """An empty one without an index."""
        client = self._connection.client(database)
        schema = client.create_schema(auto_id=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=DIMENSION)
        self._create(database, "create_collection", name, schema=schema)

    def partition(self, database: str, collection: str, name: str) -> None:
        self._create(database, "create_partition", collection, partition_name=name)

    def alias(self, database: str, collection: str, alias: str) -> None:
        _only_scratch(alias)
        self._create(database, "create_alias", collection, alias=alias)

    def load(self, database: str, collection: str, partition: str) -> None:
        """Index the collection, and load one partition of it."""
        index = self._connection.client(database).prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="L2")
        # There are no rows, so nothing has to be waited for.
        self._create(database, "create_index", collection, index_params=index, sync=False)
        self._create(database, "load_partitions", collection, partition_names=[partition])

    def rights(self) -> privileges.Rights:
        """Which rights the account has. Raises Unreachable."""
        return privileges.find(self._connection)

    def raw(self, database: str, rpc: str, **fields: Any) -> Raw:
        """The answer to one read as it comes, whatever it says. Raises Unreachable."""
        request = getattr(pb, f"{rpc}Request")(db_name=database, **fields)
        send, cluster = self._connection.sender(database, rpc), self._connection.cluster
        try:
            with self._guarded(rpc):
                reply = send(request, cluster.read_timeout)
        except Unreachable:
            raise
        except MilvusError as exc:
            return Raw(exc.code, 0, str(exc))
        return Raw(reply.status.code, reply.status.error_code, reply.status.reason, reply)

    def _create(self, database: str, method: str, name: str, **more: Any) -> None:
        """By pymilvus, which may send it again: there is nothing that this could hit instead."""
        _only_scratch(name)
        client = self._connection.client(database)
        with self._guarded(method):
            getattr(client, method)(name, **more, timeout=SECONDS)

    @contextmanager
    def _guarded(self, call: str) -> Iterator[None]:
        cluster = self._connection.cluster
        reading = error_mapping.reading(cluster.secrets)
        with Measured(cluster.key, call), self._connection.call(), reading:
            yield


def _only_scratch(name: str) -> None:
    if run_of(name) is None:
        error_mapping.never(
            "This name belongs to no rehearsal, so it is neither created nor dropped."
        )
