"""The end of a rehearsal: whatever it created is removed, at the latest by the next one."""

import os
import signal
import threading
import uuid
from typing import Any

import grpc
import pytest

from collections_app.access.principals import Caller
from collections_app.clusters import Milvus
from collections_app.milvus.errors import MilvusRejected
from collections_app.milvus.scratch import Maker, root_of, run_of
from collections_app.models import AuditEvent
from collections_app.rehearsal import record
from collections_app.rehearsal.cleaning import Cleaner
from collections_app.rehearsal.run import new_run, sweep
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds
from tests.operations.conftest import Shell

from .conftest import events, leftovers, rehearsed, states

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_rehearsal_interrupted_cleans_up_and_says_so(
    number: signal.Signals, faulty: Milvus, chain: Chain, milvus_server: MilvusServer
) -> None:
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    chain.relay.before("RenameCollection", lambda: os.kill(os.getpid(), number))
    report = rehearsed(faulty)
    assert report.is_interrupted
    assert states(report)["list"] == "holds"
    assert states(report)["strict namesake"] == "not run"
    assert "The rehearsal was interrupted." in report.summary()
    assert leftovers(milvus_server, report.run.root) == []
    assert events() == ["rehearsal.began", "rehearsal.ended failed"]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_rehearsal_clean_up_is_not_stopped_by_a_signal(
    faulty: Milvus, chain: Chain, milvus_server: MilvusServer
) -> None:
    chain.relay.before("DropDatabase", lambda: os.kill(os.getpid(), signal.SIGINT))
    report = rehearsed(faulty)
    assert not report.is_interrupted
    assert leftovers(milvus_server, report.run.root) == []


def test_rehearsal_killed_is_cleaned_up_by_the_next_one(
    chain: Chain, shell: Shell, faulty: Milvus, milvus_server: MilvusServer
) -> None:
    arrived, killed = threading.Event(), threading.Event()

    def hold() -> None:
        arrived.set()
        killed.wait(60)
        raise Failure(grpc.StatusCode.UNAVAILABLE, "never forwarded")

    chain.relay.before("RenameCollection", hold)
    with shell.start("rehearse", "--yes") as process:
        try:
            assert arrived.wait(40), process.communicate(timeout=5)
            assert sweep(faulty, Caller.shell()) == [], "it runs: nobody else touches its things"
        finally:
            process.kill()
            process.wait(10)
            killed.set()
    root = AuditEvent.objects.get(action=record.BEGAN).name
    assert leftovers(milvus_server, root)
    code, out, err = shell.run("rehearse", "--clean-up")
    assert (code, out) == (0, ""), err
    assert f"Removed: collection {root}_" in err
    assert leftovers(milvus_server, root) == []
    assert events() == ["rehearsal.began", "rehearsal.cleaned succeeded"]
    assert shell.run("rehearse", "--clean-up")[0] == 0
    assert len(events()) == 2


def test_rehearsal_name_that_is_in_no_log_is_left_alone(
    real: Milvus, make_collection: Seeds
) -> None:
    name = make_collection(f"{root_of(uuid.uuid4())}_plain")
    assert sweep(real, Caller.shell()) == []
    report = rehearsed(real, own_database=False)
    assert make_collection.exists(name)
    assert not report.left


def test_rehearsal_database_with_foreign_content_is_left(
    real: Milvus, make_collection: Seeds
) -> None:
    run = new_run(real, "default", "v2.3.5")
    record.began(run, Caller.shell())
    make_collection.database(run.root)
    Maker(real.gateway).collection(run.root, f"{run.root}_plain")
    others = make_collection(database=run.root)
    cleaner = Cleaner(real, run.id)
    cleaner.clean([run.root, "default"])
    assert cleaner.removed == [f"collection {run.root}_plain"]
    assert cleaner.left == [f"database {run.root} has 1 collections in it"]
    assert make_collection.exists(others, run.root)


@pytest.mark.parametrize("own_database", [True, False])
def test_rehearsal_collections_that_the_list_hides_are_removed(
    own_database: bool, faulty: Milvus, chain: Chain, milvus_server: MilvusServer
) -> None:
    """As Milvus 2.5 and later hide collections that the account was not granted by name."""
    chain.relay.answer("ShowCollections", lambda _: b"")
    report = rehearsed(faulty, own_database=own_database)
    assert states(report)["list"] == "does not hold"
    assert chain.relay.count("CreateCollection") > 10
    assert leftovers(milvus_server, report.run.root) == []


@pytest.mark.parametrize(
    "name", ["book", "_milvusadmin_rehearsal_", "_milvusadmin_rehearsal_x", "_milvusadmin_drop_x"]
)
def test_maker_refuses_every_other_name(name: str, faulty: Milvus, chain: Chain) -> None:
    maker = Maker(faulty.gateway)
    for act in (
        lambda: maker.database(name),
        lambda: maker.drop_database(name),
        lambda: maker.collection("default", name),
    ):
        with pytest.raises(MilvusRejected):
            act()
    assert not [call for call in chain.relay.calls if "Database" in call or "Create" in call]


@pytest.mark.parametrize("tail", ["", "_plain", "_with_partition"])
def test_run_of_a_rehearsal_name_is_its_run(tail: str) -> None:
    run = uuid.uuid4()
    assert run_of(f"{root_of(run)}{tail}") == run


@pytest.mark.parametrize(
    "change", [str.upper, lambda n: f"{n} ", lambda n: n[:-1], lambda n: f"x{n}"]
)
def test_run_of_a_name_that_differs_is_none(change: Any) -> None:
    assert run_of(change(root_of(uuid.uuid4()))) is None
