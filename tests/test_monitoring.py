"""Alert rules, dashboard and documentation use only metrics and labels that exist."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from django.urls import get_resolver
from prometheus_client.parser import text_string_to_metric_families

from collections_app.audit.log import Entry, Outcome, Phase, write
from collections_app.health import heartbeat
from collections_app.milvus.errors import MilvusError
from milvusadmin.middleware import health, metrics
from milvusadmin.middleware.cached_probe import CachedProbe
from tests.documents import ROOT, read
from tests.fixtures import caller

FOLDER = ROOT / "deploy" / "monitoring"
RULES = FOLDER / "rules.yaml"
PROMETHEUS_OWN = {"job", "instance", "le", "alertname"}
NAME = re.compile(r"\bmilvusadmin_\w+")
ROW = re.compile(r"^\| `(milvusadmin_\w+)(?:\{([\w,]+)\})?` \|", re.M)


def documented() -> dict[str, set[str]]:
    """Each metric of docs/monitoring.md, and its labels."""
    found = ROW.findall(read("docs/monitoring.md"))
    return {name: set(labels.split(",")) - {""} for name, labels in found}


def rules() -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def panels() -> dict[str, str]:
    """Each query of the dashboard, by its panel."""
    board = json.loads((FOLDER / "dashboard.json").read_text())
    return {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in board["panels"]
        for target in panel["targets"]
    }


QUERIES = {name: rule["expr"] for name, rule in rules().items()} | panels()


# --- against what the application says ------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_metrics_documented_are_those_exposed_with_labels(
    use_cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "database", CachedProbe(metrics._families, ttl=0, timeout=10))
    milvus = use_cluster("http://127.0.0.1:1", read_timeout=0.1, breaker_cooldown=0.05)
    with pytest.raises(MilvusError):
        milvus.gateway.databases()
    milvus.breaker._open()
    Client().get("/sign-in/")
    heartbeat.record_run(heartbeat.VERIFY)
    done = Outcome.SUCCEEDED
    write(Entry(phase=Phase.ACCESS, action="test", caller=caller(), outcome=done))
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.page().decode()):
        for sample in family.samples:
            if sample.name.startswith("milvusadmin_") and not sample.name.endswith("_created"):
                found.setdefault(_whole(sample.name), set()).update(set(sample.labels) - {"le"})
    assert found == documented()


def _whole(name: str) -> str:
    """A histogram's name without its parts."""
    return re.sub(r"_(bucket|count|sum)$", "", name)


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_query_uses_metrics_and_labels_that_exist(query: str) -> None:
    known = documented()
    names = [_whole(name) for name in NAME.findall(query)] or ["up"]
    assert set(names) <= known.keys() | {"up"}
    allowed = PROMETHEUS_OWN.union(*(known.get(name, set()) for name in names))
    by = ",".join(re.findall(r"(?:by|on) \(([\w, ]+)\)", query))
    used = {label for label, _ in selectors(query)} | {*re.findall(r"\w+", by)}
    assert used <= allowed


def selectors(query: str) -> list[tuple[str, str]]:
    """Label and value, wherever one is chosen."""
    return re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"", query)


@pytest.mark.parametrize("query", QUERIES.values(), ids=list(QUERIES))
def test_query_uses_label_values_that_exist(query: str) -> None:
    known = {
        "view": {str(name) for name in get_resolver().reverse_dict} | {"static", "none"},
        "task": {
            heartbeat.RECONCILE,
            heartbeat.PLANS,
            heartbeat.PURGE,
            heartbeat.NOTIFY,
            heartbeat.NOTIFY,
            heartbeat.VERIFY,
            heartbeat.WATCH,
        },
        "check": set(health.REQUIRED),
        "outcome": {str(outcome) for outcome in Outcome},
        "result": {"ok"},
    }
    for label, values in selectors(query):
        if label in known:
            assert set(values.split("|")) <= known[label], label


def test_alerts_documented_are_those_of_the_rules() -> None:
    rows = re.findall(r"^\| `(MilvusAdmin\w+)` \|", read("docs/monitoring.md"), re.M)
    assert set(rows) == rules().keys()


# --- promtool -------------------------------------------------------------------------------------


def promtool(*arguments: str) -> str:
    """What it says. Fails if it is not content."""
    here = Path(sys.executable).parent / "promtool"
    program = os.environ.get("PROMTOOL") or shutil.which("promtool") or str(here)
    if not Path(program).exists():
        pytest.fail("There is no promtool: tests/infra/tools.sh fetches one.", pytrace=False)
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_the_rules_and_their_tests() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", str(RULES))
    promtool("test", "rules", str(FOLDER / "rules.test.yaml"))


def test_promtool_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    made = [
        {"record": f"panel:{number}", "expr": query.replace("$job", "milvus-admin")}
        for number, query in enumerate(panels().values())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": made}]}))
    assert f"{len(made)} rules found" in promtool("check", "rules", str(file))
