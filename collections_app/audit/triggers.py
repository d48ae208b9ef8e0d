# ruff: noqa: S608 (statements are made of constants only)
"""Triggers that refuse to change the audit log, for SQLite and PostgreSQL.

They stop a mistake and the application's own account. Whoever owns the database can remove
them; the chain (verify.py) and the copy on the `audit` logger are for that.
"""

from collections.abc import Iterator

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "collections_app_auditevent"
SEGMENTS = "collections_app_removedsegment"
MESSAGE = "audit events are never changed or deleted"

# Only what is in a removed segment may be deleted; and a segment is removed only if an event says
# so, the oldest first. {in_} is PostgreSQL's schema: no temporary table stands in for ours.
REMOVED = f"COALESCE((SELECT MAX(last) FROM {{in_}}{SEGMENTS}), 0)"
KEPT = f"OLD.sequence > {REMOVED}"
UNRECORDED = f"""NEW.first <> {REMOVED} + 1 OR NEW.last < NEW.first
    OR NOT EXISTS (SELECT 1 FROM {{in_}}{TABLE} WHERE sequence = NEW.last AND hash = NEW.head)
    OR NOT EXISTS (SELECT 1 FROM {{in_}}{TABLE}
        WHERE sequence = NEW.event AND action = 'audit.remove')"""
# REPLACE deletes what stands in its way, and SQLite tells no DELETE trigger of it.
IN_THE_WAY = f"""EXISTS (SELECT 1 FROM {TABLE} WHERE sequence = NEW.sequence OR hash = NEW.hash
    OR (NEW.phase = 'intent' AND phase = 'intent' AND operation_id = NEW.operation_id))"""

Guard = tuple[str, str, str]  # table, verb, when it refuses
GUARDS: dict[str, Guard] = {
    "audit_no_update": (TABLE, "UPDATE", "TRUE"),
    "audit_no_delete": (TABLE, "DELETE", KEPT),
    "segment_no_update": (SEGMENTS, "UPDATE", "TRUE"),
    "segment_no_delete": (SEGMENTS, "DELETE", "TRUE"),
    "segment_on_record": (SEGMENTS, "INSERT", UNRECORDED),
}
OF_VENDOR: dict[str, dict[str, Guard]] = {
    "sqlite": {"audit_no_replace": (TABLE, "INSERT", IN_THE_WAY)},
    "postgresql": {
        "audit_no_truncate": (TABLE, "TRUNCATE", "TRUE"),
        "segment_no_truncate": (SEGMENTS, "TRUNCATE", "TRUE"),
    },
}
RETURNS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD", "TRUNCATE": "NULL"}
TYPES = {"INSERT": 7, "DELETE": 11, "UPDATE": 19, "TRUNCATE": 34}  # pg_trigger.tgtype, all BEFORE


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the log append-only. Safe to repeat. Raises KeyError on another database."""
    with transaction.atomic(), connection.cursor() as cursor:
        for name, guard in _guards(connection).items():
            for statement in _create(connection, name, guard):
                cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    """For migrations backwards, and for tests that empty the tables."""
    with connection.cursor() as cursor:
        for name, guard in _guards(connection).items():
            cursor.execute(_drop(connection, name, guard))


def wrong(connection: BaseDatabaseWrapper) -> list[str]:
    """Triggers that are missing, switched off, not as they should be, or not ours: their names."""
    expected = {
        name: _expected(connection, name, guard) for name, guard in _guards(connection).items()
    }
    found = _found(connection)
    return sorted(name for name in expected | found if expected.get(name) != found.get(name))


def _guards(connection: BaseDatabaseWrapper) -> dict[str, Guard]:
    return GUARDS | OF_VENDOR[connection.vendor]


def _create(connection: BaseDatabaseWrapper, name: str, guard: Guard) -> Iterator[str]:
    if connection.vendor == "sqlite":
        yield _drop(connection, name, guard)
        yield _expected(connection, name, guard)
        return
    table, verb, _ = guard
    each = "STATEMENT" if verb == "TRUNCATE" else "ROW"
    yield (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" AS $${_body(connection, guard)}$$"
    )
    yield (
        f"CREATE OR REPLACE TRIGGER {name} BEFORE {verb} ON {table}"
        f" FOR EACH {each} EXECUTE FUNCTION {name}()"
    )


def _drop(connection: BaseDatabaseWrapper, name: str, guard: Guard) -> str:
    on = "" if connection.vendor == "sqlite" else f" ON {guard[0]}"
    return f"DROP TRIGGER IF EXISTS {name}{on}"


# --- as the database describes them -----------------------------------------------------------


def _expected(connection: BaseDatabaseWrapper, name: str, guard: Guard) -> str:
    table, verb, _ = guard
    if connection.vendor == "postgresql":
        return f"{table} {TYPES[verb]} O {name} {_body(connection, guard)}"
    refuse = f"SELECT RAISE(ABORT, '{MESSAGE}');"
    when = guard[2].format(in_="")
    return f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {when} BEGIN {refuse} END"


def _found(connection: BaseDatabaseWrapper) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(DESCRIBE[connection.vendor])
        return dict(cursor.fetchall())


DESCRIBE = {
    "sqlite": "SELECT name, sql FROM sqlite_master"
    f" WHERE type = 'trigger' AND tbl_name IN ('{TABLE}', '{SEGMENTS}')",
    # A condition or a list of columns would let something through.
    "postgresql": f"""SELECT tgname, concat_ws(' ', relname, tgtype, tgenabled, proname, prosrc,
            pg_get_expr(tgqual, tgrelid), NULLIF(tgattr::text, ''))
        FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid JOIN pg_proc p ON p.oid = tgfoid
        WHERE tgrelid IN ('{TABLE}'::regclass, '{SEGMENTS}'::regclass) AND NOT tgisinternal""",
}


def _body(connection: BaseDatabaseWrapper, guard: Guard) -> str:
    _, verb, when = guard
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        (schema,) = cursor.fetchone()
    when = when.format(in_=f"{schema}.")
    return f"BEGIN IF {when} THEN RAISE EXCEPTION '{MESSAGE}'; END IF; RETURN {RETURNS[verb]}; END"
