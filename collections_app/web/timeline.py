"""The story of an operation in sentences: one entry for each of its events."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ..access.policy import Action
from ..audit.log import Outcome, Phase
from ..audit.queries import Event
from ..names import readable
from ..operations.kinds import OPERATIONS
from ..operations.kinds.acts import ACTS
from .display import at, sign_in_words, span

UNCLEAR = "No clear answer came."
NOT_AGAIN = "It will not be sent again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """One event. `reason` is what a person wrote, and stands apart from the sentences."""

    at: datetime
    title: str
    lines: tuple[str, ...]
    who: str = ""
    subject: str = ""
    outcome: str = ""
    reason: str = ""


def timeline(events: list[Event]) -> list[TimelineEntry]:
    """All events of an operation, in the order given."""
    return [_entry(event) for event in events]


def _entry(event: Event) -> TimelineEntry:
    if event.row.phase == Phase.INTENT:
        return _requested(event)
    if event.row.phase == Phase.FOLLOW_UP:
        return _ended(event, title=f"Follow-up. {_sentence(event.message)}")
    if event.row.phase != Phase.OUTCOME:
        return _rejected(event)
    if event.details.get("settled"):
        return _ended(event, title=_sentence(event.message), outcome=event.row.outcome)
    return _answered(event)


def _request_title(event: Event) -> str:
    if event.row.action == Action.CREATE:
        return "requested to re-create it, empty"
    act = ACTS[Action(event.row.action)]
    by_name = " and confirmed it by name" if event.details.get("typed_name_matched") else ""
    return f"requested the {act.noun or act.verb}{by_name}"


def _requested(event: Event) -> TimelineEntry:
    return TimelineEntry(
        at=event.row.recorded_at,
        who=event.actor,
        subject=event.subject,
        title=_request_title(event),
        reason=str(event.details.get("reason") or ""),
        lines=(_sign_in(event), " ".join(_checks(event))),
    )


def _sign_in(event: Event) -> str:
    """How, when and from where the person came."""
    age, origin = event.details.get("sign_in_age_seconds"), event.record["origin"]
    parts = [sign_in_words(event.record["actor"]["method"])]
    parts += [] if age is None else [f"signed in {span(age)} before"]
    parts += [origin["interface"]]
    parts += [f"from {origin['ip']}"] if origin.get("ip") else []
    return ", ".join(parts)


def _checks(event: Event) -> Iterator[str]:
    """What was found before anything was sent."""
    details = event.details
    if event.row.action == Action.CREATE:
        yield "The name was free, or had what an earlier operation created in part."
    elif details.get("identity_verifiable"):
        yield f"Identity matched (id {details['identity']['id']})."
    else:
        yield "Content matched; this server has no ids."
    yield "No blockers."
    if not OPERATIONS[Action(event.row.action)].changes_milvus:
        yield f"Intent recorded as event {event.row.sequence}."
        if details.get("until"):
            yield f"Until {at(datetime.fromisoformat(details['until']))}."
        return
    yield f"Intent recorded as event {event.row.sequence} before sending."
    if details.get("deadline_seconds"):
        yield f"Timeout {details['deadline_seconds']:g} s."
    if details.get("private_name"):
        name = details["private_name"]
        yield f"Strict mode: rename to {name}, check the id, drop under that name."


def _answered(event: Event) -> TimelineEntry:
    """What came back from the one request, and what the read-back showed."""
    details, unknown = event.details, event.row.outcome == Outcome.UNKNOWN
    duration = details.get("duration_ms")
    lines = [
        readable(str(details.get("seen") or "")),
        NOT_AGAIN if unknown else "",
        event.message + (f" · after {duration} ms" if duration is not None else ""),
    ]
    return TimelineEntry(
        at=event.row.recorded_at,
        outcome=event.row.outcome,
        title=f"{_sent(event)} {UNCLEAR if unknown else ''}".strip(),
        lines=(" ".join(filter(None, lines)), f"Event {event.row.sequence}"),
    )


def _sent(event: Event) -> str:
    details = event.details
    if not OPERATIONS[Action(event.row.action)].changes_milvus:
        return "Nothing had to be sent to Milvus."
    if details.get("attempts") != 0:
        return "Sent to Milvus, each request once." if "made" in details else "Sent to Milvus once."
    return "No drop was sent." if details.get("private_name") else "Nothing was sent."


def _ended(event: Event, title: str, outcome: str = "") -> TimelineEntry:
    """What a later read-back showed."""
    return TimelineEntry(
        at=event.row.recorded_at,
        outcome=outcome,
        title=title,
        lines=(f"Checked by {event.actor}", f"Event {event.row.sequence}"),
    )


def _rejected(event: Event) -> TimelineEntry:
    return TimelineEntry(
        at=event.row.recorded_at,
        who=event.actor,
        subject=event.subject,
        outcome=event.row.outcome,
        title="Nothing was sent.",
        lines=(event.message, f"Event {event.row.sequence}"),
    )


def _sentence(message: str) -> str:
    return f"{message.rstrip('.')}."
