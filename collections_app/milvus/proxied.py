"""Which proxy of the environment gRPC asks on its way to a server. Imports no gRPC.

gRPC reads these variables by itself, also for 127.0.0.1, and a proxy's refusal looks like a server
that does not answer. Read in gRPC's core: ext/filters/client_channel/http_proxy_mapper.cc.
"""

import os
from contextlib import suppress
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
EXCEPTIONS = ("no_grpc_proxy", "no_proxy")


def proxy_for(uri: str) -> str:
    """The variable and the proxy's address, without its password; empty if none is asked."""
    host = urlsplit(uri).hostname or ""
    name = next((name for name in PROXIES if os.environ.get(name)), "")
    if not name or not host or uri.startswith("unix:") or _is_excepted(host):
        return ""
    proxy = urlsplit(os.environ[name])
    return f"{name} ({proxy.hostname or 'no address'}:{proxy.port or 80})"


def remedy(uri: str) -> str:
    """What to do about a proxy on the way; empty if there is none."""
    proxy = proxy_for(uri)
    if not proxy:
        return ""
    host = urlsplit(uri).hostname
    return (
        "The environment of Milvus Admin sends connections to Milvus through the proxy in "
        f"{proxy}. If it should not, add {host} to no_proxy there and start it again."
    )


def _is_excepted(host: str) -> bool:
    """gRPC compares ends of names, and networks."""
    names = next((os.environ[name] for name in EXCEPTIONS if os.environ.get(name)), "")
    return any(_fits(host, item.strip()) for item in names.split(",") if item.strip())


def _fits(host: str, item: str) -> bool:
    with suppress(ValueError):
        return ip_address(host) in ip_network(item, strict=False)
    return host.endswith(item.lower())
