"""The processes of the application: gunicorn's workers, and the loop that settles."""

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
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    own = {
        "DATA_DIR": str(app.folder),
        "AUDIT_LOG_FILE": str(app.folder / "audit.jsonl"),
        "SECRET_KEY": "chaos-only-" + "k3y" * 15,
    }

    def keep_running() -> None:
        with (app.folder / "settling").open("ab") as output:
            while not over.is_set():
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.chaos.settling"],
                    cwd=ROOT,
                    env=known | own | environment,
                    stdout=output,
                    stderr=output,
                )
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
