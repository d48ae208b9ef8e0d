"""The application as it runs in production: gunicorn, on a TCP port or a Unix socket.

It has a folder of its own, with a migrated SQLite database and the static files.
"""

import atexit
import contextlib
import functools
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import forked

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(sys.executable).parent
CONFIG = ["-c", "deploy/gunicorn.conf.py"]
HOST = "127.0.0.1"
PREPARE = """
import django
from django.core.management import call_command
django.setup()
call_command("migrate", verbosity=0, skip_checks=True)
call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
"""
SESSION = """
import os
import django
django.setup()
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client
for name in os.environ["ACCOUNT"].split(","):
    user = get_user_model().objects.create_user(name)
    user.groups.set(Group.objects.filter(name__in=os.environ["ROLE"].split(",")))
    client = Client(headers={"host": "127.0.0.1"})
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    print(client.cookies["session"].value)
"""
ACCOUNTS = """
import django
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import call_command
PBKDF2PasswordHasher.iterations = 1000  # else a second of processor for each account
django.setup()
call_command("seed_demo", accounts_only=True)
"""


class NotStarted(Exception):
    """The server did not start; says what it wrote."""


@dataclass
class App:
    """A running application. `bind` is what gunicorn listens on: HOST:PORT or unix:PATH."""

    folder: Path
    bind: str

    @property
    def output(self) -> str:
        """All it wrote so far: its log, and that of gunicorn."""
        return (self.folder / "output").read_text()

    @property
    def asked(self) -> list[str]:
        """The paths that were asked for, in order. Static files, too."""
        return (self.folder / "asked").read_text().split()

    def recorded(self, action: str) -> list[dict[str, Any]]:
        """The audit events of that action, oldest first."""
        lines = (self.folder / "audit.jsonl").read_text().splitlines()
        events = [json.loads(line)["record"] for line in lines]
        return [event for event in events if event["action"] == action]

    def connection(self) -> http.client.HTTPConnection:
        """Straight to it, past any proxy."""
        if self.bind.startswith("unix:"):
            return _UnixConnection(self.bind.removeprefix("unix:"))
        return http.client.HTTPConnection(self.bind, timeout=30)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__(HOST, timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


def ask(
    connection: http.client.HTTPConnection,
    path: str,
    headers: tuple[tuple[str, str], ...] = (),
    method: str = "GET",
    body: str = "",
) -> Answer:
    """Send these headers as they are, doubled ones and strange spellings, too."""
    with contextlib.closing(connection):
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value.encode())
        if body:
            connection.putheader("Content-Length", str(len(body.encode())))
        connection.endheaders(body.encode() or None)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read().decode())


# --- the process ----------------------------------------------------------------------------------


