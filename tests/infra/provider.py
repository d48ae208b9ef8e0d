"""A real OpenID provider for tests: the one of the demo, in a process of its own.

`sign_in` walks the whole way between our application and the provider, as a browser would.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from django.http import HttpResponse
from django.test import Client

SOURCE = Path(__file__).resolve().parents[2] / "deploy" / "demo-sso"
HOPS_AT_MOST = 20


class NoProvider(Exception):
    """The provider can't be installed or does not start; says why."""


# --- the process ----------------------------------------------------------------------------------


def installed() -> Path:
    """A folder in which Node.js finds the provider's library. Installed once, and then kept.

    A second process waits until the first one has installed it.
    """
    lists = [SOURCE / "package.json", SOURCE / "package-lock.json"]
    digest = hashlib.sha256(b"".join(each.read_bytes() for each in lists)).hexdigest()[:12]
    name = f"milvusadmin-provider-{os.getuid()}-{digest}"
    folder = Path(tempfile.gettempdir()) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "installed").exists():
            for each in lists:
                shutil.copy(each, folder)
            _npm_ci(folder)
            (folder / "installed").touch()
    return folder


def _npm_ci(folder: Path) -> None:
    if shutil.which("npm") is None:
        raise NoProvider("npm is needed for the identity provider; install it.")
    command = ["npm", "ci", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoProvider(f"npm could not install the identity provider:\n{done.stderr}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@dataclass
class Provider:
    """One provider. People: ada (ml-platform), vera (ml-readers), aldo (audit).

    Its clients are `milvus-admin` and, for mod_auth_openidc, `apache`; both have the same secret.
    """

    folder: Path
    rp_bases: tuple[str, ...]
    proxy_base: str = ""  # where Apache is, if it is not at some port of this machine
    port: int = field(default_factory=_free_port)
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    client_id: str = "milvus-admin"
    _process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _output(self) -> Path:
        return self.folder / "output"

    def start(self) -> None:
        """Start it, or start it again: port, key, people and sessions are the same."""
        command = ["node", str(self.folder / "provider.mjs"), str(self.port)]
        with self._output.open("ab") as output:
            before = output.tell()
            self._process = subprocess.Popen(
                command, env=self.environment(), stdout=output, stderr=output
            )
        self._wait_until_it_listens(before)

    def stop(self) -> None:
        """Stop it: the next request is refused. It remembers everything for the next start."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def change(self, name: str, *, display: str | None = None, **claims: Any) -> None:
        """Change somebody's groups, name or claims, or add somebody. groups=None: no such claim.

        `userinfo={"groups": [...]}` makes the userinfo endpoint say something else.
        """
        more = {} if display is None else {"name": display}
        self._hook("PUT", f"users/{name}", claims | more)

    def remove(self, name: str) -> None:
        """There is no such person any more."""
        self._hook("DELETE", f"users/{name}")

    def end_sessions(self, name: str) -> dict[str, list[str]]:
        """End somebody's sessions, and tell the application: `told` where, `failed` why not."""
        answer: dict[str, list[str]] = self._hook("POST", f"sessions/{name}/end")
        return answer

    def stall(self, seconds: float) -> None:
        """Every later answer takes that long. 0 ends it, also for those who are waiting."""
        self._hook("POST", "stall", {"seconds": seconds})

    def no_refresh(self, on: bool = True) -> None:
        """Give no refresh tokens to those who sign in from now on."""
        self._hook("POST", "no-refresh", {"on": on})

    def send_logouts_to(self, base: str) -> None:
        """Where the application is that gets the logout tokens, e.g. http://127.0.0.1:8123."""
        self._hook("PUT", "rp", {"base": base})

    def visit(self, visitor: requests.Session, address: str, name: str = "") -> str:
        """Go where `address` at the provider leads, signing in as `name` if it asks.

        Ends at the first address elsewhere, and answers with that. An empty name cancels.
        """
        for _ in range(HOPS_AT_MOST):
            if not address.startswith(f"{self.issuer}/"):
                return address
            answer = visitor.get(address, allow_redirects=False, timeout=30)
            if not answer.is_redirect:
                answer = _fill_in(visitor, answer, name)
            if not answer.is_redirect:
                raise AssertionError(f"The provider does not go on:\n{answer.text}")
            address = urljoin(address, answer.headers["Location"])
        raise AssertionError(f"The provider leads nowhere; the last address is {address}")

    def environment(self) -> dict[str, str]:
        """What the process is told."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return kept | {
            "RP_BASE": ",".join(self.rp_bases),
            **({"PROXY_BASE": self.proxy_base} if self.proxy_base else {}),
            "CLIENT_SECRET": self.client_secret,
            "KEY_FILE": str(self.folder / "key.json"),
            "STATE_FILE": str(self.folder / "state.json"),
            "TEST_HOOKS": "1",
            "ANY_LOOPBACK": "1",
        }

    def _wait_until_it_listens(self, before: int) -> None:
        """Its own word counts, not an answer on the port: that may be somebody else's."""
        said, deadline = b"", time.monotonic() + 30
        while time.monotonic() < deadline:
            ended = self._process is None or self._process.poll() is not None
            said = self._output.read_bytes()[before:]
            if f"issuer {self.issuer}".encode() in said:
                return
            if ended:
                break
            time.sleep(0.05)
        self.stop()
        raise NoProvider(f"It did not start:\n{said.decode()}")

    def _hook(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = requests.request(method, f"{self.issuer}/test/{path}", json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()


def _fill_in(visitor: requests.Session, page: requests.Response, name: str) -> requests.Response:
    """Send the form of the page: hidden fields as they are, and who we are where it asks that."""
    form = re.search(r"<form[^>]*>", page.text)
    if form is None or page.status_code != 200:
        raise AssertionError(f"The provider answered {page.status_code}:\n{page.text}")
    action = re.search(r'action="([^"]*)"', form[0])
    address = urljoin(page.url, unescape(action[1]) if action else "")
    fields = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
    if 'name="login"' in page.text:
        fields |= {"login": name} if name else {"cancel": "yes"}
    sent = {key: unescape(value) for key, value in fields.items()}
    return visitor.post(address, sent, allow_redirects=False, timeout=30)


@contextlib.contextmanager
def provider(
    rp_bases: tuple[str, ...] = ("http://testserver",), proxy_base: str = ""
) -> Iterator[Provider]:
    """A running provider. Any http address of this machine, or `testserver`, may be ours."""
    library = installed()
    with tempfile.TemporaryDirectory(dir=library, prefix="run-") as name:
        for module in SOURCE.glob("*.mjs"):
            shutil.copy(module, name)
        made = Provider(Path(name), rp_bases, proxy_base)
        try:
            made.start()
            yield made
        finally:
            made.stop()


# --- between the application and the provider -----------------------------------------------------


def sign_in(
    browser: Client,
    provider: Provider,
    name: str,
    next: str = "/",
    visitor: requests.Session | None = None,
) -> HttpResponse:
    """Sign in as `name`; the answer of our callback, or of whatever of ours ended it before.

    Give the same `visitor` again to come with the cookies of the provider.
    """
    begun: Any = browser.get("/sign-in/", {"next": next})
    return complete(browser, provider, begun, name, visitor)


def complete(
    browser: Client,
    provider: Provider,
    begun: HttpResponse,
    name: str = "",
    visitor: requests.Session | None = None,
) -> HttpResponse:
    """Follow an answer of ours to the provider, and back. The answer to the address it leads to.

    For everything that goes by the provider: signing in, stepping up, signing out.
    """
    address = begun.headers.get("Location", "")
    if not address.startswith(f"{provider.issuer}/"):
        return begun
    parts = urlsplit(provider.visit(visitor or requests.Session(), address, name))
    back: Any = browser.get(f"{parts.path}?{parts.query}")
    answer: HttpResponse = back
    return answer
