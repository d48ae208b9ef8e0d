"""Rehearsals on real servers and with false assumptions, and what they leave."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from pymilvus.grpc_gen import common_pb2
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.access.principals import Caller
from collections_app.audit.log import LogUnwritable
from collections_app.clusters import Milvus
from collections_app.models import AuditEvent
from collections_app.rehearsal import run as runs
from collections_app.rehearsal.checks import State
from collections_app.rehearsal.run import CHECKS
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Failure
from tests.infra.skins import V30, V2518, V2620, Skin
from tests.operations.conftest import refused_events
from tests.web import milvus_user

from .conftest import events, leftovers, rehearsed, saw, states

pytestmark = pytest.mark.django_db(transaction=True)
HOLDS = dict.fromkeys((check.name for check in CHECKS), "holds")


# --- on real servers ------------------------------------------------------------------------------


def test_rehearsal_as_root_holds_and_leaves_nothing(
    real: Milvus, milvus_server: MilvusServer
) -> None:
    report = rehearsed(real)
    assert states(report) == HOLDS
    assert report.database == report.run.root
    assert {state for _, state, _ in report.promises()} == {State.HOLDS}
    assert leftovers(milvus_server, report.run.root) == []
    assert events() == ["rehearsal.began", "rehearsal.ended succeeded"]
    assert report.seconds < 60


@pytest.mark.skins(V2518, V2620, V30)
def test_rehearsal_on_simulated_newer_servers_holds(
    faulty: Milvus, skin: Skin, milvus_server: MilvusServer
) -> None:
    report = rehearsed(faulty)
    assert states(report) == HOLDS
    assert report.run.version == skin.version
    assert leftovers(milvus_server, report.run.root) == []


DENIED = (grpc.StatusCode.PERMISSION_DENIED, "PrivilegeCreate: permission deny to ada")


def test_rehearsal_without_create_database_uses_collections(
    faulty: Milvus, chain: Chain, milvus_server: MilvusServer
) -> None:
    chain.relay.fail("CreateDatabase", *DENIED)
    report = rehearsed(faulty)
    assert report.database == "default"
    assert states(report) == HOLDS
    assert leftovers(milvus_server, report.run.root) == []


def test_rehearsal_database_that_permits_nothing_is_removed(
    faulty: Milvus, chain: Chain, milvus_server: MilvusServer
) -> None:
    def deny() -> None:
        raise Failure(*DENIED)

    chain.relay.before("CreateCollection", deny)
    report = rehearsed(faulty)
    assert report.database == "default"
    assert states(report) == HOLDS
    assert chain.relay.count("DropDatabase") == 1
    assert leftovers(milvus_server, report.run.root) == []


def test_rehearsal_with_a_read_only_account_runs_no_drop_checks(
    milvus_server: MilvusServer, use_cluster: Callable[..., Milvus]
) -> None:
    with milvus_user(milvus_server) as token:
        report = rehearsed(use_cluster(milvus_server.uri, token))
    assert states(report)["drop collection"] == "not run"
    assert saw(report, "drop collection").startswith("The account is not permitted to:")
    assert states(report)["missing collection"] == "holds"
    assert not report.left
    assert leftovers(milvus_server, report.run.root) == []


def test_rehearsal_on_milvus_lite_says_that_it_has_no_ids(lite: Milvus) -> None:
    report = rehearsed(lite)
    by_name = states(report)
    assert by_name["list"] == "does not hold"
    assert saw(report, "list") == "no id"
    assert by_name["strict drop"] == by_name["by id"] == "not run"
    assert saw(report, "rights") == "Milvus Lite has no accounts."
    assert by_name["drop collection"] == "holds"
    assert not report.left
    assert not [name for name in lite.gateway.databases() if "rehearsal" in name]


# --- assumptions that are false -------------------------------------------------------------------


def describing(chain: Chain, change: Callable[[Any, Any], None]) -> None:
    """From now on `change(request, reply)` every answer to a describe, as the relay passes it."""
    stub = chain.direct.client()._get_connection()._stub

    def answer(data: bytes) -> bytes:
        request = pb.DescribeCollectionRequest.FromString(data)
        metadata = (("dbname", request.db_name),)
        reply = stub.DescribeCollection(request, timeout=10, metadata=metadata)
        change(request, reply)
        return bytes(reply.SerializeToString())

    chain.relay.answer("DescribeCollection", answer)


def test_rehearsal_missing_collection_in_the_old_form_holds(faulty: Milvus, chain: Chain) -> None:
    """As Milvus 2.5.18 to 2.6 answer: code 0, and the old code 4."""

    def old_form(_: Any, reply: Any) -> None:
        if reply.status.code == 100:
            reply.status.code, reply.status.error_code = 0, 4

    describing(chain, old_form)
    report = rehearsed(faulty)
    assert states(report) == HOLDS
    assert "code 0, error_code 4" in saw(report, "missing collection")


def test_rehearsal_catches_a_build_unaware_of_the_old_form(
    faulty: Milvus, chain: Chain, milvus_server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Milvus Admin would without knowing the old form."""

    def old_form(_: Any, reply: Any) -> None:
        if reply.status.code == 100:
            reply.status.code, reply.status.error_code = 0, 4

    describing(chain, old_form)
    monkeypatch.setattr("collections_app.milvus.error_mapping.OLD_NOT_FOUND", -1)
    failing = rehearsed(faulty).named(State.FAILS)
    assert {"missing collection", "drop collection", "strict drop", "re-creation"} <= set(failing)
    assert leftovers(milvus_server, AuditEvent.objects.get(action="rehearsal.began").name) == []


