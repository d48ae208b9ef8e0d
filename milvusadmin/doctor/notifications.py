"""The doctor on approvals: whether somebody could approve, and is told that they should."""

from collections.abc import Iterator

import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.mail import get_connection

from collections_app.access.policy import Action
from collections_app.plans import delivery

from .findings import Finding, ok, problem, warning

ABOUT = "approvals"
NOBODY_TOLD = (
    "Set APPROVAL_MAIL_TO or APPROVAL_WEBHOOK_URL: docs/approvals.md. Without them people see "
    "requests only if they open Milvus Admin."
)


def look() -> Iterator[Finding]:
    """Nothing where no cluster has approvals."""
    if not any(cluster.approvals for cluster in settings.CLUSTERS.values()):
        return
    yield from _approvers()
    found = settings.NOTIFICATIONS
    if not (found.mail_to or found.webhook_url):
        yield warning(ABOUT, "nobody is told that an approval is awaited", NOBODY_TOLD)
    if found.mail_to:
        yield _mail()
    if found.webhook_url:
        yield _webhook()
    yield from _undelivered()


def _approvers() -> Iterator[Finding]:
    """Of local accounts; a provider's groups can't be counted."""
    if settings.SIGN_IN != "local":
        return
    groups = {g for rule in settings.ACCESS if rule.grants(Action.APPROVE) for g in rule.groups}
    active = get_user_model().objects.filter(is_active=True, groups__name__in=groups)
    count = active.distinct().count()
    if not count:
        yield problem(
            ABOUT,
            "no account may approve, so nothing under the rule can be dropped",
            "Run: manage.py create_account NAME --role approver",
        )


def _mail() -> Finding:
    server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        connection = get_connection(timeout=delivery.SILENCE)
        connection.open()
        connection.close()
    except Exception as exc:
        said = f"the mail server {server} can't be used: {type(exc).__name__}"
        return problem(ABOUT, said, "Check MAIL_HOST, MAIL_PORT, MAIL_SECURITY and the login.")
    return ok(ABOUT, f"the mail server {server} answers")


def _webhook() -> Finding:
    """Whatever it answers to a request without a notification, it answers."""
    url = settings.NOTIFICATIONS.webhook_url
    try:
        requests.head(url, timeout=delivery.SILENCE, allow_redirects=False).close()
    except requests.RequestException as exc:
        said = f"the webhook does not answer: {type(exc).__name__}"
        return problem(ABOUT, said, "Check APPROVAL_WEBHOOK_URL, and that this machine reaches it.")
    return ok(ABOUT, "the webhook answers")


def _undelivered() -> Iterator[Finding]:
    undelivered = list(delivery.problems())
    if undelivered:
        last = undelivered[0]
        yield warning(
            ABOUT,
            f"{len(undelivered)} notifications were not delivered; the last one by "
            f"{last.channel}: {last.problem}",
            "Fix the cause. What failed 8 times is not sent again: the page of approvals has it.",
        )
