"""The timeline of an operation, event by event, without a page."""

import json
from typing import Any

import pytest
from django.utils import timezone

from collections_app.audit.queries import Event
from collections_app.models import AuditEvent
from collections_app.web.timeline import TimelineEntry, timeline

INTENT = {
    "reason": "tidy",
    "typed_name_matched": True,
    "identity": {"id": 7},
    "identity_verifiable": True,
    "deadline_seconds": 10.0,
    "sign_in_age_seconds": 190,
}


def entry(phase: str, outcome: str, message: str = "", **details: Any) -> TimelineEntry:
    record = {
        "actor": {"display": "Ada", "subject": "ada@example.com", "method": "oidc", "issuer": ""},
        "origin": {"interface": "web", "ip": "10.0.0.1"},
        "message": message,
        "details": details,
    }
    row = AuditEvent(
        sequence=13,
        recorded_at=timezone.now(),
        phase=phase,
        outcome=outcome,
        action="collection.drop",
        record=json.dumps(record),
    )
    return timeline([Event.of(row)])[0]


def test_timeline_intent_says_who_why_and_what_was_checked() -> None:
    made = entry("intent", "", **INTENT)
    assert (made.who, made.subject, made.reason) == ("Ada", "ada@example.com", "tidy")
    assert made.title == "requested the drop and confirmed it by name"
    assert made.lines == (
        "company sign-in, signed in 3 minutes before, web, from 10.0.0.1",
        "Identity matched (id 7). No blockers. Intent recorded as event 13 before sending. "
        "Timeout 10 s.",
    )


def test_timeline_strict_intent_without_ids_says_both() -> None:
    made = entry("intent", "", **{**INTENT, "identity_verifiable": False, "private_name": "_x"})
    assert made.lines[1].startswith("Content matched; this server has no ids. No blockers.")
    assert made.lines[1].endswith("Strict mode: rename to _x, check the id, drop under that name.")


@pytest.mark.parametrize(
    ("outcome", "details", "title"),
    [
        ("succeeded", {"attempts": 1}, "Sent to Milvus once."),
        ("unknown", {"attempts": 1}, "Sent to Milvus once. No clear answer came."),
        ("failed", {"attempts": 0}, "Nothing was sent."),
        ("failed", {"attempts": 0, "private_name": "_x"}, "No drop was sent."),
        ("failed", {"settled": True}, "It still exists."),
    ],
)
def test_timeline_outcome_says_what_was_sent(
    outcome: str, details: dict[str, Any], title: str
) -> None:
    made = entry("outcome", outcome, "It still exists", **details)
    assert (made.title, made.outcome, made.who) == (title, outcome, "")


def test_timeline_unknown_outcome_says_it_is_not_sent_again() -> None:
    made = entry("outcome", "unknown", "lost", attempts=1, seen="Not read.", duration_ms=12)
    assert made.lines == ("Not read. It will not be sent again. lost · after 12 ms", "Event 13")


def test_timeline_rejected_attempt_names_person_and_reason() -> None:
    made = entry("rejected", "denied", "No rule")
    assert (made.who, made.outcome, made.title) == ("Ada", "denied", "Nothing was sent.")
    assert made.lines == ("No rule", "Event 13")


def test_timeline_follow_up_is_called_one() -> None:
    assert entry("follow_up", "failed", "It is back").title == "Follow-up. It is back."
