"""The chain of the fault tests: client → fault proxy → counting relay → real Milvus."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from .faultproxy import FaultProxy
from .milvus_server import MilvusServer
from .relay import Relay
from .skins import NONE, Skin, Worn


@dataclass(frozen=True)
class Chain:
    """Clients use `server` (or `uri` and `token`); `direct` goes to Milvus past all faults."""

    direct: MilvusServer
    relay: Relay
    proxy: FaultProxy
    skin: Worn

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.proxy.port}"

    @property
    def token(self) -> str:
        return self.direct.token

    @property
    def server(self) -> MilvusServer:
        return MilvusServer(self.uri, self.token)


@contextlib.contextmanager
def chain_to(server: MilvusServer, skin: Skin = NONE) -> Iterator[Chain]:
    """A chain of its own, healthy at first, whose relay wears the skin."""
    worn = Worn(skin)
    with (
        Relay(server.address, skin=worn if skin.rows else None) as relay,
        FaultProxy("127.0.0.1", relay.port) as proxy,
    ):
        yield Chain(server, relay, proxy, worn)
