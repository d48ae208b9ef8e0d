"""A partial auditor: sees the covered part of the log and nothing else, on both databases."""

import csv
import io
import json
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app.access.policy import matches
from collections_app.audit import log as audit_log
from collections_app.audit import queries, verify
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.models import AuditEvent
from tests.access.test_patterns import FITTING, NOT_FITTING
from tests.fixtures import actor, caller, cluster_at, rule
from tests.web import Page

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
LOG, EXPORT, VERIFY = "/audit/", "/audit/export/", "/audit/verify/"
SignIn = Callable[..., Client]


def entry(cluster: str, database: str, collection: str, **changes: Any) -> Entry:
    """A refused drop there, by somebody called as the collection is."""
    target = {
        "cluster": cluster,
        "database": database,
        "collection": collection,
        "kind": "collection",
        "name": collection,
    }
    values = {
        "phase": Phase.REJECTED,
        "action": "collection.drop",
        "caller": caller(collection or "nobody"),
        "outcome": Outcome.DENIED,
        "operation_id": uuid.uuid4(),
        "target": target,
        **changes,
    }
    return Entry(**values)


def session(action: str) -> Entry:
    """An event about no object."""
    return Entry(phase=Phase.SESSION, action=action, caller=caller("zoe"), message="Zoe came")


VISIBLE = {("main", "default", "team_a"), ("main", "default", "team_b")}
EVENTS = [
    session("session.sign_in"),
    entry("main", "default", "team_a"),
    entry("main", "default", "plans"),
    entry("second", "default", "team_c"),
    entry("main", "vault", "team_d"),
    entry("main2", "default", "team_e"),
    entry("main", "default2", "team_f"),
    entry("main", "default", "Team_g"),
    entry("main", "default", "team_b", outcome=Outcome.BUSY),
    session("session.refused"),
]


@pytest.fixture
def log(settings: Any) -> None:
    """Ten events, two of them (2 and 9) about collections of the team."""
    cluster = cluster_at("http://127.0.0.1:1")
    settings.CLUSTERS = {"main": cluster}
    settings.ACCESS = (
        *settings.ACCESS,
        rule(
            "team-audit",
            "audit",
            clusters=("main",),
            databases=("default",),
            collections=("team_*",),
        ),
    )
    for event in EVENTS:
        audit_log.write(event)


@pytest.fixture
def client(log: None, people: dict[str, Any], signed_in: SignIn) -> Client:
    """Somebody who may read the log of the team's collections."""
    people["outsider"].groups.add(Group.objects.create(name="team-audit"))
    return signed_in("outsider")


def sequences(answer: Any) -> list[int]:
    return [int(row[0]) for row in Page(answer).rows]


# --- reading --------------------------------------------------------------------------------------


def test_partial_auditor_sees_only_the_covered_events(client: Client, signed_in: SignIn) -> None:
    page = Page(client.get(LOG))
    assert [int(row[0]) for row in page.rows] == [9, 2]
    assert "You see the part of the log that your rules cover." in page.text
    for word in ("plans", "team_c", "team_d", "team_e", "team_f", "Team_g", "Zoe", "second"):
        assert word not in page.html
    assert len(sequences(signed_in("auditor").get(LOG))) == len(EVENTS), "the others see all"


def test_partial_auditor_after_a_rule_change_sees_the_new_part(
    client: Client, settings: Any
) -> None:
    settings.ACCESS = (rule("team-audit", "audit", clusters=("main",)),)
    assert sequences(client.get(LOG)) == [9, 8, 7, 5, 3, 2]
    settings.ACCESS = (
        rule("team-audit", "audit", clusters=("second",)),
        rule("team-audit", "audit", databases=("vault",)),
    )
    assert sequences(client.get(LOG)) == [5, 4]
    settings.ACCESS = (rule("team-audit", "audit", collections=("**",)),)
    assert sequences(client.get(LOG)) == [9, 8, 7, 6, 5, 4, 3, 2], "no session is an object"
    settings.ACCESS = (rule("team-audit", "audit"),)
    assert len(sequences(client.get(LOG))) == len(EVENTS)
    settings.ACCESS = (rule("team-audit", "view"),)
    assert client.get(LOG).status_code == 403


FILTERS: list[dict[str, str]] = [
    {"what": "plans"},
    {"what": "Team_g"},
    {"who": "zoe"},
    {"who": "plans"},
    {"who": "test|team_c"},
    {"cluster": "second"},
    {"cluster": "main2"},
    {"database": "vault"},
    {"database": "default2"},
    {"outcome": "succeeded"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_audit_filter_for_a_hidden_name_answers_as_for_none(
    filters: dict[str, str], client: Client
) -> None:
    def body(wanted: dict[str, str]) -> str:
        html = client.get(LOG, wanted, headers={"HX-Request": "true"}).content.decode()
        html = re.sub(r'csrfmiddlewaretoken" value="\w+"', "", html)
        return html.replace(next(iter(wanted.values())), "WANTED")

    (name,) = filters
    assert body(filters) == body({name: "refused" if name == "outcome" else "nosuch"})
    exported = client.post(EXPORT, {**filters, "form": "jsonl"})
    assert b"".join(exported) == b""


def test_audit_filters_narrow_the_visible_part(client: Client) -> None:
    assert sequences(client.get(LOG, {"what": "team_"})) == [9, 2]
    assert sequences(client.get(LOG, {"outcome": "busy"})) == [9]
    assert sequences(client.get(LOG, {"who": "team_a"})) == [2]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("before=9", [2]), ("before=4", [2]), ("before=2", []), ("after=2", [9]), ("after=1", [9, 2])],
)
def test_audit_paging_stays_in_the_visible_part(
    query: str, expected: list[int], client: Client
) -> None:
    assert sequences(client.get(f"{LOG}?{query}")) == expected


