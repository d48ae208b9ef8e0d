"""Purging due items: once, verified and recorded; and the reasons not to."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from django.utils import timezone

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.access.principals import Caller
from collections_app.audit.log import Outcome
from collections_app.milvus.errors import MilvusError
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, BinItem
from collections_app.operations.private_names import BIN
from collections_app.operations.reconcile import settle
from collections_app.recycle_bin import pause
from collections_app.recycle_bin.check import (
    State,
    adopt_late_moves,
    findings,
    follow_up_findings,
    log_problems,
)
from collections_app.recycle_bin.purging import LOADED, purge_due
from milvusadmin.doctor.recycle_bin import look as doctor_look
from tests.fixtures import ORIGIN, actor, let_time_pass
from tests.infra.chain import Chain
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds
from tests.infra.waiting import until
from tests.operations.conftest import Thing, consent, kill_at
from tests.recycle_bin.conftest import (
    WEEK,
    binned,
    done,
    id_of,
    make_due,
    shell_behind,
    shown,
    shown_for_move,
    someone,
)

pytestmark = pytest.mark.django_db(transaction=True)
DROP, RENAME = "DropCollection", "RenameCollection"


def results() -> list[str]:
    return [result for _, result in purge_due()]


def caller() -> Caller:
    return Caller(actor=someone(), origin=ORIGIN)


def test_purge_before_its_time_does_nothing(thing: Thing, chain: Chain) -> None:
    item = binned(thing)
    assert results() == []
    assert id_of(thing, item.private_name) == item.collection_id
    assert chain.relay.count(DROP) == 0


def test_clock_set_forward_purges_nothing_before_its_day(
    thing: Thing, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, later = binned(thing), timezone.now() + timedelta(days=30)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert item.purge_at < later
    assert results() == []
    assert chain.relay.count(DROP) == 0


def test_purge_of_a_due_item_is_an_operation_of_the_bin(thing: Thing) -> None:
    item = make_due(binned(thing))
    assert results() == ["Purged. Verified: it no longer exists."]
    assert id_of(thing, item.private_name) == 0
    outcome = AuditEvent.objects.get(action="collection.purge", phase="outcome")
    record = json.loads(outcome.record)
    assert (record["outcome"], record["actor"]["method"]) == ("succeeded", "bin")
    assert record["target"]["collection"] == thing.target.name
    assert record["target"]["name"] == item.private_name
    assert not BinItem.objects.exists()


def test_purge_of_what_people_protected_is_postponed(thing: Thing) -> None:
    item = make_due(binned(thing))
    thing.add_namesake()
    carla = actor("carla")
    protection = consent(thing.target, Action.PROTECT, carla)
    assert done(protection, carla, reason="look at it first") is Outcome.SUCCEEDED
    (result,) = results()
    assert "Carla protected it on" in result and "“look at it first”" in result
    assert "It was set on another collection of this name" in result
    item.refresh_from_db()
    assert "Carla protected it on" in item.problem
    assert id_of(thing, item.private_name) == item.collection_id


def test_purge_while_the_cluster_is_paused_waits(thing: Thing) -> None:
    make_due(binned(thing))
    pause.pause("main", caller(), "an incident")
    assert results() == []
    pause.resume("main", caller(), "over")
    assert len(results()) == 1
    actions = AuditEvent.objects.filter(phase="setting").values_list("action", flat=True)
    assert sorted(actions) == ["bin.pause", "bin.resume"]


def test_pause_twice_is_recorded_once(thing: Thing) -> None:
    pause.pause("main", caller(), "first")
    pause.pause("main", caller(), "second")
    assert AuditEvent.objects.filter(action="bin.pause").count() == 1
    found = pause.pause_of("main")
    assert found and found.reason == "first"


def test_retention_shortened_does_not_apply_to_items(
    thing: Thing, chain: Chain, use_cluster: Callable[..., object]
) -> None:
    item = binned(thing)
    use_cluster(chain.uri, chain.token, recycle_bin=1.0)
    assert results() == []
    item.refresh_from_db()
    assert item.purge_at - item.moved_at == timedelta(seconds=WEEK)


def test_purge_of_a_protected_item_says_why(
    thing: Thing, chain: Chain, use_cluster: Callable[..., object]
) -> None:
    item = make_due(binned(thing))
    use_cluster(chain.uri, chain.token, recycle_bin=WEEK, protected=(thing.target.name,))
    assert "Not purged." in results()[0]
    item.refresh_from_db()
    assert thing.target.name in item.problem
    assert id_of(thing, item.private_name)


def test_purge_of_an_item_loaded_again_says_why(make_collection: Seeds) -> None:
    thing = Thing.make(make_collection, "collection", indexed=True)  # type: ignore[arg-type]
    item = make_due(binned(thing))
    thing.seeds.server.client().load_collection(item.private_name, timeout=60)
    assert results() == [f"Not purged. {LOADED}."]
    assert results() == [], "it is tried again after an hour only"


def test_purge_with_milvus_down_is_tried_again(thing: Thing, chain: Chain) -> None:
    item = make_due(binned(thing))
    chain.proxy.refuse()
    assert "could not be read" in results()[0]
    chain.proxy.ok()
    until(lambda: bool(BinItem.objects.update(retry_at=None)) and "Purged" in results()[0])
    assert id_of(thing, item.private_name) == 0


def test_purge_with_a_silent_milvus_postpones_one_item_briefly(
    make_collection: Seeds, chain: Chain, use_cluster: Callable[..., Any]
) -> None:
    """The circuit breaker is open then: the others were not asked about, and stay due."""
    things = [Thing.make(make_collection, Kind.COLLECTION) for _ in range(3)]
    items = [make_due(binned(thing)) for thing in things]
    use_cluster(chain.uri, chain.token, recycle_bin=WEEK, read_timeout=1.0, breaker_cooldown=60.0)
    chain.proxy.stall()
    assert len(results()) == 1
    for item in items:
        item.refresh_from_db()
    soon = timezone.now() + timedelta(minutes=2)
    assert [item.retry_at < soon for item in items if item.retry_at] == [True]


@pytest.mark.parametrize("is_done", [False, True])
def test_purge_killed_half_way_ends_with_one_drop(
    thing: Thing, chain: Chain, tmp_path: Path, is_done: bool
) -> None:
    item = make_due(binned(thing))
    shell = shell_behind(chain, tmp_path, more='recycle_bin = "7d"\n')
    kill_at(chain, shell, ["purge_recycle_bin"], DROP, done=is_done)
    assert results() == [], "its operation is still open"
    assert chain.relay.count(DROP) == 1
    assert bool(id_of(thing, item.private_name)) is not is_done


# --- what others do -------------------------------------------------------------------------------


def states() -> list[State]:
    return [finding.state for finding in findings("main")]


def test_bin_check_of_an_untouched_bin_finds_nothing(thing: Thing) -> None:
    binned(thing)
    assert states() == []


def test_bin_item_dropped_externally_gets_a_follow_up(thing: Thing) -> None:
    item = binned(thing)
    thing.seeds.server.client().drop_collection(item.private_name, timeout=10)
    assert states() == [State.GONE]
    assert "was dropped outside" in follow_up_findings("main", caller())[0]
    last = AuditEvent.objects.filter(operation_id=item.operation_id).latest("sequence")
    assert "was dropped outside Milvus Admin" in last.record
    assert not BinItem.objects.exists()
    assert follow_up_findings("main", caller()) == []


def test_bin_item_renamed_externally_gets_its_new_name(thing: Thing) -> None:
    item = binned(thing)
    new = thing.seeds.renamed(f"{thing.target.name}_stolen")
    thing.seeds.server.client().rename_collection(item.private_name, new, timeout=10)
    assert states() == [State.RENAMED]
    assert follow_up_findings("main", caller())[0].endswith(f"to {new}")
    assert not BinItem.objects.exists()


def test_bin_check_with_milvus_down_changes_nothing(thing: Thing, chain: Chain) -> None:
    binned(thing)
    chain.proxy.refuse()
    with pytest.raises(MilvusError):
        follow_up_findings("main", caller())
    assert BinItem.objects.count() == 1


def test_move_done_late_by_milvus_is_adopted(
    thing: Thing, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmation = shown_for_move(thing)

    def lost() -> None:
        raise Failure(grpc.StatusCode.UNAVAILABLE, "never forwarded")

    chain.relay.before(RENAME, lost)
    done(confirmation)
    chain.relay.forward(RENAME)
    let_time_pass(monkeypatch)
    until(lambda: str(settle(confirmation.operation_id, caller())) == "failed")
    private = f"{BIN}{confirmation.operation_id.hex}"
    thing.seeds.server.client().rename_collection(thing.target.name, private, timeout=10)
    told = adopt_late_moves("main", caller())
    assert told == [f"Milvus renamed {thing.target.name} late: it is in the recycle bin now"]
    assert BinItem.objects.get().private_name == private
    assert clusters.get("main").gateway.collection_identity("default", private)


def test_purge_of_a_removed_cluster_leaves_its_items(thing: Thing) -> None:
    item = binned(thing)
    BinItem.objects.filter(pk=item.pk).update(cluster="elsewhere", purge_at=timezone.now())
    assert results() == []


# --- bin, log and doctor --------------------------------------------------------------------------


def test_bin_index_edited_is_found_by_the_log(thing: Thing) -> None:
    item = binned(thing)
    assert list(log_problems()) == []
    BinItem.objects.filter(pk=item.pk).update(name="another")
    assert "the recycle bin says of another" in next(iter(log_problems()))


def test_bin_item_left_after_its_restore_is_found(thing: Thing) -> None:
    item = binned(thing)
    assert done(replace(shown(Action.RESTORE, item), new_name=thing.target.name))
    item.save(force_insert=True)
    assert "out of the recycle bin" in next(iter(log_problems()))


def test_doctor_names_items_that_milvus_no_longer_has(thing: Thing) -> None:
    item = binned(thing)
    cluster = clusters.get("main").cluster
    assert [finding.state for finding in doctor_look(cluster)] == ["ok"]
    thing.seeds.server.client().drop_collection(item.private_name, timeout=10)
    assert "was dropped outside" in next(iter(doctor_look(cluster))).text


def test_doctor_says_that_purge_recycle_bin_does_not_run(thing: Thing) -> None:
    item = binned(thing)
    BinItem.objects.filter(pk=item.pk).update(purge_at=timezone.now() - timedelta(hours=1))
    text = [finding.text for finding in doctor_look(clusters.get("main").cluster)][-1]
    assert text == "1 overdue, and the background process does not run"
