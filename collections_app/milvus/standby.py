"""Whether a cluster is the standby of a CDC pair: it refuses every change until it is promoted.

Read in Milvus' source, not run: a change is refused with "cluster is not primary" (2.6,
internal/streamingcoord/server/broadcaster), and GetReplicateConfiguration tells who copies to whom.
"""

import time

from .connection import Connection
from .errors import MilvusError
from .reads import Reads
from .sdk import pb
from .versions import DURABLE_DDL, Version

KEEP = 60.0  # seconds for which an answer counts


class StandbyCheck:
    """For one cluster. Asks Milvus at most once a minute, and only versions that can be one."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._reads = connection, Reads(connection)
        self._asked, self._answer = 0.0, False

    def __call__(self, database: str) -> bool:
        """False if it can't be known. Raises nothing."""
        if self._connection.refused_as_standby:
            return True
        if time.monotonic() > self._asked + KEEP or not self._asked:
            self._asked, self._answer = time.monotonic(), self._ask(database)
        return self._answer

    def _ask(self, database: str) -> bool:
        version = Version.parse(self._connection.last_version)
        if version is None or version < DURABLE_DDL:
            return False
        try:
            return self._is_target(database)
        except MilvusError:
            return False

    def _is_target(self, database: str) -> bool:
        """This cluster is the one whose channels its own collections use."""
        request = pb.GetReplicateConfigurationRequest()
        found = self._connection.read(database, "GetReplicateConfiguration", request).configuration
        targets = {edge.target_cluster_id for edge in found.cross_cluster_topology}
        copies = [cluster for cluster in found.clusters if cluster.cluster_id in targets]
        name = next(iter(self._reads.listed(database).names), "") if copies else ""
        if not name:
            return False
        channels = set(self._reads.describe(database, name).physical_channel_names)
        return any(channels & set(cluster.pchannels) for cluster in copies)
