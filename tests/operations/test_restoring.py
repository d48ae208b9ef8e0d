"""A restore whose answer is lost: what holds the name that it gives, and what comes late.

On a Milvus in memory: tests/recycle_bin has restores on the real one.
"""

from dataclasses import replace

import pytest

from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.milvus.types import Kind
from collections_app.models import BinItem
from collections_app.operations.claims import final_outcome, record_outcome
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.kinds.binned import target_of
from collections_app.operations.protocol import Busy
from collections_app.recycle_bin.check import follow_up_findings
from tests.fakes import FakeMilvus, Lost, use_fake
from tests.fixtures import actor, caller
from tests.operations.conftest import carry_out, consent, target_in

pytestmark = pytest.mark.django_db(transaction=True)
PURGER = actor("ada", ("operator", "purger"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMilvus:
    return use_fake(monkeypatch, recycle_bin=60.0)


def restore_as(fake: FakeMilvus, name: str) -> Confirmation:
    """A restore under that name of a collection that was moved to the recycle bin."""
    fake.add("book")
    move = consent(target_in("book", Kind.COLLECTION), Action.MOVE_TO_BIN)
    assert carry_out(move) is Outcome.SUCCEEDED
    consented = consent(target_of(BinItem.objects.get()), Action.RESTORE)
    return replace(consented, new_name=name)


def lost(fake: FakeMilvus, confirmation: Confirmation) -> None:
    """Its answer never comes, and Milvus does not carry it out."""
    fake.next_act = Lost.UNDONE
    assert carry_out(confirmation) is Outcome.UNKNOWN


def test_open_restore_holds_the_name_that_it_gives(fake: FakeMilvus) -> None:
    lost(fake, restore_as(fake, "novel"))
    fake.add("novel")
    with pytest.raises(Busy):
        carry_out(consent(target_in("novel", Kind.COLLECTION), Action.MOVE_TO_BIN))


def test_restore_to_a_name_with_an_open_operation_is_busy(fake: FakeMilvus) -> None:
    restore = restore_as(fake, "novel")
    fake.add("novel")
    lost(fake, consent(target_in("novel", Kind.COLLECTION), Action.MOVE_TO_BIN))
    fake.drop_collection("default", "novel")
    with pytest.raises(Busy):
        carry_out(restore)


def test_restore_done_late_by_milvus_is_recorded_as_that(fake: FakeMilvus) -> None:
    restore = restore_as(fake, "novel")
    lost(fake, restore)
    assert record_outcome(restore, Outcome.FAILED, "still there", caller(), {})
    fake.rename_collection("default", restore.target.name, "novel")
    told = follow_up_findings("main", caller())
    assert told == ["Milvus restored book late: it is called novel now"]
    assert final_outcome(restore.operation_id) is Outcome.SUCCEEDED
    assert not BinItem.objects.exists()
