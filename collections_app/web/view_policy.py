"""Who may open a view, and how: one decorator, which the middleware reads."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_not_required
from django.http.response import HttpResponseBase

from ..access.policy import Action
from .http import refuse
from .request import SignedInRequest

View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewPolicy:
    """What a view demands of whoever opens it. The default: any signed-in person."""

    actions: tuple[Action, ...] = ()
    public: bool = False
    reauthenticate: bool = False
    resumable: bool = False
    ends_session: bool = False


def policy(
    *actions: Action,
    public: bool = False,
    reauthenticate: bool = False,
    resumable: bool = False,
    ends_session: bool = False,
) -> Callable[[View], View]:
    """Mark a view. Without arguments it is for any signed-in person, and decides by place itself.

    `actions`: for those who may do one of them somewhere; others get PermissionDenied.
    `public`: without sign-in. `reauthenticate`: the provider confirms the person before a POST.
    `resumable`: signing in leads back to it, as a page of its own. `ends_session`: the provider
    is not asked, because nobody has to be confirmed to leave.
    """
    marks = ViewPolicy(
        actions=actions,
        public=public,
        reauthenticate=reauthenticate,
        resumable=resumable,
        ends_session=ends_session,
    )

    def decorate(view: View) -> View:
        marked = cast(Any, _for_those_who_may(view, actions) if actions else view)
        marked.policy = marks
        return cast(View, login_not_required(marked) if public else marked)

    return decorate


def policy_of(view: object) -> ViewPolicy:
    """The policy of a view; the default for what is none, such as a page that does not exist."""
    found = getattr(view, "policy", None)
    return found if isinstance(found, ViewPolicy) else ViewPolicy()


def _for_those_who_may(view: View, actions: tuple[Action, ...]) -> View:
    @wraps(view)
    def guarded(request: SignedInRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not any(request.permissions.may_somewhere(action) for action in actions):
            refuse(request, actions[0])
        return view(request, *args, **kwargs)

    return guarded
