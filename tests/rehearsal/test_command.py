"""`manage.py rehearse`: it asks, prints, and exits with a code for scripts."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from collections_app.clusters import Milvus
from collections_app.rehearsal import run as runs
from collections_app.rehearsal.checks import PROMISES, Result, State
from collections_app.rehearsal.report import Report, as_table
from collections_app.rehearsal.run import CHECKS, new_run
from tests.infra.chain import Chain
from tests.operations.conftest import refused_events

from .conftest import events

pytestmark = pytest.mark.django_db(transaction=True)


class Terminal(io.StringIO):
    """Standard input with somebody at it."""

    def isatty(self) -> bool:
        return True


def rehearse(*options: str) -> tuple[Any, str, str]:
    """Exit code, standard output, standard error or the message."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("rehearse", *options, stdout=out, stderr=err)
    except SystemExit as exc:
        return exc.code, out.getvalue(), err.getvalue()
    except CommandError as exc:
        return exc.returncode, out.getvalue(), f"{err.getvalue()}{exc}"
    raise AssertionError("it has to say how it ended")


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "CHECKS", CHECKS[:5])


def test_rehearse_that_holds_prints_a_table_and_exits_with_0(real: Milvus) -> None:
    code, out, err = rehearse("--yes")
    assert (code, err) == (0, "")
    assert "check " in out.splitlines()[0]
    assert "5 of 5 assumptions hold on Milvus v2.3.5" in out
    assert "in the audit log as events 1 and 2." in out
    assert all(len(line) <= 100 for line in out.splitlines()[:-2])
    for promise in PROMISES:
        assert promise in out


def test_rehearse_json_prints_nothing_else(real: Milvus) -> None:
    code, out, _ = rehearse("--yes", "--json")
    data = json.loads(out)
    assert (code, data["cluster"], data["events"]) == (0, "main", [1, 2])
    assert [check["state"] for check in data["checks"]] == ["holds"] * 5
    assert "token" not in out


def test_rehearse_says_what_it_creates_and_asks(
    faulty: Milvus, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("no\n"))
    code, _, err = rehearse()
    assert code == 2
    assert "It creates the database _milvusadmin_rehearsal_" in err
    assert "removes everything at its end" in err
    assert err.endswith("Declined. Nothing was created.")
    assert not [call for call in chain.relay.calls if call.startswith("Create")]
    assert events() == []


def test_rehearse_agreed_to_runs(real: Milvus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert rehearse("--in-database", "default")[0] == 0


def test_rehearse_without_a_terminal_creates_nothing(
    real: Milvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    code, _, err = rehearse()
    assert (code, "--yes agrees beforehand" in err, events()) == (2, True, [])


@pytest.mark.parametrize(
    ("arrange", "code", "says"),
    [
        (lambda chain: chain.proxy.refuse(), 7, "Nothing was created"),
        (lambda chain: chain.relay.answer("CreateCollection", denied), 3, ""),
        (lambda chain: chain.relay.answer("ShowCollections", lambda _: b""), 1, ""),
    ],
    ids=["no answer", "some not run", "the list is empty"],
)
def test_rehearse_exits_with_the_code_of_its_end(
    arrange: Callable[[Chain], object], code: int, says: str, faulty: Milvus, chain: Chain
) -> None:
    arrange(chain)
    exit_code, _, err = rehearse("--yes")
    assert (exit_code, says in err) == (code, True), err


def denied(_: bytes) -> bytes:
    from pymilvus.grpc_gen import common_pb2

    return common_pb2.Status(code=1401, error_code=1, reason="no").SerializeToString()


def test_rehearse_an_unknown_cluster_exits_with_2(real: Milvus) -> None:
    code, _, err = rehearse("--cluster", "nowhere", "--yes")
    assert (code, "No cluster nowhere" in err) == (2, True)


def test_rehearse_with_an_unwritable_log_exits_with_7(faulty: Milvus, chain: Chain) -> None:
    with refused_events("rehearsal"):
        code, _, err = rehearse("--yes")
    assert (code, "The audit log can't be written" in err) == (7, True)
    assert not [call for call in chain.relay.calls if call.startswith("Create")]


@pytest.mark.parametrize("width", [80, 100, 200])
def test_as_table_is_as_wide_as_the_terminal(width: int, real: Milvus) -> None:
    results = [Result(check, State.FAILS, "It did " + "something else " * 20) for check in CHECKS]
    report = Report(run=new_run(real, "default", "v2.3.5"), results=results, events=[1, 2])
    table, _, rest = as_table(report, width).partition("\n\n")
    assert max(map(len, table.splitlines())) == width
    assert rest.count("does not hold") == len(PROMISES)
