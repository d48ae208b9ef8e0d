"""The processes of the application: gunicorn's workers, and the reconciliation loop."""

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.infra.gunicorn import ROOT, App


@contextlib.contextmanager
def settling(app: App, environment: dict[str, str]) -> Iterator[None]:
    """The loop that settles, as it runs beside the application. Killed, it is started again."""
    over = threading.Event()

    def keep_running() -> None:
        while not over.is_set():
            process = _reconcile(app, environment, "--loop", "--every", "0.5")
            while process.poll() is None and not over.wait(0.2):
                pass
            process.terminate()
            process.wait(20)

    keeper = threading.Thread(target=keep_running)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def settle_once(app: App, environment: dict[str, str]) -> None:
    """One look at all that is open, and at private names: the loop does that once a minute."""
    _reconcile(app, environment).wait(60)


def _reconcile(app: App, environment: dict[str, str], *options: str) -> "subprocess.Popen[bytes]":
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    own = {
        "DATA_DIR": str(app.folder),
        "AUDIT_LOG_FILE": str(app.folder / "audit.jsonl"),
        "SECRET_KEY": "chaos-only-" + "k3y" * 15,
    }
    command = [sys.executable, "-m", "tests.chaos.settling", *options]
    with (app.folder / "settling").open("ab") as output:
        return subprocess.Popen(
            command, cwd=ROOT, env=known | own | environment, stdout=output, stderr=output
        )


def workers() -> list[int]:
    """Those that may be killed: somebody starts them again."""
    ours = _children(os.getpid())
    masters = [process for process in ours if "gunicorn" in _command(process)]
    served = [worker for master in masters for worker in _children(master)]
    return served + [process for process in ours if "tests.chaos.settling" in _command(process)]


def _children(process: int) -> list[int]:
    with contextlib.suppress(OSError):
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(pid) for task in tasks for pid in (task / "children").read_text().split()]
    return []


def _command(process: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_text()
    return ""
