"""The places that one person pinned or opened lately, as far as they may see them now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from ..access.policy import Action, Place
from ..drift.inventory import not_listed
from ..personal.store import Visit
from . import links
from .person import personal_of
from .request import SignedInRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class MyPlace:
    """A pinned or a recent place. `where` is what it is in; a place that is gone has no address."""

    kind: str  # cluster, database or collection
    name: str
    where: str
    place: Place
    url: str
    at: datetime
    color: str

    @property
    def is_gone(self) -> bool:
        return not self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class MyPlaces:
    """What is pinned, by when it was pinned; what else was opened lately, the last one first."""

    pinned: list[MyPlace]
    recent: list[MyPlace]

    @property
    def to_jump_to(self) -> list[MyPlace]:
        """The pinned ones that exist."""
        return [place for place in self.pinned if not place.is_gone]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The button that pins a place, or unpins it. `address` is the page to come back to."""

    place: Place
    label: str
    is_pinned: bool
    address: str


def pin_of(request: SignedInRequest, place: Place, address: str = "") -> Pin:
    """The pin of the place that a page is about; `address` if that page has a view of its own."""
    is_pinned = personal_of(request).is_pinned(place)
    return Pin(
        place=place,
        label=_pin_label(place, is_pinned=is_pinned),
        is_pinned=is_pinned,
        address=address or address_of(place),
    )


def _pin_label(place: Place, *, is_pinned: bool) -> str:
    labels = {
        "cluster": (_("Pin cluster"), _("Unpin cluster")),
        "database": (_("Pin database"), _("Unpin database")),
        "collection": (_("Pin collection"), _("Unpin collection")),
    }
    return labels[_kind(place)][is_pinned]


def places_of(request: SignedInRequest) -> MyPlaces:
    """Their places without those that they may not see. No cluster is asked.

    What is gone is told where it was pinned, and left out of the recent ones. It is known from
    their last visit, and from the watch.
    """
    personal = personal_of(request)
    pinned = _visible(request, personal.pinned)
    others = [visit for visit in personal.recent if not personal.is_pinned(visit.place)]
    recent = _visible(request, others)
    gone = {visit.place for visit in pinned if visit.is_gone} | _unlisted([*pinned, *recent])
    return MyPlaces(
        pinned=[_shown(visit, is_gone=visit.place in gone) for visit in pinned],
        recent=[_shown(visit, is_gone=False) for visit in recent if visit.place not in gone],
    )


def _visible(request: SignedInRequest, visits: Iterable[Visit]) -> list[Visit]:
    may = request.permissions.may
    configured = [visit for visit in visits if visit.place.cluster in settings.CLUSTERS]
    return [visit for visit in configured if may(Action.VIEW, visit.place)]


def _unlisted(visits: list[Visit]) -> set[Place]:
    """The collections that the watch did not find when it listed their databases since then."""
    seen = {
        (visit.place.cluster, visit.place.database, visit.place.collection): visit.at
        for visit in visits
        if visit.place.database and visit.place.collection
    }
    return {Place(cluster=c, database=d, collection=n) for c, d, n in not_listed(seen)}


def _shown(visit: Visit, *, is_gone: bool) -> MyPlace:
    place = visit.place
    cluster = settings.CLUSTERS[place.cluster]
    kind = _kind(place)
    parents = {"cluster": "", "database": cluster.label}
    return MyPlace(
        kind=kind,
        name=place.collection or place.database or cluster.label,
        where=parents.get(kind, f"{cluster.label} / {place.database}"),
        place=place,
        url="" if is_gone else address_of(place),
        at=visit.at,
        color=cluster.color,
    )


def _kind(place: Place) -> str:
    if place.collection is not None:
        return "collection"
    return "cluster" if place.database is None else "database"


def address_of(place: Place) -> str:
    """The page of a place."""
    if place.database is None:
        return reverse("databases", args=[place.cluster])
    if place.collection is None:
        return links.collections(place.cluster, place.database)
    return links.collection(place.cluster, place.database, place.collection)
