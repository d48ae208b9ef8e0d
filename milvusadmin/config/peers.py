"""Who is at the other end of the socket: the proxy that is trusted, or somebody else."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.core.exceptions import ImproperlyConfigured

from milvusadmin.config import env


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Addresses and networks, or whoever may open our Unix socket."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def trusts(self, peer: str) -> bool:
        """Whether the other end of the socket is one of them. A Unix socket has no address."""
        if not peer:
            return self.unix
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address  # as a dual-stack socket has it
        return any(address in network for network in self.networks)


def peers(name: str) -> Peers:
    """The peers that a variable names. Raises ImproperlyConfigured."""
    items = env.listing(name)
    networks = tuple(_network(name, item) for item in items if item != "unix")
    return Peers(networks=networks, unix="unix" in items)


def _network(name: str, text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError as exc:
        raise ImproperlyConfigured(
            f"{name}: {text!r} is not an address: {exc}. List the proxy's addresses or networks, "
            "such as 10.0.3.7 or 10.0.3.0/28, or unix for a Unix socket."
        ) from exc
    if network.prefixlen == 0:
        raise ImproperlyConfigured(
            f"{name}: {text} matches every address. List the proxy's addresses."
        )
    return network
