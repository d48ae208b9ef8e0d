"""Faults between the click and the outcome, with a real Milvus and a real database.

The Milvus is 2.3.5, as it is and as 2.6.20: there a missing collection has no code, which is what
2.5.18 has too, and a drop that was accepted may come late, so what is still there is "not done so
far" and not failed. What 3.0 says is 2.3.5's or 2.6.20's; tests/test_contract.py has every skin.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import grpc
import pytest
from django.core.management import call_command

from collections_app.access.policy import Action
from collections_app.audit.log import LogUnwritable, Outcome
from collections_app.audit.verify import verify
from collections_app.clusters import Milvus
from collections_app.milvus.connection import Connection
from collections_app.milvus.errors import Unreachable
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, Claim
from collections_app.operations.protocol import Busy, OperationRejected
from collections_app.operations.sending import OutcomeUnrecorded
from tests.fixtures import actor
from tests.infra.chain import Chain
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds, unique_name
from tests.infra.skins import NONE, V2620, Skin
from tests.infra.waiting import until
from tests.operations.conftest import (
    UNREADABLE,
    Shell,
    Thing,
    carry_out,
    consent,
    kill_at,
    leave_unknown,
    read_only_database,
    refused_events,
    settled,
    target_in,
    told,
)
from tests.operations.test_held_up import on_intent

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("faulty"),
    # That a partition is missing a list says, and no row is about that.
    pytest.mark.skins(NONE, V2620, unless=("partition", "not done")),
]

OK_REPLY = b""  # a Status with nothing set is Milvus' OK
UNKNOWN = ["intent", "outcome unknown"]


def still_there(skin: Skin) -> Outcome:
    """What it is when all patience is over and nothing has happened."""
    return Outcome.NOT_DONE if skin is V2620 else Outcome.FAILED


def lose(chain: Chain) -> None:
    """The request ends here, and the line goes dead."""
    chain.proxy.refuse()
    raise Failure(grpc.StatusCode.UNAVAILABLE, "lost")


# --- the server or the line fails ---------------------------------------------------------------


@pytest.mark.skins(NONE)
def test_drop_with_milvus_down_is_neither_sent_nor_recorded(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    chain.proxy.refuse()
    with pytest.raises(Unreachable):
        carry_out(confirmation)
    assert told() == []
    assert not Claim.objects.exists()
    assert chain.relay.count(thing.rpc) == 0
    assert thing.is_there()


def test_drop_with_a_lost_reply_is_verified_by_read_back(thing: Thing, chain: Chain) -> None:
    """At once or at the next check: the connection may need a moment to recover."""
    confirmation = consent(thing.target)
    chain.relay.after(thing.rpc, chain.proxy.cut)
    assert carry_out(confirmation) in {Outcome.SUCCEEDED, Outcome.UNKNOWN}
    until(lambda: settled(confirmation) is Outcome.SUCCEEDED)
    assert chain.relay.count(thing.rpc) == 1
    assert told() in (["intent", "outcome succeeded"], [*UNKNOWN, "outcome succeeded"])


def test_drop_before_milvus_goes_down_is_unknown_until_it_is_up(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    chain.relay.after(thing.rpc, chain.proxy.refuse)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    assert settled(confirmation) is Outcome.UNKNOWN
    assert told() == UNKNOWN
    assert Claim.objects.get().operation_id == confirmation.operation_id
    chain.proxy.ok()
    until(lambda: settled(confirmation) is Outcome.SUCCEEDED)
    assert told() == [*UNKNOWN, "outcome succeeded"]
    assert chain.relay.count(thing.rpc) == 1
    assert not Claim.objects.exists()
    assert not thing.is_there()


def test_lost_request_is_unknown_until_the_drop_deadline(
    thing: Thing,
    chain: Chain,
    use_cluster: Callable[..., Milvus],
    impatient: Callable[[], Milvus],
    skin: Skin,
) -> None:
    confirmation = consent(thing.target)
    chain.relay.before(thing.rpc, lambda: lose(chain))
    assert carry_out(confirmation) is Outcome.UNKNOWN
    chain.proxy.ok()
    use_cluster(chain.uri, chain.token, unknown_timeout=60.0)
    asked = len(chain.relay.calls)
    until(lambda: settled(confirmation) is Outcome.UNKNOWN and len(chain.relay.calls) > asked)
    assert told() == UNKNOWN, "it is seen to be there, and that is no reason to call it failed yet"
    impatient()
    until(lambda: settled(confirmation) is still_there(skin))
    assert told() == [*UNKNOWN, f"outcome {still_there(skin)}"]
    assert chain.relay.count(thing.rpc) == 1
    assert not Claim.objects.exists()
    assert thing.is_there()


def test_unknown_drop_blocks_other_operators_until_settled(
    thing: Thing,
    chain: Chain,
    use_cluster: Callable[..., Milvus],
    impatient: Callable[[], Milvus],
    skin: Skin,
) -> None:
    confirmation, grace = leave_unknown(thing, chain), actor("grace")
    with pytest.raises(Busy, match="Ada has an operation in progress"):
        carry_out(consent(thing.target, who=grace), grace)
    impatient()
    until(lambda: settled(confirmation) is still_there(skin))
    use_cluster(chain.uri, chain.token)
    assert carry_out(consent(thing.target, who=grace), grace) is Outcome.SUCCEEDED
    assert chain.relay.count(thing.rpc) == 2
    assert not thing.is_there()


def test_ok_from_milvus_without_a_drop_is_unknown(
    thing: Thing, chain: Chain, impatient: Callable[[], Milvus], skin: Skin
) -> None:
    confirmation = consent(thing.target)
    chain.relay.answer(thing.rpc, lambda _: OK_REPLY)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    assert thing.is_there()
    impatient()
    until(lambda: settled(confirmation) is still_there(skin))
    assert told() == [*UNKNOWN, f"outcome {still_there(skin)}"]
    assert chain.relay.count(thing.rpc) == 1


def test_rejected_resend_after_the_drop_succeeds(thing: Thing, chain: Chain) -> None:
    """A proxy sends it twice: the first copy drops it, and the second is over the rate limit."""

    def rate_limited(request: bytes) -> bytes:
        thing.remove()
        return b"\x18\x08"  # a Status with code 8

    chain.relay.answer(thing.rpc, rate_limited)
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED


@pytest.mark.skins(NONE)
def test_alias_dropped_by_the_first_copy_is_not_refused(
    make_collection: Seeds, chain: Chain
) -> None:
    alias = unique_name("alias")
    target = target_in(make_collection(aliases=[alias]), Kind.ALIAS, alias)
    confirmation = consent(target, Action.DROP_ALIAS)
    not_found = b"\x18\xc0\x0c"  # a Status with code 1600

    def second_copy(request: bytes) -> bytes:
        chain.direct.client().drop_alias(alias, timeout=10)
        return not_found

    chain.relay.answer("DropAlias", second_copy)
    assert carry_out(confirmation) is Outcome.SUCCEEDED


@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_drop_deadline_passed_is_settled_by_read_back(
    done: bool, thing: Thing, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    use_cluster(chain.uri, chain.token, drop_timeout=2.0)
    hook = chain.relay.after if done else chain.relay.before
    hook(thing.rpc, chain.relay.hold)
    expected = Outcome.SUCCEEDED if done else Outcome.UNKNOWN
    assert carry_out(consent(thing.target)) is expected
    assert told() == ["intent", f"outcome {expected}"]
    assert thing.is_there() is not done
    assert chain.relay.count(thing.rpc) == 1


@pytest.mark.skins(NONE)
def test_unreadable_reply_is_unknown(thing: Thing, chain: Chain) -> None:
    chain.relay.answer(thing.rpc, lambda _: UNREADABLE)
    assert carry_out(consent(thing.target)) is Outcome.UNKNOWN
    assert told() == UNKNOWN
    assert chain.relay.count(thing.rpc) == 1


@pytest.mark.skins(NONE)
def test_bug_while_sending_is_recorded_as_unknown(
    thing: Thing, faulty: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*args: object) -> None:
        raise ZeroDivisionError

    confirmation = consent(thing.target)
    monkeypatch.setattr(faulty.destroyer, "_send_once", stumble)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    assert told() == UNKNOWN
    assert Claim.objects.exists()


# --- the log fails ------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "broken", [read_only_database, lambda: refused_events("intent")], ids=["read only", "full"]
)
def test_drop_with_an_unwritable_log_is_not_sent(
    broken: Callable[[], AbstractContextManager[None]], thing: Thing, chain: Chain
) -> None:
    confirmation = consent(thing.target)
    with broken(), pytest.raises(LogUnwritable):
        carry_out(confirmation)
    assert chain.relay.count(thing.rpc) == 0
    assert thing.is_there()
    assert told() == []
    assert not Claim.objects.exists()
    assert carry_out(confirmation) is Outcome.SUCCEEDED, "and it counts again when the log is back"


@pytest.mark.both_databases
def test_rejection_that_cannot_be_recorded_raises(thing: Thing) -> None:
    stale = consent(thing.target)
    thing.remove()
    with read_only_database(), pytest.raises(LogUnwritable):
        carry_out(stale)
    with pytest.raises(OperationRejected):
        carry_out(stale)


@pytest.mark.both_databases
def test_log_failing_after_the_act_leaves_the_operation_open(
    thing: Thing, chain: Chain, impatient: Callable[[], Milvus]
) -> None:
    confirmation = consent(thing.target)
    with refused_events("outcome"):
        with pytest.raises(OutcomeUnrecorded, match=str(confirmation.operation_id)):
            carry_out(confirmation)
        assert not thing.is_there()
        assert told() == ["intent"]
        impatient()
        with pytest.raises(LogUnwritable):
            until(lambda: settled(confirmation) is not Outcome.UNKNOWN)
        assert Claim.objects.get().operation_id == confirmation.operation_id
    until(lambda: settled(confirmation) is Outcome.SUCCEEDED)
    assert told() == ["intent", "outcome succeeded"]
    assert chain.relay.count(thing.rpc) == 1
    assert not Claim.objects.exists()
    assert not verify().broken


# --- the process dies ---------------------------------------------------------------------------


def test_drop_of_a_collection_just_renamed_is_not_succeeded(
    make_collection: Seeds, chain: Chain, impatient: Callable[[], Milvus], skin: Skin
) -> None:
    """Its old name is free, and Milvus says OK to dropping nothing. The id decides."""
    thing = Thing.make(make_collection, Kind.COLLECTION)
    client, new = make_collection.server.client(), make_collection.renamed(unique_name())
    chain.relay.before(
        thing.rpc, lambda: client.rename_collection(thing.target.name, new, timeout=10)
    )
    confirmation = consent(thing.target)
    assert carry_out(confirmation) is Outcome.UNKNOWN
    impatient()
    until(lambda: settled(confirmation) is still_there(skin))
    assert make_collection.exists(new)


class Killed(BaseException):
    """Nothing of ours runs after it."""


@pytest.mark.skins(NONE)
@pytest.mark.both_databases
def test_drop_killed_before_sending_fails(
    thing: Thing, chain: Chain, impatient: Callable[[], Milvus]
) -> None:
    """If the target is gone then, it was dropped externally; Milvus need not be asked."""

    def die() -> None:
        raise Killed

    confirmation = consent(thing.target)
    with on_intent(die), pytest.raises(Killed):
        carry_out(confirmation)
    assert settled(confirmation) is Outcome.UNKNOWN, "for all that others know it may be alive"
    thing.remove()
    chain.proxy.refuse()
    impatient()
    until(lambda: settled(confirmation) is Outcome.FAILED)
    assert told() == ["intent", "outcome failed"]
    assert chain.relay.count(thing.rpc) == 0


@pytest.mark.both_databases
@pytest.mark.parametrize("done", [True, False], ids=["done", "not done"])
def test_drop_killed_before_its_outcome_is_settled_not_resent(
    done: bool,
    thing: Thing,
    chain: Chain,
    shell: Shell,
    impatient: Callable[[], Milvus],
    skin: Skin,
) -> None:
    kill_at(chain, shell, thing.command, thing.rpc, done=done)
    assert told() == ["intent"]
    claim = Claim.objects.get()
    assert thing.is_there() is not done
    refused = [] if done else [refused_while_open(thing)]

    reads = chain.relay.calls
    assert reconcile() == 1, "whoever sent it may be alive for all that others know"
    assert chain.relay.calls == reads
    impatient()
    until(lambda: reconcile() == 0)
    outcome = Outcome.SUCCEEDED if done else still_there(skin)
    assert told() == ["intent", *refused, f"outcome {outcome}"]
    assert AuditEvent.objects.filter(operation_id=claim.operation_id).count() == 2
    assert chain.relay.count(thing.rpc) == 1
    assert thing.is_there() is not done
    assert not verify().broken


def refused_while_open(thing: Thing) -> str:
    """A second drop meets the claim, though the process that made it is dead."""
    with pytest.raises(Busy, match="has an operation in progress"):
        carry_out(consent(thing.target), actor("bob"))
    return f"rejected {Outcome.BUSY}"


def reconcile() -> int:
    """The exit code of one `reconcile_operations`."""
    with pytest.raises(SystemExit) as caught:
        call_command("reconcile_operations")
    return int(caught.value.code or 0)


@pytest.mark.skins(NONE)
def test_milvus_lite_reply_after_the_deadline_is_not_a_refusal(
    lite_uri: str, use_cluster: Callable[..., Milvus], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Milvus Lite is a server in this process: the deadline ends the wait, not the drop."""
    from milvus_lite.adapter.grpc.servicer import MilvusServicer

    drop = MilvusServicer.DropCollection

    def slow(*args: Any) -> Any:
        time.sleep(2)
        return drop(*args)

    monkeypatch.setattr(MilvusServicer, "DropCollection", slow)
    gateway = use_cluster(lite_uri, drop_timeout=1.0).gateway
    Connection(gateway.cluster).client("default").create_collection("book", dimension=4)
    confirmation = consent(target_in("book", Kind.COLLECTION))
    assert carry_out(confirmation) is Outcome.UNKNOWN
    until(lambda: gateway.collection_identity("default", "book") is None)
    assert settled(confirmation) is Outcome.SUCCEEDED
