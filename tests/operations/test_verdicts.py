"""Verdicts of reconciliation: a test for each cell of the table. No Milvus, no database."""

import uuid
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.audit.events import Intent
from collections_app.audit.log import Outcome
from collections_app.milvus.types import Kind, Target
from collections_app.models import SendProgress
from collections_app.operations.private_names import DROP, private_name
from collections_app.operations.reconcile import (
    NEVER_SENT,
    NOTHING_SENT,
    UNDONE,
    VERDICTS,
    Shown,
    _certain_outcome,
)
from tests.fakes import FakeMilvus, use_fake

NONE, RENAME, REQUEST = SendProgress
DONE, NOT_DONE, ORPHAN = Shown
GONE = "Verified: it no longer exists"
RESTORED = "It was renamed but not dropped. Its original name was restored"
ANOTHER_RESTORED = (
    "Another collection had taken its name. Nothing was dropped. Its original name was restored"
)
FORGETS, KEEPS = "2.6.5", "2.6.6"  # what Milvus does with an accepted drop after its deadline

STILL_EXISTS = UNDONE.format("It still exists")
CELLS = [
    (NONE, DONE, False, (Outcome.FAILED, NOTHING_SENT)),
    (NONE, DONE, True, (Outcome.FAILED, NOTHING_SENT)),
    (NONE, NOT_DONE, False, (Outcome.FAILED, NOTHING_SENT)),
    (NONE, NOT_DONE, True, (Outcome.FAILED, NOTHING_SENT)),
    (RENAME, DONE, False, None),
    (RENAME, DONE, True, (Outcome.FAILED, NEVER_SENT)),
    (RENAME, NOT_DONE, False, None),
    (RENAME, NOT_DONE, True, (Outcome.FAILED, STILL_EXISTS)),
    (RENAME, ORPHAN, False, None),  # the drop may still come
    (RENAME, ORPHAN, True, (Outcome.FAILED, RESTORED)),
    (REQUEST, DONE, False, (Outcome.SUCCEEDED, GONE)),
    (REQUEST, DONE, True, (Outcome.SUCCEEDED, GONE)),
    (REQUEST, NOT_DONE, False, None),
    (REQUEST, NOT_DONE, True, (Outcome.FAILED, STILL_EXISTS)),
    (REQUEST, ORPHAN, False, None),
    (REQUEST, ORPHAN, True, (Outcome.FAILED, RESTORED)),
]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMilvus:
    return use_fake(monkeypatch, strict_drop=True)


def begun(fake: FakeMilvus, *, passed: bool, version: str = FORGETS) -> Intent:
    """The intent of a strict drop of `book`, which is there."""
    fake.add("book")
    operation_id, (cluster, *_) = uuid.uuid4(), settings.CLUSTERS.values()
    identity = fake.collection_identity("default", "book")
    assert identity
    target = Target(
        cluster=cluster.key,
        database="default",
        kind=Kind.COLLECTION,
        collection="book",
        name="book",
    )
    return Intent(
        operation_id=operation_id,
        action=Action.DROP_COLLECTION,
        target=target,
        identity=identity,
        endpoint=cluster.endpoint,
        server_version=version,
        private_name=private_name(DROP, operation_id),
        new_name="",
        load="Not loaded",
        clock={},
        recorded_at=timezone.now() - timedelta(hours=1 if passed else 0),
    )


def show(fake: FakeMilvus, intent: Intent, shown: Shown) -> None:
    if shown is DONE:
        fake.drop_collection("default", "book")
    if shown is ORPHAN:
        fake.rename_collection("default", "book", intent.private_name)


@pytest.mark.parametrize(("progress", "shown", "passed", "expected"), CELLS)
def test_verdict_of_each_cell_is_as_in_the_table(
    progress: SendProgress,
    shown: Shown,
    passed: bool,
    expected: tuple[Outcome, str] | None,
    fake: FakeMilvus,
) -> None:
    intent = begun(fake, passed=passed)
    show(fake, intent, shown)
    assert _certain_outcome(intent, progress, may_rename=True) == expected


def test_verdict_table_has_every_cell_that_is_tested() -> None:
    assert set(VERDICTS) == {cell[:3] for cell in CELLS if cell[0] is not NONE}


@pytest.mark.parametrize("progress", [RENAME, REQUEST])
@pytest.mark.parametrize("passed", [False, True])
def test_another_collection_as_orphan_is_restored_at_once(
    progress: SendProgress, passed: bool, fake: FakeMilvus
) -> None:
    intent = begun(fake, passed=passed)
    fake.drop_collection("default", "book")
    fake.add("book")
    show(fake, intent, ORPHAN)
    expected = Outcome.REFUSED, ANOTHER_RESTORED
    assert _certain_outcome(intent, progress, may_rename=True) == expected


@pytest.mark.parametrize("passed", [False, True])
def test_orphan_without_permission_to_rename_waits(passed: bool, fake: FakeMilvus) -> None:
    intent = begun(fake, passed=passed)
    show(fake, intent, ORPHAN)
    assert _certain_outcome(intent, REQUEST, may_rename=False) is None
    assert fake.collection_identity("default", intent.private_name)


@pytest.mark.parametrize(
    ("progress", "expected"), [(RENAME, Outcome.FAILED), (REQUEST, Outcome.NOT_DONE)]
)
def test_milvus_that_keeps_drops_leaves_a_sent_one_not_done(
    progress: SendProgress, expected: Outcome, fake: FakeMilvus
) -> None:
    intent = begun(fake, passed=True, version=KEEPS)
    certain = _certain_outcome(intent, progress, may_rename=True)
    assert certain and certain[0] is expected
