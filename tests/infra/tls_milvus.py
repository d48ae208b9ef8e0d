"""A real Milvus that speaks TLS, in a network of its own: its fixed ports may be taken here.

`python -m tests.infra.tls_milvus FOLDER`, run under `unshare`, prints what each way to connect
gave, as JSON, and what grants do, also in another database: on a server that many tests use they
may have no effect any more. Root may do that, and where user namespaces are allowed everybody.
"""

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import grpc

from collections_app.milvus import privileges
from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import MilvusError
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.sdk import pb
from collections_app.milvus.types import Cluster

from .certificates import Authority, Pair
from .milvus_server import ROOT_TOKEN, NoMilvus, free_port, launch, log_tail, stop_group

TRIES = 90
PASSWORD = "Few-rights-1"
IN_A = (("dbname", "a"),)
LISTED = "Global ListAliases"
T = TypeVar("T")


class Papers:
    """Who trusts whom: our authority, and another one that nobody trusts."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.others = Authority(folder), Authority(folder, "others")
        self.server = self.ours.issue("milvus.test", addresses=("127.0.0.1",))
        self.client, self.stranger = self.ours.issue("client"), self.others.issue("client")


def credentials(server: Pair, clients: Authority | None = None) -> grpc.ServerCredentials:
    """Of a server; with `clients` it wants a certificate that they signed."""
    pair = (server.key.read_bytes(), server.cert.read_bytes())
    trusted = clients.ca.read_bytes() if clients else None
    return grpc.ssl_server_credentials([pair], trusted, clients is not None)


def reached(
    uri: str, ca: Path | None = None, pair: Pair | None = None, name: str = "", **more: Any
) -> Connection:
    """A connection as configured so. Nothing is connected yet."""
    settings: dict[str, Any] = {
        "token": ROOT_TOKEN,
        "ca_file": str(ca or ""),
        "server_name": name,
        "client_cert_file": str(pair.cert if pair else ""),
        "client_key_file": str(pair.key if pair else ""),
        "breaker_cooldown": 0.0,
    }
    return Connection(Cluster(key="tls", label="TLS", uri=uri, **settings | more))


def connect(uri: str, ca: Path | None = None, pair: Pair | None = None, name: str = "") -> str:
    """The server's version, or why there is no connection, as the application would say it."""
    try:
        return reached(uri, ca, pair, name).version("default")
    except MilvusError as exc:
        return f"{exc.code}: {exc}"


def each_way(uri: str, papers: Papers) -> dict[str, str]:
    """What every way to connect gives, at a server that wants a client's certificate."""
    ca, ours = papers.ours.ca, papers.client
    return {
        "right": connect(uri, ca, ours),
        "right by name": connect(uri, ca, ours, "milvus.test"),
        "wrong name": connect(uri, ca, ours, "elsewhere.test"),
        "unknown authority": connect(uri),
        "another authority": connect(uri, papers.others.ca),
        "no certificate": connect(uri, ca),
        "a stranger's certificate": connect(uri, ca, papers.stranger),
        "plain": connect(uri.replace("https", "http")),
    }


def cured(uri: str, papers: Papers) -> dict[str, Any]:
    """What an account lacks before, and after, what the doctor prescribes was typed as printed."""
    root = reached(uri, papers.ours.ca, papers.client).client("default")
    root.create_user("few", PASSWORD)
    root.create_role("little")
    root.grant_role("few", "little")
    root.grant_privilege("little", "Global", "SelectOwnership", "*")  # to read its roles
    account = {"token": f"few:{PASSWORD}", "strict_drop": True}
    connection = reached(uri, papers.ours.ca, papers.client, **account)
    before = _once(lambda: privileges.find(connection), lambda found: not found.unknown)
    exec(privileges.grant(before), {"client": root})
    after = _once(lambda: privileges.find(connection), lambda found: not found.missing)
    return {"before": before.missing, "after": after.missing, "unknown": after.unknown}


