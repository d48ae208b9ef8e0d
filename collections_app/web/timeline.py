"""The timeline of an operation: its steps from the confirmation to the end, from its events.

A pure function: `timeline`. Old events lack some details; what is not known is left out.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext, gettext_lazy, pgettext

from ..access.policy import Action
from ..audit.log import Outcome, Phase
from ..audit.queries import Event
from ..names import readable
from ..operations.claims import Progress
from ..operations.kinds import OPERATIONS
from ..operations.reconcile import NEVER_SENT, NOTHING_SENT
from .display import at, duration, sign_in_words, span
from .shown import sentences, shown, word
from .steps import State, Step

NOT_AGAIN = gettext_lazy("It will not be sent again.")
ONCE = gettext_lazy("One request, sent once.")
EACH_ONCE = gettext_lazy("Several requests, each sent once.")
NO_ANSWER = gettext_lazy("No answer is on the record: the process that sent it ended before.")
MATCHED, RECORDED = gettext_lazy("Identity matched"), gettext_lazy("Intent recorded")
SENT, VERIFIED = gettext_lazy("Sent to Milvus"), gettext_lazy("Verified")


def timeline(events: list[Event], progress: Progress | None = None) -> list[Step]:
    """The steps of an operation. `progress` is how far an open one got; None if it is closed."""
    if events[0].row.phase == Phase.INTENT:
        steps = list(_Operation(events, progress).steps())
    else:
        steps = _rejected(events[0])
    return _with_elapsed(steps)


def _with_elapsed(steps: list[Step]) -> list[Step]:
    """How long after the one before each step came, as far as both times are known."""
    timed, last = [], None
    for step in steps:
        passed = duration(step.at - last) if step.at and last else ""
        timed.append(replace(step, elapsed=f"+{passed}" if passed else ""))
        last = step.at or last
    return timed


# --- what was stopped before anything was recorded as intended ------------------------------------

# Where each outcome stopped it, and what it had passed by then.
STOPS = {
    Outcome.DENIED: (gettext_lazy("Permission denied"), 0),
    Outcome.NOT_FOUND: (gettext_lazy("Object not found"), 0),
    Outcome.CHANGED: (gettext_lazy("Identity changed"), 0),
    Outcome.BLOCKED: (gettext_lazy("Blocked"), 1),
    Outcome.BUSY: (gettext_lazy("Another operation is in progress"), 1),
}
REPLACES_IDENTITY = {Outcome.NOT_FOUND, Outcome.CHANGED}
STEPS_BEFORE, STEPS_IN_MILVUS = (MATCHED, RECORDED), (SENT, VERIFIED)


def _rejected(event: Event) -> list[Step]:
    """What was passed, where it stopped, and what it never reached."""
    outcome = Outcome(event.row.outcome)
    title, passed = STOPS.get(outcome, (gettext_lazy("Stopped"), 0))
    stop = Step(
        title=str(title),
        state=State.STOPPED,
        at=event.row.recorded_at,
        lines=(_sentence(event.message), gettext("Nothing was sent."), _number(event)),
    )
    return [
        _requested(event),
        *(Step(title=str(name)) for name in STEPS_BEFORE[:passed]),
        stop,
        *(Step(title=str(name), state=State.SKIPPED) for name in _never_reached(event, passed)),
    ]


def _requested(event: Event) -> Step:
    return Step(
        title=gettext("Requested"),
        who=event.actor,
        subject=event.subject,
        reason=str(event.details.get("reason") or ""),
        lines=(_sign_in(event),),
    )


def _never_reached(event: Event, passed: int) -> list[object]:
    operation = OPERATIONS.get(Action(event.row.action))
    is_sent = operation is None or operation.changes_milvus
    names = [*STEPS_BEFORE[passed:], *(STEPS_IN_MILVUS if is_sent else ())]
    return names[1:] if event.row.outcome in REPLACES_IDENTITY else names


# --- what was begun -------------------------------------------------------------------------------

IN_PART, NOT_SENT = gettext_lazy("Sent in part"), gettext_lazy("Not sent")
NO_DROP, NOTHING = gettext_lazy("No drop was sent."), gettext_lazy("Nothing was sent.")
ENDS_EARLY = {Outcome.REFUSED: gettext_lazy("Refused by Milvus"), Outcome.INCOMPLETE: IN_PART}


class _Operation:
    """The events of an operation with an intent, sorted by what they tell."""

    def __init__(self, events: list[Event], progress: Progress | None) -> None:
        self.intent, self.progress = events[0], progress
        self.action = Action(self.intent.row.action)
        outcomes = [event for event in events if event.row.phase == Phase.OUTCOME]
        self.answer = next((e for e in outcomes if not e.details.get("settled")), None)
        final = [e for e in outcomes if e.row.outcome != Outcome.UNKNOWN]
        self.end = final[-1] if final else None
        self.follow_ups = [e for e in events if e.row.phase == Phase.FOLLOW_UP]

    def steps(self) -> Iterator[Step]:
        yield _confirmed(self.intent)
        yield _matched(self.intent)
        yield _recorded(self.intent)
        if OPERATIONS[self.action].changes_milvus:
            sent = self._sent()
            yield sent
            yield self._verified(sent)
        yield self._closed()
        for event in self.follow_ups:
            yield _follow_up(event)

    # --- sent ---------------------------------------------------------------------------------

    def _sent(self) -> Step:
        if self.answer:
            return self._answered(self.answer)
        return self._unanswered() if self.end else self._on_its_way()

    def _answered(self, answer: Event) -> Step:
        """What came back from the one request."""
        details, outcome = answer.details, Outcome(answer.row.outcome)
        step = Step(title=str(SENT), at=_moment(details.get("sent_at")))
        if details.get("attempts") == 0:
            return self._held_back(replace(step, lines=(self._nothing, _reply(answer))), outcome)
        lines = (str(EACH_ONCE if "made" in details else ONCE), _reply(answer))
        match outcome:
            case Outcome.UNKNOWN | Outcome.NOT_DONE:
                return replace(step, state=State.UNCLEAR, lines=(*lines, str(NOT_AGAIN)))
            case Outcome.SUCCEEDED:
                return replace(step, lines=lines)
        title = str(ENDS_EARLY.get(outcome, SENT))
        return replace(step, title=title, state=State.STOPPED, lines=lines)

    def _held_back(self, step: Step, outcome: Outcome) -> Step:
        """Nothing went out, or only the rename before a drop."""
        if outcome is Outcome.UNKNOWN:
            return replace(step, title=str(IN_PART), state=State.UNCLEAR)
        return replace(step, title=str(NOT_SENT), state=State.STOPPED)

    @property
    def _nothing(self) -> str:
        return str(NO_DROP if self.intent.details.get("private_name") else NOTHING)

    def _unanswered(self) -> Step:
        """It was closed by a later read-back; how far it got is in that event, or was not kept."""
        assert self.end  # noqa: S101 (asked of closed operations only)
        progress = self.end.details.get("progress")
        if progress == Progress.NONE or self.end.message.startswith(NOTHING_SENT):
            return Step(title=str(NOT_SENT), state=State.STOPPED, lines=(str(NOTHING),))
        if progress == Progress.RENAME or self.end.message.startswith(NEVER_SENT):
            title, text = IN_PART, gettext("No drop was sent; the rename before it at most once.")
        else:
            title, text = SENT, gettext("One request, sent at most once.")
        return Step(title=str(title), state=State.UNCLEAR, lines=(text, str(NO_ANSWER)))

    def _on_its_way(self) -> Step:
        """Of an open operation without an answer, by what its claim says."""
        if self.progress == Progress.NONE:
            lines = [gettext("Nothing has been sent yet.")]
        elif self.progress == Progress.RENAME:
            lines = [gettext("The rename of strict mode is on its way.")]
        else:
            lines = [gettext("The request is on its way."), str(NOT_AGAIN)]
        return Step(title=str(SENT), state=State.WAITING, lines=tuple(lines))

    # --- verified -----------------------------------------------------------------------------

    def _verified(self, sent: Step) -> Step:
        """What the last read-back showed."""
        first = self.answer.details if self.answer else {}
        seen = shown(readable(str(first.get("seen") or "")))
        when = _moment(first.get("read_back_at"))
        if not self.end:
            lines = tuple(filter(None, (seen, gettext("Milvus has not confirmed it yet."))))
            return Step(title=gettext("Read back"), state=State.WAITING, at=when, lines=lines)
        if self.end.details.get("by_hand"):
            return Step(
                title=gettext("Not verified"), state=State.NOTED, lines=(seen,) if seen else ()
            )
        if self.end.details.get("settled"):
            if sent.state is State.STOPPED:
                return Step(title=str(VERIFIED), state=State.SKIPPED)
            seen, when = _sentence(self.end.message), None
        if self.end.row.outcome == Outcome.SUCCEEDED:
            return Step(title=str(VERIFIED), at=when, lines=(seen,) if seen else ())
        if not seen:
            return Step(title=str(VERIFIED), state=State.SKIPPED)
        is_first_stop = sent.state is not State.STOPPED
        state = State.STOPPED if is_first_stop else State.NOTED
        return Step(title=gettext("Read back"), state=state, at=when, lines=(seen,))

    # --- closed -------------------------------------------------------------------------------

    def _closed(self) -> Step:
        if not self.end:
            return Step(title=gettext("Closed"), state=State.WAITING)
        end = self.end
        is_by_hand, is_settled = end.details.get("by_hand"), end.details.get("settled")
        lines = [_sentence(end.message)] if is_by_hand else []
        if not OPERATIONS[self.action].changes_milvus:
            lines.append(gettext("Nothing had to be sent to Milvus."))
        facts = [self._took(end), _checked(end) if is_settled else "", _number(end)]
        return Step(
            title=gettext("Closed"),
            state=State.DONE if end.row.outcome == Outcome.SUCCEEDED else State.NOTED,
            at=end.row.recorded_at,
            outcome=end.row.outcome,
            lines=(*lines, " · ".join(filter(None, facts))),
        )

    def _took(self, end: Event) -> str:
        begun = _moment(self.intent.details.get("confirmed_at"))
        time = duration(end.row.recorded_at - begun) if begun else ""
        return gettext("Took %(time)s in all") % {"time": time} if time else ""


def _confirmed(intent: Event) -> Step:
    is_by_name, plan = intent.details.get("typed_name_matched"), intent.details.get("plan")
    title = gettext("Confirmed by name") if is_by_name else gettext("Confirmed")
    return Step(
        title=gettext("Begun for a plan") if plan else title,
        at=_moment(intent.details.get("confirmed_at")),
        who=intent.actor,
        subject=intent.subject,
        reason=str(intent.details.get("reason") or ""),
        lines=(_sign_in(intent), *(_consents(plan) if plan else ())),
    )


def _consents(plan: dict[str, Any]) -> Iterator[str]:
    """When the plan was confirmed, and who approved it."""
    if confirmed_at := _moment(plan.get("confirmed_at")):
        yield gettext("The plan was confirmed %(time)s.") % {"time": at(confirmed_at)}
    approver, approved_at = plan.get("approver"), _moment(plan.get("approved_at"))
    if approver and approved_at:
        values = {"person": readable(str(approver["display"])), "time": at(approved_at)}
        yield gettext("%(person)s approved it %(time)s.") % values


def _sign_in(event: Event) -> str:
    """How, when and from where the person came."""
    age, origin = event.details.get("sign_in_age_seconds"), event.record["origin"]
    parts = [sign_in_words(event.record["actor"]["method"])]
    if age is not None:
        parts += [gettext("signed in %(time)s before") % {"time": span(age)}]
    parts += [word(origin["interface"])]
    if origin.get("ip"):
        parts += [gettext("from %(address)s") % {"address": origin["ip"]}]
    return _capitalized(pgettext("between parts", ", ").join(map(str, parts)))


def _matched(intent: Event) -> Step:
    """What was found before anything was sent."""
    details, title = intent.details, str(MATCHED)
    if intent.row.action == Action.CREATE:
        title = gettext("Snapshot and name checked")
        text = gettext("The name was free, or had what an earlier operation created in part.")
    elif details.get("identity_verifiable"):
        text = gettext("Id %(id)s, as shown.") % {"id": details["identity"]["id"]}
    else:
        text = gettext("Content matched; this server has no ids.")
    when = _moment(details.get("matched_at"))
    return Step(title=title, at=when, lines=(sentences(text, gettext("No blockers.")),))


def _recorded(intent: Event) -> Step:
    details, action = intent.details, Action(intent.row.action)
    lines = []
    if OPERATIONS[action].changes_milvus:
        timeout = details.get("deadline_seconds")
        lines += [gettext("Before anything was sent.")]
        lines += (
            [gettext("Timeout %(seconds)s s.") % {"seconds": f"{timeout:g}"}] if timeout else []
        )
    if action is Action.DROP_COLLECTION and details.get("private_name"):
        text = gettext("Strict mode: rename to %(name)s, check the id, drop under that name.")
        lines += [text % {"name": details["private_name"]}]
    if details.get("until"):
        until = at(datetime.fromisoformat(details["until"]))
        lines += [gettext("Protected until %(time)s.") % {"time": until}]
    facts = tuple(filter(None, (sentences(*lines), _number(intent))))
    return Step(title=str(RECORDED), at=intent.row.recorded_at, lines=facts)


def _reply(answer: Event) -> str:
    """What Milvus answered, and after how long."""
    took = answer.details.get("duration_ms")
    if took is None:
        return shown(answer.message)
    return gettext("%(answer)s, after %(time)s ms") % {
        "answer": shown(answer.message),
        "time": took,
    }


def _follow_up(event: Event) -> Step:
    """What a later read-back showed of an operation that was closed."""
    return Step(
        title=gettext("Follow-up"),
        state=State.DONE if event.row.outcome == Outcome.SUCCEEDED else State.NOTED,
        at=event.row.recorded_at,
        outcome=event.row.outcome,
        lines=(_sentence(event.message), f"{_checked(event)} · {_number(event)}"),
    )


def _checked(event: Event) -> str:
    return gettext("Checked by %(person)s") % {"person": event.actor}


def _number(event: Event) -> str:
    return gettext("Event %(number)s") % {"number": event.row.sequence}


def _moment(text: object) -> datetime | None:
    """A time in the details of an event; None if it was not kept."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def _sentence(message: str) -> str:
    return shown(f"{message.rstrip('.')}.")


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]
