"""The timeline of an operation from its events, without a page and without a database."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collections_app.audit.queries import Event
from collections_app.models import AuditEvent, SendProgress
from collections_app.web.steps import Step
from collections_app.web.timeline import timeline

BEGAN = datetime(2026, 11, 1, 10, 0, tzinfo=UTC)


def ms(milliseconds: int) -> str:
    return (BEGAN + timedelta(milliseconds=milliseconds)).isoformat()


OLD_INTENT: dict[str, Any] = {"identity": {"id": 7}, "identity_verifiable": True}
INTENT: dict[str, Any] = {
    **OLD_INTENT,
    "reason": "tidy",
    "typed_name_matched": True,
    "deadline_seconds": 10.0,
    "sign_in_age_seconds": 190,
    "confirmed_at": ms(0),
    "matched_at": ms(30),
}
ANSWER = {"attempts": 1, "duration_ms": 45, "sent_at": ms(50), "read_back_at": ms(1100)}
GONE, THERE = "Verified: it no longer exists.", "Read-back: it still exists."
DROP, PROTECT, CREATE = "collection.drop", "collection.protect", "collection.create"


def event(
    phase: str,
    outcome: str = "",
    message: str = "",
    *,
    action: str = DROP,
    at: int = 40,
    **more: Any,
) -> Event:
    record = {
        "actor": {"display": "Ada", "subject": "ada@example.com", "method": "oidc", "issuer": ""},
        "origin": {"interface": "web", "ip": "10.0.0.1"},
        "message": message,
        "details": more,
    }
    moment = BEGAN + timedelta(milliseconds=at)
    row = AuditEvent(
        sequence=13, recorded_at=moment, phase=phase, outcome=outcome, action=action, record="{}"
    )
    row.record = json.dumps(record)
    return Event.of(row)


def answered(outcome: str, message: str = "Milvus answered OK", **more: Any) -> Event:
    return event("outcome", outcome, message, at=1110, **{**ANSWER, **more})


def settled(outcome: str, message: str, **more: Any) -> Event:
    return event("outcome", outcome, message, at=9000, settled=True, **more)


def marks(steps: list[Step]) -> str:
    """The states of the steps, one letter each: Done, sTopped, Unclear, Waiting, sKipped, Noted."""
    letters = {"stopped": "T", "skipped": "K"}
    return "".join(letters.get(step.state, step.state[0].upper()) for step in steps)


UNKNOWN = answered("unknown", "lost", seen=THERE)
LATE = event("follow_up", "succeeded", "It no longer exists", at=90_000)
ENDS: dict[str, tuple[list[Event], str, int, str]] = {
    # what follows the intent; the marks of all steps; the number and the title of the telling one
    "succeeded": ([answered("succeeded", seen=GONE)], "DDDDDD", 5, "Closed"),
    "refused": ([answered("refused", "not you", seen=THERE)], "DDDTNN", 3, "Refused by Milvus"),
    "not sent": ([answered("failed", "no route", attempts=0)], "DDDTKN", 3, "Not sent"),
    "strict, kept": ([answered("refused", "taken", attempts=0)], "DDDTKN", 3, "Not sent"),
    "strict, in part": ([answered("unknown", "lost", attempts=0)], "DDDUWW", 3, "Sent in part"),
    "incomplete": (
        [answered("incomplete", "quota", made={}, seen="x")],
        "DDDTNN",
        3,
        "Sent in part",
    ),
    "unknown": ([UNKNOWN], "DDDUWW", 3, "Sent to Milvus"),
    "unknown, then gone": ([UNKNOWN, settled("succeeded", GONE)], "DDDUDD", 5, "Closed"),
    "unknown, then failed": (
        [UNKNOWN, settled("failed", "There")],
        "DDDUTN",
        4,
        "Read back",
    ),
    "late": ([UNKNOWN, settled("not done so far", "x"), LATE], "DDDUTND", 6, "Follow-up"),
    "by hand": ([UNKNOWN, settled("failed", "x", by_hand=True)], "DDDUNN", 4, "Not verified"),
    "crashed before": ([settled("failed", "x", progress="")], "DDDTKN", 3, "Not sent"),
    "crashed at rename": (
        [settled("failed", "x", progress="rename")],
        "DDDUTN",
        4,
        "Read back",
    ),
    "crashed after": ([settled("succeeded", GONE, progress="request")], "DDDUDD", 5, "Closed"),
    "crashed, old record": (
        [settled("failed", "The process ended before anything was sent")],
        "DDDTKN",
        3,
        "Not sent",
    ),
}


@pytest.mark.parametrize("case", ENDS)
@pytest.mark.parametrize("intent", [INTENT, OLD_INTENT], ids=["new", "old"])
def test_timeline_shows_how_far_it_got_and_where_it_stopped(
    intent: dict[str, Any], case: str
) -> None:
    rest, expected, number, title = ENDS[case]
    steps = timeline([event("intent", **intent), *rest])
    assert marks(steps) == expected
    assert steps[number].title == title


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (SendProgress.NONE, "Nothing has been sent yet."),
        (SendProgress.RENAME, "The rename of strict mode is on its way."),
        (SendProgress.REQUEST, "The request is on its way."),
    ],
)
def test_timeline_in_progress_says_what_is_on_its_way(progress: SendProgress, text: str) -> None:
    steps = timeline([event("intent", **INTENT)], progress)
    assert marks(steps) == "DDDWWW"
    assert steps[3].lines[0] == text


@pytest.mark.parametrize(
    ("outcome", "titles", "expected"),
    [
        ("denied", ["Permission denied", "Identity matched"], "DTKKKK"),
        ("not found", ["Object not found", "Intent recorded"], "DTKKK"),
        ("changed", ["Identity changed", "Intent recorded"], "DTKKK"),
        ("blocked", ["Identity matched", "Blocked"], "DDTKKK"),
        ("busy", ["Identity matched", "Another operation is in progress"], "DDTKKK"),
    ],
)
def test_timeline_of_a_rejected_attempt_shows_where_it_stopped(
    outcome: str, titles: list[str], expected: str
) -> None:
    steps = timeline([event("rejected", outcome, "No rule")])
    assert marks(steps) == expected
    assert [step.title for step in steps[1:3]] == titles
    assert (steps[0].who, steps[0].title) == ("Ada", "Requested")
    stopped = steps[expected.index("T")]
    assert stopped.lines == ("No rule.", "Nothing was sent.", "Event 13")


@pytest.mark.parametrize("phase", ["rejected", "outcome"])
def test_timeline_without_a_request_has_no_step_in_milvus(phase: str) -> None:
    intent = [event("intent", action=PROTECT, **INTENT)] if phase == "outcome" else []
    steps = timeline(
        [*intent, event(phase, "denied" if not intent else "succeeded", action=PROTECT)]
    )
    assert not {"Sent to Milvus", "Verified"} & {step.title for step in steps}
    assert not intent or "Nothing had to be sent to Milvus." in steps[-1].lines


def test_timeline_intent_says_who_why_and_what_was_checked() -> None:
    confirmed, matched, recorded, *_ = timeline([event("intent", **INTENT)])
    assert (confirmed.who, confirmed.subject, confirmed.reason) == (
        "Ada",
        "ada@example.com",
        "tidy",
    )
    assert confirmed.title == "Confirmed by name"
    assert confirmed.lines == ("Company sign-in, signed in 3 minutes before, web, from 10.0.0.1",)
    assert matched.lines == ("Id 7, as shown. No blockers.",)
    assert recorded.lines == ("Before anything was sent. Timeout 10 s.", "Event 13")


def test_timeline_of_a_planned_item_says_who_consented_when() -> None:
    plan = {
        "plan": 3,
        "item": 1,
        "confirmed_at": ms(-90_000),
        "approver": {"display": "Bo\u202e"},
        "approved_at": ms(-60_000),
    }
    begun = timeline([event("intent", **{**INTENT, "plan": plan, "typed_name_matched": False})])[0]
    assert begun.title == "Begun for a plan"
    assert begun.lines[1:] == (
        "The plan was confirmed 1 Nov 2026 09:58:30 UTC.",
        "Bo\\u202e approved it 1 Nov 2026 09:59:00 UTC.",
    )


def test_timeline_strict_intent_without_ids_says_both() -> None:
    intent = {**INTENT, "identity_verifiable": False, "private_name": "_x"}
    _, matched, recorded, *_ = timeline([event("intent", **intent)])
    assert matched.lines == ("Content matched; this server has no ids. No blockers.",)
    assert recorded.lines[0].endswith(
        "Strict mode: rename to _x, check the id, drop under that name."
    )


def test_timeline_of_a_creation_needs_no_identity() -> None:
    steps = timeline([event("intent", action=CREATE, identity={})])
    assert (steps[0].title, steps[1].title) == ("Confirmed", "Snapshot and name checked")


def test_timeline_has_times_and_durations_where_both_are_known() -> None:
    events = [event("intent", **INTENT), answered("succeeded", seen=GONE)]
    assert [step.elapsed for step in timeline(events)] == [
        "", "+30 ms", "+10 ms", "+10 ms", "+1.1 s", "+10 ms",
    ]  # fmt: skip
    assert timeline(events)[-1].lines == ("Took 1.1 s in all · Event 13",)
    old = [event("intent", **OLD_INTENT), event("outcome", "succeeded", "OK", at=1110)]
    assert [step.elapsed for step in timeline(old)] == ["", "", "", "", "", "+1.1 s"]


def test_timeline_with_a_clock_set_back_claims_no_duration() -> None:
    steps = timeline([event("intent", **{**INTENT, "matched_at": ms(-5)})])
    assert [step.elapsed for step in steps[:3]] == ["", "", "+45 ms"]
