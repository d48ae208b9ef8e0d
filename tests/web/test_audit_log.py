"""The page of the audit log: filters, paging, verification, export."""

import csv
import io
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from collections_app.access.principals import Caller
from collections_app.audit import log, quotas, triggers, verify
from collections_app.audit.distinct import EVENTS_AT_MOST
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.models import AuditEvent, Claim
from tests.fixtures import actor, caller, rule
from tests.web import Page

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
SignIn = Callable[..., Client]
LOG, EXPORT, VERIFY, OWN = "/audit/", "/audit/export/", "/audit/verify/", "/operations/"
MANY = 120


def entry(name: str, **changes: Any) -> Entry:
    """A refused drop of a collection of that name."""
    where = {"cluster": "main", "database": "default", **changes.pop("where", {})}
    target = {**where, "kind": "collection", "collection": name, "name": name}
    values = {
        "phase": Phase.REJECTED,
        "action": "collection.drop",
        "caller": caller(),
        "outcome": Outcome.DENIED,
        "operation_id": uuid.uuid4(),
        "target": target,
        **changes,
    }
    return Entry(**values)


@pytest.fixture
def few() -> None:
    """Four events that differ in everything one can filter by."""
    log.write(entry("books"))
    log.write(entry("films", caller=caller("grace"), outcome=Outcome.BUSY))
    log.write(entry("100%_real", where={"database": "archive"}))
    log.write(entry("songs", where={"cluster": "other"}, outcome=Outcome.CHANGED))


@pytest.fixture
def many() -> None:
    """More than two pages of events: c001 to c120."""
    with log.appending():  # one transaction: quicker, and the same chain
        for number in range(1, MANY + 1):
            log.append(entry(f"c{number:03d}"))


def names(page: Page) -> list[str]:
    """The objects on the page, as listed."""
    return [cell.split()[-1] for cell in (row[3] for row in page.rows)]


def sequences(page: Page) -> list[int]:
    return [int(row[0]) for row in page.rows]


# --- who ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"), [("auditor", 200), ("viewer", 403), ("operator", 403), ("outsider", 403)]
)
@pytest.mark.parametrize(("method", "path"), [("get", LOG), ("post", VERIFY), ("post", EXPORT)])
def test_audit_log_is_for_auditors_only(
    name: str, status: int, method: str, path: str, few: None, signed_in: SignIn
) -> None:
    before = AuditEvent.objects.count()
    assert getattr(signed_in(name), method)(path).status_code == status
    new = AuditEvent.objects.filter(sequence__gt=before)
    exported = [("access", "audit.export", "")] if path == EXPORT else []
    denied = [("rejected", "audit.read", "denied")] if method == "post" else []
    expected = exported if status == 200 else denied
    assert list(new.values_list("phase", "action", "outcome")) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", LOG), ("delete", LOG), ("get", VERIFY), ("get", EXPORT), ("put", EXPORT)],
)
def test_audit_addresses_with_another_method_are_refused(
    method: str, path: str, signed_in: SignIn
) -> None:
    assert getattr(signed_in("auditor"), method)(path).status_code == 405
    assert AuditEvent.objects.count() == 0


def test_audit_link_is_shown_only_to_auditors(few: None, signed_in: SignIn) -> None:
    operation = f"/operations/{AuditEvent.objects.first().operation_id}/"  # type: ignore[union-attr]
    assert Page(signed_in("auditor").get(operation)).link("Audit log") == LOG
    assert not Page(signed_in("viewer").get(operation)).has_link("Audit log")


# --- reading --------------------------------------------------------------------------------------


def test_audit_log_empty_says_that_nothing_happened(signed_in: SignIn) -> None:
    page = Page(signed_in("auditor").get(LOG))
    assert page.status == 200
    assert "Nothing has been dropped, refused or exported yet." in page.text


def test_audit_log_lists_the_newest_first_with_its_facts(few: None, signed_in: SignIn) -> None:
    page = Page(signed_in("auditor").get(LOG))
    assert sequences(page) == [4, 3, 2, 1]
    assert page.rows[2][2:] == ["Grace grace", "Drop collection films", "Milvus / default", "busy"]
    newest = AuditEvent.objects.get(sequence=4)
    assert page.link("Drop collection songs") == f"/operations/{newest.operation_id}/"


