"""Verify the audit log's chain: in the database, or on the lines of an export."""

import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ..models import AuditEvent, RemovedSegment
from .log import GENESIS, REMOVED, canonical, columns, key_id, known_keys, seal


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the chain. `broken` says what is wrong first, or is empty."""

    checked: int
    last_sequence: int
    head: str
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """An event as found: in the database, or on a line of an export."""

    sequence: int
    record: dict[str, Any]
    text: str
    prev_hash: str
    hash: str
    columns: dict[str, Any] | None = None  # an export has none


Heads = Mapping[int, str]  # the hash of the last event of each removed segment, by its number


def verify() -> Verdict:
    """Check every event in the database against its seal and its neighbours.

    Where segments were removed, the chain begins after them: an event in it says where.
    """
    events = AuditEvent.objects.order_by("sequence")
    links = (_link_of_row(event) for event in events.iterator(chunk_size=1000))
    return verify_links(links, removed=removed_from_database)


def verify_rows(events: Iterable[AuditEvent]) -> Verdict:
    """Check some events that follow each other, such as the last ones."""
    return verify_links((_link_of_row(event) for event in events), partial=True)


def verify_export(
    lines: Iterable[str], *, partial: bool = False, removed: Callable[[], Heads] = dict
) -> Verdict:
    """Check a JSON Lines export. `partial` allows gaps, as a filtered export has them.

    `removed` are the heads that it may begin after; see `removed_in`.
    """
    links = (link_of_line(line) for line in lines if line.strip())
    return verify_links(links, partial=partial, removed=removed)


def verify_links(
    links: Iterable[Link | str], *, partial: bool = False, removed: Callable[[], Heads] = dict
) -> Verdict:
    """Name the first broken link. A str among the links is a line that can't be read."""
    checked, last, head, keys = 0, 0, GENESIS, known_keys()
    for link in links:
        if isinstance(link, str):
            return Verdict(checked, last, head, link)
        if not checked and not partial and link.sequence > 1:
            last, head = _begin(link, removed())
        problem = _problem(link, last, head, partial) or _seal_problem(link, keys)
        if problem:
            return Verdict(checked, last, head, f"event {link.sequence}: {problem}")
        _retire(keys, link.record["key_id"])
        checked, last, head = checked + 1, link.sequence, link.hash
    return Verdict(checked, last, head)


def _begin(link: Link, removed: Heads) -> tuple[int, str]:
    """The event that the first one found may follow: the head of a removed segment, if any."""
    before = link.sequence - 1
    if before in removed:
        return before, removed[before]
    if any(before < last for last in removed):  # a segment that is not removed completely yet
        return before, link.prev_hash
    return 0, GENESIS


def removed_from_database() -> Heads:
    """As the events say that removed them. The table only tells where those are."""
    numbers = RemovedSegment.objects.values_list("event", flat=True)
    events = AuditEvent.objects.filter(sequence__in=list(numbers))
    return _heads(_link_of_row(event) for event in events)


def removed_in(lines: Iterable[str]) -> Heads:
    """The same for the lines of an export, which have to be verified by themselves."""
    return _heads(link_of_line(line) for line in lines if REMOVED in line)


def _heads(links: Iterable[Link | str]) -> Heads:
    records = [link.record for link in links if not isinstance(link, str)]
    details = [record.get("details") for record in records if record.get("action") == REMOVED]
    segments = [d for d in details if isinstance(d, dict) and isinstance(d.get("last"), int)]
    return {segment["last"]: str(segment.get("head")) for segment in segments}


def _problem(link: Link, last: int, head: str, partial: bool) -> str:
    follows = link.sequence == last + 1
    if not follows and not (partial and link.sequence > last):
        return f"follows event {last}; events are missing, added or out of order"
    if link.record.get("sequence") != link.sequence:
        return "carries another event's number inside"
    if follows and (last or not partial) and link.prev_hash != head:
        return "does not continue the event before it"
    return ""


def _seal_problem(link: Link, keys: dict[str, str]) -> str:
    key_name = link.record.get("key_id")
    key = keys.get(key_name) if isinstance(key_name, str) else None
    if key is None:
        return f"was sealed with another key ({key_name}; this is {key_id()})"
    if not hmac.compare_digest(seal(link.prev_hash, link.text, key), link.hash):
        return "was changed: its seal does not match"
    if link.columns is not None and link.columns != columns(link.record):
        return "has columns that differ from the sealed record"
    return ""


def _retire(keys: dict[str, str], used: str) -> None:
    """Once a newer key is in use, the older ones seal nothing: a stolen one is worth nothing."""
    while next(iter(keys)) != used:
        del keys[next(iter(keys))]


def _link_of_row(event: AuditEvent) -> Link | str:
    try:
        record = json.loads(event.record)
        values = {name: getattr(event, name) for name in columns(record)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"event {event.sequence}: was changed: its record is no event"
    return Link(event.sequence, record, event.record, event.prev_hash, event.hash, values)


def link_of_line(line: str) -> Link | str:
    """The event on a line of an export, or why there is none."""
    try:
        data = json.loads(line)
        record = data["record"]
        link = Link(record["sequence"], record, canonical(record), data["prev_hash"], data["hash"])
        if not isinstance(link.sequence, int) or not isinstance(link.hash, str):
            raise TypeError
        return link
    except (ValueError, KeyError, TypeError):
        return f"not an event: {line[:80]!r}"
