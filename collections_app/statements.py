"""The statements that every operation runs, in SQL: Django takes longer to build one of them than
PostgreSQL to run it (docs/performance.md). All others are built by Django.

A list among the values fills an IN, or a row.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

# --- the log --------------------------------------------------------------------------------------

EVENT_ADDED = "INSERT INTO collections_app_auditevent ({}) VALUES %s"
LAST_EVENT = """SELECT COALESCE(MAX(sequence), 0), EXISTS (
        SELECT 1 FROM collections_app_auditevent WHERE operation_id = %s AND phase = %s)
    FROM collections_app_auditevent"""
OBSTACLES = """SELECT
    EXISTS (SELECT 1 FROM collections_app_planitem WHERE operation_id = %s AND state = %s),
    EXISTS (SELECT 1 FROM collections_app_auditevent WHERE operation_id = %s AND phase = %s),
    EXISTS (SELECT 1 FROM collections_app_auditevent
            WHERE sequence > %s AND phase IN %s AND cluster IN %s AND database = %s
            AND collection = %s AND (kind IN %s OR kind = %s AND name = %s))"""

# --- claims and protections -----------------------------------------------------------------------

CLAIM = """INSERT INTO collections_app_claim
    (target, operation_id, cluster, actor_display, claimed_at, progress) VALUES %s"""
CLAIMS = """SELECT operation_id, target, EXISTS (
        SELECT 1 FROM collections_app_auditevent AS begun
        WHERE begun.operation_id = claim.operation_id AND phase = %s AND action = %s)
    FROM collections_app_claim AS claim WHERE operation_id = %s OR cluster IN %s"""
PROGRESS = "UPDATE collections_app_claim SET progress = %s WHERE operation_id = %s"
RELEASE = "DELETE FROM collections_app_claim WHERE operation_id = %s"
PROTECTIONS = """SELECT operation_id FROM collections_app_protection
    WHERE (name = %s OR collection_id = %s) AND database = %s AND cluster IN %s"""

# --- plans ----------------------------------------------------------------------------------------

HOLD_PLAN = """UPDATE collections_app_plan SET worked_at = %s
    WHERE id = %s AND state = %s AND ticket = COALESCE(%s, ticket)"""
TAKE_ITEM = """UPDATE collections_app_planitem SET state = %s, taken_at = %s
    WHERE id = (SELECT id FROM collections_app_planitem WHERE plan_id = %s AND state = %s
                ORDER BY position LIMIT 1)
    AND (SELECT COUNT(*) FROM collections_app_planitem WHERE plan_id = %s AND state = %s) < %s
    RETURNING *"""
END_ITEM = """UPDATE collections_app_planitem
    SET state = %s, outcome = %s, message = %s, ended_at = %s WHERE id = %s AND state = %s"""


def changed(sql: str, *values: Any) -> int:
    """Run a statement that writes. Returns how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(*_filled(sql, values))
        return int(cursor.rowcount)


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a statement returns, as the database gives it: an id is a text on SQLite."""
    with connection.cursor() as cursor:
        cursor.execute(*_filled(sql, values))
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def adapted(values: Any) -> list[Any]:
    """As the columns of this database hold them: SQLite has no UUID and no time with a zone."""
    return [_adapted(value) for value in values]


def _filled(sql: str, values: tuple[Any, ...]) -> tuple[str, list[Any]]:
    """The statement with a placeholder for each value, and the values."""
    places, flat = [], list[Any]()
    for value in values:
        is_list = isinstance(value, list)
        places.append(f"({', '.join(['%s'] * len(value))})" if is_list else "%s")
        flat += value if is_list else [value]
    return sql % tuple(places), adapted(flat)


def _adapted(value: Any) -> Any:
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return str(value) if isinstance(value, str) else value  # an enum's value
