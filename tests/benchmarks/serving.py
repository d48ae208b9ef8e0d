"""gunicorn as in production, 2 workers of 8 threads, and requests that come over the network."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.infra.milvus_server import free_port

WORKERS, THREADS = 2, 8
START_LIMIT = 30.0
PATIENCE = 60.0  # seconds that a client waits for an answer


@contextlib.contextmanager
def gunicorn(app: str, workers: int = WORKERS) -> Iterator[int]:
    """Serve a WSGI application with this process' environment. Gives its port."""
    port = free_port()
    processes = ["-k", "gthread", "-w", str(workers), "--threads", str(THREADS)]
    quiet = ["--no-control-socket", "--log-level", "warning"]
    command = [sys.executable, "-m", "gunicorn", app, "-b", f"127.0.0.1:{port}", *processes, *quiet]
    with subprocess.Popen(command, env=dict(os.environ)) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_LIMIT
    while True:
        with contextlib.suppress(OSError):
            fetch(port, "/sign-in/")
            return
        assert time.monotonic() < end, "gunicorn did not start"
        time.sleep(0.1)


def fetch(port: int, path: str, cookie: str = "") -> tuple[int, bytes]:
    """One request on a connection of its own: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    with contextlib.closing(connection):
        return request(connection, path, cookie)


def request(connection: http.client.HTTPConnection, path: str, cookie: str) -> tuple[int, bytes]:
    """One request on a connection that is kept."""
    connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    response = connection.getresponse()
    return response.status, response.read()
