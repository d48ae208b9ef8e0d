"""From configuration to something that answers: one gateway and one destroyer per cluster."""

import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from django.conf import settings

from .milvus.bulkhead import Bulkhead
from .milvus.circuit_breaker import CircuitBreaker
from .milvus.types import Cluster

if TYPE_CHECKING:
    from .milvus.destroy import Destroyer
    from .milvus.gateway import Gateway


@dataclass(frozen=True, slots=True)
class Milvus:
    """One cluster, to read from and to act on."""

    cluster: Cluster
    gateway: "Gateway"
    destroyer: "Destroyer"
    bulkhead: Bulkhead
    breaker: CircuitBreaker


class UnknownCluster(LookupError):
    """No cluster of that key is configured."""


def all_clusters() -> list[Cluster]:
    return list(settings.CLUSTERS.values())


def label(key: str) -> str:
    """What people call the cluster; its key if it is not configured any more."""
    known = settings.CLUSTERS.get(key)
    return known.label if known else key


def same_server(key: str) -> list[str]:
    """The keys of one server: it may be configured twice, with two accounts. This one is first."""
    here = settings.CLUSTERS.get(key)
    others = [c.key for c in all_clusters() if here and c.endpoint == here.endpoint]
    return [key, *(other for other in others if other != key)]


def get(key: str) -> Milvus:
    """The cluster of that key. Raises UnknownCluster. Does not connect yet."""
    if key not in settings.CLUSTERS:
        raise UnknownCluster(key)
    with _opening:  # else two threads could make two connections of one cluster
        return _open(settings.CLUSTERS[key])


_opening = threading.Lock()


@cache
def _open(cluster: Cluster) -> Milvus:
    # Importing pymilvus takes a second: commands that don't need it don't pay for it.
    from .milvus.connection import Connection  # noqa: PLC0415
    from .milvus.destroy import Destroyer  # noqa: PLC0415
    from .milvus.gateway import Gateway  # noqa: PLC0415

    connection = Connection(cluster)
    gateway, destroyer = Gateway(connection), Destroyer(connection)
    return Milvus(cluster, gateway, destroyer, connection.bulkhead, connection.breaker)
