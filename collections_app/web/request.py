"""The request as the middleware leaves it for the views: types for annotations.

Django makes the objects; nothing here is ever instantiated in its place.
"""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from .. import clusters
from ..access.policy import Permissions
from ..access.principals import Actor
from ..milvus.types import Cluster

if TYPE_CHECKING:
    from ..personal.store import Personal


class Slots:
    """The slots at clusters that a request holds: at most one for each cluster."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._clusters: set[str] = set()

    def acquire(self, milvus: clusters.Milvus) -> None:
        """Hold a slot until the request is over. Raises Unreachable if too many wait there."""
        if milvus.cluster.key not in self._clusters:
            self._stack.enter_context(milvus.bulkhead.slot())
            self._clusters.add(milvus.cluster.key)


class AppRequest(HttpRequest):
    """Any request. `actor` is None for visitors, and until sign-in has found somebody."""

    request_id: str  # set by RequestLogMiddleware
    htmx: HtmxDetails  # set by HtmxMiddleware
    actor: Actor | None  # set by SignInMiddleware, as all below
    leaving: bool  # the view ends the session, so nobody has to be confirmed
    renew: bool  # the session waits to be renewed at the provider, in silence


class SignedInRequest(AppRequest):
    """What a view behind the sign-in gets."""

    actor: Actor
    permissions: Permissions  # set by SignInMiddleware
    slots: Slots  # set by SlotsMiddleware
    cluster: Cluster  # set by `find_cluster`, for pages of one
    personal: "Personal"  # set by `personal_of`, where a page needs it