@contextlib.contextmanager
def folder_for(group: str = "") -> Iterator[Path]:
    """A folder that goes afterwards. Members of `group` may look into it."""
    with tempfile.TemporaryDirectory(prefix="milvusadmin-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if group:
            shutil.chown(folder, group=group)
            folder.chmod(0o750)
        yield folder


@contextlib.contextmanager
def gunicorn(
    environment: dict[str, str],
    *,
    unix: bool = False,
    group: str = "",
    module: str = "milvusadmin.wsgi",
) -> Iterator[App]:
    """The application, running with that environment on top of one that is good enough.

    A Unix socket can be opened by `group` only. Raises NotStarted with what the server wrote.
    """
    with folder_for(group) as folder:
        known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        complete = known | _defaults(folder) | environment
        _prepare(folder, complete)
        with _running(folder, complete, unix, group, module) as bind:
            yield App(folder, bind)


def _defaults(folder: Path) -> dict[str, str]:
    return {
        "DATA_DIR": str(folder),
        "AUDIT_LOG_FILE": str(folder / "audit.jsonl"),
        "SECRET_KEY": "tests-only-" + "k3y" * 15,
        "AUDIT_KEY": "tests-only-" + "s3al" * 12,
        "ALLOWED_HOSTS": HOST,
        "MILVUS_URI": "http://127.0.0.1:1",  # nobody there
    }


def _prepare(folder: Path, environment: dict[str, str]) -> None:
    """Make database and static files. As local sign-in, so that settings at fault come later."""
    if "DATABASE_URL" in environment:
        _run(PREPARE, environment | {"SIGN_IN": "local"})
        return
    for made in _prepared().iterdir():
        copy = shutil.copytree if made.is_dir() else shutil.copy
        copy(made, folder / made.name)


@functools.cache
def _prepared() -> Path:
    """A folder with a new SQLite database and the static files. They are the same each time."""
    folder = Path(tempfile.mkdtemp(prefix="milvusadmin-new-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    _run(PREPARE, known | _defaults(folder) | {"SIGN_IN": "local"})
    return folder


def local_session(app: App, name: str, role: str, environment: dict[str, str] | None = None) -> str:
    """Make a local account with that role, sign it in, and give its session."""
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    local = {"SIGN_IN": "local", "LOOPBACK_ONLY": "1", "ACCOUNT": name, "ROLE": role}
    complete = known | _defaults(app.folder) | (environment or {}) | local
    return _run(SESSION, complete).strip()


def local_sessions(
    app: App, count: int, roles: str, environment: dict[str, str] | None = None
) -> list[str]:
    """The same for many, with several roles, at once."""
    names = ",".join(f"p{number}" for number in range(count))
    return local_session(app, names, roles, environment).split()


def local_accounts(app: App, password: str, environment: dict[str, str] | None = None) -> None:
    """Make the accounts viewer, operator and auditor."""
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    local = {"SIGN_IN": "local", "LOOPBACK_ONLY": "1", "DEMO_PASSWORD": password}
    _run(ACCOUNTS, known | _defaults(app.folder) | (environment or {}) | local)


def _run(code: str, environment: dict[str, str]) -> str:
    """What the code prints. Raises NotStarted with what it complains about."""
    complete = environment | {"DJANGO_SETTINGS_MODULE": "milvusadmin.settings"}
    done = forked.run("-c", code, cwd=ROOT, env=complete)
    if done.returncode:
        raise NotStarted(done.stderr)
    return done.stdout


@contextlib.contextmanager
def _running(
    folder: Path, environment: dict[str, str], unix: bool, group: str, module: str
) -> Iterator[str]:
    """Start gunicorn; the value is the address it found."""
    listen = ["-b", f"unix:{folder}/app.sock", "--umask", "007"] if unix else ["-b", f"{HOST}:0"]
    own = ["-g", group] if group else []
    log = ["--access-logfile", str(folder / "asked"), "--access-logformat", "%(U)s"]
    command = [str(HERE / "gunicorn"), *CONFIG, module, *listen, *own, *log]
    with (folder / "output").open("ab") as output:
        process = forked.Python(*command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield wait_for(process, folder / "output", lambda: _address(folder))
    finally:
        stop(process)


def _address(folder: Path) -> str | None:
    """What gunicorn says it listens on, once a worker answers there."""
    said = re.search(r"Listening at: (?:http://)?(\S+)", (folder / "output").read_text())
    if said is None:
        return None
    app = App(folder, said[1])
    with contextlib.suppress(OSError):
        ask(app.connection(), "/signed-out/")
        return app.bind
    return None


def wait_for(
    process: subprocess.Popen[bytes], output: Path, ready: Callable[[], str | None]
) -> str:
    """Wait until `ready` has a value. Raises NotStarted when the process ends before."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = ready()
        if process.poll() is not None:
            break  # whoever answers there is somebody else
        if found:
            return found
        time.sleep(0.05)
    raise NotStarted(output.read_text())


def stop(process: subprocess.Popen[bytes]) -> None:
    """End it, and wait until it is gone."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
