"""What people are told about approvals: over sockets, by the real clients of mail and HTTP."""

import json
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from collections_app.models import AuditEvent, Notification, Plan, PlanState
from collections_app.plans import approving, delivery, rule_watch, tasks
from collections_app.plans.delivery import ATTEMPTS, deliver_due, signature
from milvusadmin.config.notifications import Notifications
from tests.fakes import FakeMilvus
from tests.fixtures import actor, rule
from tests.operations.conftest import at_once
from tests.plans.conftest import caller, confirm, plan_for

pytestmark = [pytest.mark.django_db(transaction=True)]
ADA, BEN = actor("ada", ("ada",)), actor("ben", ("ben",))
SECRET = "s" * 40
HOME = "https://milvus-admin.example.com"


@dataclass
class Hook:
    """A webhook: what it got, and how it answers."""

    url: str
    bodies: list[bytes] = field(default_factory=list)
    headers: list[Any] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler], None] = lambda handler: _status(handler, 204)


def _status(handler: BaseHTTPRequestHandler, status: int, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook(url="")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            made.headers.append(self.headers)
            made.answer(self)

        def log_message(self, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_address[1]}/in/t0ken"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture(autouse=True)
def two_people(settings: Any, hook: Hook) -> None:
    settings.ACCESS = (rule("ada", "drop"), rule("ben", "approve"))
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=1) for key, cluster in found}
    settings.NOTIFICATIONS = Notifications(
        public_url=HOME, webhook_url=hook.url, webhook_secret=SECRET
    )


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "SILENCE", 1.0)
    monkeypatch.setattr(delivery, "DEADLINE", 2.0)
    monkeypatch.setattr(delivery, "FIRST_RETRY", timedelta(0))


def requested(fake: FakeMilvus, name: str = "books") -> Plan:
    return confirm(plan_for([fake.add(name)], ADA), ADA)


def approve(plan: Plan) -> None:
    approving.approve(plan, "drop 1 on Milvus", plan.digest, caller(BEN))


def told(hook: Hook) -> list[dict[str, Any]]:
    return [json.loads(body) for body in hook.bodies]


# --- what is told -------------------------------------------------------------------------------


