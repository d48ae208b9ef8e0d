"""pymilvus' client, with a connection of its own for each cluster, shared by its databases."""

from copy import copy
from dataclasses import replace
from typing import Self

from .sdk import ConnectionConfig, ConnectionManager, MilvusClient
from .types import Cluster


class Client(MilvusClient):  # type: ignore[misc]
    """Connects at once. Raises what pymilvus raises, or OSError for a certificate's file.

    pymilvus' own manager shares a connection by address and token alone, so a second cluster with
    other TLS settings would get the first one's; and it holds one lock for all clusters while one
    of them connects. So each of these has a manager of its own. Private, and held by tests/milvus.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._manager = ConnectionManager()
        self._config = ConnectionConfig.from_uri(cluster.uri, token=cluster.token, **tls(cluster))
        self._handler = self._manager.get_or_create(
            self._config, client=self, timeout=cluster.read_timeout
        )
        self.is_self_hosted = True

    def of(self, database: str) -> Self:
        """The same connection, for another database: pymilvus reads it from the client."""
        other = copy(self)
        other._config = replace(self._config, db_name=database)
        return other


def tls(cluster: Cluster) -> dict[str, str]:
    """pymilvus' names for it. With `server_pem_path` it would forget the client's certificate."""
    found = {"server_name": cluster.server_name}
    if cluster.client_cert_file:
        found |= {
            "ca_pem_path": cluster.ca_file,
            "client_pem_path": cluster.client_cert_file,
            "client_key_path": cluster.client_key_file,
        }
    else:
        found["server_pem_path"] = cluster.ca_file
    return {name: value for name, value in found.items() if value}
