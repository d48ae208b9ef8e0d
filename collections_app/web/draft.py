"""A dialog left for signing in, and taken up again: for the same thing, by the same person."""

from dataclasses import dataclass

from django.http import HttpRequest

from ..operations import confirmation

KEY = "resume"  # in the session


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """The signed confirmation of a dialog, and the reason that was typed into it."""

    token: str
    reason: str


def keep(request: HttpRequest, token: str, reason: str) -> None:
    """Remember it until the dialog is opened again. The name has to be typed again.

    Only what is one of our tokens: strangers leave nothing here.
    """
    if confirmation.genuine(token):
        request.session[KEY] = {"token": token, "reason": reason[:500]}


def take(request: HttpRequest) -> Left | None:
    """What was left, once."""
    found = request.session.pop(KEY, None)
    return Left(**found) if found else None
