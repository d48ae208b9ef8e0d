"""`manage.py doctor` at a shell: also with several faults at once."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.infra import forked
from tests.infra.faultproxy import FaultProxy
from tests.infra.gunicorn import ROOT
from tests.infra.milvus_server import MilvusServer

SECRETS = {
    "SECRET_KEY": "tests-only-" + "k3y" * 15,
    "AUDIT_KEY": "tests-only-" + "s3al" * 12,
    "MILVUS_TOKEN": "ada:S3cr3t-token",
}


def manage(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return forked.run(
        "manage.py",
        *command,
        cwd=ROOT,
        env=known | SECRETS | {"DATA_DIR": str(folder), "LOOPBACK_ONLY": "1"} | environment,
    )


def clean(done: subprocess.CompletedProcess[str]) -> bool:
    """No traceback, and no secret."""
    words = [*SECRETS.values(), "S3cr3t", "Traceback"]
    return not [word for word in words if word in done.stdout + done.stderr]


def found(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_doctor_on_a_healthy_installation_finds_no_problem(
    tmp_path: Path, milvus_server: MilvusServer, lite_uri: str
) -> None:
    manage(tmp_path, "migrate", "-v0", MILVUS_URI=lite_uri)
    manage(tmp_path, "collectstatic", "--noinput", "-v0", MILVUS_URI=lite_uri)
    well = {"MILVUS_URI": milvus_server.uri, "MILVUS_TOKEN": milvus_server.token}
    done = manage(tmp_path, "doctor", **well)
    wrong = [line for line in done.stdout.splitlines() if line.startswith("problem")]
    assert [line for line in wrong if "default password of Milvus" not in line] == []
    assert "static files: " in done.stdout
    stale = manage(tmp_path, "doctor", "--json", MILVUS_URI=lite_uri)
    assert (stale.returncode, clean(stale)) == (0, True)
    assert {f["state"] for f in found(stale)} == {"ok", "warning"}


def test_doctor_with_everything_broken_ends_in_time(tmp_path: Path) -> None:
    with FaultProxy("127.0.0.1", 1) as silent:
        silent.stall()
        began = time.monotonic()
        done = manage(
            tmp_path,
            "doctor",
            "--json",
            MILVUS_URI=f"http://127.0.0.1:{silent.port}",
            DATABASE_URL=f"postgres://ada:S3cr3t@127.0.0.1:{silent.port}/x",
            SIGN_IN="oidc",
            OIDC_ISSUER="https://127.0.0.1:1",
            OIDC_CLIENT_ID="x",
            OIDC_CLIENT_SECRET="S3cr3t",
            MILVUSADMIN_CONFIG=_rules(tmp_path),
        )
        took = time.monotonic() - began
    problems = {f["about"] for f in found(done) if f["state"] == "problem"}
    assert problems == {"database", "cluster main", "sign-in", "static files"}
    assert (done.returncode, clean(done), done.stderr) == (1, True, "")
    assert all(f["remedy"] for f in found(done) if f["state"] != "ok")
    assert took < 45


def _rules(folder: Path) -> str:
    path = folder / "rules.toml"
    path.write_text(
        '[[access]]\ngroups = ["g"]\nclusters = ["*"]\ndatabases = ["*"]\n'
        'collections = ["*"]\nactions = ["view"]\n'
    )
    return str(path)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SECRET_KEY": "S3cr3t"}, "SECRET_KEY is shorter than 32 characters"),
        ({"MILVUS_URI": ""}, "No Milvus is configured"),
        ({"AUDIT_LOG_FILE": "/nowhere/audit"}, "AUDIT_LOG_FILE can't be written"),
        ({"DATABASE_URL": "S3cr3t"}, "DATABASE_URL can't be parsed"),
        ({"MILVUS_CA_FILE": "/nowhere"}, "its uri must be https://"),
    ],
)
def test_doctor_with_invalid_settings_prints_a_line(
    tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    said = {"MILVUS_URI": "http://127.0.0.1:1"} | environment
    done = manage(tmp_path, "doctor", **said)
    assert done.stdout.startswith("problem  settings: ")
    assert words in done.stdout
    assert (done.returncode, clean(done)) == (1, True)
    (line,) = found(manage(tmp_path, "doctor", "--json", **said))
    assert (line["about"], line["state"]) == ("settings", "problem")
    other = manage(tmp_path, "migrate", **said)
    assert other.stderr.startswith("The settings can't be used: ")
    assert (other.returncode, clean(other)) == (1, True)


def test_doctor_names_static_files_missing_or_old(tmp_path: Path, lite_uri: str) -> None:
    uri = {"MILVUS_URI": lite_uri}
    assert "not collected" in manage(tmp_path, "doctor", **uri).stdout
    manage(tmp_path, "collectstatic", "--noinput", "-v0", **uri)
    os.utime(tmp_path / "static" / "staticfiles.json", (1, 1))
    assert "older than their sources" in manage(tmp_path, "doctor", **uri).stdout
    next((tmp_path / "static" / "css").glob("app.*.css")).unlink()
    assert "1 files are missing, such as css/app.css" in manage(tmp_path, "doctor", **uri).stdout


def test_doctor_ignores_silenced_checks(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[[access]]\ngroups = ["x"]\nclusters = ["*"]\nactions = ["view"]\n')
    oidc = {"OIDC_ISSUER": "http://127.0.0.1:1", "OIDC_CLIENT_ID": "x", "OIDC_CLIENT_SECRET": "x"}
    silent = {
        "SIGN_IN": "oidc",
        "MILVUSADMIN_CONFIG": str(rules),
        "MILVUS_URI": "http://127.0.0.1:1",
    }
    done = manage(tmp_path, "doctor", "--json", **oidc, **silent)
    settings = [finding for finding in found(done) if finding["about"] == "settings"]
    assert [finding["text"] for finding in settings] == ["no problems found"]
