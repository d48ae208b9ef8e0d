"""Many writers, one chain: no gap, no fork, no lost event."""

import json

import pytest

from collections_app.audit import log, verify
from collections_app.audit.log import Entry, LogUnwritable, Phase
from collections_app.models import AuditEvent
from tests.fixtures import caller
from tests.operations.conftest import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

WRITERS, EACH = 8, 5


def entry(writer: int, number: int) -> Entry:
    return Entry(
        phase=Phase.ACCESS,
        action="audit.export",
        caller=caller(f"writer{writer}"),
        details={"number": number},
    )


def written() -> list[tuple[str, int]]:
    records = [json.loads(event.record) for event in AuditEvent.objects.order_by("sequence")]
    return [(r["actor"]["subject"], r["details"]["number"]) for r in records]


def test_eight_writers_at_once_make_one_chain_without_a_gap() -> None:
    def work(writer: int) -> None:
        for number in range(EACH):
            log.write(entry(writer, number))

    assert at_once(*(lambda w=w: work(w) for w in range(WRITERS))) == [None] * WRITERS
    sequences = list(AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True))
    assert sequences == list(range(1, WRITERS * EACH + 1))
    verdict = verify.verify()
    assert (verdict.broken, verdict.checked) == ("", WRITERS * EACH)
    assert sorted(written()) == sorted(
        (f"writer{w}", n) for w in range(WRITERS) for n in range(EACH)
    )


def test_writer_that_rolls_back_leaves_no_gap() -> None:
    class GaveUp(Exception):
        pass

    def give_up(writer: int) -> None:
        with log.appending():
            log.append(entry(writer, 0))
            raise GaveUp

    def work(writer: int) -> None:
        (give_up if writer % 2 else lambda w: log.write(entry(w, 0)))(writer)

    results = at_once(*(lambda w=w: work(w) for w in range(WRITERS)))
    assert [isinstance(r, GaveUp) for r in results] == [bool(w % 2) for w in range(WRITERS)]
    assert {name for name, _ in written()} == {f"writer{w}" for w in range(0, WRITERS, 2)}
    assert verify.verify() == verify.verify_export(
        log.export_line(e) for e in AuditEvent.objects.order_by("sequence")
    )
    assert verify.verify().checked == WRITERS // 2


def test_writer_holding_the_chain_makes_others_wait() -> None:
    """Two events appended in one transaction stay neighbours whatever others write."""

    def pair(writer: int) -> None:
        with log.appending():
            log.append(entry(writer, 0))
            log.append(entry(writer, 1))

    results = at_once(*(lambda w=w: pair(w) for w in range(4)))
    assert not [r for r in results if isinstance(r, LogUnwritable)]
    names = [name for name, _ in written()]
    assert names[0::2] == names[1::2]
    assert not verify.verify().broken
