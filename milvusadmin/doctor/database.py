"""The doctor on our own database: reachable, migrated, append-only, writable, and its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from collections_app.audit import log, triggers, verify
from collections_app.health import heartbeat
from collections_app.models import AuditEvent, Claim, Plan, PlanState, TaskRun

from .findings import Finding, ok, problem, warning

ABOUT, LOG, LOOPS = "database", "audit log", "loops"
MIGRATE = "Run: manage.py migrate. The checks of the audit log were skipped."
LAST = 1000  # events whose seals are looked at
APART = 5.0  # seconds by which clocks may differ before it is worth a line
STUCK = timedelta(minutes=5)


def reachable() -> Iterator[Finding]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(VERSION[connection.vendor])
            version = str(cursor.fetchone()[0])
    except DatabaseError as exc:
        yield problem(ABOUT, f"the database does not answer: {exc}", UNREACHABLE)
        return
    if connection.vendor == "postgresql" and int(version.split(".", maxsplit=1)[0]) < OLDEST:
        yield problem(
            ABOUT, f"PostgreSQL {version} is too old", f"Upgrade it to {OLDEST} or later."
        )
    else:
        yield ok(ABOUT, f"{connection.display_name} {version} answers")


UNREACHABLE = (
    "Check DATABASE_URL, that the database is running, and that this machine can reach it. The "
    "other checks of the database were skipped."
)
VERSION = {"postgresql": "SHOW server_version", "sqlite": "SELECT sqlite_version()"}
OLDEST = 14


def migrated() -> Iterator[Finding]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{m.app_label}.{m.name}" for m, _ in missing[:3])
        yield problem(ABOUT, f"{len(missing)} migrations are not applied: {names}…", MIGRATE)
    else:
        yield ok(ABOUT, "all migrations are applied")


def append_only() -> Iterator[Finding]:
    """The triggers: who dropped them could change the log, if not its seals."""
    wrong = triggers.damaged(connection)
    if wrong:
        yield problem(
            LOG,
            f"triggers that protect events are missing, disabled or changed: {', '.join(wrong)}",
            "Run manage.py verify_audit_log, and find out who did this and when. Then restore "
            "them: manage.py protect_audit_log",
        )
    else:
        yield ok(LOG, "the triggers block changing and deleting events")


def writable() -> Iterator[Finding]:
    log.check_writable()
    yield ok(LOG, "events can be written (tried without writing one)")


def sealed() -> Iterator[Finding]:
    """The last events by the keys that are configured. The whole log: verify_audit_log."""
    newest = AuditEvent.objects.order_by("-sequence")[:LAST]
    verdict = verify.verify_rows(reversed(newest))
    if verdict.broken:
        yield problem(
            LOG,
            verdict.broken,
            "If AUDIT_KEY was changed, add the old one to AUDIT_RETIRED_KEYS. Otherwise somebody "
            "changed the log: stop dropping, and read docs/security.md.",
        )
    elif verdict.checked:
        yield ok(LOG, f"AUDIT_KEY verifies the last {verdict.checked} events")
    else:
        yield ok(LOG, "the log is empty, so there is nothing to verify yet")


def clock() -> Iterator[Finding]:
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        yield compared("the database", cursor.fetchone()[0], datetime.now(UTC))


def compared(whose: str, theirs: datetime, ours: datetime) -> Finding:
    """The line on two clocks."""
    apart = (ours - theirs).total_seconds()
    if abs(apart) < APART:
        return ok("clock", f"it agrees with {whose} within {APART:g} s")
    direction = "ahead of" if apart > 0 else "behind"
    return (problem if abs(apart) >= 60 else warning)(
        "clock",
        f"this machine is {abs(apart):.0f} s {direction} {whose}",
        "Synchronise both with the same time servers (chrony, systemd-timesyncd). With different "
        "clocks sign-ins fail, and outcomes are judged too early or too late.",
    )


def settling() -> Iterator[Finding]:
    """Whether somebody runs `reconcile_operations`, from what it leaves behind."""
    oldest = Claim.objects.order_by("claimed_at").first()
    beats = {beat.name: beat for beat in heartbeat.all_tasks()}
    yield from _unsettled(oldest)
    yield _loop(beats.get(heartbeat.RECONCILE))
    yield from _plans()
    for name in (heartbeat.WATCH, heartbeat.VERIFY):
        if name in beats and not beats[name].ok:
            yield problem(LOOPS, f"the last run of {name} failed", "Read what it logged.")


def _plans() -> Iterator[Finding]:
    """A plan that waits for a background process which does not run."""
    waiting = Plan.objects.filter(state__in=(PlanState.READING, PlanState.RUNNING)).first()
    if waiting and heartbeat.is_silent(heartbeat.PLANS, STUCK.total_seconds()):
        yield problem(
            LOOPS,
            f"plan {waiting.pk} waits, and the background process does not run",
            "Keep this running beside the web processes: manage.py work",
        )


def _unsettled(oldest: Claim | None) -> Iterator[Finding]:
    if oldest is None or timezone.now() - oldest.claimed_at < STUCK:
        return
    age = int((timezone.now() - oldest.claimed_at).total_seconds() / 60)
    yield problem(
        LOOPS,
        f"operation {oldest.operation_id} has had no outcome for {age} min",
        "Run: manage.py reconcile_operations. If it stays open, check its page and the "
        "cluster. To close it by hand: manage.py close_operation.",
    )


def _loop(beat: TaskRun | None) -> Finding:
    remedy = "Keep this running beside the web processes: manage.py work"
    if beat is None:
        return warning(LOOPS, "reconciliation has never run", remedy)
    age = timezone.now() - beat.at
    if age > STUCK:
        minutes = int(age.total_seconds() / 60)
        return warning(LOOPS, f"reconciliation last ran {minutes} min ago", remedy)
    return ok(LOOPS, "reconciliation is running")


FIRST = ((ABOUT, reachable),)
SECOND = ((ABOUT, migrated), ("clock", clock))
THEN = ((LOG, append_only), (LOG, writable), (LOG, sealed), (LOOPS, settling))
