"""Orphans: a late rename is found in any database, undone, and recorded.

On a Milvus in memory: tests/operations/test_strict.py has the same with the real one.
"""

from dataclasses import replace

import pytest
from django.conf import settings

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.audit.integrity import problems
from collections_app.audit.log import LogUnwritable, Outcome
from collections_app.audit.verify import verify
from collections_app.milvus.errors import Denied, NotFound
from collections_app.milvus.types import Identity, Kind, ServerInfo
from collections_app.operations.claims import final_outcome, record_outcome
from collections_app.operations.confirmation import Confirmation
from collections_app.operations.orphans import restore_orphans
from collections_app.operations.private_names import BIN, DROP, private_name
from collections_app.operations.protocol import OperationRejected
from tests.fakes import FakeMilvus, Lost, use_fake
from tests.fixtures import caller
from tests.operations.conftest import (
    carry_out,
    consent,
    read_only_database,
    target_in,
    told,
)

pytestmark = [pytest.mark.django_db(transaction=True)]
CLOSED = ["intent", "outcome unknown", "outcome failed"]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMilvus:
    be_strict(monkeypatch, True)
    return use_fake(monkeypatch, strict_drop=True)


def be_strict(monkeypatch: pytest.MonkeyPatch, strict_drop: bool, **more: object) -> None:
    mains = {"main": replace(next(iter(settings.CLUSTERS.values())), key="main")}
    changed = {key: replace(one, strict_drop=strict_drop, **more) for key, one in mains.items()}
    monkeypatch.setattr(settings, "CLUSTERS", changed)


def strayed(fake: FakeMilvus, name: str = "book", database: str = "default") -> Confirmation:
    """A drop whose rename got lost, that was closed as failed, and whose rename came then."""
    fake.add(name, database=database)
    confirmation = consent(replace(target_in(name, Kind.COLLECTION), database=database))
    fake.next_act = Lost.UNDONE
    assert carry_out(confirmation) is Outcome.UNKNOWN
    operation_id = confirmation.operation_id
    assert record_outcome(confirmation, Outcome.FAILED, "still there", caller(), {})
    fake.rename_collection(database, name, private_name(DROP, operation_id))
    return confirmation


def restored() -> list[str]:
    return restore_orphans(caller("reconciler"))


def test_orphan_is_found_without_the_right_to_list_databases(fake: FakeMilvus) -> None:
    strayed(fake)
    strayed(fake, "film", "search")
    fake.denied("databases")
    restored()
    assert fake.collection_identity("default", "book")
    assert fake.collection_identity("search", "film")


def test_orphan_beside_an_unreadable_database_is_restored(
    fake: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    strayed(fake, "film", "search")
    fake.add("x", database="closed")
    fake.add("x", database="dropped")
    answers: dict[str, Exception] = {"closed": Denied("no"), "dropped": NotFound("just now")}
    listed = fake.identities

    def identities(database: str) -> dict[str, Identity]:
        if database in answers:
            raise answers[database]
        return listed(database)

    monkeypatch.setattr(fake, "identities", identities)
    restored()
    assert fake.collection_identity("search", "film")


def test_orphan_beside_an_unreadable_one_is_restored(
    fake: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = private_name(DROP, strayed(fake).operation_id)
    strayed(fake, "film")
    known = fake.collection_identity

    def identity(database: str, name: str) -> Identity | None:
        if name == hidden:
            raise Denied("no")
        return known(database, name)

    monkeypatch.setattr(fake, "collection_identity", identity)
    restored()
    assert known("default", "film")


def test_orphan_is_found_after_strict_mode_was_switched_off(
    fake: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    strayed(fake)
    be_strict(monkeypatch, False)
    restored()
    assert fake.collection_identity("default", "book")


def test_orphan_that_cannot_be_renamed_is_recorded_once(
    fake: FakeMilvus, caplog: pytest.LogCaptureFixture
) -> None:
    """Once in its operation, and in the application log as long as it lasts."""
    private = private_name(DROP, strayed(fake).operation_id)
    fake.denied("rename_collection")
    for _ in range(2):
        caplog.clear()
        assert restored() == []
        assert f"the original name of {private} can't be restored yet" in caplog.text
        assert told() == [*CLOSED, "follow_up failed"]


def test_orphan_is_recorded_before_its_name_is_restored(
    fake: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a killed process or a failing log would leave a rename unrecorded."""
    confirmation, seen = strayed(fake), []
    rename = fake.rename_collection

    def look(*names: str) -> None:
        seen.append(told())
        rename(*names)

    monkeypatch.setattr(fake, "rename_collection", look)
    with read_only_database(), pytest.raises(LogUnwritable):
        restored()
    assert seen == []
    assert len(restored()) == 1
    assert seen == [[*CLOSED, "follow_up failed"]]
    assert told() == [*CLOSED, "follow_up failed", "follow_up failed"]
    assert final_outcome(confirmation.operation_id) is Outcome.FAILED
    assert not verify().broken
    assert not problems()


def plain(milvus: clusters.Milvus) -> clusters.Milvus:
    return replace(milvus, cluster=replace(milvus.cluster, strict_drop=False))


def test_read_before_an_orphan_is_restored_is_not_reused(
    fake: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A namesake is dropped at that moment: a plain drop would hit what comes back."""
    private = private_name(DROP, strayed(fake).operation_id)
    stray = fake.collection_identity("default", private)
    get = clusters.get
    monkeypatch.setattr(clusters, "get", lambda key: plain(get(key)))
    fake.add("book")
    mine, server = consent(target_in("book", Kind.COLLECTION)), fake.server

    def meanwhile(database: str) -> ServerInfo:
        fake.drop_collection("default", "book")
        restored()
        return server(database)

    monkeypatch.setattr(fake, "server", meanwhile)
    with pytest.raises(OperationRejected):
        carry_out(mine)
    assert fake.collection_identity("default", "book") == stray


def test_namesake_moved_late_to_the_bin_gets_its_name_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rename of a closed move came when something else had the name."""
    be_strict(monkeypatch, False, recycle_bin=60.0)
    fake = use_fake(monkeypatch, recycle_bin=60.0)
    fake.add("book")
    confirmation = consent(target_in("book", Kind.COLLECTION), Action.MOVE_TO_BIN)
    fake.next_act = Lost.UNDONE
    assert carry_out(confirmation) is Outcome.UNKNOWN
    assert record_outcome(confirmation, Outcome.FAILED, "still there", caller(), {})
    fake.drop_collection("default", "book")
    fake.add("book")
    namesake = fake.collection_identity("default", "book")
    fake.rename_collection("default", "book", private_name(BIN, confirmation.operation_id))
    assert "It is another collection" in restored()[0]
    assert fake.collection_identity("default", "book") == namesake != confirmation.identity
    assert restored() == []
