"""Which sign-in a session came from, as Django keeps it; and the user behind a person."""

import hashlib
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend


class OidcBackend(ModelBackend):
    """Finds the users of sessions that the identity provider vouched for; takes no password."""

    def authenticate(self, request: Any, **credentials: Any) -> None:  # type: ignore[override]
        return None


class ProxyBackend(OidcBackend):
    """The same for sessions that a trusted proxy vouched for."""


def user_of(issuer: str, subject: str, display: str) -> Any:
    """The user of a person: keyed by issuer and subject, never by a name or an address.

    Made when the person comes for the first time. Its name is a digest, because both parts
    together can be longer than a user name, and case counts in them.
    """
    digest = hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()
    users = get_user_model().objects
    user, created = users.get_or_create(username=f"sso-{digest}")
    if created:
        user.set_unusable_password()
    if created or user.first_name != display[:150]:
        user.first_name = display[:150]
        user.save()
    return user
