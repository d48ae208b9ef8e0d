"""The sessions that came from a provider or a proxy: found again when it ends them."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone


class SignIn(models.Model):
    """One session, whose it is, and what the provider said about them last.

    `tokens` is encrypted. `checked_at` is when the groups were confirmed last. Until
    `asking_until` one request is asking the provider; before `ask_after` none tries again that
    can do without.
    """

    session_key = models.CharField(max_length=40, primary_key=True)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    sid = models.CharField(max_length=255, blank=True)
    display = models.CharField(max_length=300)
    groups = models.JSONField(default=list)
    started_at = models.DateTimeField(default=timezone.now)
    authenticated_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(default=timezone.now)
    asking_until = models.DateTimeField(default=timezone.now)
    ask_after = models.DateTimeField(default=timezone.now)
    tokens = models.TextField(blank=True)

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["issuer", "subject"], name="sign_in_by_subject"),
            models.Index(fields=["issuer", "sid"], name="sign_in_by_sid"),
        )

    def __str__(self) -> str:
        return f"{self.display} at {self.issuer}"

    @property
    def too_old(self) -> bool:
        """A session ends after a working day, however busy it is."""
        age = timezone.now() - self.started_at
        return age > timedelta(seconds=settings.SESSION_COOKIE_AGE)

    def end(self) -> None:
        """Forget it, and the session with it."""
        store: Any = import_module(settings.SESSION_ENGINE).SessionStore
        store().delete(self.session_key)
        self.delete()


SESSIONS = 50  # of one person at once, in proxy mode


def end_surplus(issuer: str, subject: str) -> None:
    """End the oldest sessions of somebody who begins one with each request, and keeps no cookie."""
    theirs = SignIn.objects.filter(issuer=issuer, subject=subject).order_by("-started_at")
    for row in theirs[SESSIONS:]:
        row.end()


def forget_old() -> None:
    """Sessions end after a working day; the rows of those that nobody ended go a day later."""
    age = timedelta(seconds=2 * settings.SESSION_COOKIE_AGE)
    SignIn.objects.filter(started_at__lt=timezone.now() - age).delete()
