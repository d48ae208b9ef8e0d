"""A gRPC relay before a real Milvus: it counts requests, and lets tests intervene.

It forwards every unary call as raw bytes, so it knows no message and hides none.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Never, Self

import grpc

Hook = Callable[[], object]
Answer = Callable[[bytes], bytes]
Metadata = tuple[tuple[str, str | bytes], ...]
OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.so_reuseport", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.enable_retries", 0),  # what is counted here must be what Milvus gets
    ("grpc.use_local_subchannel_pool", 1),
]


class Failure(Exception):
    """Raised by a hook or an answer: the caller gets this status, and nothing goes further."""

    def __init__(self, code: grpc.StatusCode, details: str = "") -> None:
        super().__init__(code, details)
        self.code, self.details = code, details


@dataclass(frozen=True)
class Call:
    """One call on its way to Milvus."""

    path: str
    request: bytes
    metadata: Metadata
    timeout: float | None
    channel: grpc.Channel
    pass_on: Callable[[Metadata], None]  # the answer's trailing metadata

    @property
    def method(self) -> str:
        return self.path.rpartition("/")[2]

    def send(self) -> bytes:
        """What Milvus answers. Raises Failure with its status."""
        try:
            reply, call = self.channel.unary_unary(self.path).with_call(
                self.request, timeout=self.timeout, metadata=self.metadata
            )
        except grpc.RpcError as exc:
            error: Any = exc  # also the call, which grpc's types don't say
            self.pass_on(_passable(error.trailing_metadata()))
            raise Failure(error.code(), error.details() or "") from exc
        self.pass_on(_passable(call.trailing_metadata()))
        return bytes(reply)


class Relay:
    """Forwards 127.0.0.1:`port` to `upstream` (host:port). A context manager.

    Methods are named as in Milvus' protocol, such as "DropCollection". Hooks run in the thread
    of the call, with nothing held locked: they may cut a proxy, sleep, or call Milvus.

    With `credentials` it speaks TLS to its clients. With `skin`, that carries out each call that
    is forwarded (skins.py): hooks, `answer` and `fail` come before it.
    """

    def __init__(
        self,
        upstream: str,
        credentials: grpc.ServerCredentials | None = None,
        skin: Callable[[Call], bytes] | None = None,
    ) -> None:
        self.upstream = upstream
        self._credentials = credentials
        self._carry_out = skin or Call.send
        self.port = 0
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._calls: list[str] = []
        self._before: dict[str, deque[Hook]] = defaultdict(deque)
        self._after: dict[str, deque[Hook]] = defaultdict(deque)
        self._answers: dict[str, Answer] = {}

    def __enter__(self) -> Self:
        self._channel = grpc.insecure_channel(self.upstream, options=OPTIONS)
        self._server = grpc.server(ThreadPoolExecutor(32), options=OPTIONS)
        self._server.add_generic_rpc_handlers((_Everything(self._handle),))
        if self._credentials:
            self.port = self._server.add_secure_port("127.0.0.1:0", self._credentials)
        else:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.ended.set()
        self._server.stop(0).wait(5)
        self._channel.close()

    # --- what tests ask and say ---------------------------------------------------------------

    @property
    def calls(self) -> list[str]:
        """The methods that arrived so far, in order."""
        with self._lock:
            return list(self._calls)

    def count(self, method: str) -> int:
        """How many requests for this method arrived, whatever became of them."""
        return self.calls.count(method)

    def before(self, method: str, hook: Hook) -> None:
        """Run `hook` once, when the next such request has arrived and before it is forwarded.

        If it raises Failure, or outlasts the caller's deadline, Milvus never gets the request.
        """
        self._before[method].append(hook)

    def after(self, method: str, hook: Hook) -> None:
        """Run `hook` once, when Milvus has answered such a request and before we pass that on."""
        self._after[method].append(hook)

    def answer(self, method: str, answer: Answer) -> None:
        """From now on answer in Milvus' place: from request bytes to reply bytes, or Failure."""
        self._answers[method] = answer

    def fail(self, method: str, code: grpc.StatusCode, details: str = "") -> None:
        """From now on answer with this status."""
        self.answer(method, lambda _: _raise(Failure(code, details)))

    def forward(self, method: str) -> None:
        """Take back `answer` and `fail`."""
        self._answers.pop(method, None)

    def hold(self) -> None:
        """A hook that waits: until the relay ends, at most a minute."""
        self.ended.wait(60)

    # --- one call -----------------------------------------------------------------------------

    def _handle(self, path: str, request: bytes, context: grpc.ServicerContext) -> bytes:
        method = path.rpartition("/")[2]
        with self._lock:
            self._calls.append(method)
        try:
            _next(self._before[method])
            reply = self._reply(method, path, request, context)
            _next(self._after[method])
        except Failure as failure:
            context.abort(failure.code, failure.details)
        return reply

    def _reply(
        self, method: str, path: str, request: bytes, context: grpc.ServicerContext
    ) -> bytes:
        if method in self._answers:
            return self._answers[method](request)
        call = Call(
            path=path,
            request=request,
            metadata=_passable(context.invocation_metadata()),
            timeout=_remaining(context),
            channel=self._channel,
            pass_on=context.set_trailing_metadata,
        )
        return self._carry_out(call)


class _Everything(grpc.GenericRpcHandler):
    """Takes every method for a unary one: all that this project calls are."""

    def __init__(self, handle: Callable[[str, bytes, grpc.ServicerContext], bytes]) -> None:
        self._handle = handle

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        path = details.method
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._handle(path, request, context)
        )


def _raise(failure: Failure) -> Never:
    raise failure


def _next(hooks: deque[Hook]) -> None:
    if hooks:
        hooks.popleft()()


def _remaining(context: grpc.ServicerContext) -> float | None:
    """What is left of the caller's deadline. Raises Failure if that is nothing."""
    left = context.time_remaining()
    if left is not None and left <= 0:
        raise Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline passed at the relay")
    return left


def _passable(metadata: Any) -> Metadata:
    """Without what gRPC itself adds on each leg."""
    own = ("grpc-", ":", "user-agent")
    return tuple((key, value) for key, value in metadata or () if not key.startswith(own))
