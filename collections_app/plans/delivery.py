"""Sending notifications: each by one process at a time, with a deadline, and a limit of attempts.

A process that is killed while it sends leaves the notification due again: it may then arrive
twice, with the same id. What a webhook answers is never read: only its status counts.
"""

import hashlib
import hmac
import json
import logging
import smtplib
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import requests
from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils import timezone, translation
from django.utils.translation import get_language, gettext, gettext_lazy, ngettext

from ..milvus.types import Kind
from ..models import Notification
from ..names import readable
from .notifications import MAIL
from .rows import writing

logger = logging.getLogger(__name__)

ATTEMPTS = 8  # then it has failed
FIRST_RETRY = timedelta(seconds=15)  # doubled each time: 8 attempts take 32 minutes
DEADLINE = 15.0  # seconds for one attempt, whatever the other side does
SILENCE = 5.0  # seconds without a byte
KEPT = timedelta(days=7)


def deliver_due() -> int:
    """Send what is due. Returns how many were tried. Raises DatabaseError."""
    _forget_old()
    tried = 0
    for notification in _due():
        if _take(notification):
            tried += 1
            _settle(notification, _attempt(notification))
    return tried


def problems() -> Iterator[Notification]:
    """What could not be delivered, or not yet: the newest first."""
    wrong = Notification.objects.filter(sent_at=None).exclude(problem="")
    yield from wrong.order_by("-id")[:20]


def _due() -> list[Notification]:
    open_ones = Notification.objects.filter(sent_at=None, attempts__lt=ATTEMPTS)
    return list(open_ones.filter(due_at__lte=timezone.now()).order_by("id")[:20])


def _take(notification: Notification) -> bool:
    """Count the attempt before it is made; False if another process makes it."""
    now = timezone.now()
    wait = FIRST_RETRY * 2**notification.attempts
    with writing():
        same = Notification.objects.filter(pk=notification.pk, attempts=notification.attempts)
        taken = same.filter(sent_at=None, due_at__lte=now)
        return bool(taken.update(attempts=notification.attempts + 1, due_at=now + wait))


def _settle(notification: Notification, problem: str) -> None:
    if problem:
        logger.warning("notification %s by %s: %s", notification.pk, notification.channel, problem)
    sent_at = None if problem else timezone.now()
    with writing():
        row = Notification.objects.filter(pk=notification.pk, sent_at=None)
        row.update(sent_at=sent_at, problem=problem)


def _forget_old() -> None:
    old = Notification.objects.filter(created_at__lt=timezone.now() - KEPT)
    if old.exists():
        with writing():
            old.delete()


def _attempt(notification: Notification) -> str:
    """Why it failed; empty if it arrived. Ends after DEADLINE, in whatever state that is."""
    send = _mail if notification.channel == MAIL else _post
    found = [f"no end within {DEADLINE:g} seconds"]

    def run() -> None:
        found[0] = _problem_of(lambda: send(notification))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(DEADLINE)
    return found[0]


def _problem_of(send: Callable[[], str]) -> str:
    """Without what an exception says: it may quote an address with a secret in it."""
    try:
        return send()
    except requests.Timeout:
        return f"no answer within {SILENCE:g} seconds"
    except requests.exceptions.SSLError:
        return "its certificate is not trusted"
    except requests.RequestException as exc:
        return f"no connection ({type(exc).__name__})"
    except smtplib.SMTPResponseException as exc:
        return f"the mail server answered {exc.smtp_code}"
    except (smtplib.SMTPException, OSError) as exc:
        return f"the mail server can't be used ({type(exc).__name__})"
    except Exception as exc:
        logger.exception("a notification could not be made")
        return f"unexpected error ({type(exc).__name__})"


# --- the two channels ---------------------------------------------------------------------------


