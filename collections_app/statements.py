"""The statements that every operation runs, in SQL: Django takes longer to build one of them than
PostgreSQL to run it (docs/performance.md). All others are built by Django.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection


def changed(sql: str, *values: Any) -> int:
    """Run a statement that writes. Returns how many rows it changed."""
    with connection.cursor() as cursor:
        cursor.execute(sql, adapted(*values))
        return int(cursor.rowcount)


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """What a SELECT finds, as the database gives it: an id is a text on SQLite."""
    with connection.cursor() as cursor:
        cursor.execute(sql, adapted(*values))
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def adapted(*values: Any) -> list[Any]:
    """The values as the columns of this database hold them: SQLite has no UUID and no time zone."""
    return [_adapted(value) for value in values]


def any_of(values: list[str]) -> str:
    """The placeholders of an IN."""
    return ", ".join(["%s"] * len(values))


def _adapted(value: Any) -> Any:
    if isinstance(value, UUID) and not connection.features.has_native_uuid_field:
        return value.hex
    if isinstance(value, datetime):
        return connection.ops.adapt_datetimefield_value(value)
    return str(value) if isinstance(value, str) else value  # an enum's value
