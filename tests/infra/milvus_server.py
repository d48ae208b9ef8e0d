"""The real Milvus 2.3.5 for the tests: one already running, or one started for the session."""

import base64
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import grpc
from pymilvus import MilvusClient
from pymilvus.grpc_gen import milvus_pb2 as pb
from pymilvus.grpc_gen import milvus_pb2_grpc

ROOT_TOKEN = "root:Milvus"
# etcd's peer port and the metrics: the launcher has no working option to move them.
FIXED_PORTS = (2380, 9091)
START_LIMIT = 120.0


class NoMilvus(Exception):
    """There is no Milvus to test with; the message says why and what helps."""


@dataclass(frozen=True)
class MilvusServer:
    """A Milvus that answers."""

    uri: str
    token: str = field(default=ROOT_TOKEN, repr=False)

    @property
    def address(self) -> str:
        """host:port"""
        return urlsplit(self.uri).netloc

    def client(self, database: str = "default") -> MilvusClient:
        """pymilvus' own client. Those of one address and token share one connection."""
        return MilvusClient(uri=self.uri, token=self.token, db_name=database, timeout=10)


@contextlib.contextmanager
def serve() -> Iterator[MilvusServer]:
    """The Milvus at MILVUS_TEST_URI, or one of our own until the end. Raises NoMilvus."""
    uri = os.environ.get("MILVUS_TEST_URI")
    if not uri:
        with _own_server() as server:
            yield server
        return
    server = MilvusServer(uri, os.environ.get("MILVUS_TEST_TOKEN", ROOT_TOKEN))
    problem = wait_until_it_answers(server, 20)
    if problem:
        raise NoMilvus(f"MILVUS_TEST_URI is {uri}, but nothing usable answers there: {problem}")
    yield server


@contextlib.contextmanager
def _own_server() -> Iterator[MilvusServer]:
    for port in FIXED_PORTS:
        require_free(port)
    port = free_port()
    server = MilvusServer(f"http://127.0.0.1:{port}")
    with TemporaryDirectory(prefix="milvus-", ignore_cleanup_errors=True) as folder:
        process = launch(Path(folder), port)
        try:
            problem = wait_until_it_answers(server, START_LIMIT, process)
            if problem:
                raise NoMilvus(f"Milvus did not start: {problem}\n{log_tail(Path(folder))}")
            yield server
        finally:
            stop_group(process)


def require_free(port: int) -> None:
    """Raises NoMilvus if somebody listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(2)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise NoMilvus(
                f"Port {port} is taken, and Milvus can't use another one. Stop what runs there; "
                "if that is a Milvus to test with, set MILVUS_TEST_URI=http://HOST:PORT (and "
                "MILVUS_TEST_TOKEN, if root's password is not the default)."
            )


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(folder: Path, port: int, *more: str) -> "subprocess.Popen[bytes]":
    """Milvus' launcher, leader of a new process group which its server process joins."""
    script = Path(sys.executable).parent / "milvus-server"
    options = ["--data", str(folder), "--proxy-port", str(port)]
    command = [sys.executable, str(script), *options, "--authorization-enabled", "true", *more]
    with (folder / "launcher.log").open("wb") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def stop_group(process: "subprocess.Popen[bytes]") -> None:
    """Ask the launcher to stop its server; after ten seconds kill all that is left of both."""
    process.send_signal(signal.SIGINT)  # the one signal on which it looks after its child
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def wait_until_it_answers(
    server: MilvusServer, limit: float, process: "subprocess.Popen[bytes] | None" = None
) -> str:
    """Empty once a ShowCollections gets an OK; otherwise what came last within `limit` seconds."""
    token = base64.b64encode(server.token.encode())
    end = time.monotonic() + limit
    with grpc.insecure_channel(server.address, [("grpc.enable_http_proxy", 0)]) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        while True:
            problem = _ask(stub, (("authorization", token),))
            if not problem or time.monotonic() > end:
                return problem
            if process and process.poll() is not None:
                return f"its launcher ended with {process.returncode}"
            time.sleep(0.3)


def _ask(stub: milvus_pb2_grpc.MilvusServiceStub, metadata: tuple[tuple[str, bytes], ...]) -> str:
    try:
        reply = stub.ShowCollections(pb.ShowCollectionsRequest(), timeout=3, metadata=metadata)
    except grpc.RpcError as exc:
        return f"{exc.code()}: {exc.details()}"
    return reply.status.reason if reply.status.code or reply.status.error_code else ""


def log_tail(folder: Path) -> str:
    logs = [folder / "launcher.log", *sorted((folder / "logs").glob("milvus-std*.log"))]
    parts = [f"--- {log.name}\n{log.read_text(errors='replace')[-3000:]}" for log in logs]
    return "\n".join(parts)
