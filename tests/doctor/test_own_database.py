"""The doctor on the application's database: what is missing, changed, stuck or late."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.audit import log, triggers
from collections_app.audit.log import Entry, Phase
from collections_app.health import heartbeat
from collections_app.models import AuditEvent, Claim, TaskRun
from collections_app.plans import building
from milvusadmin.doctor import database, examine
from milvusadmin.doctor.findings import Finding, State
from tests.fixtures import caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def event() -> AuditEvent:
    return log.write(Entry(phase=Phase.ACCESS, action="audit.export", caller=caller()))


def said() -> list[Finding]:
    """What the doctor says of the database."""
    return examine._database()


def bad() -> list[str]:
    return [finding.text for finding in said() if finding.state == State.PROBLEM]


def claim(age: timedelta) -> Claim:
    return Claim.objects.create(
        target="book", operation_id=uuid4(), cluster="main", claimed_at=timezone.now() - age
    )


def test_doctor_on_a_healthy_database_writes_nothing() -> None:
    event()
    heartbeat.record_run(heartbeat.RECONCILE)
    assert {finding.state for finding in said()} == {State.OK}
    assert any("AUDIT_KEY verifies the last 1 events" in f.text for f in said())
    assert AuditEvent.objects.count() == 1


def test_doctor_on_an_empty_log_says_so() -> None:
    assert any("the log is empty" in finding.text for finding in said())


def test_doctor_names_removed_triggers() -> None:
    triggers.remove(connection)
    (text,) = bad()
    assert "audit_" in text
    triggers.install(connection)
    assert bad() == []


def test_doctor_names_a_disabled_trigger() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {triggers.TABLE} DISABLE TRIGGER audit_no_update")
        assert triggers.damaged(connection) == ["audit_no_update"]
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {triggers.TABLE} ENABLE TRIGGER audit_no_update")
    assert triggers.damaged(connection) == []


def test_doctor_notices_another_audit_key(settings: Any) -> None:
    event()
    former, settings.AUDIT_KEY = settings.AUDIT_KEY, "another-" * 5
    assert any("was sealed with another key" in text for text in bad())
    settings.AUDIT_RETIRED_KEYS = [former]
    assert bad() == []


def test_doctor_verifies_only_the_last_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LAST", 2)
    for _ in range(4):
        event()
    assert any("verifies the last 2 events" in finding.text for finding in said())


def test_doctor_with_an_unwritable_log_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "check_writable", _fails)
    assert any("this check failed: DatabaseError: disk full" in text for text in bad())


def _fails() -> None:
    from django.db import DatabaseError

    raise DatabaseError("disk full")


def test_doctor_with_missing_migrations_stops_there() -> None:
    applied = MigrationRecorder.Migration.objects.filter(app="collections_app")
    newest = applied.order_by("-name")[0]
    newest.delete()
    try:
        texts = bad()
    finally:
        MigrationRecorder(connection).record_applied(newest.app, newest.name)
    assert texts == [f"1 migrations are not applied: collections_app.{newest.name}…"]


def test_doctor_names_an_operation_open_for_too_long() -> None:
    claim(timedelta(minutes=4))
    assert bad() == []
    stuck = claim_again(timedelta(minutes=9))
    assert bad() == [f"operation {stuck.operation_id} has had no outcome for 9 min"]


def claim_again(age: timedelta) -> Claim:
    Claim.objects.all().delete()
    return claim(age)


def test_doctor_notes_a_loop_that_never_ran_or_stopped() -> None:
    assert any("reconciliation has never run" in finding.text for finding in said())
    heartbeat.record_run(heartbeat.RECONCILE)
    assert any("reconciliation is running" in finding.text for finding in said())
    TaskRun.objects.update(at=timezone.now() - timedelta(minutes=7))
    assert any("reconciliation last ran 7 min ago" in f.text for f in said())


def test_doctor_names_a_failed_verification() -> None:
    heartbeat.record_run(heartbeat.VERIFY, ok=False)
    assert bad() == [f"the last run of {heartbeat.VERIFY} failed"]


@pytest.mark.parametrize(
    ("seconds", "state", "words"),
    [
        (0, State.OK, "agrees with the database"),
        (20, State.WARNING, "this machine is 20 s ahead of the database"),
        (-90, State.PROBLEM, "this machine is 90 s behind the database"),
    ],
)
def test_compared_clocks_that_differ_are_a_finding(seconds: int, state: State, words: str) -> None:
    now = datetime.now(UTC)
    found = database.compared("the database", now, now + timedelta(seconds=seconds))
    assert (found.state, words in found.text) == (state, True)


def test_doctor_names_a_plan_without_a_background_process(fake: object) -> None:
    plan = building.create(Action.DROP_COLLECTION, "main", "default", [("a", "a")], caller())
    assert bad() == [f"plan {plan.pk} waits, and the background process does not run"]
    heartbeat.record_run(heartbeat.PLANS)
    assert bad() == []
