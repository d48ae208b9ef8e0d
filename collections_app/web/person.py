"""The person who asks: their settings, read once a request, and what a page notes of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

from ..access.policy import Place
from ..milvus.errors import NotFound
from ..personal import store
from ..personal.store import Personal
from .http import is_htmx_part
from .request import SignedInRequest

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


def user_id(request: SignedInRequest) -> int:
    """The key of Django's user, whom the sign-in keeps by issuer and subject."""
    return int(request.user.pk or 0)


def personal_of(request: SignedInRequest) -> Personal:
    """Their settings; the defaults if they can't be read. One statement for each request."""
    known: Personal | None = getattr(request, "personal", None)
    if known is None:
        known = request.personal = store.settings_of(user_id(request))
    return known


def note_visit(request: SignedInRequest, place: Place) -> None:
    """They opened the page of a database or a collection. A part of a page is no visit."""
    if request.method == "GET" and not is_htmx_part(request):
        store.note_visit(user_id(request), personal_of(request), place)


@contextmanager
def noting_if_gone(request: SignedInRequest, place: Place) -> Iterator[None]:
    """Around a read of a place: if it does not exist, their pins and recent places learn it."""
    try:
        yield
    except NotFound:
        store.note_gone(user_id(request), personal_of(request), place)
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A column that can be hidden, or a density that can be chosen."""

    key: str
    label: "StrOrPromise"
    is_shown: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TableView:
    """How one person wants a table, for the menu in which they change it."""

    table: str
    choices: list[Choice]
    densities: list[Choice]
    address: str  # of the page, to come back to


DENSITIES: dict[str, "StrOrPromise"] = {
    store.COMFORTABLE: _("Comfortable"),
    store.COMPACT: _("Compact"),
}
# The columns that can be hidden. What a table is about (a name, what happened) always stays.
TABLES: dict[str, dict[str, "StrOrPromise"]] = {
    "collections": {
        "state": _("State"),
        "rows": _("Rows"),
        "partitions": _("Partitions"),
        "aliases": _("Aliases"),
        "created": _("Created"),
    },
    "partitions": {
        "state": _("State"),
        "rows": _("Rows"),
        "share": _("Share of the rows"),
        "created": _("Created"),
    },
    "audit": {
        "event": _("Event"),
        "when": _("When"),
        "who": _("Who"),
        "where": _("Where"),
        "outcome": _("Outcome"),
    },
    "recycle-bin": {"rows": _("Rows"), "moved": _("Moved"), "purge": _("Purge")},
}


def table_view(request: SignedInRequest, table: str, address: str) -> dict[str, Any]:
    """How this person wants that table, as a template needs it: `shown` has a yes or no by key.

    `address` is that of the page. A stored column that is none (any more) hides nothing.
    """
    personal = personal_of(request)
    hidden = personal.hidden.get(table, frozenset())
    choices = [
        Choice(key=key, label=label, is_shown=key not in hidden)
        for key, label in TABLES[table].items()
    ]
    view = TableView(
        table=table,
        choices=choices,
        densities=[
            Choice(key=key, label=label, is_shown=key == personal.density)
            for key, label in DENSITIES.items()
        ],
        address=address,
    )
    return {"table_view": view, "shown": {choice.key: choice.is_shown for choice in choices}}
