"""Private files of the application, and requests while the log is held."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collections_app.private import keep_database_private
from tests.infra.gunicorn import ROOT, Answer, App, ask, gunicorn, local_session

OPEN = {"SIGN_IN": "local", "LOOPBACK_ONLY": "1", "WEB_CONCURRENCY": "1"}


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"


def test_migrate_with_a_loose_umask_makes_a_private_database(tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": "k" * 40,
        "AUDIT_KEY": "a" * 40,
        "MILVUS_URI": "http://127.0.0.1:1",
        "SIGN_IN": "local",
        "ALLOWED_HOSTS": "milvus.example.com",
    }
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, umask=0o022)
    made = {path.name: mode(path) for path in tmp_path.glob("milvusadmin.sqlite*")}
    assert made
    assert set(made.values()) == {"600"}


def test_keep_database_private_tightens_one_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    for name in (path, tmp_path / "log.sqlite-wal"):
        name.write_text("")
        name.chmod(0o644)
    keep_database_private({"ENGINE": "django.db.backends.sqlite3", "NAME": path})
    assert [mode(path), mode(tmp_path / "log.sqlite-wal")] == ["600", "600"]


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "/nosuch/folder/log.sqlite"])
def test_keep_database_private_leaves_all_else_alone(name: str) -> None:
    keep_database_private({"ENGINE": "django.db.backends.sqlite3", "NAME": name})
    assert not Path(name).exists()


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    """One process with eight threads, as it is deployed, on SQLite."""
    with gunicorn(OPEN) as made:
        yield made


def test_refused_posts_with_the_log_held_leave_room_for_reading(app: App) -> None:
    cookie = (("Cookie", f"session={local_session(app, 'vera', 'viewer')}; csrf={'c' * 32}"),)
    form = (*cookie, ("X-CSRFToken", "c" * 32), ("Content-Length", "0"))
    url = "/clusters/main/drop-collection/?database=default&collection=books"

    def post(_: int) -> Answer:
        return ask(app.connection(), url, form, "POST")

    held = sqlite3.connect(app.folder / "milvusadmin.sqlite", isolation_level=None)
    with ThreadPoolExecutor(8) as pool:
        held.execute("BEGIN IMMEDIATE")
        answers = [pool.submit(post, number) for number in range(8)]
        time.sleep(0.3)
        began = time.monotonic()
        assert ask(app.connection(), "/access/", cookie).status == 200
        assert time.monotonic() - began < 5
        time.sleep(2)
        refused = [answer.result() for answer in answers if answer.done()]
        held.execute("ROLLBACK")
        assert len(refused) >= 6
        assert {answer.status for answer in refused} == {503}
        assert {answer.result().status for answer in answers} <= {503, 403}


def test_sign_in_while_the_log_is_held_keeps_no_thread(app: App) -> None:
    """Failed sign-ins of strangers: the lockout and the session are written, too."""
    form = f"username=nobody&password=wrong&csrfmiddlewaretoken={'c' * 32}"
    headers = (
        ("Cookie", f"csrf={'c' * 32}"),
        ("Content-Type", "application/x-www-form-urlencoded"),
    )
    reader = (("Cookie", f"session={local_session(app, 'vito', 'viewer')}"),)

    def guess(_: int) -> tuple[Answer, float]:
        began = time.monotonic()
        answer = ask(app.connection(), "/sign-in/", headers, "POST", form)
        return answer, time.monotonic() - began

    held = sqlite3.connect(app.folder / "milvusadmin.sqlite", isolation_level=None)
    with ThreadPoolExecutor(12) as pool:
        held.execute("BEGIN IMMEDIATE")
        guesses = [pool.submit(guess, number) for number in range(12)]
        time.sleep(0.3)
        began = time.monotonic()
        assert ask(app.connection(), "/access/", reader).status == 200
        assert time.monotonic() - began < 10, "twelve passwords were hashed at the same time"
        answers = [each.result() for each in guesses]
        held.execute("ROLLBACK")
    assert max(seconds for _, seconds in answers) < 15
    assert {answer.status for answer, _ in answers} == {503}
    assert all("busy" in answer.text for answer, _ in answers)
    assert {answer.headers["Retry-After"] for answer, _ in answers} == {"5"}
    assert guess(0)[0].status == 200, "follow_up it is a wrong password like any other"
