"""The commands: their output and exit codes, and that drops follow the same protocol."""

import json
import threading
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import grpc
import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.utils import timezone

from collections_app import clusters
from collections_app.access import roles
from collections_app.audit import log as audit_log
from collections_app.audit import triggers
from collections_app.clusters import Milvus
from collections_app.health import heartbeat
from collections_app.management import background
from collections_app.management.acts import EXIT
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, Claim
from collections_app.operations.confirmation import Confirmation
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds, unique_name
from tests.operations.conftest import (
    DROP,
    Thing,
    carry_out,
    consent,
    leave_unknown,
    on_own_connection,
    read_only_database,
    refused_events,
    shell_behind,
    target_in,
    told,
)

pytestmark = pytest.mark.django_db(transaction=True)

DEMO_PASSWORD = "a demo for a day"


@pytest.fixture(params=list(DROP), ids=str)
def thing(request: pytest.FixtureRequest, make_collection: Seeds) -> Thing:
    return Thing.make(make_collection, request.param)


def run(*arguments: str) -> str:
    """What it writes to standard output. Raises CommandError or SystemExit."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def failing(*arguments: str) -> tuple[int, str]:
    """Exit code and message of a command that fails."""
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return caught.value.returncode, str(caught.value)


# --- drop_collection, drop_partition ------------------------------------------------------------


def test_drop_prints_its_operation_and_that_it_was_verified(thing: Thing, faulty: Milvus) -> None:
    out = run(*thing.command, "--reason", "superseded")
    intent = AuditEvent.objects.get(phase="intent")
    dropped, operation = out.splitlines()
    assert dropped.startswith(f"Dropped {thing.target.kind} {thing.target.name} ")
    assert dropped.endswith(" on main. Verified: it no longer exists.")
    address = f"/operations/{intent.operation_id}/"
    assert operation == f"Operation {intent.operation_id}: {address}"
    assert not thing.is_there()
    record = json.loads(intent.record)
    assert record["details"]["reason"] == "superseded"
    assert record["actor"]["method"] == "shell"
    assert record["origin"]["interface"] == "cli"


def test_drop_with_json_prints_one_object_also_when_it_fails(thing: Thing, faulty: Milvus) -> None:
    done = json.loads(run(*thing.command, "--json"))
    intent = AuditEvent.objects.get(phase="intent")
    assert (done["ok"], done["exit_code"], done["outcome"]) == (True, 0, "succeeded")
    assert done["operation"] == str(intent.operation_id)
    assert done["address"] == f"/operations/{intent.operation_id}/"
    out = StringIO()
    with pytest.raises(CommandError):
        call_command(*thing.command, "--json", stdout=out)
    failed = json.loads(out.getvalue())
    assert (failed["ok"], failed["exit_code"]) == (False, 4)
    assert failed["messages"][-1].startswith("Not found")


def test_drop_with_the_right_id_succeeds(thing: Thing, faulty: Milvus) -> None:
    run(*thing.command, "--id", str(consent(thing.target).identity.id))
    assert not thing.is_there()


Arrange = Callable[[Thing, Chain], object]
REFUSAL = (grpc.StatusCode.PERMISSION_DENIED, "permission deny")
NEVER_CONNECTED = (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses")


FAILING: dict[str, tuple[Arrange, int, str, int]] = {
    "could not be sent": (lambda t, c: c.relay.fail(t.rpc, *NEVER_CONNECTED), 1, "failed", 1),
    "refused": (lambda t, c: c.relay.fail(t.rpc, *REFUSAL), 3, "refused", 1),
    "not there": (lambda t, c: t.remove(), 4, "Not found", 0),
    "replaced meanwhile": (
        lambda t, c: t.once_read(c, t.replace),
        5,
        "It changed since you opened the dialog",
        0,
    ),
    "somebody is at it": (leave_unknown, 5, "Ada has an operation in progress", 1),
    "OK, and still there": (lambda t, c: c.relay.answer(t.rpc, lambda _: b""), 6, "unknown", 1),
    "no answer": (lambda t, c: c.proxy.refuse(), 7, "Nothing was sent", 0),
}


@pytest.mark.parametrize(("arrange", "code", "says", "sent"), FAILING.values(), ids=FAILING)
def test_drop_that_fails_exits_with_its_code_and_says_why(
    arrange: Arrange, code: int, says: str, sent: int, thing: Thing, faulty: Milvus, chain: Chain
) -> None:
    consent(thing.target)  # connected before anything breaks
    arrange(thing, chain)
    exit_code, message = failing(*thing.command)
    assert exit_code == code
    assert says in message
    assert chain.relay.count(thing.rpc) == sent


def test_drop_without_a_database_is_not_sent(thing: Thing, faulty: Milvus, chain: Chain) -> None:
    """Also if a read finds it out before anything is written."""

    def gone(*_: object) -> None:
        raise OperationalError("connection refused")

    with connection.execute_wrapper(gone):
        code, message = failing(*thing.command)
    assert (code, chain.relay.count(thing.rpc)) == (7, 0)
    assert "Nothing was sent: the database of Milvus Admin does not answer" in message
    assert thing.is_there()


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--confirm", "nove1s"], 2, "--confirm is not the name"),
        (["--confirm", ""], 2, "--confirm is not the name"),
        (["--cluster", "nowhere"], 2, "No cluster nowhere"),
        (["--id", "1"], 5, "not 1"),
        (["--database", "nowhere"], 4, "Not found"),
    ],
    ids=str,
)
def test_drop_with_a_wrong_argument_is_neither_sent_nor_recorded(
    options: list[str], code: int, says: str, thing: Thing, faulty: Milvus, chain: Chain
) -> None:
    exit_code, message = failing(*thing.command, *options)
    assert (exit_code, says in message) == (code, True), message
    assert chain.relay.count(thing.rpc) == 0
    assert thing.is_there()
    assert told() == []


@pytest.mark.parametrize("spaced", [" {}", "{} ", "{}\n"], ids=repr)
def test_drop_confirmed_with_outer_spaces_is_refused(
    spaced: str, thing: Thing, faulty: Milvus
) -> None:
    code, _ = failing(*thing.command, "--confirm", spaced.format(thing.target.name))
    assert code == 2
    assert thing.is_there()


@pytest.mark.parametrize(
    ("kind", "name"), [(Kind.PARTITION, "_default"), (Kind.COLLECTION, "")], ids=str
)
def test_drop_with_a_blocker_exits_with_3(
    kind: Kind, name: str, make_collection: Seeds, faulty: Milvus
) -> None:
    collection = make_collection(aliases=[unique_name("alias")])
    thing = Thing(make_collection, target_in(collection, kind, name))
    code, message = failing(*thing.command)
    assert (code, "Nothing was sent" in message) == (3, True)
    assert told() == ["rejected blocked"]
    assert thing.is_there()


@pytest.mark.both_databases
def test_drop_with_an_unwritable_log_exits_with_7(
    thing: Thing, faulty: Milvus, chain: Chain
) -> None:
    with read_only_database():
        code, message = failing(*thing.command)
    assert (code, "Nothing was sent" in message) == (7, True)
    assert chain.relay.count(thing.rpc) == 0
    assert thing.is_there()


@pytest.mark.both_databases
def test_drop_with_an_unrecorded_outcome_exits_with_6(thing: Thing, faulty: Milvus) -> None:
    with refused_events("outcome"):
        code, message = failing(*thing.command)
    assert (code, str(Claim.objects.get().operation_id) in message) == (6, True)


def test_exit_codes_cover_every_outcome() -> None:
    seen = {audit_log.Outcome.NONE, audit_log.Outcome.EXTERNAL}  # no operation ends like that
    assert set(EXIT) == set(audit_log.Outcome) - seen
    assert [outcome for outcome, code in EXIT.items() if code == 0] == [audit_log.Outcome.SUCCEEDED]


def test_drop_in_its_own_process_has_the_same_codes_and_streams(
    make_collection: Seeds, chain: Chain, tmp_path: Path
) -> None:
    shell = shell_behind(chain, tmp_path)
    thing = Thing.make(make_collection, Kind.COLLECTION)
    code, out, _ = shell.run(*thing.command)
    assert (code, out.splitlines()[0].endswith("Verified: it no longer exists.")) == (0, True)
    assert told() == ["intent", "outcome succeeded"]
    code, out, err = shell.run(*thing.command)
    assert (code, out, "Error: Not found" in err) == (4, "", True)


# --- reconcile_operations -----------------------------------------------------------------------


@pytest.fixture
def open_drop(thing: Thing, faulty: Milvus, chain: Chain) -> Confirmation:
    return leave_unknown(thing, chain)


def reconcile(*options: str) -> tuple[object, str]:
    out = StringIO()
    with pytest.raises(SystemExit) as caught:
        call_command("reconcile_operations", *options, stdout=out)
    return caught.value.code, out.getvalue()


def test_reconcile_without_open_operations_says_so(faulty: Milvus) -> None:
    assert reconcile() == (0, "No operation is open.\n")


def test_reconcile_exits_with_1_while_unknown_and_0_when_settled(
    open_drop: Confirmation, thing: Thing, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    use_cluster(chain.uri, chain.token, unknown_timeout=60.0)
    operation, address = open_drop.operation_id, f"/operations/{open_drop.operation_id}/"
    assert reconcile() == (1, f"Operation {operation} is still unknown: {address}\n")
    code, told = reconcile("--json")
    told = json.loads(told)
    assert (code, told["open"], told["operations"]) == (1, 1, {str(operation): "unknown"})
    thing.remove()
    ended = f"Operation {operation} ended as succeeded: {address}\nNo operation is open.\n"
    assert reconcile() == (0, ended)
    assert reconcile() == (0, "No operation is open.\n")
    assert chain.relay.count(thing.rpc) == 1


def test_reconcile_with_an_unwritable_log_leaves_it_open(
    open_drop: Confirmation, thing: Thing, capsys: pytest.CaptureFixture[str]
) -> None:
    thing.remove()
    with refused_events("outcome"):
        code, _ = reconcile()
    assert code == 1
    assert "LogUnwritable" in capsys.readouterr().err
    assert Claim.objects.exists()


def test_reconcile_run_is_recorded_as_a_task_run(faulty: Milvus) -> None:
    before = timezone.now()
    with pytest.raises(SystemExit):
        run("reconcile_operations")
    (task,) = heartbeat.all_tasks()
    assert (task.name, task.ok) == ("reconcile", True)
    assert before < task.at < timezone.now()


def test_watch_run_is_recorded_with_whether_all_was_read(faulty: Milvus, chain: Chain) -> None:
    for answers, well in ((True, True), (False, False)):
        if not answers:
            chain.proxy.refuse()
        with pytest.raises(SystemExit) as ended:
            run("watch", "--once")
        (task,) = heartbeat.all_tasks()
        assert (ended.value.code, task.name, task.ok) == (0 if well else 1, "watch", well)


def test_reconcile_loop_runs_again_after_a_pause(
    open_drop: Confirmation, thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped externally between the first run and the second."""
    pauses: list[float] = []

    class Stopped(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            if len(pauses) == 2:
                self.set()
            else:
                thing.remove()
            return self.is_set()

    monkeypatch.setattr(background, "stopping", Stopped())
    call_command("reconcile_operations", "--loop", "--every", "0.25", stdout=StringIO())
    assert pauses == [0.25, 0.25]
    assert told()[-1] == "outcome succeeded"
    assert not Claim.objects.exists()


# --- close_operation ----------------------------------------------------------------------------


def test_close_operation_in_progress_is_refused(thing: Thing, faulty: Milvus, chain: Chain) -> None:
    confirmation = consent(thing.target)
    closing = ["close_operation", str(confirmation.operation_id), "--outcome", "failed"]
    said: list[str] = []
    chain.relay.before(
        thing.rpc,
        lambda: said.append(on_own_connection(lambda: failing(*closing, "--reason", "x")[1])),
    )
    assert carry_out(confirmation) is audit_log.Outcome.SUCCEEDED
    assert "may still be carried out" in said[0]
    assert told() == ["intent", "outcome succeeded"]


# --- the audit log ------------------------------------------------------------------------------


@pytest.fixture
def log() -> None:
    """Three events: exports of the log."""
    for _ in range(3):
        run("export_audit_log")


@pytest.mark.both_databases
def test_export_ends_with_its_own_event_and_verifies_offline(log: None, tmp_path: Path) -> None:
    out = run("export_audit_log")
    records = [json.loads(line)["record"] for line in out.splitlines()]
    assert [record["sequence"] for record in records] == [1, 2, 3, 4]
    assert records[-1]["action"] == "audit.export"
    assert records[-1]["actor"]["method"] == "shell"
    path = tmp_path / "log.jsonl"
    path.write_text(out)
    head = AuditEvent.objects.get(sequence=4).hash
    said = run("verify_audit_log", "--export", str(path), "--head", head)
    assert said == f"The chain is intact: 4 events, last 4, head {head}\n"


def test_export_as_csv_is_a_table(log: None) -> None:
    header, *rows = run("export_audit_log", "--form", "csv").splitlines()
    assert header.startswith("\ufeffsequence,recorded_at,")
    assert len(rows) == 4


@pytest.mark.both_databases
def test_verify_intact_log_prints_its_head(log: None) -> None:
    head = AuditEvent.objects.get(sequence=3).hash
    assert run("verify_audit_log") == f"The chain is intact: 3 events, last 3, head {head}\n"
    assert run("verify_audit_log", "--head", head)


@pytest.mark.both_databases
def test_verify_run_is_recorded_with_its_result(log: None, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_text(run("export_audit_log"))
    run("verify_audit_log", "--export", str(copy))
    assert heartbeat.all_tasks() == []
    run("verify_audit_log")
    (first,) = heartbeat.all_tasks()
    assert (first.name, first.ok) == ("verify", True)
    failing("verify_audit_log", "--head", "0" * 64)
    (second,) = heartbeat.all_tasks()
    assert not second.ok
    assert second.at > first.at


def test_verify_truncated_log_is_found_by_its_head(log: None) -> None:
    head = AuditEvent.objects.get(sequence=3).hash
    triggers.remove(connection)
    AuditEvent.objects.filter(sequence=3).delete()
    triggers.install(connection)
    assert "2 events" in run("verify_audit_log")
    code, message = failing("verify_audit_log", "--head", head)
    assert (code, "cut off" in message) == (1, True)


@pytest.mark.both_databases
def test_verify_broken_log_exits_with_1_and_names_the_link(log: None) -> None:
    triggers.remove(connection)
    AuditEvent.objects.filter(sequence=2).update(actor="shell|eve")
    code, message = failing("verify_audit_log")
    assert code == 1
    assert message == (
        "The chain is broken: event 2: has columns that differ from the sealed record. "
        "1 events before it are intact."
    )


def test_verify_file_names_what_is_wrong_with_it(log: None, tmp_path: Path) -> None:
    lines = run("export_audit_log").splitlines()
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines[1:]))
    assert "event 2: follows event 0" in failing("verify_audit_log", "--export", str(path))[1]
    assert "The chain is intact: 3" in run("verify_audit_log", "--export", str(path), "--partial")
    path.write_text("\n".join([lines[0], lines[1].replace('"shell"', '"proxy"')]))
    assert "event 2: was changed" in failing("verify_audit_log", "--export", str(path))[1]
    path.write_text("")
    assert "no event" in failing("verify_audit_log", "--export", str(path))[1]
    path.write_bytes(b"\xff\xfe\x00")
    assert "can't be read" in failing("verify_audit_log", "--export", str(path))[1]
    missing = str(tmp_path / "missing")
    assert "can't be read" in failing("verify_audit_log", "--export", missing)[1]


