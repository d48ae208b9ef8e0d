"""The doctor on protections: whether the database still has what the log says."""

from collections.abc import Iterator

from django.db import DatabaseError

from collections_app.models import Protection
from collections_app.operations.protection_check import protection_problems

from .findings import Finding, ok, problem

ABOUT = "protections"


def look() -> Iterator[Finding]:
    """Nothing for who has none."""
    try:
        wrong, count = list(protection_problems()), Protection.objects.count()
    except DatabaseError:  # which another check has said
        return
    if wrong:
        remedy = "Find out who changed the database. Protect the collection again."
        yield problem(ABOUT, f"{wrong[0]}; {len(wrong)} such in all", remedy)
    elif count:
        yield ok(ABOUT, f"{count}, as in the audit log")