def test_audit_log_under_htmx_is_the_table_alone(few: None, signed_in: SignIn) -> None:
    whole, part = signed_in("auditor").get(LOG), signed_in("auditor", htmx=True).get(LOG)
    assert (Page(whole).is_whole, Page(part).is_whole) == (True, False)
    assert sequences(Page(whole)) == sequences(Page(part))
    assert all("HX-Request" in answer.headers["Vary"] for answer in (whole, part))


def test_audit_log_read_records_nothing(few: None, signed_in: SignIn) -> None:
    signed_in("auditor").get(LOG, {"who": "ada"})
    assert AuditEvent.objects.count() == 4


def test_audit_log_shows_hostile_names_as_text(signed_in: SignIn) -> None:
    hostile = '"><script>alert(1)</script>\n\u202e'
    log.write(entry(hostile, caller=caller("<b>ada</b>"), where={"database": "<i>"}))
    page = Page(signed_in("auditor").get(LOG))
    assert not page.find("b") + page.find("i")
    assert r'"><script>alert(1)</script>\n\u202e' in page.text


# --- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"who": "GRACE"}, ["films"]),
        ({"who": "test|ada"}, ["songs", "100%_real", "books"]),
        ({"who": "test|"}, ["songs", "100%_real", "films", "books"]),
        ({"what": "OOK"}, ["books"]),
        ({"what": "%_"}, ["100%_real"]),
        ({"cluster": "other"}, ["songs"]),
        ({"cluster": "oth"}, []),
        ({"database": "archive"}, ["100%_real"]),
        ({"outcome": "busy"}, ["films"]),
        ({"outcome": "denied", "database": "default"}, ["books"]),
        ({"since": "2000-01-01", "until": "2999-01-01"}, ["songs", "100%_real", "films", "books"]),
        ({"since": "2999-01-01"}, []),
        ({"until": "2000-01-01"}, []),
        ({"who": "nobody"}, []),
    ],
    ids=str,
)
def test_audit_filter_leaves_what_matches(
    filters: dict[str, str], expected: list[str], few: None, signed_in: SignIn
) -> None:
    page = Page(signed_in("auditor").get(LOG, filters))
    assert (page.status, names(page)) == (200, expected)
    if not expected:
        assert "No event matches." in page.text
        assert page.link("Show all events") == LOG


def test_audit_filter_from_today_to_today_includes_today(few: None, signed_in: SignIn) -> None:
    today = AuditEvent.objects.get(sequence=1).recorded_at.date().isoformat()
    page = Page(signed_in("auditor").get(LOG, {"since": today, "until": today}))
    assert len(names(page)) == 4


