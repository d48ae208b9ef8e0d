"""Retention: the oldest events go into a sealed file, and later, by a second act, out of the log.

Nothing is removed that is not in a file which verifies, and no operation is torn apart.
"""

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django.db.models import Max, Min, QuerySet
from django.utils import timezone

from ..access.principals import Caller
from ..models import AuditEvent, Claim, RemovedSegment
from . import integrity, log, verify
from .export import json_lines
from .log import REMOVED, SEALED, Entry, Phase
from .queries import removed_until

# A confirmation that was used must stay known for longer than it is valid.
YOUNGEST = timedelta(days=1)
BATCH = 500  # rows deleted in one transaction: who writes meanwhile waits for one batch only


class ArchiveError(Exception):
    """Why nothing was sealed or removed, in an operator's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the log as a file, as the event says that sealed it."""

    first: int
    last: int
    count: int
    prev_hash: str  # of the event before it
    head: str  # the hash of its last event
    file: str
    sha256: str


# --- sealing ----------------------------------------------------------------------------------


def seal(until: datetime, folder: Path, caller: Caller) -> Segment:
    """Write the events before `until` that are in no segment yet into a new file in `folder`.

    Can be repeated, also after it was killed: the file appears when it is complete, and an equal
    one is taken as it is. Raises ArchiveError, OSError or LogUnwritable.
    """
    if until > timezone.now() - YOUNGEST:
        raise ArchiveError("Events of the last day stay in the log.")
    _stop_if_broken()
    first = sealed_until() + 1
    last = _last_to_seal(first, until)
    if last < first:
        raise ArchiveError("Nothing to seal: there are no such events, or an operation is open.")
    segment = _write_file(first, last, folder)
    with log.appending():
        if sealed_until() + 1 != first:
            raise ArchiveError("Another process sealed them in this moment.")
        log.append(_entry(SEALED, "Sealed", segment, caller))
    return segment


def sealed_until() -> int:
    """The number of the last event that is in a segment; 0 if there is none."""
    return max([removed_until(), *(segment.last for segment in sealed_segments())])


def sealed_segments() -> list[Segment]:
    """The segments whose sealing is in the log, oldest first."""
    events = AuditEvent.objects.filter(action=SEALED).order_by("sequence")
    records = (json.loads(event.record) for event in events)
    return [Segment(**record["details"]) for record in records]


def _stop_if_broken() -> None:
    broken = verify.verify().broken
    if problems := ([broken] if broken else integrity.problems()):
        raise ArchiveError(f"The log is not as it should be: {problems[0]}. See verify_audit_log.")


def _last_to_seal(first: int, until: datetime) -> int:
    """The last event before `until` that leaves no operation open or torn apart."""
    events = AuditEvent.objects.filter(sequence__gte=first)
    claims = Claim.objects.values("operation_id")
    ends = [
        _lowest(events.filter(recorded_at__gte=until)),
        _lowest(events.filter(operation_id__in=claims)),
        (events.aggregate(last=Max("sequence"))["last"] or 0) + 1,
    ]
    last = min(end for end in ends if end) - 1
    while split := _lowest(
        events.filter(sequence__lte=last, operation_id__in=_operations_after(last))
    ):
        last = split - 1
    return last


def _lowest(events: QuerySet[AuditEvent]) -> int:
    return events.aggregate(lowest=Min("sequence"))["lowest"] or 0


def _operations_after(last: int) -> QuerySet[Any]:
    later = AuditEvent.objects.filter(sequence__gt=last, operation_id__isnull=False)
    return later.values("operation_id")


def _entry(action: str, verb: str, segment: Segment, caller: Caller) -> Entry:
    return Entry(
        phase=Phase.ACCESS,
        action=action,
        caller=caller,
        message=f"{verb} events {segment.first} to {segment.last}, in {segment.file}",
        details=asdict(segment),
    )


# --- the file ---------------------------------------------------------------------------------


def _write_file(first: int, last: int, folder: Path) -> Segment:
    """The file is complete, verified and on the disk before it has its name."""
    name = f"audit-{first}-{last}.jsonl"
    events = AuditEvent.objects.filter(sequence__gte=first, sequence__lte=last)
    prev_hash = events.only("prev_hash").get(sequence=first).prev_hash
    with NamedTemporaryFile("w", dir=folder, prefix=f".{name}.", suffix=".part") as part:
        part.writelines(json_lines(events.order_by("sequence")))
        part.flush()
        os.fsync(part.fileno())
        verdict = _verified(Path(part.name), first, last, prev_hash)
        sha256 = digest(Path(part.name))
        _publish(Path(part.name), folder / name, sha256)
    return Segment(
        first=first,
        last=last,
        count=verdict.checked,
        prev_hash=prev_hash,
        head=verdict.head,
        file=name,
        sha256=sha256,
    )


def _verified(path: Path, first: int, last: int, prev_hash: str) -> verify.Verdict:
    with path.open(encoding="utf-8") as lines:
        verdict = verify.verify_export(lines, removed=lambda: {first - 1: prev_hash})
    if verdict.broken or (verdict.checked, verdict.last_sequence) != (last - first + 1, last):
        raise ArchiveError(
            f"What was written does not verify: {verdict.broken or 'it is not whole'}."
        )
    return verdict


def _publish(part: Path, path: Path, sha256: str) -> None:
    try:
        os.link(part, path)  # a rename would overwrite
    except FileExistsError as exc:
        if digest(path) != sha256:
            raise ArchiveError(f"{path} is there already, and is not this segment.") from exc
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def digest(path: Path) -> str:
    """The SHA-256 of a file, as `sha256sum` prints it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- removing ---------------------------------------------------------------------------------


def remove(path: Path, sha256: str, caller: Caller) -> Segment:
    """Remove from the log the events that are in the sealed file at `path`. On the record first.

    `sha256` is what a person read and typed. If it was killed, do it again: it goes on. Raises
    ArchiveError, OSError or LogUnwritable.
    """
    segment = next((sealed for sealed in sealed_segments() if sealed.sha256 == sha256), None)
    if segment is None:
        raise ArchiveError("The log tells of no sealed segment with that SHA-256.")
    if digest(path) != sha256:
        raise ArchiveError(f"{path} is not that segment: its SHA-256 is another one.")
    _stop_if_broken()
    if not RemovedSegment.objects.filter(last=segment.last).exists():
        _record_removal(segment, caller)
    elif not AuditEvent.objects.filter(sequence__lte=segment.last).exists():
        raise ArchiveError("That segment was removed already.")
    _delete(segment.last)
    return segment


def _record_removal(segment: Segment, caller: Caller) -> None:
    with log.appending():
        if segment.first != removed_until() + 1:
            raise ArchiveError("The oldest segment goes first, and that one is not the oldest.")
        event = log.append(_entry(REMOVED, "Removed", segment, caller))
        RemovedSegment.objects.create(
            first=segment.first,
            last=segment.last,
            head=segment.head,
            file=segment.file,
            event=event.sequence,
        )


def _delete(last: int) -> None:
    """The oldest first, so that what is left is one chain at every moment."""
    oldest = _lowest(AuditEvent.objects.all())
    for edge in range(oldest, last + 1, BATCH):
        AuditEvent.objects.filter(sequence__lt=min(edge + BATCH, last + 1)).delete()
        time.sleep(0.005)
