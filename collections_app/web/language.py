"""Choosing the language of the pages, before sign-in, too: a form, remembered in a cookie."""

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

from .view_policy import policy


@policy(public=True)
@require_POST
def choose(request: HttpRequest) -> HttpResponseBase:
    """Set the cookie and go back to the page of the form, if it is one of this application."""
    response: HttpResponse = set_language(request)
    return response
