"""A dialog left for signing in, and taken up again: for the same thing, by the same person."""

from dataclasses import dataclass

from django.http import HttpRequest

from ..operations import confirmation

KEY = "saved_confirmation"  # in the session


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedConfirmation:
    """The signed confirmation of a dialog, and the reason that was typed into it."""

    token: str
    reason: str


def save(request: HttpRequest, token: str, reason: str) -> None:
    """Save it until the dialog is opened again. The name has to be typed again.

    Only a token that was signed here is saved: strangers leave nothing in the session.
    """
    if confirmation.genuine(token):
        request.session[KEY] = {"token": token, "reason": reason[:500]}


def pop(request: HttpRequest) -> SavedConfirmation | None:
    """The saved confirmation, once; None if there is none."""
    saved = request.session.pop(KEY, None)
    return SavedConfirmation(**saved) if saved else None
