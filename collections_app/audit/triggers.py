"""Triggers that refuse to change the audit log: sql/postgresql.sql and sql/sqlite.sql.

They stop a mistake and the application's own account. Whoever owns the database can remove
them; the chain (verify.py) and the copy on the `audit` logger are for that.
"""

import re
from pathlib import Path

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "collections_app_auditevent"
SEGMENTS = "collections_app_removedsegment"
MESSAGE = "audit events are never changed or deleted"

SQL = Path(__file__).with_name("sql")
SECTION = re.compile(r"^-- \[(\w+)\]\n(.*?)(?=^-- \[|\Z)", re.S | re.M)


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the log append-only. Safe to repeat. Raises OSError on another database."""
    with transaction.atomic(), connection.cursor() as cursor:
        for name, section in _sections(connection).items():
            if connection.vendor == "sqlite":  # which has no CREATE OR REPLACE
                cursor.execute(_drop(connection, name, section))
            cursor.execute(section)


def remove(connection: BaseDatabaseWrapper) -> None:
    """For migrations backwards, and for tests that empty the tables."""
    with connection.cursor() as cursor:
        for name, section in _sections(connection).items():
            cursor.execute(_drop(connection, name, section))


def damaged(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of triggers that are missing, disabled, changed, or not Milvus Admin's."""
    expected = {
        name: _described(connection, section) for name, section in _sections(connection).items()
    }
    installed = _installed(connection)
    names = expected | installed
    return sorted(name for name in names if expected.get(name) != installed.get(name))


def _sections(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """The statements of each trigger, by its name."""
    text = (SQL / f"{connection.vendor}.sql").read_text(encoding="utf-8")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT quote_ident(current_schema())")
            text = text.replace("{schema}", cursor.fetchone()[0])
    return {name: section.strip() for name, section in SECTION.findall(text)}


def _drop(connection: BaseDatabaseWrapper, name: str, section: str) -> str:
    table = SEGMENTS if f" ON {SEGMENTS}" in section else TABLE
    on = "" if connection.vendor == "sqlite" else f" ON {table}"
    return f"DROP TRIGGER IF EXISTS {name}{on}"


# --- as the database describes them -----------------------------------------------------------


def _described(connection: BaseDatabaseWrapper, section: str) -> str:
    """How the database describes a trigger that was installed from this section."""
    if connection.vendor == "sqlite":
        return section
    _, body, trigger = section.split("$$")
    definition = trigger.strip("; \n").replace("CREATE OR REPLACE", "CREATE")
    return f"{definition} O {body}"


def _installed(connection: BaseDatabaseWrapper) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(DESCRIBE[connection.vendor])
        return dict(cursor.fetchall())


DESCRIBE = {
    "sqlite": "SELECT name, sql FROM sqlite_master"  # noqa: S608 (made of constants only)
    f" WHERE type = 'trigger' AND tbl_name IN ('{TABLE}', '{SEGMENTS}')",
    # tgenabled is O for one that is enabled.
    "postgresql": f"""SELECT tgname,
            concat_ws(' ', pg_get_triggerdef(pg_trigger.oid, true), tgenabled, prosrc)
        FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid
        WHERE tgrelid IN ('{TABLE}'::regclass, '{SEGMENTS}'::regclass) AND NOT tgisinternal""",  # noqa: S608
}