def test_audit_filter_on_a_25_hour_day_covers_all_of_it(
    signed_in: SignIn, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    late = datetime(2026, 10, 25, 22, 30, tzinfo=UTC)  # 23:30 there, in the day's 25th hour
    with monkeypatch.context() as patch:
        patch.setattr("django.utils.timezone.now", lambda: late)
        log.write(entry("books"))
    client = signed_in("auditor")
    assert names(Page(client.get(LOG, {"until": "2026-10-25"}))) == ["books"]
    assert names(Page(client.get(LOG, {"since": "2026-10-26"}))) == []


@pytest.mark.parametrize(
    "filters",
    [
        {"since": "yesterday"},
        {"until": "2026-02-30"},
        {"outcome": "evil"},
        {"who": "x" * 301},
        {"what": "a\0b"},
        {"cluster": "c" * 41},
        {"database": "d" * 256},
    ],
    ids=str,
)
@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_audit_filter_that_is_invalid_says_so_and_is_ignored(
    filters: dict[str, str], htmx: bool, few: None, signed_in: SignIn
) -> None:
    page = Page(signed_in("auditor", htmx=htmx).get(LOG, filters))
    assert page.status == 200
    assert len(page.rows) == 4
    assert "This filter was ignored." in page.text


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01"])
@pytest.mark.parametrize("key", ["since", "until"])
def test_audit_filter_on_the_first_and_last_possible_day_works(
    key: str, day: str, zone: str, few: None, signed_in: SignIn, settings: Any
) -> None:
    """They have no midnight in every time zone, and no day after them."""
    settings.TIME_ZONE = zone
    page = Page(signed_in("auditor").get(LOG, {key: day}))
    assert (page.status, len(page.rows)) == (200, 4)
    assert "This filter was ignored." in page.text


# --- by operation ---------------------------------------------------------------------------------


def operation(name: str, *outcomes: Outcome, by: str = "ada", settled_by: str = "ada") -> uuid.UUID:
    """An intent and what became of it; the first outcome is recorded by who asked."""
    number = uuid.uuid4()
    same = {"operation_id": number}
    intent = {"phase": Phase.INTENT, "outcome": Outcome.NONE, "caller": caller(by)}
    log.write(entry(name, **same, **intent))
    for at, outcome in enumerate(outcomes):
        who = caller(settled_by if at else by)
        log.write(entry(name, **same, phase=Phase.OUTCOME, outcome=outcome, caller=who))
    return number


@pytest.fixture
def operations() -> None:
    """Events 1 to 10: one that succeeded at last, one that failed, one rejected, one still open."""
    operation("books", Outcome.UNKNOWN, Outcome.SUCCEEDED, settled_by="grace")
    operation("films", Outcome.FAILED, by="grace")
    number = uuid.uuid4()
    log.write(entry("songs", operation_id=number, outcome=Outcome.BLOCKED))
    same = {"operation_id": number, "outcome": Outcome.NONE}
    log.write(entry("songs", **same, phase=Phase.INTENT))
    log.write(entry("songs", **{**same, "outcome": Outcome.UNKNOWN}, phase=Phase.OUTCOME))
    fields = {"target": "t", "operation_id": number, "cluster": "main"}
    Claim.objects.create(**fields, actor_display="Ada", claimed_at=timezone.now())
    operation("plans")


def test_audit_log_shows_one_row_per_operation(operations: None, signed_in: SignIn) -> None:
    page = Page(signed_in("auditor").get(LOG))
    assert [(int(row[0]), row[3].split()[-1], row[5]) for row in page.rows] == [
        (9, "plans", "in progress"),
        (7, "songs", "unknown"),
        (6, "songs", "blocked"),
        (4, "films", "failed"),
        (1, "books", "succeeded"),
    ]
    [_, _, _, _, books] = page.rows
    assert "3 events" in books[4]
    assert "Unknown." in books[4]
    assert "(Grace)" in books[4]
    assert "Grace" not in books[2]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"outcome": "unknown"}, ["songs"]),
        ({"outcome": "succeeded"}, ["books"]),
        ({"outcome": "blocked"}, ["songs"]),
        ({"outcome": "open"}, ["songs"]),
        ({"outcome": "succeeded", "who": "ada"}, ["books"]),
        ({"outcome": "succeeded", "who": "grace"}, []),
        ({"outcome": "open", "who": "grace"}, []),
        ({"outcome": "open", "database": "archive"}, []),
        ({"who": "grace"}, ["films"]),
        ({"action": "collection.drop", "what": "books"}, ["books"]),
        ({"action": "partition.drop"}, []),
    ],
    ids=str,
)
def test_audit_filters_find_operations_by_author_and_outcome(
    filters: dict[str, str], expected: list[str], operations: None, signed_in: SignIn
) -> None:
    page = Page(signed_in("auditor").get(LOG, filters))
    assert (page.status, names(page)) == (200, expected)


def test_audit_log_shows_an_outcome_without_its_intent(signed_in: SignIn) -> None:
    log.write(entry("books", phase=Phase.OUTCOME, outcome=Outcome.SUCCEEDED))
    client = signed_in("auditor")
    for filters in ({}, {"outcome": "succeeded"}):
        assert names(Page(client.get(LOG, filters))) == ["books"]


def test_audit_pages_of_failed_operations_show_each_once(signed_in: SignIn) -> None:
    with log.appending():
        for number in range(60):
            same = {"operation_id": uuid.uuid4()}
            intent = {"phase": Phase.INTENT, "outcome": Outcome.NONE}
            log.append(entry(f"c{number:02d}", **same, **intent))
            log.append(entry(f"c{number:02d}", **same, phase=Phase.OUTCOME, outcome=Outcome.FAILED))
    client = signed_in("auditor")
    first = Page(client.get(LOG, {"outcome": "failed"}))
    second = Page(client.get(LOG + first.link("Older")))
    assert names(first) + names(second) == [f"c{number:02d}" for number in range(59, -1, -1)]
    assert names(Page(client.get(LOG + second.link("Newer")))) == names(first)


