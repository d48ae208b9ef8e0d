"""What others feel while one cluster hangs and 32 requests wait for it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlsplit

from tests.infra.faultproxy import FaultProxy

from .application import application, cookie, list_url, signed_in
from .figures import at_most, noted
from .measure import percentile, rounds
from .places import Place, places, sizes
from .serving import fetch, gunicorn

WAITING = 32
SIGN_IN = "/sign-in/"
HEALTH = "/healthz"
EVERY = 0.05  # seconds between two requests for each page: they come, whoever waits
CALM = 6.0  # seconds; about as long as the 32 wait
SETTLED = 20  # good answers in a row: both workers have forgotten the stall

Times = dict[str, list[float]]


def main() -> None:
    with places(sizes()[:1]) as (place,), _proxy_to(place) as proxy:
        hanging = replace(place, size=0, uri=f"http://127.0.0.1:{proxy.port}")
        with application([place, hanging]), gunicorn("milvusadmin.wsgi") as port:
            site = _Site(port, cookie(signed_in()), list_url(hanging, details=False))
            pages = (list_url(place, details=False), SIGN_IN, "/audit/", HEALTH)
            calm, stalled = _measure(site, proxy, pages)
    for page in pages:
        _print(page.partition("?")[0], place.size, stalled[page], calm[page])


def _proxy_to(place: Place) -> FaultProxy:
    at = urlsplit(place.uri)
    return FaultProxy(str(at.hostname), int(at.port or 19530))


def _print(page: str, size: int, stalled: list[float], calm: list[float]) -> None:
    floor, value = percentile(calm, 0.99), percentile(stalled, 0.99)
    limit = "2 × the floor"
    at_most(f"p99 of {page} while a cluster hangs, ms", size, value, floor, 2 * floor, limit)
    noted(f"worst of {page} while a cluster hangs, ms", size, max(stalled), max(calm))


class _Site:
    """The server under test, and the page of the cluster that will hang."""

    def __init__(self, port: int, session: str, hanging: str) -> None:
        self.port, self.session, self.hanging = port, session, hanging

    def open(self, page: str) -> int:
        return fetch(self.port, page, "" if page == SIGN_IN else self.session)[0]

    def timed(self, page: str, due: float) -> float:
        """Milliseconds from when it was due, so that a queue on our side counts too."""
        status = self.open(page)
        assert status == 200, f"{page}: {status}"
        return (time.perf_counter() - due) * 1000

    def wait_until_it_is_well(self) -> None:
        good, end = 0, time.monotonic() + 120
        while good < SETTLED:
            good = good + 1 if self.open(self.hanging) == 200 else 0
            assert time.monotonic() < end, "the cluster is back, and its page is not"
            time.sleep(0.1 if not good else 0)


def _measure(site: _Site, proxy: FaultProxy, pages: tuple[str, ...]) -> tuple[Times, Times]:
    """Calm, stalled, calm, stalled …: the times of each page."""
    calm: Times = {page: [] for page in pages}
    stalled: Times = {page: [] for page in pages}
    for _ in range(rounds(4)):
        site.wait_until_it_is_well()
        end = time.monotonic() + CALM
        _probe(site, calm, lambda end=end: time.monotonic() < end)
        proxy.stall()
        waiting = _crowd(site)
        _probe(site, stalled, lambda crowd=waiting: any(one.is_alive() for one in crowd))
        proxy.ok()
    return calm, stalled


def _crowd(site: _Site) -> list[threading.Thread]:
    """All at once, each with a connection of its own."""
    crowd = [threading.Thread(target=site.open, args=(site.hanging,)) for _ in range(WAITING)]
    for one in crowd:
        one.start()
    return crowd


def _probe(site: _Site, times: Times, going_on: Callable[[], bool]) -> None:
    """Ask for each page at a steady pace, however long the answers take."""
    asked: list[tuple[str, Future[float]]] = []
    due = time.perf_counter()
    with ThreadPoolExecutor(WAITING * len(times)) as pool:
        while going_on():
            time.sleep(max(due - time.perf_counter(), 0))
            asked += [(page, pool.submit(site.timed, page, due)) for page in times]
            due += EVERY
    for page, answer in asked:
        times[page].append(answer.result())


if __name__ == "__main__":
    main()