def by_database(uri: str, papers: Papers) -> dict[str, Any]:
    """What two accounts may do in database `a`: one with rights only there, one only elsewhere."""
    root = reached(uri, papers.ours.ca, papers.client).client("default")
    root.create_database("a")
    for name in ("lost", "kept"):
        root.of("a").create_collection(name, dimension=4)
    inside = _allowed(root, uri, papers, "inside", "a")
    outside = _allowed(root, uri, papers, "outside", "default")
    read = pb.ListAliasesRequest(db_name="a")
    lost, kept = (
        pb.DropCollectionRequest(db_name="a", collection_name=c) for c in ("lost", "kept")
    )
    return {
        "inside reads without": _raw(inside, "ListAliases", read),
        "inside reads with": _raw(inside, "ListAliases", read, IN_A),
        "outside drops without": _raw(outside, "DropCollection", lost),
        "outside drops with": _raw(outside, "DropCollection", kept, IN_A),
        "outside drops by the destroyer": _said(
            lambda: Destroyer(outside).drop_collection("a", "kept")
        ),
        "left": root.of("a").list_collections(),
        "inside reads by the gateway": _said(lambda: Gateway(inside).aliases("a", "kept")),
        "inside drops by the destroyer": _said(
            lambda: Destroyer(inside).drop_collection("a", "kept")
        ),
        "left at the end": root.of("a").list_collections(),
        "missing": {name: privileges.find(inside, name).missing for name in ("a", "default")},
    }


def _allowed(root: Any, uri: str, papers: Papers, user: str, database: str) -> Connection:
    """An account with some rights in one database, once Milvus judges by them."""
    root.create_user(user, PASSWORD)
    root.create_role(f"of_{user}")
    root.grant_role(user, f"of_{user}")
    for right in ("ListAliases", "DropCollection", "SelectOwnership"):
        root.grant_privilege(f"of_{user}", "Global", right, "*", db_name=database)
    account = {"token": f"{user}:{PASSWORD}"}
    made = reached(uri, papers.ours.ca, papers.client, **account)
    _once(lambda: privileges.find(made, database), lambda found: LISTED not in found.missing)
    return made


def _said(call: Callable[[], object]) -> str:
    """What becomes of a call of Milvus Admin's own: OK, or the kind of its error."""
    try:
        call()
    except MilvusError as exc:
        return exc.kind
    return "OK"


def _raw(connection: Connection, rpc: str, request: Any, metadata: Any = ()) -> str:
    """What Milvus says to one call of the bare stub: OK, or gRPC's status."""
    try:
        stub = connection.client("default")._get_connection()._stub
        getattr(stub, rpc)(request, timeout=5, metadata=metadata)
    except grpc.RpcError as exc:
        error: Any = exc
        return str(error.code().name)
    return "OK"


def _once(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """What is there when it is good, or after twenty seconds."""
    for _ in range(20):
        if good(found := look()):
            break
        time.sleep(1)
    return found


def in_a_network_of_its_own(folder: Path) -> dict[str, Any]:
    """Run this module there. Raises NoMilvus if this machine does not allow that."""
    unshare = ["unshare", "-n"] if os.geteuid() == 0 else ["unshare", "-rn"]
    command = [*unshare, sys.executable, "-m", "tests.infra.tls_milvus", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        raise NoMilvus(
            "A Milvus with TLS needs a network namespace: run the tests as root, or where people "
            f"may make user namespaces. {' '.join(command)} said:\n{done.stderr[-2000:]}"
        )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _loopback_up() -> None:
    """A new network has its loopback down. Without the tool `ip`, which not every machine has."""
    set_flags, up = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP of linux/if.h
    with socket.socket() as control:
        fcntl.ioctl(control, set_flags, struct.pack("16sh14x", b"lo", up))


def _serve_and_try(folder: Path) -> dict[str, Any]:
    _loopback_up()
    papers, port = Papers(folder), free_port()
    files = {
        "--server-pem-path": papers.server.cert,
        "--server-key-path": papers.server.key,
        "--ca-pem-path": papers.ours.ca,
    }
    options = [str(part) for option in files.items() for part in option]
    process = launch(folder, port, "--tls-mode", "2", *options)
    try:
        uri = f"https://127.0.0.1:{port}"
        for _ in range(TRIES):
            if connect(uri, papers.ours.ca, papers.client).startswith("v2"):
                return {
                    "ways": each_way(uri, papers),
                    "rights": cured(uri, papers),
                    "databases": by_database(uri, papers),
                }
            time.sleep(1)
        raise NoMilvus(f"Milvus did not start:\n{log_tail(folder)}")
    finally:
        stop_group(process)


if __name__ == "__main__":
    print(json.dumps(_serve_and_try(Path(sys.argv[1]))))