def test_audit_filter_choices_are_places_in_the_log(few: None, signed_in: SignIn) -> None:
    client = signed_in("auditor")

    def options(**filters: str) -> list[str]:
        tags = Page(client.get(LOG, filters)).find("option")
        offered = [tag.attrs["value"] for tag in tags]
        return [each for each in offered if each in {"main", "other", "archive", "default", "x"}]

    assert options() == ["main", "other", "archive", "default"]
    assert options(cluster="other") == ["main", "other", "default"]
    assert options(database="x") == ["main", "other", "archive", "default", "x"]


def test_audit_log_calls_clusters_by_their_labels(
    few: None, signed_in: SignIn, settings: Any
) -> None:
    """The address keeps the key; a cluster that is not configured any more has nothing else."""
    settings.CLUSTERS = {"main": replace(settings.CLUSTERS["main"], label="Production")}
    page = Page(signed_in("auditor").get(LOG, {"cluster": "main"}))
    assert "Cluster: Production" in page.text
    assert [row[4].split(" / ")[0] for row in page.rows] == ["Production"] * 3
    texts = {tag.attrs["value"]: tag.text for tag in page.find("option")}
    assert (texts["main"], texts["other"]) == ("Production", "other")


def test_audit_filter_chip_removes_its_filter(few: None, signed_in: SignIn) -> None:
    client = signed_in("auditor")
    page = Page(client.get(LOG, {"outcome": "busy", "who": "ada", "action": "collection.drop"}))
    assert "Person: ada" in page.text
    assert "Action: Drop collection" in page.text
    assert page.link("Remove the filter Person") == "?action=collection.drop&outcome=busy"
    without = Page(client.get(LOG + page.link("Remove the filter Person")))
    assert names(without) == ["films"]


def test_audit_presets_are_links_and_mark_the_current_one(few: None, signed_in: SignIn) -> None:
    client = signed_in("auditor")
    page = Page(client.get(LOG))
    [nav] = page.find("nav", cls="presets")
    assert nav.text == "All Today Last 7 days In progress Failed External Mine"
    assert [tag.text for tag in page.find("a", aria_current="true")] == ["All"]
    assert len(Page(client.get(LOG + page.link("Today"))).rows) == 4
    failed = Page(client.get(LOG + page.link("Failed")))
    assert (failed.rows, [t.text for t in failed.find("a", aria_current="true")]) == (
        [],
        ["Failed"],
    )


# --- one's own ------------------------------------------------------------------------------------


def me(name: str = "operator") -> Caller:
    """As a local account is known."""
    return Caller(replace(actor(name), issuer="local", subject=name), caller().origin)


@pytest.fixture
def mixed(settings: Any) -> None:
    """Two attempts of the operator, one of somebody called alike, one where nobody may look."""
    log.write(entry("books", caller=me()))
    log.write(entry("films", caller=me("operator2")))
    log.write(entry("songs", caller=me(), where={"cluster": "other"}))
    log.write(Entry(phase=Phase.SESSION, action="session.sign_in", caller=me()))
    same = [r for r in settings.ACCESS if "operator" not in r.groups]
    settings.ACCESS = (*same, rule("operator", "drop", clusters=("main",)))


def test_own_operations_are_listed_without_the_right_to_audit(
    mixed: None, signed_in: SignIn
) -> None:
    client = signed_in("operator")
    page = Page(client.get(OWN))
    assert names(page) == ["books"]
    assert page.link("My operations") == OWN
    assert not page.has_link("Audit log")
    assert names(Page(signed_in("viewer").get(OWN))) == []
    assert signed_in("outsider").get(OWN).status_code == 403


def test_preset_mine_shows_the_readers_own_operations(mixed: None, signed_in: SignIn) -> None:
    log.write(entry("plans", caller=me("auditor")))
    client = signed_in("auditor")
    page = Page(client.get(LOG + Page(client.get(LOG)).link("Mine")))
    assert names(page) == ["plans"]
    assert "Person: me" in page.text


# --- pages ----------------------------------------------------------------------------------------


def test_audit_paging_forth_and_back_shows_each_event_once(many: None, signed_in: SignIn) -> None:
    client = signed_in("auditor")
    page = Page(client.get(LOG))
    forth = [sequences(page)]
    assert not page.has_link("Newer")
    while page.has_link("Older") and len(forth) < 5:
        page = Page(client.get(LOG + page.link("Older")))
        forth.append(sequences(page))
    assert [n for numbers in forth for n in numbers] == list(range(MANY, 0, -1))
    assert [len(numbers) for numbers in forth] == [50, 50, 20]
    back = [sequences(page)]
    while page.has_link("Newer") and len(back) < 5:
        page = Page(client.get(LOG + page.link("Newer")))
        back.append(sequences(page))
    assert back == forth[::-1]


