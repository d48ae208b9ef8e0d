"""Triggers that refuse to change the audit log, for SQLite and PostgreSQL.

They stop a mistake and the application's own account. Whoever owns the database can remove
them; the chain (verification.verify) and the copy on the `audit` logger are for that.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "collections_app_auditevent"
MESSAGE = "audit events are never changed or deleted"

POSTGRESQL = (
    f"""CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql
        AS $$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$""",
    f"""CREATE OR REPLACE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()""",
    f"""CREATE OR REPLACE TRIGGER audit_no_truncate BEFORE TRUNCATE ON {TABLE}
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()""",
)
SQLITE = (
    *(
        f"""CREATE TRIGGER IF NOT EXISTS audit_no_{verb} BEFORE {verb} ON {TABLE}
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"""
        for verb in ("update", "delete")
    ),
    # REPLACE deletes what stands in its way, and SQLite tells no DELETE trigger of it.
    f"""CREATE TRIGGER IF NOT EXISTS audit_no_replace BEFORE INSERT ON {TABLE}
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE sequence = NEW.sequence OR hash = NEW.hash
            OR (NEW.phase = 'intent' AND phase = 'intent' AND operation_id = NEW.operation_id))
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END""",  # noqa: S608 (constants only)
)
REMOVE = {
    "postgresql": (
        f"DROP TRIGGER IF EXISTS audit_append_only ON {TABLE}",
        f"DROP TRIGGER IF EXISTS audit_no_truncate ON {TABLE}",
    ),
    "sqlite": tuple(
        f"DROP TRIGGER IF EXISTS audit_no_{verb}" for verb in ("update", "delete", "replace")
    ),
}
INSTALL = {"postgresql": POSTGRESQL, "sqlite": SQLITE}


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the log append-only. Safe to repeat. Raises KeyError on another database."""
    _run(connection, INSTALL[connection.vendor])


def remove(connection: BaseDatabaseWrapper) -> None:
    """For migrations backwards, and for tests that empty the tables."""
    _run(connection, REMOVE[connection.vendor])


def _run(connection: BaseDatabaseWrapper, statements: tuple[str, ...]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
