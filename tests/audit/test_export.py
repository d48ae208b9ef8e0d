"""Exports: JSON lines that verify without the database, and CSV without formulas."""

import csv
import io
import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from collections_app.audit import export, verify
from collections_app.audit import log as audit_log
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.models import AuditEvent
from collections_app.names import readable
from tests.fixtures import ORIGIN, actor, caller
from tests.infra.spreadsheet import opened

pytestmark = pytest.mark.django_db

ODD = 'two\nlines, "quoted" \u2028 日本 \u202e<b>&amp;'
TARGET = {"cluster": "main", "database": "default", "kind": "collection"}
ENTRY = Entry(
    phase=Phase.REJECTED,
    action="collection.drop",
    caller=caller("ada"),
    outcome=Outcome.CHANGED,
    operation_id=uuid.UUID(int=1),
    target={**TARGET, "collection": "book", "name": "book"},
    details={"reason": ODD, "identity": {"id": 449, "created_ms": 1}},
)


def named(name: str, **changes: Any) -> Entry:
    return replace(ENTRY, target={**TARGET, "collection": name, "name": name}, **changes)


def exported() -> list[str]:
    return list(export.json_lines(AuditEvent.objects.order_by("sequence")))


def table() -> list[dict[str, str]]:
    text = "".join(export.csv_lines(AuditEvent.objects.order_by("sequence")))
    text = text.encode().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.fixture
def log() -> list[AuditEvent]:
    """Four events about a, b, a, b."""
    return [audit_log.write(named(name)) for name in "abab"]


# --- JSON Lines ---------------------------------------------------------------------------------


def test_export_verifies_without_the_database(log: list[AuditEvent]) -> None:
    lines = exported()
    expected = verify.verify()
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    assert verify.verify_export(lines) == expected == verify.Verdict(4, 4, log[-1].hash)


def test_export_reformatted_by_another_program_verifies(log: list[AuditEvent]) -> None:
    """Only the content counts, not spaces or blank lines."""
    lines = [json.dumps(json.loads(line), indent=None, ensure_ascii=False) for line in exported()]
    assert ODD in json.loads(lines[0])["record"]["details"]["reason"]
    assert not verify.verify_export(["", *lines, "\n"]).broken


def tampered(line: str, **record: object) -> str:
    data = json.loads(line)
    data["record"] |= record
    return json.dumps(data)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"outcome": "succeeded"}, "event 3: was changed"),
        ({"message": "."}, "event 3: was changed"),
        ({"sequence": 9}, "event 9: follows event 2"),
        ({"key_id": "00000000"}, "event 3: was sealed with another key"),
    ],
    ids=str,
)
def test_verify_export_names_a_tampered_line(
    change: dict[str, object], says: str, log: list[AuditEvent]
) -> None:
    lines = exported()
    lines[2] = tampered(lines[2], **change)
    verdict = verify.verify_export(lines)
    assert verdict.broken.startswith(says)
    assert verdict.checked == 2


@pytest.mark.parametrize("line", ["{}", "[]", "null", "no json", '{"record": 1}', '"text"'])
def test_verify_export_names_a_line_that_is_no_event(line: str, log: list[AuditEvent]) -> None:
    verdict = verify.verify_export([*exported(), line])
    assert (verdict.checked, verdict.broken) == (4, f"not an event: {line!r}")


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_verify_export_names_a_missing_line(missing: int, log: list[AuditEvent]) -> None:
    lines = exported()
    del lines[missing]
    assert verify.verify_export(lines).broken.startswith(f"event {missing + 2}: follows")


def test_verify_export_names_two_swapped_lines(log: list[AuditEvent]) -> None:
    one, two, three, four = exported()
    assert verify.verify_export([one, three, two, four]).broken.startswith("event 3: follows")


def test_verify_export_of_a_filtered_log_needs_partial(log: list[AuditEvent]) -> None:
    lines = list(export.json_lines(AuditEvent.objects.filter(name="b").order_by("sequence")))
    assert verify.verify_export(lines).broken.startswith("event 2: follows event 0")
    verdict = verify.verify_export(lines, partial=True)
    assert (verdict.broken, verdict.checked, verdict.last_sequence) == ("", 2, 4)


def test_partial_export_shows_tampering_and_broken_order(
    log: list[AuditEvent],
) -> None:
    _, two, three, four = exported()
    assert not verify.verify_export([two, three, four], partial=True).broken
    edited = [two, tampered(four, message="x")]
    assert verify.verify_export(edited, partial=True).broken.startswith("event 4: was changed")
    assert verify.verify_export([four, two], partial=True).broken.startswith("event 2: follows")
    data = {**json.loads(three), "prev_hash": audit_log.GENESIS}
    broken = verify.verify_export([two, json.dumps(data)], partial=True).broken
    assert broken == "event 3: does not continue the event before it"


# --- CSV ----------------------------------------------------------------------------------------


def test_csv_says_who_did_what_to_which_object(log: list[AuditEvent]) -> None:
    rows = table()
    assert len(rows) == 4
    first = rows[0]
    assert list(first) == export.CSV_HEADER
    assert first["hash"] == log[0].hash
    assert first["recorded_at"] == json.loads(log[0].record)["recorded_at"]
    told = {
        "sequence": "1",
        "operation_id": "00000000-0000-0000-0000-000000000001",
        "phase": "rejected",
        "action": "collection.drop",
        "outcome": "changed",
        "actor_issuer": "test",
        "actor_subject": "ada",
        "actor_display": "Ada",
        "interface": "test",
        "cluster": "main",
        "database": "default",
        "kind": "collection",
        "name": "a",
        "object_id": "449",
    }
    assert {key: first[key] for key in told} == told


