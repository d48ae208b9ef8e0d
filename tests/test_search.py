"""Case-insensitive search finds the same on both databases, for all letters."""

from typing import Any

import pytest

from collections_app.audit import distinct, log, queries
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


@pytest.mark.parametrize("limit", ["VALUES_AT_MOST", "EVENTS_AT_MOST"])
def test_filtered_beyond_a_limit_of_the_search_finds_the_same(
    limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("books", "films", "songs"):
        log.write(named(name, caller=caller(name)))
    monkeypatch.setattr(distinct, limit, 1)
    assert (seen({"what": "O"}), seen({"who": "o"}), seen({"what": "x"})) == (2, 2, 0)


def test_filtered_object_in_no_event_reads_no_event(django_assert_num_queries: Any) -> None:
    log.write(named("books", caller=caller("ada")))
    with django_assert_num_queries(2) as asked:  # the names, the collections, and then nothing
        assert list(queries.filtered({"what": "nothing"}, actor(groups=("auditor",)))) == []
    assert all("hop" in query["sql"] for query in asked.captured_queries)
