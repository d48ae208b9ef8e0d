"""On SQLite: how long a request may wait until it can write."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from collections_app.audit.sqlite_queue import all_writes_queued
from collections_app.web.request import AppRequest

STRANGER, SOMEBODY = 2.0, 20.0  # seconds


class QueuedWritesMiddleware:
    """Queue the writes of a request, so that few threads wait for a database that is held.

    Without a signed-in person a request waits briefly: strangers must not occupy threads that
    signed-in people need for reading. PostgreSQL has a queue of its own.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: AppRequest) -> HttpResponseBase:
        def max_wait() -> float:
            return SOMEBODY if request.actor else STRANGER

        with all_writes_queued(max_wait):
            return self.get_response(request)
