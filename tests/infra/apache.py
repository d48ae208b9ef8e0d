"""Apache with mod_auth_openidc in front of the application, as docs/sign-in.md writes it.

The configuration is the one on that page: names, addresses and secrets are put in, no more.
"""

import contextlib
import http.client
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urljoin

import requests

from .gunicorn import HOST, ROOT, App, NotStarted, folder_for, stop, wait_for
from .milvus_server import free_port
from .provider import Provider

PAGE = ROOT / "docs" / "sign-in.md"
PROGRAM, MODULES = Path("/usr/sbin/apache2"), Path("/usr/lib/apache2/modules")
NEEDED = (
    *("mpm_event", "authn_core", "authz_core", "authz_user"),
    *("headers", "proxy", "proxy_http", "auth_openidc"),
)
# Started by root, Apache serves as this user; else as whoever starts it.
USER = "www-data" if os.getuid() == 0 else ""
ATTEMPTS = 3  # somebody else may take the port that was free a moment ago
HOPS_AT_MOST = 20


class NoApache(Exception):
    """Apache or its module is not there; says what to install."""


@dataclass
class Apache:
    """A running Apache at `base`; the application `app` is behind it."""

    base: str
    app: App
    provider: Provider

    def browser(self) -> "Browser":
        """Somebody who has not signed in yet."""
        return Browser(self)


@dataclass
class Browser:
    """Goes where Apache sends it, as a browser would, and keeps the cookies."""

    apache: Apache
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **headers: str) -> requests.Response:
        """One answer, wherever it leads. `X_Y="z"` is sent as X-Y: z."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        address = urljoin(self.apache.base, path)
        self._speak_http()
        return self.session.get(address, headers=sent, allow_redirects=False, timeout=30)

    def post(self, path: str, page: requests.Response, *, origin: str = "") -> requests.Response:
        """Send that page's form for `path`, as a page of `origin` would; ours if it is empty."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        self._speak_http()
        return self.session.post(
            urljoin(self.apache.base, path),
            {"csrfmiddlewaretoken": token[1]},
            headers={"Origin": origin or self.apache.base.replace("http:", "https:")},  # as by TLS
            allow_redirects=False,
            timeout=30,
        )

    def sign_in(self, name: str, path: str = "/") -> requests.Response:
        """Ask for a page, sign in as `name` on the way if need be, and get it."""
        answer = self.get(path)
        for _ in range(HOPS_AT_MOST):
            if not answer.is_redirect:
                return answer
            address = urljoin(answer.url, answer.headers["Location"])
            answer = self.get(self.apache.provider.visit(self.session, address, name))
        raise AssertionError(f"Apache leads nowhere; the last address is {answer.url}")

    def _speak_http(self) -> None:
        """The application sets cookies for https; here Apache speaks http, to this machine only."""
        for cookie in self.session.cookies:
            cookie.secure = False

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.apache.base.removeprefix("http://"), timeout=30)

    @property
    def cookie(self) -> tuple[str, str]:
        """The cookies as a header, for requests that are made by hand."""
        pairs = [f"{c.name}={c.value}" for c in self.session.cookies]
        return ("Cookie", "; ".join(pairs))


# --- the process ----------------------------------------------------------------------------------


@contextlib.contextmanager
def apache(
    app: App, provider: Provider, secret: str, changes: dict[str, str] | None = None
) -> Iterator[Apache]:
    """A running Apache in front of `app`. `changes` replaces more of the page's configuration."""
    _check_installed()
    with folder_for(USER) as folder:
        values = _values(app, provider, secret) | (changes or {})
        process, base = _start(folder, values)
        try:
            yield Apache(base, app, provider)
        finally:
            stop(process)


def _check_installed() -> None:
    if not (PROGRAM.exists() and (MODULES / "mod_auth_openidc.so").exists()):
        raise NoApache(
            "Apache with mod_auth_openidc is needed: apt-get install -y apache2-bin "
            "libapache2-mod-auth-openidc"
        )


def _start(folder: Path, values: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    for attempt in range(1, ATTEMPTS + 1):
        base = f"http://{HOST}:{free_port()}"
        process = _process(folder, _config(folder, base, values))
        try:
            wait_for(process, folder / "error.log", partial(_answering, base))
            return process, base
        except NotStarted:
            stop(process)
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("not reached")


def _process(folder: Path, config: str) -> subprocess.Popen[bytes]:
    (folder / "apache.conf").write_text(config)
    command = [str(PROGRAM), "-f", str(folder / "apache.conf"), "-DFOREGROUND"]
    with (folder / "error.log").open("ab") as output:
        return subprocess.Popen(command, stdout=output, stderr=output)


def _answering(base: str) -> str | None:
    """`base`, once it answers."""
    with contextlib.suppress(requests.RequestException):
        requests.get(base, allow_redirects=False, timeout=30)
        return base
    return None


# --- the configuration ----------------------------------------------------------------------------


def page_config() -> str:
    """Apache's lines, as docs/sign-in.md has them."""
    (block,) = re.findall(r"```apache\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(block)


def _values(app: App, provider: Provider, secret: str) -> dict[str, str]:
    """What stands for something else on the page, and what it is here."""
    unix = app.bind.startswith("unix:")
    return {
        "https://id.example.com/realms/main": provider.issuer,
        "OIDCClientID         milvus-admin": "OIDCClientID apache",
        "THE-CLIENT-SECRET": provider.client_secret,
        "ANOTHER-LONG-SECRET": secret[::-1],
        '"openid profile email"': '"openid profile email groups"',
        "THE-SHARED-SECRET": secret,
        "unix:/run/milvusadmin/app.sock|http://milvus-admin/": (
            f"{app.bind}|http://milvus-admin/" if unix else f"http://{app.bind}/"
        ),
    }


def _config(folder: Path, base: str, values: dict[str, str]) -> str:
    site = page_config()
    for written, meant in (values | {"https://milvus-admin.example.com": base}).items():
        if written not in site:
            raise AssertionError(f"docs/sign-in.md has no {written!r} in Apache's lines any more")
        site = site.replace(written, meant)
    return server_lines(folder, [base.removeprefix("http://")]) + site


def server_lines(folder: Path, listens: list[str], modules: tuple[str, ...] = NEEDED) -> str:
    """What a distribution's own files would say."""
    load = [f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in modules]
    user = [f"User {USER}", f"Group {USER}"] if USER else []
    lines = [
        f"ServerRoot {folder}",
        f"DefaultRuntimeDir {folder}",
        f"PidFile {folder}/apache.pid",
        f"Mutex file:{folder} default",
        f"ErrorLog {folder}/error.log",
        f"ServerName {HOST}",
        *(f"Listen {address}" for address in listens),
        "StartServers 1",
        *load,
        *user,
    ]
    return "\n".join(lines) + "\n"
