"""The code forms that can be run are run, as shown, against a real Milvus.

Each run must remove what it names and nothing like it: beside the target stand the name without
its odd character, a longer one, and the very same name in the `default` database.
"""

import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sysconfig
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pymilvus import DataType, MilvusClient

from collections_app.web.snippets import drop_collection, drop_partition
from tests.infra import forked

DATABASE = "cf_forms"
NODE_SDK, NODE_SDK_VERSION = "@zilliz/milvus2-sdk-node", "3.0.6"
NODE_FOLDER = Path(__file__).parent.parent.parent / "var" / "node"
# All of these Milvus 2.3 accepts. The last four are the ones milvus_cli cannot be given.
TYPEABLE = ("cf_book", "cf_x ", " cf_lead")
NAMES = (*TYPEABLE, "cf_x\n", "cf_x\t", "cf_x\r", "cf_x\u00a0")
RUNS = [(key, name) for key in ("python", "nodejs", "curl") for name in NAMES]
RUNS += [("cli", name) for name in TYPEABLE]

Run = Callable[[str], str]


# Running one form ----------------------------------------------------------------------------


def environment(token: str, home: Path) -> dict[str, str]:
    """No credential in the home folder, nor in ours, may stand in for MILVUS_TOKEN."""
    scripts = sysconfig.get_path("scripts")
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    terminal = {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
    return {"PATH": path, "HOME": str(home), "MILVUS_TOKEN": token, "LANG": "C.UTF-8"} | terminal


def executable(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is needed to run the code forms; install it.")
    return path


@pytest.fixture(scope="session")
def node_sdk() -> Path:
    """A folder in which Node.js finds the SDK of Milvus. Installed once, and then kept."""
    package = NODE_FOLDER / "node_modules" / NODE_SDK / "package.json"
    if not package.exists() or json.loads(package.read_text())["version"] != NODE_SDK_VERSION:
        NODE_FOLDER.mkdir(parents=True, exist_ok=True)
        (NODE_FOLDER / "package.json").write_text('{"private": true}\n')
        wanted = f"{NODE_SDK}@{NODE_SDK_VERSION}"
        npm = [executable("npm"), "install", "--no-audit", "--no-fund", wanted]
        done = subprocess.run(npm, cwd=NODE_FOLDER, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"npm could not install {wanted}:\n{done.stderr}")
    return NODE_FOLDER


def python(code: str, cwd: Path, env: dict[str, str]) -> str:
    options: dict[str, Any] = {"cwd": cwd, "env": env, "stderr": subprocess.STDOUT}
    return str(forked.run("-", input=code, **options).stdout)


@pytest.fixture
def runners(milvus_server: Any, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Run]:
    """How to run each form. The answer is what it showed; what it did, Milvus tells."""
    env = environment(milvus_server.token, tmp_path)

    def run(command: list[str], code: str, cwd: Path) -> str:
        streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        options = streams | {"cwd": cwd, "env": env, "timeout": 60, "text": True}
        return str(subprocess.run(command, input=code, check=False, **options).stdout)

    node = [executable("node"), "--input-type=module", "-"]
    return {
        "python": lambda code: python(code, tmp_path, env),
        "nodejs": lambda code: run(node, code, request.getfixturevalue("node_sdk")),
        "curl": lambda code: run([executable("bash"), "-s"], code, tmp_path),
        "cli": lambda code: run_in_terminal(code, env),
    }


READY = b"\x1b[?2004h"  # the prompt says so to the terminal whenever it waits for a line
ASKING = b"[y/N]"
END_OF_INPUT = b"\x04"


def run_in_terminal(code: str, env: dict[str, str]) -> str:
    """Type the lines as an operator would, answering yes to the question. All that was shown."""
    shell, *lines = code.split("\n")
    with terminal([executable("bash"), "-c", shell], env) as (keyboard, shown):
        shown.until(READY)
        for line in lines:
            os.write(keyboard, line.encode() + b"\r")
            while shown.until(READY, ASKING) == ASKING:
                os.write(keyboard, b"y\r")
        os.write(keyboard, END_OF_INPUT)  # `exit` of milvus_cli 1.2.1 does not exit
    return shown.text


class Screen:
    """What the program in the terminal has written."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor, self.seen, self.read_to = descriptor, b"", 0

    @property
    def text(self) -> str:
        return self.seen.decode(errors="replace")

    def until(self, *marks: bytes) -> bytes:
        """Wait for whichever mark comes first after the last one found."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            unread = self.seen[self.read_to :]
            at = {unread.find(mark): mark for mark in marks if mark in unread}
            if at:
                first = min(at)
                self.read_to += first + len(at[first])
                return at[first]
            if select.select([self.descriptor], [], [], 1)[0]:
                self.seen += os.read(self.descriptor, 65536)
        pytest.fail(f"The program never showed {marks}:\n{self.text}")


@contextmanager
def terminal(command: list[str], env: dict[str, str]) -> Iterator[tuple[int, Screen]]:
    """Run `command` in a terminal of its own, wide enough that no line wraps."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 400, 0, 0))
    with subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, env=env, start_new_session=True
    ) as process:
        os.close(its)
        try:
            yield ours, Screen(ours)
            process.wait(timeout=30)
        finally:
            process.kill()
            os.close(ours)


# Targets and what stands beside them ---------------------------------------------------------


@pytest.fixture
def milvus(milvus_server: Any) -> Iterator[Callable[[str], MilvusClient]]:
    """A client for a database by name; ours is made before and everything unmade after."""
    clients: dict[str, MilvusClient] = {}

    def client(database: str) -> MilvusClient:
        if database not in clients:
            clients[database] = MilvusClient(
                uri=milvus_server.uri, token=milvus_server.token, db_name=database
            )
        return clients[database]

    if DATABASE not in client("default").list_databases():
        client("default").create_database(DATABASE)
    clean(client)
    yield client
    clean(client)
    client("default").drop_database(DATABASE)
    for each in clients.values():
        each.close()


def clean(client: Callable[[str], MilvusClient]) -> None:
    for database in ("default", DATABASE):
        for name in client(database).list_collections():
            if name.strip().startswith("cf_"):
                client(database).drop_collection(name)


def create(client: MilvusClient, collection: str, *partitions: str) -> None:
    """A collection that is not loaded, since a loaded partition cannot be dropped."""
    schema = client.create_schema()
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    client.create_collection(collection, schema=schema)
    for partition in partitions:
        client.create_partition(collection, partition)


def lookalikes(name: str) -> set[str]:
    """Legal names that differ from `name` by what careless quoting would lose or add."""
    return {name.strip(), f"{name.strip()}_2"} - {name}


def where(milvus_server: Any, client: MilvusClient) -> dict[str, str]:
    version = client.get_server_version()
    return {"endpoint": milvus_server.uri, "database": DATABASE, "server_version": version}


def code_of(forms: tuple[Any, ...], key: str) -> str:
    return {snippet.key: snippet.code for snippet in forms}[key]


# Tests ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("key", "name"), RUNS, ids=ascii)
def test_collection_form_drops_that_collection_only(
    key: str, name: str, milvus: Any, milvus_server: Any, runners: dict[str, Run]
) -> None:
    ours, default = milvus(DATABASE), milvus("default")
    create(default, name)
    for each in {name} | lookalikes(name):
        create(ours, each)

    forms = drop_collection(collection=name, **where(milvus_server, ours))
    shown = runners[key](code_of(forms, key))

    assert set(ours.list_collections()) == lookalikes(name), shown
    assert name in default.list_collections(), shown


@pytest.mark.parametrize(("key", "name"), [r for r in RUNS if r[0] != "curl"], ids=ascii)
def test_partition_form_drops_that_partition_only(
    key: str, name: str, milvus: Any, milvus_server: Any, runners: dict[str, Run]
) -> None:
    ours, default = milvus(DATABASE), milvus("default")
    create(default, name, name)
    for collection in {name} | lookalikes(name):
        create(ours, collection, name, *lookalikes(name))

    forms = drop_partition(collection=name, partition=name, **where(milvus_server, ours))
    shown = runners[key](code_of(forms, key))

    kept = lookalikes(name) | {"_default"}
    assert set(ours.list_partitions(name)) == kept, shown
    for collection in lookalikes(name):
        assert set(ours.list_partitions(collection)) == kept | {name}, shown
    assert name in default.list_partitions(name), shown


def test_curl_form_on_milvus_2_3_cannot_drop_a_partition(
    milvus: Any, milvus_server: Any, runners: dict[str, Run]
) -> None:
    ours = milvus(DATABASE)
    create(ours, "cf_book", "cf_novel")

    forms = drop_partition(collection="cf_book", partition="cf_novel", **where(milvus_server, ours))
    shown = runners["curl"](code_of(forms, "curl"))

    assert "404" in shown
    assert ours.has_partition("cf_book", "cf_novel")


@pytest.mark.parametrize("key", ["python", "nodejs", "curl", "cli"])
def test_form_for_a_missing_database_spares_the_default_one(
    key: str, milvus: Any, milvus_server: Any, runners: dict[str, Run]
) -> None:
    default = milvus("default")
    create(default, "cf_book")
    gone = where(milvus_server, default) | {"database": "cf_gone"}

    shown = runners[key](code_of(drop_collection(collection="cf_book", **gone), key))

    assert default.has_collection("cf_book"), shown


BEFORE = """
import sys
from pymilvus import MilvusClient
client = MilvusClient(sys.argv[1])
for name in ("cf_book", "cf_book_2"):
    client.create_collection(name, dimension=2)
"""
AFTER = """
import sys
from pymilvus import MilvusClient
print(MilvusClient(sys.argv[1]).list_collections())
"""


def test_python_form_drops_from_a_local_file(tmp_path: Path) -> None:
    """Each step in its own process: Milvus Lite's file belongs to one at a time."""
    path = str(tmp_path / 'it\'s a "demo".db')
    forms = drop_collection(endpoint=path, database="default", collection="cf_book")
    shown = ""
    for code in (BEFORE, forms[0].code, AFTER):
        done = forked.run("-c", code, path, env=environment("", tmp_path))
        assert not done.returncode, done.stderr
        shown = done.stdout
    assert shown == "['cf_book_2']\n"
