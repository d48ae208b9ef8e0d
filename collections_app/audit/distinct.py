"""The distinct values of a column of the log, and a search that asks those first.

A search among a million events for what is in none would read them all. Their people and names
are few, and an index leads from one to the next.
"""

from django.db import connection
from django.db.models import Q

from ..models import AuditEvent
from .search import holds

VALUES_AT_MOST = 5000  # more than that are not hopped through for one search
EVENTS_AT_MOST = 1000  # what is in more of them is found soon by reading from the newest on

# Each hop costs one look into the index, however many events have the value.
HOPS = """
    WITH RECURSIVE hop(value) AS (
        SELECT MIN({column}) FROM collections_app_auditevent
        UNION ALL
        SELECT (SELECT MIN({column}) FROM collections_app_auditevent WHERE {column} > hop.value)
        FROM hop WHERE hop.value IS NOT NULL
    ) SELECT value FROM hop LIMIT %s
"""
INDEXED = {"actor", "collection", "name"}


def distinct(column: str, at_most: int = 2**31) -> list[str]:
    """The values that an indexed column has in any event."""
    assert column in INDEXED  # noqa: S101 (it becomes part of the statement)
    with connection.cursor() as cursor:
        cursor.execute(HOPS.format(column=column), [at_most])
        return [value for (value,) in cursor.fetchall() if value is not None]


def holding(column: str, text: str) -> Q:
    """Events in which the column holds the text, in any case."""
    values = distinct(column, VALUES_AT_MOST + 1)
    if len(values) <= VALUES_AT_MOST:
        matching = AuditEvent.objects.filter(
            **{f"{column}__in": [value for value in values if holds(value, text)]}
        )
        found = list(matching.values_list("sequence", flat=True)[: EVENTS_AT_MOST + 1])
        if len(found) <= EVENTS_AT_MOST:
            return Q(sequence__in=found)
    return Q(**{f"{column}__holds": text})
