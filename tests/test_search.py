"""Case-insensitive search finds the same on both databases, for all letters."""

from typing import Any

import pytest

from collections_app.audit import log, queries
from collections_app.models import AuditEvent
from tests.audit.test_export import named
from tests.fixtures import actor, caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

FOUND = [
    ("Zoë", "ZOË"),
    ("Zoë", "zoë"),
    ("ÄRGER", "ärg"),
    ("Дмитрий", "ДМИТ"),
    ("Ελένη", "ελέν"),
    ("Straße", "straße"),
    ("Ada", "ADA"),
    ("100%", "0%"),
    ("a_b", "A_B"),
    ("日本", "日"),
]
NOT_FOUND = [("Zoë", "ZOE"), ("Zoe", "zoë"), ("Straße", "STRASSE"), ("abc", "a%c"), ("axb", "a_b")]


def seen(filters: dict[str, Any]) -> int:
    return queries.filtered(filters, actor(groups=("auditor",))).count()


@pytest.mark.parametrize(
    ("name", "part", "count"),
    [(*pair, 1) for pair in FOUND] + [(*pair, 0) for pair in NOT_FOUND],
)
def test_audit_filter_ignores_case_on_both_databases(name: str, part: str, count: int) -> None:
    log.write(named(name, caller=caller(name)))
    assert seen({"who": part}) == count
    assert seen({"what": part}) == count
    assert AuditEvent.objects.count() == 1
