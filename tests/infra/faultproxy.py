"""A TCP proxy that fails on command, to stand between a client and a real server."""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any, ClassVar, Self

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of zero: closing sends RST, not FIN


class Mode(StrEnum):
    """How the proxy treats its clients."""

    OK = "ok"
    STALL = "stall"  # accepts, and moves no byte in either direction until the mode changes
    REFUSE = "refuse"  # nobody listens; what was open has been reset


class FaultProxy:
    """Forwards 127.0.0.1:`port` to `target`, and breaks it on command. A context manager.

    Every command has taken effect when it returns, and may come from any thread. `delay` is
    seconds that each piece of data waits, in each direction.
    """

    _used: ClassVar[set[int]] = set()  # clients of one process share connections by address

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        self.delay = 0.0
        self._mode = Mode.OK
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._flowing = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._reserve()
        self._thread.start()
        self.ok()
        return self

    def __exit__(self, *exc: object) -> None:
        self._run(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
        self._reservation.close()

    # --- commands -----------------------------------------------------------------------------

    def ok(self) -> None:
        """Forward. What a stall held back goes on its way."""
        self._run(self._set, Mode.OK)

    def stall(self) -> None:
        """Freeze: connections open, new ones are accepted, nothing moves."""
        self._run(self._set, Mode.STALL)

    def refuse(self) -> None:
        """Be down: reset what is open and refuse new connections."""
        self._run(self._set, Mode.REFUSE)

    def cut(self) -> None:
        """Reset every open connection, once. New ones are served as before."""
        self._run(self._reset_all)

    # --- inside the loop ----------------------------------------------------------------------

    def _reserve(self) -> None:
        """Bind without listening: the port stays ours while it refuses."""
        while True:
            self._reservation = socket.socket()
            self._reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._reservation.bind(("127.0.0.1", 0))
            self.port = self._reservation.getsockname()[1]
            if self.port not in self._used:
                self._used.add(self.port)
                return
            self._reservation.close()

    def _run(self, command: Callable[..., Any], *args: Any) -> None:
        async def run() -> None:
            await command(*args)

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(5)

    async def _set(self, mode: Mode) -> None:
        if mode is Mode.REFUSE:
            await self._shut()
        elif self._server is None:
            self._server = await asyncio.start_server(
                self._serve, "127.0.0.1", self.port, reuse_address=True
            )
        (self._flowing.clear if mode is Mode.STALL else self._flowing.set)()
        self._mode = mode

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._reset_all()

    async def _end(self) -> None:
        await self._shut()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _reset_all(self) -> None:
        for writer in list(self._writers):
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        back: asyncio.StreamWriter | None = None
        with contextlib.suppress(OSError):
            try:
                await self._flowing.wait()
                answers, back = await asyncio.open_connection(*self.target)
                self._writers.add(back)
                await asyncio.gather(self._pump(reader, back), self._pump(answers, writer))
            finally:
                self._forget(writer, back)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                if self.delay:
                    await asyncio.sleep(self.delay)
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    def _forget(self, *writers: asyncio.StreamWriter | None) -> None:
        for writer in writers:
            if writer is not None:
                writer.close()
                self._writers.discard(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # closed a moment ago
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()
