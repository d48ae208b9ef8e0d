"""Several items at a time, in threads that leave no database connection open."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

S = TypeVar("S")
T = TypeVar("T")


def run(act: Callable[[], None], count: int) -> None:
    """`act` in so many threads. The first exception is raised when all have ended."""

    def on_own_connection() -> None:
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(on_own_connection) for _ in range(count)]
    for future in futures:
        future.result()


def each(read: Callable[[S], T], things: Iterable[S], count: int) -> list[T]:
    """What `read` gives for each thing, in order. Raises as `run`."""
    numbered, answers = iter(list(enumerate(things))), dict[int, T]()

    def read_on() -> None:
        for number, thing in numbered:  # each goes to one thread
            answers[number] = read(thing)

    run(read_on, count)
    return [answers[number] for number in sorted(answers)]
