"""A backup during work, restored elsewhere, and verified there."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection

from collections_app.audit import log
from collections_app.audit.log import export_line
from collections_app.models import AuditEvent, Claim
from tests.audit.test_log import ENTRY
from tests.audit.test_tampering import begun
from tests.infra import forked
from tests.operations.conftest import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]
ROOT = Path(__file__).resolve().parents[1]
RESTORED = "restored_milvusadmin"


def server(name: str) -> str:
    """The address of a database of the PostgreSQL that the tests use."""
    it = connection.settings_dict
    password = quote(it["PASSWORD"], safe="")
    return f"postgres://{it['USER']}:{password}@{it['HOST']}:{it['PORT']}/{name}"


class Backup:
    """As docs/audit-log.md says how."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "backup"
        self.copy = folder / "restored.sqlite"

    def make(self) -> None:
        name = connection.settings_dict["NAME"]
        if connection.vendor == "sqlite":
            with (
                closing(sqlite3.connect(name)) as live,
                closing(sqlite3.connect(self.file)) as copy,
            ):
                live.backup(copy)
            return
        _run("pg_dump", "--format=custom", f"--file={self.file}", server(name))

    def restore(self) -> str:
        """The address of a new database with what the backup holds."""
        if connection.vendor == "sqlite":
            self.copy.write_bytes(self.file.read_bytes())
            return f"sqlite:///{self.copy}"
        _sql(f"DROP DATABASE IF EXISTS {RESTORED}")
        _sql(f"CREATE DATABASE {RESTORED} TEMPLATE template0 ENCODING 'UTF8'")
        _run("pg_restore", "--exit-on-error", f"--dbname={server(RESTORED)}", str(self.file))
        return server(RESTORED)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def backup(tmp_path: Path) -> Iterator[Backup]:
    yield Backup(tmp_path)
    if connection.vendor == "postgresql":
        _sql(f"DROP DATABASE IF EXISTS {RESTORED} WITH (FORCE)")


def manage(address: str, *arguments: str) -> tuple[int, str]:
    """Exit status and output of a command, with that database."""
    environment = {**os.environ, "DATABASE_URL": address}
    environment |= {"DJANGO_SETTINGS_MODULE": "milvusadmin.settings", "SIGN_IN": "local"}
    done = forked.run("manage.py", *arguments, env=environment, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def written(count: int) -> list[str]:
    """The lines of so many new events."""
    return [export_line(log.write(replace(ENTRY, operation_id=None))) for _ in range(count)]


def test_restored_backup_verifies_and_the_copy_names_the_rest(
    backup: Backup, tmp_path: Path
) -> None:
    written(3)
    begun(1)
    assert Claim.objects.count() == 1
    backup.make()
    lines = [export_line(event) for event in AuditEvent.objects.order_by("sequence")]
    copy = tmp_path / "copy.jsonl"
    copy.write_text("\n".join([*lines, *written(2)]))
    restored = backup.restore()
    code, said = manage(restored, "verify_audit_log")
    assert (code, said.startswith("The chain is intact: 4 events")) == (0, True), said
    lost = tmp_path / "lost.jsonl"
    asked = ("verify_audit_log", "--against", str(copy), "--lost", str(lost))
    code, said = manage(restored, *asked)
    assert code == 1
    assert "event 5 is in the copy and not in the log; 2 lines are not in the log" in said
    assert lost.read_text().splitlines() == copy.read_text().splitlines()[4:]
    assert "File exists" in manage(restored, *asked)[1], "evidence is not overwritten"
    verified = ("verify_audit_log", "--export", str(lost), "--partial")
    assert manage(restored, *verified)[0] == 0
    assert (
        manage(restored, "note_in_audit_log", "Restored; events 5 and 6 are in copy.jsonl")[0] == 0
    )
    code, said = manage(restored, "verify_audit_log", "--against", str(copy))
    assert "event 5 of the log is not the one in the copy; 2 lines" in said
    copy.write_text("\n".join(lines))
    assert manage(restored, "verify_audit_log", "--against", str(copy))[0] == 0


def test_backup_during_eight_writers_is_one_chain(backup: Backup) -> None:
    written(1)
    writers = [lambda: bool(written(25))] * 8
    assert at_once(*writers, backup.make) == [True] * 8 + [None]
    code, said = manage(backup.restore(), "verify_audit_log")
    assert (code, "intact: " in said) == (0, True), said
