"""A rehearsal in a test: its Milvus, and what it left there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from collections_app.access.principals import Caller
from collections_app.clusters import Milvus
from collections_app.models import AuditEvent
from collections_app.rehearsal.report import Report
from collections_app.rehearsal.run import new_run, rehearse
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.operations.conftest import Shell, shell_behind


def rehearsed(milvus: Milvus, *, own_database: bool = True) -> Report:
    """One run, with a person at the shell."""
    version = milvus.gateway.server().version
    run = new_run(milvus, "default", version)
    return rehearse(milvus, run, Caller.shell(), own_database=own_database)


def states(report: Report) -> dict[str, str]:
    return {result.check.name: str(result.state) for result in report.results}


def saw(report: Report, name: str) -> str:
    return next(result.saw for result in report.results if result.check.name == name)


def leftovers(server: MilvusServer, root: str) -> list[str]:
    """Everything of one run that is on the server."""
    client = server.client()
    databases = [name for name in client.list_databases(timeout=10) if name.startswith(root)]
    inside = [
        name
        for place in ("default", *databases)
        for name in server.client(place).list_collections(timeout=10)
        if name.startswith(root)
    ]
    return [*databases, *inside]


def events() -> list[str]:
    """What the log says, oldest first: "rehearsal.ended succeeded"."""
    rows = AuditEvent.objects.filter(phase="rehearsal").order_by("sequence")
    return [
        f"{action} {outcome}".strip() for action, outcome in rows.values_list("action", "outcome")
    ]


@pytest.fixture
def shell(chain: Chain, transactional_db: None, tmp_path: Path) -> Iterator[Shell]:
    """manage.py in processes of its own, behind `chain`."""
    yield shell_behind(chain, tmp_path)


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which everything is tested at once is slower than any server."""
    monkeypatch.setattr("collections_app.rehearsal.run.SECONDS", 300.0)
