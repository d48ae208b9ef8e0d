"""Python processes that start at once: forked from one that has loaded the slow libraries.

`Python("manage.py", "migrate", env=...)` is a `subprocess.Popen`. pymilvus takes most of a
command's start (it imports pandas and pyarrow), and the tests start hundreds of commands. Nothing
that reads the environment or the settings is loaded before the fork, and gRPC has no connection.
"""

import ctypes
import functools
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOADED = (  # what is slow to import, and reads neither settings nor environment
    "pymilvus",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread",
    "psycopg",
    "authlib.integrations.django_client",
    "cryptography.x509",
    "joserfc.jwt",
    "django.core.mail",
    "django.core.management",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.db.models",
    "django.forms",
    "django.http",
    "django.template.backends.django",
    "django.test",
    "grpc",
    "msgspec",
    "requests",
    "unittest.mock",
)
LONGEST = 1 << 20  # bytes of a request: the environment is in it
PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 15, 36  # <linux/prctl.h>

_libc = ctypes.CDLL(None, use_errno=True)


class Python(subprocess.Popen[Any]):
    """A script, `-c CODE`, `-m MODULE` or `-` (standard input), in a process of its own."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        super().__init__([sys.executable, *arguments], **options)

    def _execute_child(self, args: list[str], *rest: Any) -> None:  # CPython 3.11
        """What subprocess does here by fork and exec, done by the server."""
        _, _, _, _, cwd, env, *_ = rest
        pipes = rest[9:15]
        stdin, stdout, stderr = pipes[0], pipes[3], pipes[5]
        with Path(os.devnull).open("rb") as nothing:
            files = [
                nothing.fileno() if stdin == -1 else stdin,
                1 if stdout == -1 else stdout,
                2 if stderr == -1 else stderr,
            ]
            asked = {"arguments": args[1:], "env": dict(env or os.environ), "cwd": str(cwd or ".")}
            self.pid = _server().start(asked, files)
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


def run(
    *arguments: str, input: str | None = None, timeout: float = 90, **options: Any
) -> "subprocess.CompletedProcess[str]":
    """The finished process, with what it wrote. As subprocess.run."""
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    if input is not None:
        pipes["stdin"] = subprocess.PIPE
    with Python(*arguments, **{**pipes, **options}) as process:
        try:
            out, err = process.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return subprocess.CompletedProcess(list(arguments), process.returncode, out, err)


# --- the server ---------------------------------------------------------------------------------


class _Server:
    """One for this process. It ends when this process has ended."""

    def __init__(self) -> None:
        # A process of the server becomes ours when its parent ends, so we can wait for it.
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._lock = threading.Lock()
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        command = [sys.executable, "-m", "tests.infra.forked", str(theirs.fileno())]
        env = {**kept, "PYTHON_DOTENV_DISABLED": "1"}
        self._process = subprocess.Popen(command, cwd=ROOT, env=env, pass_fds=[theirs.fileno()])
        theirs.close()

    def start(self, asked: dict[str, Any], files: list[int]) -> int:
        """The process' id."""
        with self._lock:
            socket.send_fds(self._ours, [json.dumps(asked).encode()], files)
            return int(self._ours.recv(32))


@functools.cache
def _server() -> _Server:
    return _Server()


def _serve(asking: socket.socket) -> list[str] | None:
    """Fork for each request. Returns in the new process with its arguments, or at the end."""
    while True:
        text, files, _, _ = socket.recv_fds(asking, LONGEST, 3)
        if not text:
            return None
        known, new = os.pipe()
        if keeper := os.fork():
            os.close(new)
            os.waitpid(keeper, 0)  # the new process has lost its parent: it is the asker's now
            asking.send(os.read(known, 32))
            for file in (known, *files):
                os.close(file)
        elif process := os.fork():
            os.write(new, str(process).encode())
            os._exit(0)
        else:
            for file in (known, new, asking.detach()):
                os.close(file)
            return _dressed(json.loads(text), files)


def _dressed(asked: dict[str, Any], files: list[int]) -> list[str]:
    """Take over that environment, folder and files."""
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["cwd"])
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments: list[str] = asked["arguments"]
    _libc.prctl(PR_SET_NAME, _name(arguments).encode(), 0, 0, 0)
    return arguments


def _name(arguments: list[str]) -> str:
    """What ps calls it: the script, or the last part of the module's name."""
    first, second = (*arguments, "")[:2]
    return second.split(".")[-1] if first == "-m" else Path(first).name


def _become(arguments: list[str]) -> None:
    """Do what `python ARGUMENTS` does."""
    first, *rest = arguments
    if first == "-":
        exec(compile(sys.stdin.read(), "<stdin>", "exec"), {"__name__": "__main__"})
    elif first == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
    elif first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        runpy.run_path(first, run_name="__main__")


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    arguments = _serve(socket.socket(fileno=int(sys.argv[1])))
    if arguments is not None:
        _become(arguments)


if __name__ == "__main__":
    main()