# --- taking it away, checking it ------------------------------------------------------------------


def places(records: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(r["cluster"], r["database"], r["collection"]) for r in records}


def test_export_of_a_partial_auditor_holds_only_that_part(client: Client) -> None:
    lines = b"".join(client.post(EXPORT, {"form": "jsonl"})).decode()
    records = [json.loads(line)["record"] for line in lines.splitlines()]
    assert [r["sequence"] for r in records] == [2, 9]
    assert places([r["target"] for r in records]) == VISIBLE
    assert not verify.verify_export(lines.splitlines(), partial=True).broken
    text = b"".join(client.post(EXPORT, {"form": "csv"})).decode()
    assert places(list(csv.DictReader(io.StringIO(text)))) == VISIBLE


def test_export_event_is_hidden_from_a_partial_auditor(client: Client, signed_in: SignIn) -> None:
    client.post(EXPORT, {"form": "csv"})
    assert AuditEvent.objects.latest("sequence").action == "audit.export"
    assert sequences(client.get(LOG)) == [9, 2]
    assert sequences(signed_in("auditor").get(LOG))[0] == len(EVENTS) + 1


def test_verify_by_a_partial_auditor_is_refused_and_recorded(
    client: Client, signed_in: SignIn
) -> None:
    assert "Verify" not in Page(client.get(LOG)).text
    answer = client.post(VERIFY)
    assert answer.status_code == 403
    assert "intact" not in Page(answer).text
    last = AuditEvent.objects.latest("sequence")
    assert (last.phase, last.action, last.outcome) == ("rejected", "audit.read", "denied")
    assert last.actor == "outsider|local|outsider"
    assert "Verify the chain" in Page(signed_in("auditor").get(LOG)).text
    assert signed_in("auditor").post(VERIFY).status_code == 200


# --- the story of an operation --------------------------------------------------------------------


@pytest.mark.parametrize("number", range(2, 10))
def test_operation_page_opens_only_for_visible_events(number: int, client: Client) -> None:
    operation = AuditEvent.objects.get(sequence=number).operation_id
    if number in {2, 9}:
        assert client.get(f"/operations/{operation}/").status_code == 200
        return
    absent = str(uuid.uuid4())
    for method, page in (("get", ""), ("post", "look/"), ("get", "snapshot.json")):
        bodies = []
        for each in (str(operation), absent):
            answer = getattr(client, method)(f"/operations/{each}/{page}")
            assert answer.status_code == 404
            html = re.sub(
                r'csrfmiddlewaretoken" value="\w+"|request [0-9a-f]{32}',
                "",
                answer.content.decode(),
            )
            bodies.append(html.replace(each, "ID"))
        assert bodies[0] == bodies[1]


def test_cluster_pages_are_closed_to_an_auditor_only(client: Client) -> None:
    assert client.get("/").headers["Location"] == LOG
    for path in (
        "",
        "collections/",
        "collection/?name=team_a",
        "drop-collection/?collection=team_a",
    ):
        assert client.get(f"/clusters/main/{path}").status_code == 404
    operation = AuditEvent.objects.get(sequence=2).operation_id
    assert not [
        tag
        for tag in Page(client.get(f"/operations/{operation}/")).find("a")
        if tag.attrs["href"].startswith("/clusters/")
    ]


# --- the database reads a pattern as we do --------------------------------------------------------

NAMES = sorted({name for _, names in FITTING + NOT_FITTING for name in names if name})
PATTERNS = sorted({pattern for pattern, _ in FITTING + NOT_FITTING if pattern})


@pytest.fixture
def names_on_record() -> None:
    """An event for every name of the tables of patterns, as a collection and as a database."""
    with audit_log.appending():
        for name in NAMES:
            audit_log.append(entry("collections", "default", name))
            audit_log.append(entry("databases", name, "books"))


@pytest.mark.parametrize("column", ["collection", "database"])
def test_audit_query_matches_as_the_access_pattern_does(
    column: str, names_on_record: None, settings: Any
) -> None:
    """For each pattern of the tables alone, and for all but "*" in one rule."""
    reader = actor(groups=("team-audit",))
    for patterns in [(p,) for p in PATTERNS] + [tuple(p for p in PATTERNS if set(p) - set("*?"))]:
        where = {"clusters": (f"{column}s",), f"{column}s": patterns}
        settings.ACCESS = (rule("team-audit", "audit", **where),)
        found = queries.filtered({}, reader).values_list(column, flat=True)
        expected = [name for name in NAMES if matches(patterns, name)]
        assert sorted(found) == expected, patterns


HOSTILE = [
    ("*_*_*_*_prod", "_" * 250),
    ("*a*a*a*a*a*a*b", "a" * 250),
    ("*_?_*_?_*_?_*prod", "_" * 250),
]


@pytest.mark.parametrize(("pattern", "name"), HOSTILE)
def test_audit_page_with_a_hostile_name_answers_quickly(
    pattern: str, name: str, client: Client, settings: Any
) -> None:
    """Anybody can get a name into the log by trying to drop it."""
    audit_log.write(entry("main", "default", name))
    settings.ACCESS = (rule("team-audit", "audit", collections=(pattern,)),)
    began = time.perf_counter()
    assert sequences(client.get(LOG)) == []
    assert time.perf_counter() - began < 2
