"""Triggers that refuse to change the audit log, for SQLite and PostgreSQL.

They stop a mistake and the application's own account. Whoever owns the database can remove
them; the chain (audit.verify) and the copy on the `audit` logger are for that.
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
SQLITE = tuple(
    f"""CREATE TRIGGER IF NOT EXISTS audit_no_{verb} BEFORE {verb} ON {TABLE}
        BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"""
    for verb in ("update", "delete")
)
REMOVE = {
    "postgresql": (
        f"DROP TRIGGER IF EXISTS audit_append_only ON {TABLE}",
        f"DROP TRIGGER IF EXISTS audit_no_truncate ON {TABLE}",
    ),
    "sqlite": ("DROP TRIGGER IF EXISTS audit_no_update", "DROP TRIGGER IF EXISTS audit_no_delete"),
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