@pytest.mark.both_databases
def test_export_with_an_unwritable_log_is_refused() -> None:
    with read_only_database(), pytest.raises(audit_log.LogUnwritable):
        run("export_audit_log")


# --- seed_demo ----------------------------------------------------------------------------------


@pytest.fixture
def demo(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that the demo asks for."""
    roles.ensure()
    settings.LOOPBACK_ONLY = True
    monkeypatch.setenv("DEMO_PASSWORD", DEMO_PASSWORD)


def test_demo_seed_has_an_account_per_role_and_is_idempotent(demo: None, lite: Milvus) -> None:
    assert run("seed_demo") == "21 sample collections created\n"
    assert run("seed_demo") == "sample kept as it is\n"
    for role in roles.ROLES:
        user = get_user_model().objects.get(username=role)
        assert user.check_password(DEMO_PASSWORD)
        assert [group.name for group in user.groups.all()] == [role]
        assert user.get_full_name()
        assert not (user.is_staff or user.is_superuser)
    assert get_user_model().objects.count() == len(roles.ROLES)
    clusters._open.cache_clear()
    gateway = clusters.get("main").gateway
    assert {len(gateway.collections(db)) for db in gateway.databases()} == {14, 7}
    book = gateway.collection("default", "book")
    assert (book.rows, book.aliases) == (400, ("books",))


def test_demo_seed_run_again_restores_the_password(demo: None) -> None:
    run("seed_demo", "--accounts-only")
    user = get_user_model().objects.get(username="operator")
    user.set_password("something else")
    user.save()
    run("seed_demo", "--accounts-only")
    user.refresh_from_db()
    assert user.check_password(DEMO_PASSWORD)


def test_demo_accounts_beyond_this_machine_are_refused(demo: None, settings: Any) -> None:
    settings.LOOPBACK_ONLY = False
    assert "LOOPBACK_ONLY" in failing("seed_demo")[1]
    assert not get_user_model().objects.exists()


@pytest.mark.parametrize("password", [None, ""])
def test_demo_seed_without_a_password_is_refused(
    demo: None, password: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEMO_PASSWORD")
    if password is not None:
        monkeypatch.setenv("DEMO_PASSWORD", password)
    assert "DEMO_PASSWORD" in failing("seed_demo")[1]
    assert not get_user_model().objects.exists()


def test_demo_seed_on_a_real_server_is_refused(demo: None, real: Milvus) -> None:
    assert "embedded" in failing("seed_demo")[1]
    assert "analytics" not in real.gateway.databases()