def test_csv_keeps_line_breaks_quotes_and_scripts(
    log: list[AuditEvent],
) -> None:
    """Except invisible and bidirectional characters, which are escaped as on pages."""
    escaped = ODD.replace("\n", "\\n").replace("\u2028", "\\u2028").replace("\u202e", "\\u202e")
    assert [row["reason"] for row in table()] == [escaped] * 4


def test_csv_of_an_empty_log_is_a_header() -> None:
    assert list(export.csv_lines(AuditEvent.objects.all())) == [
        "\ufeff" + ",".join(export.CSV_HEADER) + "\r\n"
    ]


def test_csv_event_without_a_target_has_empty_cells() -> None:
    export.record("csv", {}, caller("ada"))
    (row,) = table()
    assert (row["action"], row["name"], row["object_id"]) == ("audit.export", "", "")


@pytest.mark.parametrize("start", list("=+-@\t\r\n＝"), ids=repr)
def test_csv_row_with_formulas_has_them_as_text(start: str) -> None:
    evil = f"{start}HYPERLINK(1)"
    evil_actor = replace(actor("ada"), display=evil)
    audit_log.write(
        named(
            evil,
            caller=replace(caller(evil_actor), origin=replace(ORIGIN, ip=evil)),
            message=evil,
            details={"reason": evil},
        )
    )
    (row,) = table()
    for column in ("name", "reason", "message", "actor_display", "ip"):
        assert row[column] == f"'{readable(evil)}"
    assert not any(cell.startswith(export.FORMULA) for cell in row.values())
    assert json.loads(exported()[0])["record"]["target"]["name"] == evil, (
        "the evidence is as it was"
    )


@pytest.mark.parametrize("harmless", ["a=b", "x-1", "'quoted", " =1", "5"])
def test_csv_text_without_a_formula_is_unchanged(harmless: str) -> None:
    audit_log.write(named(harmless))
    assert table()[0]["name"] == harmless


# --- on the record ------------------------------------------------------------------------------


def test_export_is_recorded_before_it_begins() -> None:
    event = export.record("jsonl", {"who": "ada"}, caller("aldo"))
    record = json.loads(event.record)
    assert (record["phase"], record["action"]) == ("access", "audit.export")
    assert record["actor"]["subject"] == "aldo"
    assert record["details"] == {"filters": {"who": "ada"}, "form": "jsonl"}
    assert not verify.verify_export(exported()).broken


@pytest.mark.parametrize(
    "change", [{"hash": 5}, {"record": {"sequence": "1"}}, {"record": []}, {"prev_hash": None}]
)
def test_verify_export_names_a_line_of_the_wrong_shape(change: dict[str, Any]) -> None:
    audit_log.write(named("book"))
    line = json.dumps(json.loads(exported()[0]) | change)
    for partial in (False, True):
        assert verify.verify_export([line], partial=partial).broken


@pytest.mark.parametrize("wide", ["＝1+1", "＋1", "＠x", "\n=1"])
def test_csv_row_with_wide_or_hidden_formulas_has_them_as_text(wide: str) -> None:
    event = audit_log.write(named(wide))
    assert export.csv_row(event)[export.CSV_HEADER.index("name")] == f"'{readable(wide)}"


IDS = ("470770299470885127", "470770299470885130")


def test_csv_in_a_spreadsheet_keeps_accents_ids_and_names() -> None:
    for number, name in zip(IDS, ("mar1", "00123"), strict=True):
        details = {"reason": "zu groß – 山田", "identity": {"id": int(number)}}
        person = replace(actor("ada"), subject="113456789012345678901", display="Zoë")
        audit_log.write(named(name, caller=caller(person), details=details))
    text = "".join(export.csv_lines(AuditEvent.objects.order_by("sequence")))
    rows = opened(text.encode())
    assert [row["reason"] for row in rows] == ["zu groß – 山田"] * 2
    assert [row["actor_display"] for row in rows] == ["Zoë"] * 2
    assert [row["object_id"] for row in rows] == [f"'{number}" for number in IDS]
    assert [row["name"] for row in rows] == ["'mar1", "'00123"]
    assert {row["actor_subject"] for row in rows} == {"'113456789012345678901"}
    assert [row["sequence"] for row in rows] == [1, 2]
    assert not any("\ufeff" in column for column in rows[0])


@pytest.mark.parametrize(
    "text", ["2026-01", "1/2", "12:30", "1.5", "1e5", "Sept 2", "TRUE", "0012"]
)
def test_csv_value_like_a_number_or_a_date_is_text(text: str) -> None:
    audit_log.write(named(text))
    assert table()[0]["name"] == f"'{text}"


@pytest.mark.parametrize("text", ["march", "v1.5", "book_2026", "1a", "127", "a,b"])
def test_csv_value_that_spreadsheets_keep_is_unchanged(text: str) -> None:
    audit_log.write(named(text))
    assert table()[0]["name"] == text
