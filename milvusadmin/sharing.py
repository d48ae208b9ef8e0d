"""Where the processes of one gunicorn add up what they count. Does not import prometheus_client.

That reads PROMETHEUS_MULTIPROC_DIR when it is imported, so this comes before everything else.
"""

import os
import shutil
import socket
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def share() -> None:
    """With METRICS_TOKEN, count in files that all workers of this gunicorn can read.

    Their folder is named by the machine and the process that started them all, so two gunicorns
    never add up. Raises ImproperlyConfigured.
    """
    if not settings.METRICS_TOKEN:
        return
    ours = Path(settings.METRICS_DIR) / f"{socket.gethostname()}-{os.getppid()}"
    try:
        ours.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise ImproperlyConfigured(
            f"METRICS_DIR: {ours} can't be made: {exc.strerror}. Name a folder that the dashboard "
            "can write; it may be in memory."
        ) from exc
    _forget_the_dead(ours.parent)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(ours)


def _forget_the_dead(folder: Path) -> None:
    for found in folder.glob(f"{socket.gethostname()}-*"):
        starter = found.name.rpartition("-")[2]
        if starter.isdigit() and not _alive(int(starter)):
            shutil.rmtree(found, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
