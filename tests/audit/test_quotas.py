"""Quotas of the audit log: ten refusals per user and minute, and then a count."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from collections_app.audit import quotas
from collections_app.audit.log import Entry, LogUnwritable, Outcome, Phase
from collections_app.audit.long_reads import AlreadyRunning, LongRead
from collections_app.models import AuditEvent, Quota
from milvusadmin.sso.models import SESSIONS, SignIn
from tests.fixtures import actor, caller, cluster_at
from tests.sso import behind_proxy

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
SignedIn = Callable[..., Client]


def refusal(name: str = "ada", phase: Phase = Phase.REJECTED, action: str = "audit.read") -> Entry:
    return Entry(phase=phase, action=action, caller=caller(name), outcome=Outcome.DENIED)


def a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    later = timezone.now() + timedelta(seconds=61)
    monkeypatch.setattr(timezone, "now", lambda: later)


def records() -> list[dict[str, Any]]:
    return [json.loads(row.record) for row in AuditEvent.objects.order_by("sequence")]


# --- counting -------------------------------------------------------------------------------------


def test_write_eleventh_refusal_is_counted() -> None:
    written = [quotas.write(refusal()) for _ in range(15)]
    assert [bool(event) for event in written] == [True] * 10 + [False] * 5
    assert AuditEvent.objects.count() == 10


def test_write_after_the_minute_records_how_many_were_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(15):
        quotas.write(refusal())
    a_minute_later(monkeypatch)
    quotas.write(refusal("eve"))
    summary, last = records()[-2:]
    assert summary["message"] == (
        "And 5 more refused attempts within a minute, which have no event each"
    )
    assert (summary["actor"]["subject"], summary["details"]["withheld"]) == ("ada", 5)
    assert last["actor"]["subject"] == "eve"


def test_reconcile_operations_records_how_many_were_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even if nobody is refused ever again."""
    for _ in range(12):
        quotas.write(refusal())
    with pytest.raises(SystemExit):
        call_command("reconcile_operations")
    assert AuditEvent.objects.count() == 10, "the minute is not over"
    a_minute_later(monkeypatch)
    with pytest.raises(SystemExit):
        call_command("reconcile_operations")
    assert records()[-1]["message"].startswith("And 2 more refused attempts")
    assert not Quota.objects.exists()


def test_write_refusals_are_counted_by_person_and_kind() -> None:
    for _ in range(12):
        quotas.write(refusal(phase=Phase.SESSION, action="session.refused"))
    assert quotas.write(refusal("eve", Phase.SESSION, "session.refused"))
    assert quotas.write(refusal(phase=Phase.SESSION, action="session.sign_in")), (
        "who guesses her password keeps no sign-in of hers out of the log"
    )
    assert quotas.write(refusal())


def test_write_another_display_name_is_the_same_person() -> None:
    for number in range(12):
        entry = Entry(
            phase=Phase.REJECTED,
            action=f"action.{number}",
            caller=caller(replace(actor(), display=f"Ada {number}")),
        )
        quotas.write(entry)
    assert AuditEvent.objects.count() == 10


def test_write_without_a_database_raises_log_unwritable() -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("gone")

    with connection.execute_wrapper(broken), pytest.raises(LogUnwritable):
        quotas.write(refusal())


# --- what people can send -------------------------------------------------------------------------


@pytest.fixture
def cluster(settings: Any) -> None:
    settings.CLUSTERS = {"main": cluster_at("http://127.0.0.1:1")}


def drop_url(cluster: str = "main", collection: str = "books", database: str = "default") -> str:
    query = {"database": database, "collection": collection, "name": "p"}
    return f"/clusters/{cluster}/drop-partition/?{urlencode(query)}"


@pytest.mark.parametrize("url", [drop_url(), "/audit/export/", "/audit/verify/"])
def test_refused_posts_fill_no_log(url: str, signed_in: SignedIn, cluster: None) -> None:
    client = signed_in("outsider")
    for _ in range(20):
        assert client.post(url).status_code in {403, 404}
    assert len(records()) == 10


@pytest.mark.parametrize(
    "url",
    [
        drop_url(cluster="x" * 900),
        drop_url(cluster="gone"),
        drop_url(collection="a\x01b"),
        drop_url(collection="a\u202eb"),
        drop_url(database="\x7f"),
    ],
    ids=lambda url: ascii(url)[:40],
)
def test_post_for_what_cannot_exist_leaves_no_record(
    url: str, signed_in: SignedIn, cluster: None
) -> None:
    assert signed_in("outsider").post(url).status_code == 404
    assert records() == []


@pytest.mark.parametrize("name", ["books", " a", "a\n", "名前"])
def test_post_for_what_may_exist_is_recorded(name: str, signed_in: SignedIn, cluster: None) -> None:
    assert signed_in("outsider").post(drop_url(collection=name)).status_code == 404
    assert [record["target"]["collection"] for record in records()] == [name]


def test_requests_without_cookie_behind_proxy_fill_no_log(settings: Any) -> None:
    """They don't fill the table of sessions either: the oldest ones of the user end."""
    behind_proxy.switch_on(settings)
    for _ in range(SESSIONS + 5):
        assert behind_proxy.ask(Client()).status_code == 200
    assert [record["action"] for record in records()] == ["session.sign_in"] * 10
    assert SignIn.objects.count() == SESSIONS


# --- reading the whole log ------------------------------------------------------------------------


def test_long_read_is_limited_per_person_and_per_process() -> None:
    first, second = LongRead(actor("ada")), LongRead(actor("eve"))
    for name in ("ada", "zoe"):
        with pytest.raises(AlreadyRunning):
            LongRead(actor(name))
    first.close()
    first.close()
    with closing(LongRead(actor("zoe"))), pytest.raises(AlreadyRunning):
        LongRead(actor("ada"))
    second.close()


def test_long_read_without_a_reference_is_released() -> None:
    LongRead(actor("ada"))
    with closing(LongRead(actor("ada"))):
        pass
