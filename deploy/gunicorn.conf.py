"""gunicorn for Milvus Admin: `gunicorn -c deploy/gunicorn.conf.py`.

The command line, or GUNICORN_CMD_ARGS, changes single settings: `-b unix:/run/ma/app.sock -w 4`.
"""

import os
import sys
from pathlib import Path

chdir = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, chdir)  # works from any folder

from milvusadmin.logs import for_gunicorn  # noqa: E402

wsgi_app = "milvusadmin.wsgi"
bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))  # gunicorn's own variable
threads = 8
preload_app = False  # Milvus clients are made after the fork
timeout = 60
graceful_timeout = 30  # a drop in progress is finished: three calls, each with its deadline
control_socket_disable = True  # it would be created in the home directory
logconfig_dict = for_gunicorn()  # LOG_FORMAT; the application writes its own line for a request
if os.access("/dev/shm", os.W_OK):  # noqa: S108 (a heartbeat file per worker, in memory)
    worker_tmp_dir = "/dev/shm"  # noqa: S108

# gunicorn trusts no header about protocol and path; by default it would from this machine and from
# every Unix socket. The application trusts the peers that TRUST_PROXY names.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
header_map = "drop"  # X_Forwarded_User is not X-Forwarded-User