def test_rehearsal_on_a_server_refusing_to_create_is_no_failure(
    faulty: Milvus, chain: Chain
) -> None:
    """As the standby of a CDC pair does."""
    status = common_pb2.Status(code=65535, error_code=1, reason="cluster is not primary")
    for rpc in ("CreateDatabase", "CreateCollection"):
        chain.relay.answer(rpc, lambda _: status.SerializeToString())
    report = rehearsed(faulty)
    assert report.named(State.FAILS) == []
    assert "cluster is not primary" in saw(report, "drop collection")


def test_rehearsal_missing_collection_in_a_new_form_fails(
    faulty: Milvus, chain: Chain, milvus_server: MilvusServer
) -> None:
    def new_form(_: Any, reply: Any) -> None:
        if reply.status.code == 100:
            reply.status.code, reply.status.error_code, reply.status.reason = 4711, 1, "no idea"

    describing(chain, new_form)
    report = rehearsed(faulty)
    assert states(report)["missing collection"] == "does not hold"
    assert "4711" in saw(report, "missing collection")
    assert states(report)["alias"] == "holds", "the others were tried all the same"
    assert leftovers(milvus_server, report.run.root) == []
    failing = [promise for promise, state, _ in report.promises() if state is State.FAILS]
    assert len(failing) >= 2


def test_rehearsal_answer_by_id_about_another_id_fails(faulty: Milvus, chain: Chain) -> None:
    def about_another(request: Any, reply: Any) -> None:
        if request.collectionID and not reply.status.code:
            reply.collectionID, reply.schema.name = 12, "somebody_elses"

    describing(chain, about_another)
    report = rehearsed(faulty)
    assert states(report)["by id"] == "holds"
    assert "the answer is about id 12; found the name …_by_id" in saw(report, "by id")


def test_rehearsal_drop_that_is_swallowed_fails_and_is_removed(
    faulty: Milvus, chain: Chain, milvus_server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("scratch", "cleaning"):
        monkeypatch.setattr(f"collections_app.rehearsal.{module}.GONE_WITHIN", 0.3)
    chain.relay.answer("DropCollection", lambda _: common_pb2.Status().SerializeToString())
    report = rehearsed(faulty)
    assert states(report)["drop collection"] == "does not hold"
    assert saw(report, "drop collection").startswith("OK, and not gone after")
    assert states(report)["drop partition"] == "holds"
    assert report.left
    assert leftovers(milvus_server, report.run.root)
    chain.relay.forward("DropCollection")
    lines = runs.sweep(faulty, Caller.shell())
    assert len(lines) == 1
    assert leftovers(milvus_server, report.run.root) == []
    assert events()[-1] == "rehearsal.cleaned succeeded"
    assert runs.sweep(faulty, Caller.shell()) == []


def test_rehearsal_refusal_in_unknown_words_fails(faulty: Milvus, chain: Chain) -> None:
    status = common_pb2.Status(code=65535, error_code=1, reason="not today")
    chain.relay.answer("DropPartition", lambda _: status.SerializeToString())
    report = rehearsed(faulty)
    assert states(report)["loaded partition"] == "does not hold"
    assert "unknown, code 65535 “not today”" in saw(report, "loaded partition")


# --- what goes wrong in the rehearsal itself ------------------------------------------------------


def test_rehearsal_check_that_raises_stops_no_other(
    real: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise TypeError("a bug")

    first = replace(CHECKS[0], run=broken)
    monkeypatch.setattr(runs, "CHECKS", (first, *CHECKS[1:4]))
    report = rehearsed(real)
    assert list(states(report).values()) == ["not run", "holds", "holds", "holds"]
    assert saw(report, first.name) == "The check itself failed: TypeError: a bug"


def test_rehearsal_past_its_time_begins_no_further_check(
    real: Milvus, monkeypatch: pytest.MonkeyPatch, milvus_server: MilvusServer
) -> None:
    monkeypatch.setattr(runs, "SECONDS", 0.0)
    report = rehearsed(real)
    assert set(states(report).values()) == {"not run"}
    assert not report.holds
    assert leftovers(milvus_server, report.run.root) == []


def test_rehearsal_with_an_unwritable_log_creates_nothing(faulty: Milvus, chain: Chain) -> None:
    with refused_events("rehearsal"), pytest.raises(LogUnwritable):
        rehearsed(faulty)
    assert not [call for call in chain.relay.calls if call.startswith("Create")]


def test_rehearsal_end_that_cannot_be_recorded_is_not_reported(
    faulty: Milvus, chain: Chain, milvus_server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "CHECKS", CHECKS[:1])
    full = refused_events("rehearsal")
    monkeypatch.setattr(runs, "_clean_up", cleaning_then(full.__enter__))
    try:
        report = rehearsed(faulty)
    finally:
        full.__exit__(None, None, None)
    assert len(report.events) == 1
    assert leftovers(milvus_server, report.run.root) == []


def cleaning_then(step: Callable[[], object]) -> Callable[..., None]:
    clean_up = runs._clean_up

    def wrapped(*args: Any) -> None:
        clean_up(*args)
        step()

    return wrapped


def test_rehearsal_event_has_the_version_and_every_state(real: Milvus) -> None:
    report = rehearsed(real)
    event = AuditEvent.objects.get(action="rehearsal.ended")
    details = json.loads(event.record)["details"]
    assert details["server_version"] == real.gateway.server().version
    assert details["states"] == HOLDS
    assert details["removed_everything"] is True
    assert (event.cluster, event.database, event.name) == ("main", "", report.run.root)
