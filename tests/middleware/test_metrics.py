"""Metrics of real calls, operations and the log. The page: test_watched.py."""

import os
import runpy
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collections_app import clusters
from collections_app.audit import log
from collections_app.audit.log import LogUnwritable
from collections_app.health import heartbeat
from collections_app.milvus.errors import MilvusError
from collections_app.milvus.types import Kind
from milvusadmin.middleware import metrics
from milvusadmin.middleware.cached_probe import CachedProbe
from tests.documents import ROOT
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.operations.conftest import Thing, carry_out, consent, leave_unknown, refused_events

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
Milvus = clusters.Milvus


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier test was told does not count."""
    monkeypatch.setattr(metrics, "database", CachedProbe(metrics._families, ttl=0.0, timeout=10.0))


@pytest.fixture
def collection(make_collection: Seeds) -> Thing:
    return Thing.make(make_collection, Kind.COLLECTION)


def number(name: str, **labels: str) -> float:
    """What a scrape says now; 0 if it says nothing."""
    samples = [
        sample
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
        if sample.name == f"milvusadmin_{name}" and sample.labels == labels
    ]
    assert len(samples) <= 1
    return float(samples[0].value) if samples else 0.0


def calls(call: str, result: str) -> float:
    return number("milvus_call_seconds_count", cluster="main", call=call, result=result)


# --- calls to Milvus ------------------------------------------------------------------------------


def test_metrics_count_each_call_by_name_and_result(real: Milvus, unique: Any) -> None:
    before = calls("ShowCollections", "ok"), calls("DescribeCollection", "not_found")
    real.gateway.collections("default")
    with pytest.raises(MilvusError):
        real.gateway.load("default", unique())
    after = calls("ShowCollections", "ok"), calls("DescribeCollection", "not_found")
    # All of them, those in memory, and all again as the second witness.
    assert after == (before[0] + 3, before[1] + 1)


def test_metrics_count_a_drop_once_by_its_result(
    collection: Thing, faulty: Milvus, chain: Chain
) -> None:
    before = calls("DropCollection", "unknown")
    leave_unknown(collection, chain)
    assert calls("DropCollection", "unknown") == before + 1


def test_metrics_show_a_stalled_cluster_as_paused(
    use_cluster: Callable[..., Milvus], chain: Chain
) -> None:
    milvus = use_cluster(chain.uri, chain.token, read_timeout=0.5, breaker_cooldown=1.0)
    milvus.gateway.databases()
    before = calls("ListDatabases", "unreachable"), calls("ListDatabases", "paused")
    chain.proxy.stall()
    for _ in range(2):
        with pytest.raises(MilvusError):
            milvus.gateway.databases()
    until = number("milvus_paused_until_timestamp_seconds", cluster="main")
    assert 0 < until - time.time() <= 1
    after = calls("ListDatabases", "unreachable"), calls("ListDatabases", "paused")
    assert after == (before[0] + 1, before[1] + 1)
    chain.proxy.ok()
    time.sleep(1)
    milvus.gateway.databases()
    assert number("milvus_paused_until_timestamp_seconds", cluster="main") == 0


# --- operations and the log -----------------------------------------------------------------------


def test_metrics_show_an_open_operation_with_its_age(
    collection: Thing, faulty: Milvus, chain: Chain
) -> None:
    assert number("open_operations", cluster="main") == 0
    assert number("oldest_open_operation_age_seconds", cluster="main") == 0
    leave_unknown(collection, chain)
    time.sleep(0.2)
    assert number("open_operations", cluster="main") == 1
    assert 0.2 < number("oldest_open_operation_age_seconds", cluster="main") < 60


def test_metrics_show_the_chain_and_recent_events(
    collection: Thing, faulty: Milvus, chain: Chain
) -> None:
    assert number("audit_last_sequence") == 0
    carry_out(consent(collection.target))
    assert number("audit_last_sequence") == 2
    assert abs(time.time() - number("audit_last_event_timestamp_seconds")) < 30
    assert number("events_last_hour", action="collection.drop", outcome="succeeded") == 1


def test_metrics_count_an_event_that_cannot_be_recorded(
    collection: Thing, faulty: Milvus, chain: Chain
) -> None:
    before = number("audit_failures_total")
    with refused_events("intent"), pytest.raises(LogUnwritable):
        carry_out(consent(collection.target))
    assert number("audit_failures_total") == before + 1


def test_metrics_show_last_run_and_result_of_tasks() -> None:
    heartbeat.record_run(heartbeat.READY)
    heartbeat.record_run(heartbeat.RECONCILE)
    heartbeat.record_run(heartbeat.VERIFY)
    heartbeat.record_run(heartbeat.VERIFY, ok=False)
    assert abs(time.time() - number("task_last_run_timestamp_seconds", task="reconcile")) < 30
    assert number("task_last_run_ok", task="reconcile") == 1
    assert number("task_last_run_ok", task="verify") == 0
    assert b'task="ready"' not in metrics.page()


def test_metrics_with_the_chain_held_show_the_log_as_failing() -> None:
    assert number("check_ok", check="audit_log") == 1
    time.sleep(2.1)  # an answer is kept for two seconds
    with log.appending():
        assert number("check_ok", check="audit_log") == 0
        assert number("check_ok", check="database") == 1


# --- the folder in which processes add up ---------------------------------------------------------


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Those of gunicorn's configuration, with METRICS_DIR in `tmp_path`."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "what is there before, put back afterwards")
    monkeypatch.setenv("METRICS_TOKEN", "x" * 32)
    monkeypatch.setenv("METRICS_DIR", str(tmp_path / "below" / "it"))
    return runpy.run_path(str(ROOT / "deploy" / "gunicorn.conf.py"))


def arbiter() -> SimpleNamespace:
    return SimpleNamespace(cfg=SimpleNamespace(uid=os.getuid(), gid=os.getgid()))


def test_metrics_folder_is_private_and_removed_at_exit(
    hooks: dict[str, Any], tmp_path: Path
) -> None:
    one, other = arbiter(), arbiter()
    hooks["on_starting"](one)
    hooks["on_starting"](other)
    assert os.environ["PROMETHEUS_MULTIPROC_DIR"] == other.metrics
    assert Path(one.metrics).parent == tmp_path / "below" / "it"
    assert Path(one.metrics).stat().st_mode & 0o077 == 0
    hooks["on_exit"](one)
    assert [str(path) for path in (tmp_path / "below" / "it").iterdir()] == [other.metrics]


def test_metrics_folder_without_a_token_is_not_made(
    hooks: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("METRICS_TOKEN")
    server = arbiter()
    hooks["on_starting"](server)
    hooks["on_exit"](server)
    assert list(tmp_path.iterdir()) == []


def test_metrics_folder_that_cannot_be_made_stops_the_start(
    hooks: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "below").touch()
    with pytest.raises(SystemExit, match=r"METRICS_DIR: can't create a folder in .*/below/it: "):
        hooks["on_starting"](arbiter())