def test_audit_paging_keeps_the_filter(many: None, signed_in: SignIn) -> None:
    log.write(entry("other"))
    client = signed_in("auditor")
    page = Page(client.get(LOG, {"what": "c", "outcome": "denied"}))
    assert sequences(page)[0] == MANY
    older = Page(client.get(LOG + page.link("Older")))
    assert sequences(older) == list(range(70, 20, -1))
    assert older.value("what") == "c"
    newer = Page(client.get(LOG + older.link("Newer")))
    assert sequences(newer) == sequences(page)
    assert not newer.has_link("Newer"), "the event after these does not match"


def test_audit_page_is_read_by_key_without_offset_or_count(many: None, signed_in: SignIn) -> None:
    """OFFSET and COUNT read everything they skip: the last page would cost the whole log."""
    client = signed_in("auditor")
    for query in ({}, {"before": "30"}, {"after": "30"}, {"who": "ada", "before": "90"}):
        with CaptureQueriesContext(
            connection,
        ) as captured:
            assert Page(client.get(LOG, query)).status == 200
        reads = [q["sql"] for q in captured if "collections_app_auditevent" in q["sql"]]
        reads = [sql for sql in reads if "WITH RECURSIVE" not in sql]  # the choices of the form
        reads = [sql for sql in reads if f"LIMIT {EVENTS_AT_MOST + 1}" not in sql]  # of a search
        assert len(reads) == 1, reads
        assert re.search(r"LIMIT 51\b", reads[0])
        assert not re.search(r"\bOFFSET\b|\bCOUNT\(", reads[0], re.IGNORECASE)


@pytest.mark.parametrize("number", ["abc", "-1", "1e3", "9" * 30, "", "²"])
@pytest.mark.parametrize("key", ["before", "after"])
def test_audit_page_number_that_is_invalid_is_the_first_page(
    key: str, number: str, few: None, signed_in: SignIn
) -> None:
    page = Page(signed_in("auditor").get(LOG, {key: number}))
    assert (page.status, sequences(page)) == (200, [4, 3, 2, 1])


def test_audit_page_past_the_end_is_empty(few: None, signed_in: SignIn) -> None:
    page = Page(signed_in("auditor").get(LOG, {"after": "9" * 18}))
    assert (page.status, page.rows) == (200, [])


# --- the chain ------------------------------------------------------------------------------------


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_verify_intact_chain_says_so_with_its_head(
    htmx: bool, few: None, signed_in: SignIn
) -> None:
    page = Page(signed_in("auditor", htmx=htmx).post(VERIFY))
    assert (page.status, page.is_whole) == (200, not htmx)
    assert "The chain is intact: 4 events, none missing, none changed." in page.text
    assert AuditEvent.objects.get(sequence=4).hash in page.text


def test_verify_one_event_uses_the_singular(signed_in: SignIn) -> None:
    log.write(entry("books"))
    assert "1 event, none" in Page(signed_in("auditor").post(VERIFY)).text


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda: AuditEvent.objects.filter(sequence=3).update(actor="local|eve"), "event 3: has"),
        (lambda: AuditEvent.objects.filter(sequence=2).delete(), "event 3: follows event 1"),
        (
            lambda: AuditEvent.objects.filter(sequence=2).update(record="{}"),
            "event 2: was changed",
        ),
    ],
    ids=["column", "missing", "record"],
)
def test_verify_broken_chain_names_the_first_break(
    damage: Callable[[], Any], words: str, few: None, signed_in: SignIn
) -> None:
    triggers.remove(connection)  # as whoever owns the database can
    damage()
    page = Page(signed_in("auditor").post(VERIFY))
    assert page.status == 200
    assert "The chain is broken." in page.text
    assert words in page.text
    assert "The chain is intact" not in page.text
    assert page.find("p", role="alert")


# --- export ---------------------------------------------------------------------------------------


