"""Clients that ask as fast as they are answered, in a process of their own.

`python -m tests.benchmarks.load PORT PATH COOKIE SECONDS` prints the answers per second.
"""

import http.client
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from .serving import PATIENCE, THREADS, WORKERS, request

CLIENTS = WORKERS * THREADS


def per_second(port: int, path: str, cookie: str, seconds: float) -> float:
    """Answers a second to as many clients as the server has threads."""
    given = [str(port), path, cookie, str(seconds)]
    command = [sys.executable, "-m", "tests.benchmarks.load", *given]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(port: int, path: str, cookie: str, seconds: float) -> None:
    began = time.perf_counter()
    end = began + seconds
    with ThreadPoolExecutor(CLIENTS) as pool:
        counts = list(pool.map(lambda _: _ask(port, path, cookie, end), range(CLIENTS)))
    print(sum(counts) / (time.perf_counter() - began))


def _ask(port: int, path: str, cookie: str, end: float) -> int:
    """How many answers one client got until the end, on one connection."""
    connection, count = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE), 0
    while time.perf_counter() < end:
        status, body = request(connection, path, cookie)
        assert status == 200, f"{path}: {status} {body[-500:]!r}"
        count += 1
    connection.close()
    return count


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], float(sys.argv[4]))