def _post(notification: Notification) -> str:
    body = json.dumps({"id": notification.pk, **notification.facts}).encode()
    with requests.post(
        settings.NOTIFICATIONS.webhook_url,
        data=body,
        headers=_headers(notification, body),
        timeout=SILENCE,
        allow_redirects=False,
        stream=True,  # its body is not read
    ) as answer:
        return "" if 200 <= answer.status_code < 300 else f"it answered {answer.status_code}"


def _headers(notification: Notification, body: bytes) -> dict[str, str]:
    moment = str(int(time.time()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "Milvus-Admin",
        "X-Milvus-Admin-Delivery": str(notification.pk),
        "X-Milvus-Admin-Time": moment,
        "X-Milvus-Admin-Signature": f"sha256={signature(moment, body)}",
    }


def signature(moment: str, body: bytes) -> str:
    """HMAC-SHA256 of the time, a period and the body."""
    secret = settings.NOTIFICATIONS.webhook_secret.encode()
    return hmac.new(secret, moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def _mail(notification: Notification) -> str:
    with translation.override(settings.DEFAULT_LANGUAGE):
        subject, text = words_of(notification.facts)
    message = EmailMessage(
        subject=subject,
        body=text,
        to=list(settings.NOTIFICATIONS.mail_to),
        connection=get_connection(timeout=SILENCE),
    )
    return "" if message.send() else "the mail server took no recipient"


def words_of(facts: dict[str, Any]) -> tuple[str, str]:
    """The subject and the text of a mail. What people chose is made visible and one line."""
    told = {key: readable(str(value)) for key, value in facts.items()}
    told |= {"title": str(TITLES.get(facts["event"], told["title"]))}
    told |= {"where": told.get("cluster_label") or told["cluster"]}
    if "plan" not in told:
        title = gettext("%(title)s on %(where)s") % told
        return f"[Milvus Admin] {title}", f"{title}.\n\n{told['why']}\n"
    told |= {
        "what": told["name"] or _count(facts),
        "verb": str(VERBS.get(told["verb"], told["verb"])),
    }
    lines = [
        gettext("%(title)s: %(verb)s %(what)s on %(where)s, database %(database)s.") % told,
        "",
        gettext("Requested by: %(requester)s") % told,
        *([gettext("Approved by: %(approver)s") % told] if told["approver"] else []),
        *([gettext("Reason: %(reason)s") % told] if told["reason"] else []),
        *([f"{told['why']}."] if told["why"] else []),
        *([gettext("Expires: %(time)s") % _times(facts)] if told["event"] in EXPIRING else []),
        "",
        told["url"],
    ]
    subject = gettext("%(title)s: plan %(plan)s on %(where)s") % told
    return f"[Milvus Admin] {subject}", "\n".join(lines) + "\n"


def _count(facts: dict[str, Any]) -> str:
    """How many of what: `37 partitions`."""
    count, values = facts["items"], {"count": facts["items"]}
    if facts["kind"] == Kind.PARTITION:
        return ngettext("%(count)s partition", "%(count)s partitions", count) % values
    return ngettext("%(count)s collection", "%(count)s collections", count) % values


TITLES = {
    "plan.request": gettext_lazy("Approval requested"),
    "plan.approve": gettext_lazy("Approved"),
    "plan.reject": gettext_lazy("Rejected"),
    "plan.lapse": gettext_lazy("Lapsed"),
    "approvals.rule": gettext_lazy("The rule of approvals changed"),
}
VERBS = {
    "drop": gettext_lazy("drop"),
    "move": gettext_lazy("move"),
    "purge": gettext_lazy("purge"),
    "unprotect": gettext_lazy("unprotect"),
}


EXPIRING = {"plan.request", "plan.approve"}


def _times(facts: dict[str, Any]) -> dict[str, str]:
    form = "%-d %b %Y %H:%M %Z" if get_language() != "zh-hans" else "%Y-%m-%d %H:%M %Z"
    moment = timezone.localtime(datetime.fromisoformat(facts["expires_at"]))
    return {"time": f"{moment:{form}}"}