def body(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def test_export_json_lines_holds_the_filtered_sealed_events(few: None, signed_in: SignIn) -> None:
    answer = signed_in("auditor").post(EXPORT, {"form": "jsonl", "database": "default"})
    lines = body(answer).splitlines()
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/jsonl; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="audit-\d{8}T\d{6}Z\.jsonl"', answer.headers["Content-Disposition"]
    )
    assert [json.loads(line)["record"]["target"]["name"] for line in lines] == [
        "books",
        "films",
        "songs",
    ]
    verdict = verify.verify_export(lines, partial=True)
    assert (verdict.broken, verdict.checked) == ("", 3)


def test_export_csv_has_a_row_per_event_and_escapes_formulas(signed_in: SignIn) -> None:
    log.write(entry("=HYPERLINK(1)", caller=caller("@ada"), message='one, "two"\nthree'))
    answer = signed_in("auditor").post(EXPORT, {"form": "csv"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].endswith('.csv"')
    row, export = csv.DictReader(io.StringIO(body(answer)))
    assert (row["name"], row["actor_subject"]) == ("'=HYPERLINK(1)", "'@ada")
    assert row["message"] == 'one, "two"\\nthree'
    assert row["hash"] == AuditEvent.objects.get(sequence=1).hash
    assert export["action"] == "audit.export", "the export itself is the last event in it"


def test_export_is_recorded_before_its_first_byte(few: None, signed_in: SignIn) -> None:
    answer = signed_in("auditor").post(EXPORT, {"form": "jsonl", "who": "ada"})
    event = AuditEvent.objects.latest("sequence")
    record = json.loads(event.record)
    assert (event.phase, event.action) == ("access", "audit.export")
    assert record["actor"]["subject"] == "auditor"
    assert record["details"] == {"filters": {"who": "ada"}, "form": "jsonl"}
    answer.close()


@pytest.mark.parametrize("filters", [{"since": "yesterday"}, {"outcome": "evil"}], ids=str)
def test_export_with_an_invalid_filter_is_refused(
    filters: dict[str, str], few: None, signed_in: SignIn
) -> None:
    page = Page(signed_in("auditor").post(EXPORT, {"form": "csv", **filters}))
    assert page.status == 422
    assert "Nothing was exported" in page.text
    assert AuditEvent.objects.count() == 4


def test_export_buttons_keep_the_filters_of_the_page(few: None, signed_in: SignIn) -> None:
    client = signed_in("auditor")
    page = Page(client.get(LOG, {"outcome": "busy"}))
    [form] = page.find("form", action=EXPORT)
    hidden = page.find("input", type="hidden")
    sent = {tag.attrs["name"]: tag.attrs.get("value", "") for tag in hidden}
    lines = body(client.post(form.attrs["action"], {**sent, "form": "jsonl"})).splitlines()
    assert [json.loads(line)["record"]["target"]["name"] for line in lines] == ["films"]
    values = [button.attrs["value"] for button in page.find("button", name="form")]
    assert values == ["jsonl", "csv"]


def test_export_beyond_five_a_minute_is_refused_and_counted(
    few: None, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = signed_in("auditor")
    for _ in range(quotas.EXPORTS_A_MINUTE):
        body(client.post(EXPORT))
    for _ in range(3):
        answer = client.post(EXPORT)
    page = Page(answer)
    assert (page.status, answer.headers["Content-Type"]) == (429, "text/html; charset=utf-8")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert f"Try again in {answer.headers['Retry-After']} seconds." in page.text
    assert "nothing was exported" in page.text
    exports = AuditEvent.objects.filter(action="audit.export")
    assert exports.count() == quotas.EXPORTS_A_MINUTE
    later = timezone.now() + timedelta(seconds=61)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert client.post(EXPORT).status_code == 200
    summary = json.loads(AuditEvent.objects.get(action=quotas.WITHHELD).record)
    assert summary["message"].startswith("And 3 more refused exports within a minute")
    assert (summary["actor"]["subject"], summary["outcome"]) == ("auditor", "denied")


@pytest.mark.django_db(transaction=True)  # closing an answer closes the connection
def test_export_while_another_runs_is_refused_unrecorded(few: None, signed_in: SignIn) -> None:
    client = signed_in("auditor")
    running = client.post(EXPORT)
    for path in (EXPORT, VERIFY):
        page = Page(client.post(path))
        assert page.status == 429
        assert "Nothing was exported or verified." in page.text
    assert AuditEvent.objects.filter(action="audit.export").count() == 1
    running.close()
    assert client.post(VERIFY).status_code == 200
    assert list(client.post(EXPORT)), "read to its end, so that it is closed"
