"""The connection to one cluster: made late, once for each process."""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from . import error_mapping
from .bulkhead import Bulkhead
from .circuit_breaker import CircuitBreaker
from .client import Client
from .errors import NotFound
from .metrics import Measured
from .sdk import grpc, pb
from .types import Cluster, unsafe_name

AT_ONCE = 8
STANDBY_FOR = 120.0  # seconds for which a refusal counts: it may be promoted

S = TypeVar("S")
T = TypeVar("T")
_thread = threading.local()


class Connection:
    """The clients of one cluster. Safe to use from many threads."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._clients: dict[int, Client] = {}  # by process id
        self._lock = threading.Lock()
        # Opening the file of a Milvus Lite fails while another thread opens it.
        self._turn = threading.Lock() if cluster.is_embedded else nullcontext()
        self._lite: bool | None = None
        self.last_version = ""  # the server's last answer; empty if it was not asked
        self._refused_as_standby = float("-inf")
        self._pools: dict[int, ThreadPoolExecutor] = {}  # by process id
        self.bulkhead, self.breaker = Bulkhead(cluster), CircuitBreaker(cluster)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around one call that changes nothing. Raises Unreachable without making it while the
        circuit breaker is open.
        """
        with self.breaker.call(), self.bulkhead.read():
            yield

    def client(self, database: str) -> Client:
        """The client for one database, connected at the first call.

        One connection for each process: gRPC does not survive a fork under load. Raises
        Unreachable, Denied or NotFound; nothing but the connection itself has been sent then.
        """
        return self._connected(database).of(database)

    def _connected(self, database: str) -> Client:
        if unsafe_name(database):
            raise NotFound("A database's name has no slash, and is not only dots")
        if client := self._known():
            return client
        with self._turn:
            return self._known() or self._connect()

    def _known(self) -> Client | None:
        with self._lock:
            return self._clients.get(os.getpid())

    def _connect(self) -> Client:
        connecting = Measured(self.cluster.key, "Connect")
        with connecting, self.call(), error_mapping.connecting(self.cluster):
            new = Client(self.cluster)
        with self._lock:
            client = self._clients.setdefault(os.getpid(), new)
        if client is not new:  # another thread was faster
            new.close()
        return client

    def sender(self, database: str, rpc: str) -> Callable[..., Any]:
        """One call of the raw gRPC stub: unlike pymilvus' own it never sends anything twice.

        `sender(database, rpc)(request, timeout)` returns the reply, or raises gRPC's errors; its
        status is not looked at. Connects if needed, and raises as `client` does.

        Milvus up to 2.6 judges rights in the database that the metadata name, not in the
        request's (internal/proxy/privilege_interceptor.go; seen on 2.3.5), so both name the same.

        Private in pymilvus (pinned; tests/milvus hold it): there is no public way to one
        ShowCollections with ids, nor to a drop that is not re-sent.
        """
        call = getattr(self._connected(database)._get_connection()._stub, rpc)
        metadata = (("dbname", database),)
        return lambda request, timeout: call(request, timeout=timeout, metadata=metadata)

    def read(self, database: str, rpc: str, request: Any) -> Any:
        """The reply to one request that changes nothing, within the cluster's `read_timeout`.

        Raises NotFound, Denied, MilvusRejected or Unreachable.
        """
        send, cluster = self.sender(database, rpc), self.cluster
        measured = Measured(cluster.key, rpc)
        with measured, self.call(), error_mapping.reading(cluster.secrets):
            reply = _sent(send, request, cluster.read_timeout)
            error_mapping.check_status(reply.status)
            return reply

    def version(self, database: str) -> str:
        """The server's own word for its version. Raises as `read` does."""
        version = str(self.read(database, "GetVersion", pb.GetVersionRequest()).version)
        self.last_version = version
        return version

    @property
    def refused_as_standby(self) -> bool:
        """Whether Milvus refused a change lately, because the cluster is a standby."""
        return time.monotonic() < self._refused_as_standby + STANDBY_FOR

    def answered_as(self, *, standby: bool) -> None:
        """How it answered a change just now."""
        self._refused_as_standby = time.monotonic() if standby else float("-inf")

    def each(self, read: Callable[[S], T], things: Iterable[S]) -> list[T]:
        """What `read` gives for each thing, in order, with a few calls at a time.

        All requests of a process share the threads, and they are kept: to start eight for a page
        of 50 rows took 10 of its 40 ms, and more than eight gain nothing.
        """
        return list(self._pool().map(read, things))

    def start(self, read: Callable[[], T]) -> Callable[[], T]:
        """Start one read on those threads. What comes back waits for its value, or raises.

        One of those threads makes it itself, at once: else all of them might wait for each other.
        """
        if getattr(_thread, "is_pooled", False):
            return done(read)
        return self._pool().submit(read).result

    def _pool(self) -> ThreadPoolExecutor:
        with self._lock:
            if os.getpid() not in self._pools:
                self._pools[os.getpid()] = ThreadPoolExecutor(AT_ONCE, initializer=_mark)
            return self._pools[os.getpid()]

    def lite(self, database: str) -> bool:
        """Whether this is Milvus Lite, which has no ids. Asked once."""
        if self._lite is None:
            self._lite = self.version(database).startswith("milvus_lite")
        return self._lite


def _mark() -> None:
    _thread.is_pooled = True


def done(read: Callable[[], T]) -> Callable[[], T]:
    """Make a read now. What comes back gives its value, or raises, as often as it is called."""
    made: Future[T] = Future()
    try:
        made.set_result(read())
    except Exception as exc:
        made.set_exception(exc)
    return made.result


def _sent(send: Callable[..., Any], request: Any, timeout: float) -> Any:
    """The reply. Sent again once if the connection was lost under it: a read may be repeated."""
    began = time.monotonic()
    try:
        return send(request, timeout)
    except grpc.RpcError as exc:
        left = timeout - (time.monotonic() - began)
        if exc.code() is not grpc.StatusCode.UNAVAILABLE or left <= 0:
            raise
        return send(request, left)