def test_notification_of_each_step_links_to_the_plan(fake: FakeMilvus, hook: Hook) -> None:
    plan = requested(fake)
    approve(plan)
    approving.reject(requested(fake, "more"), "in use", caller(BEN))
    late = requested(fake, "late")
    Plan.objects.filter(pk=late.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    tasks.wake()
    assert deliver_due() == 6
    events = [one["event"] for one in told(hook)]
    assert events == [
        "plan.request",
        "plan.approve",
        "plan.request",
        "plan.reject",
        "plan.request",
        "plan.lapse",
    ]
    first = told(hook)[0]
    assert first["url"] == f"{HOME}/plans/{plan.pk}/"
    assert (first["requester"], first["approver"], first["items"]) == ("Ada", "", 1)
    assert told(hook)[1]["approver"] == "Ben"
    assert told(hook)[3]["why"] == "Rejected by Ben: in use"


def test_body_is_signed_with_its_time(fake: FakeMilvus, hook: Hook) -> None:
    requested(fake)
    deliver_due()
    [headers], [body] = hook.headers, hook.bodies
    moment = headers["X-Milvus-Admin-Time"]
    assert abs(time.time() - int(moment)) < 60
    assert headers["X-Milvus-Admin-Signature"] == f"sha256={signature(moment, body)}"
    assert signature(moment, body + b" ") != signature(moment, body)
    assert headers["X-Milvus-Admin-Delivery"] == str(json.loads(body)["id"])


def test_notification_without_a_channel_is_not_made(fake: FakeMilvus, settings: Any) -> None:
    settings.NOTIFICATIONS = Notifications()
    requested(fake)
    assert not Notification.objects.exists()


# --- what goes wrong ----------------------------------------------------------------------------


def drip(handler: BaseHTTPRequestHandler) -> None:
    """A status, and then a byte of a header now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    for _ in range(60):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.1)


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A body that never ends: nobody reads it."""
    handler.wfile.write(b"HTTP/1.1 500 <script>alert(1)</script>\r\n\r\n")
    handler.wfile.write(b"x" * 1_000_000)


HOSTILE: dict[str, tuple[Callable[[BaseHTTPRequestHandler], None], str]] = {
    "an error": (lambda h: _status(h, 500), "it answered 500"),
    "a refusal": (lambda h: _status(h, 403), "it answered 403"),
    "a redirect": (lambda h: _status(h, 302, Location="/elsewhere"), "it answered 302"),
    "silence": (lambda h: time.sleep(3), "no answer within 1 seconds"),
    "a drip": (drip, "no end within 2 seconds"),
    "an endless body": (endless, "it answered 500"),
    "no HTTP": (lambda h: h.wfile.write(b"220 hello\r\n"), "no connection (ConnectionError)"),
    "a closed door": (lambda h: h.connection.close(), "no connection (ConnectionError)"),
}


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("answer", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_webhook_that_misbehaves_is_tried_again_and_shown(
    fake: FakeMilvus, hook: Hook, answer: Any, problem: str
) -> None:
    hook.answer = answer
    plan = requested(fake)
    assert hook.bodies == [], "nothing is sent while people wait"
    deliver_due()
    [found] = delivery.problems()
    assert (found.problem, found.attempts, found.sent_at) == (problem, 1, None)
    assert len(hook.bodies) == 1, "no redirect is followed"
    hook.answer = lambda handler: _status(handler, 200)
    assert deliver_due() == 1
    assert list(delivery.problems()) == []
    assert told(hook)[0] == told(hook)[1], "the same, with the same id"
    approve(plan)
    assert plan.state == PlanState.READY


@pytest.mark.usefixtures("impatient")
def test_webhook_that_never_answers_is_given_up(fake: FakeMilvus, hook: Hook) -> None:
    hook.answer = lambda handler: _status(handler, 500)
    requested(fake)
    while deliver_due():
        pass
    [found] = delivery.problems()
    assert found.attempts == ATTEMPTS == len(hook.bodies)


def test_failed_attempt_waits_longer_each_time(fake: FakeMilvus, hook: Hook) -> None:
    hook.answer = lambda handler: _status(handler, 500)
    requested(fake)
    waits = []
    for _ in range(3):
        Notification.objects.update(due_at=timezone.now())
        deliver_due()
        waits.append((Notification.objects.get().due_at - timezone.now()).total_seconds())
        assert deliver_due() == 0
    assert [round(wait / 15) for wait in waits] == [1, 2, 4]


@pytest.mark.both_databases
def test_two_processes_send_each_notification_once(fake: FakeMilvus, hook: Hook) -> None:
    for number in range(4):
        requested(fake, f"c{number}")
    at_once(*[deliver_due] * 3)
    ids = [one["id"] for one in told(hook)]
    assert len(ids) == len(set(ids)) == 4


def test_no_secret_of_the_webhook_is_shown(fake: FakeMilvus, settings: Any, caplog: Any) -> None:
    settings.NOTIFICATIONS = replace(
        settings.NOTIFICATIONS, webhook_url="http://127.0.0.1:9/in/t0ken"
    )
    requested(fake)
    deliver_due()
    [found] = delivery.problems()
    assert found.problem.startswith("no connection")
    assert "t0ken" not in found.problem + caplog.text + repr(settings.NOTIFICATIONS)


def test_old_notifications_are_deleted(fake: FakeMilvus) -> None:
    requested(fake)
    Notification.objects.update(created_at=timezone.now() - timedelta(days=8))
    deliver_due()
    assert not Notification.objects.exists()


# --- mail ---------------------------------------------------------------------------------------


@dataclass
class Post:
    """A mail server: what was handed in, and what it answers to a recipient."""

    port: int = 0
    mails: list[str] = field(default_factory=list)
    to_recipient: bytes = b"250 ok"


@pytest.fixture
def post(settings: Any) -> Iterator[Post]:
    made = Post()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say(b"220 here")
            for line in self.rfile:
                word = line[:4].upper().strip()
                if word == b"DATA":
                    self.say(b"354 go on")
                    made.mails.append(self.mail())
                self.say(made.to_recipient if word == b"RCPT" else b"250 ok")
                if word == b"QUIT":
                    return

        def say(self, line: bytes) -> None:
            self.wfile.write(line + b"\r\n")

        def mail(self) -> str:
            lines = iter(self.rfile.readline, b".\r\n")
            return b"".join(lines).decode()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", made.port
        settings.EMAIL_USE_TLS, settings.DEFAULT_FROM_EMAIL = False, "milvus-admin@example.com"
        settings.NOTIFICATIONS = Notifications(public_url=HOME, mail_to=("leads@example.com",))
        yield made
        server.shutdown()


def test_mail_says_who_asks_for_what_and_where(fake: FakeMilvus, post: Post) -> None:
    plan = requested(fake)
    assert deliver_due() == 1
    [mail] = post.mails
    assert f"Subject: [Milvus Admin] Approval requested: plan {plan.pk} on Milvus" in mail
    assert "Approval requested: drop 1 collection on Milvus, database default." in mail
    assert "Requested by: Ada" in mail
    assert f"{HOME}/plans/{plan.pk}/" in mail
    assert "To: leads@example.com" in mail


def test_mail_has_no_header_that_somebody_chose(fake: FakeMilvus, post: Post) -> None:
    who = replace(ADA, display="Ada\r\nBcc: all@example.com")
    confirm(plan_for([fake.add("books")], who), who)
    assert deliver_due() == 1
    [mail] = post.mails
    head, _, text = mail.partition("\r\n\r\n")
    assert "Bcc" not in head
    assert "Bcc: all" in text.replace("=\r\n", "")


@pytest.mark.usefixtures("impatient")
def test_mail_that_is_refused_is_tried_again(fake: FakeMilvus, post: Post) -> None:
    post.to_recipient = b"550 no such user"
    requested(fake)
    deliver_due()
    [found] = delivery.problems()
    assert found.problem == "the mail server can't be used (SMTPRecipientsRefused)"
    post.to_recipient = b"250 ok"
    assert deliver_due() == 1
    assert list(delivery.problems()) == []


# --- the rule itself ----------------------------------------------------------------------------


def rules_recorded() -> list[str]:
    events = AuditEvent.objects.filter(action="approvals.rule").order_by("sequence")
    return [json.loads(event.record)["message"] for event in events]


@pytest.mark.both_databases
def test_loosened_rule_is_recorded_once_and_told(settings: Any, hook: Hook) -> None:
    at_once(*[rule_watch.record_changes] * 3)
    rule_watch.record_changes()
    assert rules_recorded() == ["The rule of approvals is now: 1 for everything. Before: none"]
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=0) for key, cluster in found}
    with pytest.raises(SystemExit) as ended:
        call_command("send_notifications")
    assert ended.value.code == 0
    assert rules_recorded()[1:] == ["The rule of approvals is now: none. Before: 1 for everything"]
    assert told(hook)[-1]["why"] == rules_recorded()[-1]


def test_cluster_without_a_rule_has_nothing_recorded(settings: Any) -> None:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=0) for key, cluster in found}
    rule_watch.record_changes()
    assert rules_recorded() == []
