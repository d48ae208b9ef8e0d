"""pymilvus under control, each test in a new process: an import happens once.

The controls show that pymilvus alone does what we keep it from.
"""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

import pytest

from collections_app.milvus.connection import Connection
from collections_app.milvus.types import Cluster

ROOT = Path(__file__).resolve().parents[2]
OURS = "import collections_app.milvus.gateway, collections_app.milvus.destroy"
THEIRS = "import pymilvus"


def python(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder, as an operator would who has started us from there."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHON_DOTENV_DISABLED"}
    return subprocess.run(
        [sys.executable, "-c", dedent(code)],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(ROOT), "MILVUS_URI": "", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(("imports", "poured"), [(OURS, "None"), (THEIRS, "poured in")])
def test_import_reads_no_stray_env_file(tmp_path: Path, imports: str, poured: str) -> None:
    (tmp_path / ".env").write_text("STRAY=poured in\n")
    done = python(f"{imports}; import os; print(os.environ.get('STRAY'))", tmp_path)
    assert (done.stdout.strip(), done.stderr) == (poured, "")


@pytest.mark.parametrize(("imports", "fails"), [(OURS, False), (THEIRS, True)])
def test_import_with_a_path_in_milvus_uri_works(tmp_path: Path, imports: str, fails: bool) -> None:
    path = str(tmp_path / "demo.db")
    done = python(
        f"{imports}; import os; print(os.environ['MILVUS_URI'])", tmp_path, MILVUS_URI=path
    )
    assert (done.returncode != 0) is fails
    assert done.stdout.strip() == ("" if fails else path), "and it is there for us to read"


LOGGING = """
import json, logging, logging.config
logging.config.dictConfig({
    "version": 1, "disable_existing_loggers": False,
    "handlers": {"all": {"class": "logging.StreamHandler"}},
    "loggers": {"audit": {"level": "INFO", "handlers": ["all"], "propagate": False},
                "django.request": {"level": "ERROR"}},
    "root": {"level": "INFO", "handlers": ["all"]},
})
def state():
    loggers = [logging.getLogger(n) for n in ("", "audit", "django", "django.request")]
    return [(g.name, g.level, g.propagate, [type(h).__name__ for h in g.handlers]) for g in loggers]
before = state()
import collections_app.milvus.gateway
tame = logging.getLogger("pymilvus")
print(json.dumps({"same": state() == before, "own": len(tame.handlers), "up": tame.propagate}))
"""


def test_import_leaves_other_logging_alone(tmp_path: Path) -> None:
    done = python(LOGGING, tmp_path)
    assert json.loads(done.stdout) == {"same": True, "own": 0, "up": True}
    assert done.stderr == ""


FAILING = """
import logging, sys
logging.basicConfig(level=logging.INFO)
from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import MilvusError
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.types import Cluster
connection = Connection(Cluster(key="t", label="T", uri=sys.argv[1], read_timeout=1))
gateway, destroyer = Gateway(connection), Destroyer(connection)
calls = (lambda: gateway.collection("default", "nothing"), lambda: gateway.collections("nowhere"),
         lambda: destroyer.drop_partition("default", "nothing", "p"))
for call in calls:
    try:
        call()
    except MilvusError as exc:
        print(exc.kind)
"""


@pytest.mark.parametrize(
    ("uri", "kinds"),
    [
        ("http://127.0.0.1:1", ["unreachable"] * 3),
        ("./demo.db", ["not_found", "not_found", "refused"]),
    ],
    ids=["nobody there", "lite"],
)
def test_failing_call_logs_no_traceback(tmp_path: Path, uri: str, kinds: list[str]) -> None:
    done = python(FAILING.replace("sys.argv[1]", repr(uri)), tmp_path)
    assert done.stdout.split() == kinds
    assert "Traceback" not in done.stderr
    assert "ERROR" not in done.stderr


RPCS = (
    "ShowCollections",
    "ShowPartitions",
    "DescribeIndex",
    "ListAliases",
    "DropCollection",
    "DropPartition",
    "ReleaseCollection",
    "ReleasePartitions",
    "DropAlias",
)


def test_pymilvus_has_the_private_parts_in_use(lite_uri: str) -> None:
    """pymilvus has no public call that is sent once, so its version is pinned."""
    client = Connection(Cluster(key="t", label="T", uri=lite_uri)).client("default")
    stub = client._get_connection()._stub
    assert [rpc for rpc in RPCS if not callable(getattr(stub, rpc, None))] == []
    assert f"pymilvus=={version('pymilvus')}" in (ROOT / "requirements.txt").read_text().split()
