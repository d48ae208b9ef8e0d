"""External changes on the pages: the collection's history and the audit log."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app.access.principals import Caller
from collections_app.audit import log
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.drift.diff import CollectionEntry, Difference
from collections_app.drift.events import Watch, change, database_gone, watch_began
from collections_app.milvus.types import Identity
from collections_app.models import AuditEvent
from tests.fakes import FakeMilvus
from tests.fixtures import caller, rule
from tests.web import Page, collection_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
LOG = "/audit/"


def a_collection(name: str, id_: int, database: str = "default") -> CollectionEntry:
    return CollectionEntry(
        database=database, name=name, identity=Identity(id=id_, created_ms=1), row=id_
    )


def a_watch() -> Watch:
    before = {name: datetime(2026, 11, 25, 12, tzinfo=UTC) for name in ("default", "vault")}
    now = datetime(2026, 11, 25, 12, 1, tzinfo=UTC)
    return Watch(cluster="main", caller=Caller.watch(), listed_at=now, listed_before=before)


def observe(**sides: Any) -> None:
    with log.appending():
        for entry in change(Difference(**sides), a_watch()).entries:
            log.append(entry)


def ours(name: str) -> None:
    """A drop by Ada that succeeded."""
    target = {"cluster": "main", "database": "default", "kind": "collection"}
    log.write(
        Entry(
            phase=Phase.OUTCOME,
            action="collection.drop",
            caller=caller(),
            outcome=Outcome.SUCCEEDED,
            operation_id=uuid.uuid4(),
            target={**target, "collection": name, "name": name},
        )
    )


@pytest.fixture
def seen(fake: FakeMilvus) -> None:
    """Of `book`: there, another one, gone, and one dropped by us in between; and two others."""
    fake.add("book")
    log.write(watch_began("default", 2, False, None, a_watch()))
    observe(after=a_collection("book", 1), is_new=True)
    ours("book")
    observe(before=a_collection("book", 1), after=a_collection("book", 2), is_new=True)
    observe(before=a_collection("film", 3))
    observe(before=a_collection("secret", 4, "vault"), after=a_collection("open", 4))
    log.write(database_gone("vault", a_watch()))


def history(page: Page) -> list[str]:
    return [tag.text for tag in page.find("li") if "ago" in tag.text or "just now" in tag.text]


def test_history_shows_external_changes_without_an_actor(seen: None, signed_in: SignIn) -> None:
    replaced, dropped, appeared = history(Page(signed_in("viewer").get(collection_url("book"))))
    assert replaced.startswith("Replaced external Something else has this name now (id 2).")
    assert "What had it before (id 1) was listed last at 2026-11-25 12:00:00 UTC, and is gone." in (
        replaced
    )
    assert "who did it is not known. Seen by the watch, just now" in replaced
    assert dropped.startswith("Drop collection succeeded")
    assert "not known" not in dropped
    assert appeared.startswith("Appeared external It is there (id 1).")


def test_history_full_of_external_changes_keeps_own_operations(
    seen: None, signed_in: SignIn
) -> None:
    for number in range(5, 45):
        observe(
            before=a_collection("book", number), after=a_collection("book", number + 1), is_new=True
        )
    lines = history(Page(signed_in("viewer").get(collection_url("book"))))
    assert [line.partition(" ")[0] for line in lines] == [*["Replaced"] * 5, "Drop"]


def test_audit_log_shows_external_changes_without_an_actor(seen: None, signed_in: SignIn) -> None:
    rows = Page(signed_in("auditor").get(LOG)).rows
    by_number = {int(row[0]): row[2:] for row in rows}
    who, what, where, outcome = by_number[5]
    assert who == "not known seen by the watch"
    assert (what, outcome) == ("Gone: film", "external")
    assert where.startswith("Milvus / default It is gone (id 3): Milvus was asked for it")
    assert by_number[1][0].startswith("the watch")
    assert (by_number[1][1], by_number[1][3]) == ("Watch began: default", "observed")
    assert by_number[8][1] == "Database gone: vault"


def test_audit_filters_find_external_changes(seen: None, signed_in: SignIn) -> None:
    browser = signed_in("auditor")

    def numbers(**filters: str) -> list[int]:
        return [int(row[0]) for row in Page(browser.get(LOG, filters)).rows]

    assert numbers(outcome="external") == [8, 7, 6, 5, 4, 2]
    assert numbers(what="film") == [5]
    assert numbers(what="secret") == [6]
    assert numbers(who="the watch") == [8, 7, 6, 5, 4, 2, 1]
    assert numbers(database="vault") == [8, 6]
    options = [tag.text for tag in Page(browser.get(LOG)).find("option")]
    assert "External" in options


def test_partial_auditor_learns_no_other_name_by_a_rename(
    seen: None, signed_in: SignIn, people: dict[str, Any], settings: Any
) -> None:
    settings.ACCESS = (rule("some", "audit", clusters=("main",), databases=("default",)),)
    people["outsider"].groups.add(Group.objects.create(name="some"))
    browser = signed_in("outsider")
    page = Page(browser.get(LOG))
    assert [int(row[0]) for row in page.rows] == [7, 5, 4, 3, 2, 1]
    assert "secret" not in page.html
    assert "vault" not in page.html
    settings.ACCESS = (rule("some", "audit", clusters=("main",), collections=("f*",)),)
    assert [int(row[0]) for row in Page(browser.get(LOG)).rows] == [5]


def test_export_of_external_changes_has_id_and_no_actor(seen: None, signed_in: SignIn) -> None:
    body = b"".join(
        signed_in("auditor").post("/audit/export/", {"form": "csv"}).streaming_content  # type: ignore[attr-defined]
    ).decode()
    line = next(line for line in body.splitlines() if ",film,film," in line)
    assert ",observed,collection.gone,external,watch:" in line
    assert ",3," in line
    assert "who did it is not known" in line
    assert AuditEvent.objects.latest("sequence").action == "audit.export"
