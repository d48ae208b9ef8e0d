"""What a worker holds after ten thousand list requests, beside what it held after a hundred."""

import http.client
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .application import application, cookie, list_url, signed_in
from .figures import at_most
from .measure import rounds
from .places import places
from .serving import PATIENCE, gunicorn, request

COLLECTIONS = 10_000
FIRST, LAST = 100, 10_000  # requests; ROUNDS changes the second
CLIENTS = 4  # as many as have a seat at the cluster: nobody is refused


def main() -> None:
    last = rounds(LAST)
    with places([COLLECTIONS]) as (place,), application([place]):
        path, session = list_url(place), cookie(signed_in())
        with gunicorn("milvusadmin.wsgi", workers=1) as port:
            (worker,) = _grandchildren(os.getpid())
            _ask(port, path, session, FIRST)
            floor = _megabytes(worker)
            _ask(port, path, session, last - FIRST)
            value = _megabytes(worker)
    name = f"memory of a worker after {last:,} lists, MB"
    at_most(name, COLLECTIONS, value, floor, 1.05 * floor, "1.05 × after 100")


def _ask(port: int, path: str, session: str, times: int) -> None:
    """So many requests, from some clients at once."""
    shares = [times // CLIENTS + (client < times % CLIENTS) for client in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda share: _client(port, path, session, share), shares))


def _client(port: int, path: str, session: str, times: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    for _ in range(times):
        status, body = request(connection, path, session)
        assert status == 200, f"{status} {body[-500:]!r}"
    connection.close()


def _grandchildren(process: int) -> list[int]:
    """gunicorn is our child, and its workers are its."""
    return [own for child in _children(process) for own in _children(child)]


def _children(process: int) -> Iterator[int]:
    for task in Path(f"/proc/{process}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def _megabytes(process: int) -> float:
    """What it holds in memory."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmRSS:"))
    return int(kilobytes) / 1000


if __name__ == "__main__":
    main()
