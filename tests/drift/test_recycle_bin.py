"""Renames of the recycle bin are no drift; external changes to its collections are."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from collections_app.access.policy import Action
from collections_app.audit.log import Outcome
from collections_app.clusters import Milvus
from collections_app.models import AuditEvent, BinItem
from tests.infra.milvus_server import MilvusServer
from tests.recycle_bin.conftest import WEEK, done, shown, shown_for_target

from .conftest import Watched, seen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def begun(
    watched: Watched, use_cluster: Callable[..., Milvus], milvus_server: MilvusServer
) -> Watched:
    """One that is watched already, on a cluster with a bin: with `book` in it."""
    use_cluster(milvus_server.uri, milvus_server.token, recycle_bin=WEEK)
    watched.add("book")
    watched.look()
    return watched


def moved(begun: Watched) -> BinItem:
    confirmation = shown_for_target(begun.target())
    assert done(confirmation) is Outcome.SUCCEEDED
    return BinItem.objects.get(operation_id=confirmation.operation_id)


def test_move_to_the_bin_records_no_drift(begun: Watched) -> None:
    moved(begun)
    assert begun.look().events == {}
    assert seen() == []


@pytest.mark.parametrize("name", ["book", "book_of_old"])
def test_restore_records_no_drift(begun: Watched, name: str) -> None:
    item = moved(begun)
    begun.look()
    assert done(replace(shown(Action.RESTORE, item), new_name=name)) is Outcome.SUCCEEDED
    assert begun.look().events == {}
    assert begun.id_of(name) == item.collection_id


def test_move_and_restore_between_two_scans_record_no_drift(begun: Watched) -> None:
    item = moved(begun)
    assert done(replace(shown(Action.RESTORE, item), new_name="other")) is Outcome.SUCCEEDED
    assert begun.look().events == {}


def test_purge_records_no_drift(begun: Watched) -> None:
    item = moved(begun)
    begun.look()
    assert done(shown(Action.PURGE, item)) is Outcome.SUCCEEDED
    assert begun.look().events == {}


def test_external_drop_in_the_bin_names_its_origin(begun: Watched) -> None:
    item = moved(begun)
    begun.look()
    begun.drop(item.private_name)
    begun.look()
    assert seen() == [f"gone {item.private_name}"]
    event = AuditEvent.objects.get(action="collection.gone")
    assert f"collection book in the recycle bin: operation {item.operation_id}" in event.record
