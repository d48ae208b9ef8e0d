"""gunicorn for Milvus Admin: `gunicorn -c deploy/gunicorn.conf.py`.

The command line, or GUNICORN_CMD_ARGS, changes single settings: `-b unix:/run/ma/app.sock -w 4`.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

chdir = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, chdir)  # works from any folder

from milvusadmin.config import env  # noqa: E402
from milvusadmin.config.logs import for_gunicorn  # noqa: E402

wsgi_app = "milvusadmin.wsgi"
bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))  # gunicorn's own variable
threads = 8
preload_app = False  # Milvus clients are made after the fork
timeout = 60
graceful_timeout = 30  # a drop in progress is finished: three calls, each with its deadline
limit_request_field_size = env.header_bytes()  # HEADER_BYTES: groups come in one header
control_socket_disable = True  # it would be created in the home directory
logconfig_dict = for_gunicorn()  # LOG_FORMAT; the application writes its own line for a request
if os.access("/dev/shm", os.W_OK):  # noqa: S108 (a heartbeat file per worker, in memory)
    worker_tmp_dir = "/dev/shm"  # noqa: S108

# gunicorn trusts no header about protocol and path; by default it would from this machine and from
# every Unix socket. The application trusts the peers that TRUST_PROXY names.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
header_map = "drop"  # X_Forwarded_User is not X-Forwarded-User


def on_starting(server: Any) -> None:
    """With METRICS_TOKEN, give the workers a folder of this gunicorn to sum up their counts in.

    prometheus_client reads its variable on import, which the workers do after the fork.
    """
    if not env.secret("METRICS_TOKEN"):
        return
    data = Path(os.environ.get("DATA_DIR", f"{chdir}/var"))
    folder = Path(os.environ.get("METRICS_DIR", data / "metrics"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        server.metrics = tempfile.mkdtemp(prefix="gunicorn-", dir=folder)
        os.chown(server.metrics, server.cfg.uid, server.cfg.gid)
    except OSError as exc:
        sys.exit(
            f"METRICS_DIR: can't create a folder in {folder}: {exc.strerror}. Use one that Milvus "
            "Admin can write to; it may be in memory."
        )
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = server.metrics


def on_exit(server: Any) -> None:
    """Called after the last worker has ended."""
    if hasattr(server, "metrics"):
        shutil.rmtree(server.metrics, ignore_errors=True)
