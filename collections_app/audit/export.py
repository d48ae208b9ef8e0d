"""The audit log as files: JSON Lines to verify offline, CSV for a spreadsheet."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator

from django.db.models import QuerySet

from ..access.principals import Caller
from ..models import AuditEvent
from ..names import readable
from . import quotas
from .log import Entry, Phase, export_line, write

CSV_HEADER = [
    "sequence",
    "recorded_at",
    "operation_id",
    "phase",
    "action",
    "outcome",
    "actor_issuer",
    "actor_subject",
    "actor_display",
    "interface",
    "ip",
    "cluster",
    "database",
    "kind",
    "collection",
    "name",
    "object_id",
    "reason",
    "message",
    "hash",
]
FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # some spreadsheets take the wide ones too
BOM = "\ufeff"  # without it, Excel takes UTF-8 for the code page of the machine
GENERATED = {"sequence", "recorded_at", "operation_id", "ip", "hash"}  # nothing in them is misread
# What a spreadsheet takes for a number, a date or a yes: it would show 15 digits of an id of 18,
# and "mar1" as the first of March.
MISREAD = re.compile(
    r"0\d+|\d{16,}|\d+[ .,:/-][\d .,:/-]*|\d[\d.]*e[+-]?\d+"
    r"|\d*[ -]?(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ -]?\d+"
    r"|true|false",
    re.IGNORECASE,
)


class TooManyExports(Exception):
    """This person has exported as often as one may in a minute. `wait` is in seconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait


def record(form: str, filters: dict[str, str], caller: Caller) -> AuditEvent:
    """Put the export itself on the record, before it begins. Raises LogUnwritable."""
    return write(_entry(form, filters, caller))


def record_within_limit(form: str, filters: dict[str, str], caller: Caller) -> None:
    """The same for a person at the web. Raises TooManyExports, and LogUnwritable."""
    entry = _entry(form, filters, caller)
    if quotas.write(entry, quotas.EXPORTS_A_MINUTE) is None:
        raise TooManyExports(quotas.seconds_left(entry))


def _entry(form: str, filters: dict[str, str], caller: Caller) -> Entry:
    return Entry(
        phase=Phase.ACCESS,
        action="audit.export",
        caller=caller,
        message=f"Exported the audit log as {form}",
        details={"filters": filters, "form": form},
    )


def json_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """One event a line, each with its seal."""
    for event in events.iterator(chunk_size=500):
        yield export_line(event) + "\n"


def csv_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    yield BOM + csv_line(CSV_HEADER)
    for event in events.iterator(chunk_size=500):
        yield csv_line(csv_row(event))


def csv_line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def csv_row(event: AuditEvent) -> list[str]:
    """An event as a spreadsheet row: nothing that it would run, round, or take for a date."""
    record = json.loads(event.record)
    target, details = record["target"] or {}, record["details"]
    flat = {
        **record,
        **target,
        "actor_issuer": record["actor"]["issuer"],
        "actor_subject": record["actor"]["subject"],
        "actor_display": record["actor"]["display"],
        "interface": record["origin"]["interface"],
        "ip": record["origin"]["ip"],
        "object_id": (details.get("identity") or {}).get("id", ""),
        "reason": details.get("reason", ""),
        "hash": event.hash,
    }
    return [
        neutral(str(flat.get(name) or ""), is_generated=name in GENERATED) for name in CSV_HEADER
    ]


def neutral(cell: str, *, is_generated: bool = False) -> str:
    """A cell that no spreadsheet runs or, unless it `is_generated` here, misreads."""
    text = readable(cell)
    is_unsafe = cell.startswith(FORMULA) or (not is_generated and MISREAD.fullmatch(text))
    return f"'{text}" if is_unsafe else text


FORMS: dict[str, tuple[Callable[[QuerySet[AuditEvent]], Iterator[str]], str]] = {
    "jsonl": (json_lines, "application/jsonl"),
    "csv": (csv_lines, "text/csv"),
}
