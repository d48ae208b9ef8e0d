"""One broken operation does not stop the others, and a person can close an unreadable one."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from collections_app.audit.log import Outcome
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, Claim
from collections_app.operations.kinds import OPERATIONS
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds

from .conftest import Thing, carry_out, consent, told

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def left_unknown(make_collection: Seeds, chain: Chain, faulty: Any) -> list[Thing]:
    """A collection and a partition whose drops were lost, answered OK, and then came true."""
    things = [Thing.make(make_collection, kind) for kind in (Kind.COLLECTION, Kind.PARTITION)]
    for thing in things:
        chain.relay.answer(thing.rpc, lambda _: b"")
        assert carry_out(consent(thing.target)) is Outcome.UNKNOWN
        thing.remove()
    return things


def reconcile() -> object:
    with pytest.raises(SystemExit) as done:
        call_command("reconcile_operations")
    return done.value.code


def test_reconcile_with_one_broken_operation_settles_the_others(
    left_unknown: list[Thing], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> bool:
        raise KeyError("surprise")

    monkeypatch.setattr(type(OPERATIONS[left_unknown[0].action]), "is_done", broken)
    assert reconcile() == 1
    open_ones = {claim.operation_id for claim in Claim.objects.all()}
    kinds = AuditEvent.objects.filter(operation_id__in=open_ones).values_list("kind", flat=True)
    assert set(kinds) == {"collection"}


def test_close_operation_on_unreadable_cluster_records_outcome(
    left_unknown: list[Thing], settings: Any
) -> None:
    settings.CLUSTERS = {}
    assert reconcile() == 1
    for claim in Claim.objects.all():
        reason = "the cluster was taken down"
        call_command("close_operation", claim.operation_id, outcome="failed", reason=reason)
    assert reconcile() == 0
    assert told()[-2:] == ["outcome failed", "outcome failed"]
    assert "the cluster was taken down" in AuditEvent.objects.latest("sequence").record


def test_close_operation_settled_or_unknown_is_refused(left_unknown: list[Thing]) -> None:
    claim = Claim.objects.earliest("claimed_at")
    close: Callable[..., Any] = lambda id_: call_command(  # noqa: E731
        "close_operation", id_, outcome="succeeded", reason="seen"
    )
    close(claim.operation_id)
    with pytest.raises(CommandError, match="settled already"):
        close(claim.operation_id)
    with pytest.raises(CommandError, match="no such operation"):
        close(uuid4())
