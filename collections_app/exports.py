"""The audit log as files: JSON Lines to verify offline, CSV for a spreadsheet."""

import csv
import io
import json
from collections.abc import Callable, Iterator

from django.db.models import QuerySet

from .actors import Actor, Origin
from .audit import Entry, Phase, export_line, write
from .models import AuditEvent

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


def record(form: str, filters: dict[str, str], actor: Actor, origin: Origin) -> AuditEvent:
    """Put the export itself on the record, before it begins. Raises LogUnwritable."""
    return write(
        Entry(
            phase=Phase.ACCESS,
            action="audit.export",
            actor=actor,
            origin=origin,
            message=f"Exported the audit log as {form}",
            details={"filters": filters, "form": form},
        )
    )


def json_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """One event a line, each with its seal."""
    for event in events.iterator(chunk_size=500):
        yield export_line(event) + "\n"


def csv_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    yield _csv_line(CSV_HEADER)
    for event in events.iterator(chunk_size=500):
        yield _csv_line(csv_row(event))


def _csv_line(cells: list[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(cells)
    return buffer.getvalue()


def csv_row(event: AuditEvent) -> list[str]:
    """An event as a spreadsheet row, with nothing a spreadsheet would run as a formula."""
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
    return [_neutral(str(flat.get(name) or "")) for name in CSV_HEADER]


def _neutral(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


FORMS: dict[str, tuple[Callable[[QuerySet[AuditEvent]], Iterator[str]], str]] = {
    "jsonl": (json_lines, "application/jsonl"),
    "csv": (csv_lines, "text/csv"),
}
