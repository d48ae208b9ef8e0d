"""The doctor on approvals: whether somebody could approve, and is told that they should."""

from dataclasses import replace
from typing import Any

import pytest

from collections_app.models import Notification
from milvusadmin.config.notifications import Notifications
from milvusadmin.doctor import notifications
from milvusadmin.doctor.findings import State
from tests.fixtures import People
from tests.plans.test_notifications import Hook, Post, hook, post  # noqa: F401 (fixtures)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_people(settings: Any) -> None:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=1) for key, cluster in found}


def said() -> list[tuple[State, str]]:
    return [(finding.state, finding.text) for finding in notifications.look()]


def test_doctor_without_a_rule_says_nothing(settings: Any) -> None:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=0) for key, cluster in found}
    assert said() == []


def test_doctor_misses_approvers_and_notifications(people: People) -> None:
    assert said() == [
        (State.PROBLEM, "no account may approve, so nothing under the rule can be dropped"),
        (State.WARNING, "nobody is told that an approval is awaited"),
    ]
    people["approver"]
    assert [state for state, _ in said()] == [State.WARNING]


def test_doctor_reaches_mail_server_and_webhook(
    people: People,
    settings: Any,
    post: Post,  # noqa: F811
    hook: Hook,  # noqa: F811
) -> None:
    people["approver"]
    settings.NOTIFICATIONS = replace(
        settings.NOTIFICATIONS, webhook_url=hook.url, webhook_secret="s" * 32
    )
    assert {state for state, _ in said()} == {State.OK}
    settings.EMAIL_PORT = 9
    settings.NOTIFICATIONS = replace(settings.NOTIFICATIONS, webhook_url="http://127.0.0.1:9/")
    assert [state for state, _ in said()] == [State.PROBLEM, State.PROBLEM]


def test_doctor_counts_what_was_not_delivered(people: People, settings: Any) -> None:
    from django.utils import timezone

    people["approver"]
    settings.NOTIFICATIONS = Notifications()
    now = timezone.now()
    more = {"facts": {}, "created_at": now, "due_at": now, "problem": "it answered 500"}
    Notification.objects.create(event="plan.request", channel="webhook", **more)
    assert (
        State.WARNING,
        "1 notifications were not delivered; the last one by webhook: it answered 500",
    ) in said()
