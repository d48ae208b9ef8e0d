"""What people choose for their own pages: the columns and the density of tables, pinned places."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from ..access.policy import Action, Place
from ..personal import store
from . import links
from .http import find_cluster
from .person import TABLES, user_id
from .request import SignedInRequest
from .view_policy import policy


@policy()
@require_POST
def choose_view(request: SignedInRequest) -> HttpResponse:
    """Keep which columns of a table this person sees, and how dense all tables are."""
    table = request.POST.get("table", "")
    if table not in TABLES:
        raise Http404(gettext("There is no table %(name)s") % {"name": table[:40]})
    density = request.POST.get("density", "")
    store.choose_view(
        user_id(request),
        table=table,
        hidden=frozenset(TABLES[table]) - set(request.POST.getlist("column")),
        density=density if density in store.DENSITIES else store.COMFORTABLE,
    )
    return _back(request)


@require_POST
@policy(Action.VIEW)
def pin(request: SignedInRequest, cluster: str) -> HttpResponse:
    """Pin a cluster, a database or a collection, or unpin it: the form says which."""
    find_cluster(request, cluster)
    place = Place(
        cluster=cluster,
        database=_name(request, "database"),
        collection=_name(request, "collection"),
    )
    if request.POST.get("pinned") == "0":
        store.unpin(user_id(request), place)
    elif request.permissions.may(Action.VIEW, place):
        store.pin(user_id(request), place)
    else:
        raise Http404(gettext("There is nothing to pin"))
    return _back(request)


@policy()
@require_POST
def forget_places(request: SignedInRequest) -> HttpResponse:
    """Forget the recent places."""
    store.forget_places(user_id(request))
    return _back(request)


def _name(request: SignedInRequest, field: str) -> str | None:
    """A name from the form, exactly as sent; None without one. Http404 if it can be none."""
    value = request.POST.get(field, "")
    if len(value) > 255 or "\0" in value:
        raise Http404(gettext("The form has no valid %(key)s") % {"key": field})
    return value or None


def _back(request: SignedInRequest) -> HttpResponse:
    """To the page with the form; home, if it names no page of Milvus Admin."""
    address = request.POST.get("next", "")
    return redirect(address if links.is_ours(address) else reverse("home"))
