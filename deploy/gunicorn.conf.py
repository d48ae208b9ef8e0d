"""gunicorn for Milvus Admin: `gunicorn -c deploy/gunicorn.conf.py`.

The command line, or GUNICORN_CMD_ARGS, changes single settings: `-b unix:/run/ma/app.sock -w 4`.
"""

import os
import sys
from pathlib import Path

chdir = str(Path(__file__).resolve().parents[1])
sys.path.insert(0, chdir)  # from whatever folder it is started

from milvusadmin.env import header_bytes  # noqa: E402
from milvusadmin.logs import for_gunicorn  # noqa: E402

wsgi_app = "milvusadmin.wsgi"
bind = "127.0.0.1:8000"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))  # gunicorn's own variable
threads = 8
preload_app = False  # Milvus clients are made after the fork
timeout = 60
graceful_timeout = 30  # a drop under way is finished: three calls, each with its deadline
limit_request_field_size = header_bytes()  # HEADER_BYTES: a proxy sends all groups in one header
control_socket_disable = True  # it would be made in the home directory
logconfig_dict = for_gunicorn()  # LOG_FORMAT; the application writes its own line for a request
if os.access("/dev/shm", os.W_OK):  # noqa: S108 (a sign of life per worker, in memory)
    worker_tmp_dir = "/dev/shm"  # noqa: S108

# gunicorn itself believes no header about protocol and path: by default it does from this machine
# and from every Unix socket. The application does, from the peers that TRUST_PROXY names.
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""
header_map = "drop"  # X_Forwarded_User is not X-Forwarded-User
