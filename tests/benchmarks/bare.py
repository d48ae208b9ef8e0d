"""A bare WSGI view that does a list page's raw calls, and nothing more: the floor under load."""

import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from .by_hand import ByHand
from .places import Place

PLACE = ("BARE_SIZE", "BARE_URI", "BARE_TOKEN", "BARE_DATABASE")


def settings(place: Place) -> dict[str, str]:
    """What its process has to find in the environment."""
    values = (str(place.size), place.uri, place.token, place.database)
    return dict(zip(PLACE, values, strict=True))


@cache
def _hand() -> ByHand:
    """One for each worker, made after the fork."""
    size, uri, token, database = (os.environ[name] for name in PLACE)
    return ByHand(Place(int(size), uri, token, database))


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    _hand().page()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "3")])
    return [b"ok\n"]
