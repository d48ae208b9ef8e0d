"""The processes of the application: gunicorn's workers, and the loops of background.py."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.infra.forked import Python
from tests.infra.gunicorn import ROOT, App


@contextlib.contextmanager
def loops(app: App, environment: dict[str, str]) -> Iterator[None]:
    """The loops that run beside the application. Killed, they are started again."""
    process = _background(app, environment)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def command(app: App, environment: dict[str, str], *words: str) -> None:
    """One round of a management command."""
    _background(app, environment, *words).wait(90)


def _background(app: App, environment: dict[str, str], *words: str) -> "subprocess.Popen[bytes]":
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    own = {
        "DATA_DIR": str(app.folder),
        "AUDIT_LOG_FILE": str(app.folder / "audit.jsonl"),
        "SECRET_KEY": "chaos-only-" + "k3y" * 15,
    }
    command = ["-m", "tests.chaos.background", *words]
    with (app.folder / "background").open("ab") as output:
        return Python(
            *command, cwd=ROOT, env=known | own | environment, stdout=output, stderr=output
        )


def workers() -> list[int]:
    """Those that may be killed: somebody starts them again."""
    keepers = ("gunicorn", "background")
    parents = [one for one in _children(os.getpid()) if _command(one) in keepers]
    return [worker for parent in parents for worker in _children(parent)]


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    return []


def _command(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/comm").read_text().strip()
    return ""
