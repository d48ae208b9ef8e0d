"""`manage.py work`: all background tasks in one process."""

import signal
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from collections_app.health import heartbeat
from collections_app.management import background
from collections_app.models import TaskRun
from tests.fixtures import cluster_at
from tests.infra.chain import Chain
from tests.infra.waiting import until
from tests.operations.conftest import Shell, shell_behind

SERVER = "http://127.0.0.1:1"  # nobody answers there
TASKS = {
    heartbeat.RECONCILE,
    heartbeat.PLANS,
    heartbeat.PURGE,
    heartbeat.NOTIFY,
    heartbeat.WATCH,
}


@pytest.fixture
def stopping(settings: Any, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """SIGTERM's event, of this test alone."""
    settings.CLUSTERS = {"main": cluster_at(SERVER)}
    event = threading.Event()
    monkeypatch.setattr(background, "stopping", event)
    monkeypatch.setattr(background, "SECONDS_BEFORE_RESTART", 0.01)
    return event


@pytest.fixture
def shell(chain: Chain, transactional_db: None, tmp_path: Path) -> Shell:
    return shell_behind(chain, tmp_path)


def started() -> set[str]:
    return set(TaskRun.objects.filter(ok=True).values_list("name", flat=True))


def test_work_runs_every_task_until_sigterm(shell: Shell) -> None:
    with shell.start("work") as process:
        try:
            until(lambda: started() >= TASKS, seconds=60)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "failed and starts again" not in err


def test_work_with_a_task_that_fails_starts_it_again(
    stopping: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[str] = []

    def run(name: str, **options: Any) -> None:
        runs.append(name)
        if name == "run_plans" and runs.count(name) < 3:
            raise RuntimeError("no memory")
        if len(runs) == len(background.TASKS) + 3:
            stopping.set()
        stopping.wait(30)

    monkeypatch.setattr(background, "call_command", run)
    err = StringIO()
    call_command("work", stderr=err)
    assert sorted(runs) == sorted([*background.TASKS, "watch", "run_plans", "run_plans"])
    assert err.getvalue().count("run_plans failed and starts again: RuntimeError: no memory") == 2


def test_work_with_an_embedded_cluster_is_refused(settings: Any) -> None:
    settings.CLUSTERS = {"main": cluster_at("/var/lib/milvus.db")}
    with pytest.raises(CommandError, match="The web process runs the background tasks"):
        call_command("work")


@pytest.mark.parametrize(("uri", "tasks"), [("/milvus.db", set(background.TASKS)), (SERVER, set())])
def test_web_process_runs_tasks_beside_if_milvus_is_embedded(
    uri: str, tasks: set[str], settings: Any, stopping: threading.Event, monkeypatch: Any
) -> None:
    settings.CLUSTERS = {"main": cluster_at(uri)}
    ran: set[str] = set()

    def run(name: str, **options: Any) -> None:
        ran.add(name)
        stopping.wait(30)

    monkeypatch.setattr(background, "call_command", run)
    background.start_beside()
    until(lambda: ran == tasks)
    stopping.set()


def test_work_with_json_is_refused() -> None:
    with pytest.raises(CommandError, match="Run one task alone"):
        call_command("work", "--json")
