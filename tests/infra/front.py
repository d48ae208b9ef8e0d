"""nginx and Apache with TLS in front of the application, as the files in deploy/ have it.

Each file is used as it is: names, addresses, ports and certificates are put in, no more.
"""

import contextlib
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from . import apache
from .gunicorn import HOST, ROOT, App, folder_for, stop, wait_for
from .milvus_server import free_port

NGINX = Path("/usr/sbin/nginx")
PATH = "/milvus-admin"  # in deploy/*/path.conf
ELSEWHERE = "another tool of this host"  # what the host itself answers, where we have a path only
MODULES = (
    *("mpm_event", "authn_core", "authz_core", "authz_user", "alias", "headers"),
    *("proxy", "proxy_http", "ssl", "unique_id", "auth_openidc"),
)
Values = dict[str, str]


class NoNginx(Exception):
    """nginx is not there; says what to install."""


@dataclass(frozen=True)
class Front:
    """A running web server. People open `base`, and `certificate` is its own."""

    host: str  # with https:// and port
    plain: str  # the same host's port without TLS; empty if the file has none
    base: str
    certificate: Path
    folder: Path

    @property
    def asked(self) -> list[str]:
        """The ids of all requests so far, as its own log has them."""
        return (self.folder / "asked").read_text().split()

    def browser(self) -> requests.Session:
        """Somebody new. Does not follow where it is led."""
        session = requests.Session()
        session.trust_env = False  # REQUESTS_CA_BUNDLE would win over the next line
        session.verify = str(self.certificate)
        return session


@contextlib.contextmanager
def front(
    server: str, site: str, app: App, port: int, changes: Values | None = None
) -> Iterator[Front]:
    """`server` is nginx or apache, `site` a file of its folder in deploy/, without .conf.

    Or `site` is sign-in: the lines of that page in docs/.
    """
    text = _text(server, site)
    below = PATH if "path" in site else ""
    host = f"https://{HOST}:{port}"
    with folder_for(apache.USER) as folder:
        plain = f"http://{HOST}:{free_port()}" if site == "root" else ""
        made = Front(host, plain, f"{host}{below}/", folder / "tls.pem", folder)
        _certificate(folder)
        site_text = _filled_in(text, _values(made, app) | (changes or {}))
        process = SERVERS[server](made, site_text)
        try:
            wait_for(process, folder / "error.log", partial(_answering, made))
            yield made
        finally:
            stop(process)


def _text(server: str, site: str) -> str:
    if site != "sign-in":
        return (ROOT / "deploy" / server / f"{site}.conf").read_text()
    page = (ROOT / "docs" / "sign-in.md").read_text()
    (block,) = re.findall(rf"```{server}\n(.*?)```", page, re.DOTALL)
    return str(block)


def _answering(made: Front) -> str | None:
    with contextlib.suppress(requests.RequestException):
        made.browser().get(made.base, allow_redirects=False, timeout=30)
        return made.base
    return None


def _certificate(folder: Path) -> None:
    """One for this machine, which signs itself."""
    key, made = folder / "tls.key", folder / "tls.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}", "-days", "2"]
    command = ["openssl", "req", "-x509", *curve, "-keyout", key, "-out", made, *name]
    subprocess.run(command, check=True, capture_output=True)


# --- what stands for something else in the files --------------------------------------------------


def _values(made: Front, app: App) -> Values:
    """Longer ones first: some are part of others."""
    port, plain = made.host.rpartition(":")[2], made.plain.rpartition(":")[2]
    return {
        "https://milvus-admin.example.com/": made.base,
        "https://tools.example.com/": f"{made.host}/",
        "milvus-admin.example.com": HOST,
        "https://$host$": f"{made.host}$",
        "listen 80;": f"listen {HOST}:{plain};",
        "listen 443 ssl;": f"listen {HOST}:{port} ssl;",
        "*:80>": f"{HOST}:{plain}>",
        "*:443>": f"{HOST}:{port}>",
        "/etc/ssl/milvus-admin.pem": str(made.certificate),
        "/etc/ssl/private/milvus-admin.key": str(made.folder / "tls.key"),
        "unix:/run/milvusadmin/app.sock": app.bind,
    }


def _filled_in(text: str, values: Values) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    text = "\n".join(lines) + "\n"
    for written, meant in values.items():
        text = text.replace(written, meant)
    left = [word for word in ("example.com", "/run/milvusadmin", "/etc/ssl") if word in text]
    assert not left, f"still in there: {left}\n{text}"
    return text


# --- the servers ----------------------------------------------------------------------------------


def _nginx(made: Front, site: str) -> subprocess.Popen[bytes]:
    if not NGINX.exists():
        raise NoNginx("nginx is needed: apt-get install -y nginx-light")
    folder = made.folder
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    lines = [
        f"user {apache.USER};" if apache.USER else "",
        f"daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;",
        "events { }",
        f"http {{ log_format id $request_id; access_log {folder}/asked id;",
        *(f"{kind}_temp_path {folder}/{kind};" for kind in kinds),
        site if made.plain else _nginx_server(made, site),
        "}",
    ]
    return _started(made, "nginx.conf", "\n".join(lines), [str(NGINX), "-e", "stderr", "-c"])


def _nginx_server(made: Front, site: str) -> str:
    """A server that is there already."""
    tls = f"ssl_certificate {made.certificate}; ssl_certificate_key {made.folder}/tls.key;"
    listen = made.host.removeprefix("https://")
    rest = f'location / {{ return 200 "{ELSEWHERE}"; }}' if made.base != f"{made.host}/" else ""
    return f"server {{ listen {listen} ssl; {tls} {rest}\n{site} }}"


def _apache(made: Front, site: str) -> subprocess.Popen[bytes]:
    apache._check_installed()
    listens = [made.host.removeprefix("https://"), made.plain.removeprefix("http://")]
    lines = [
        apache.server_lines(made.folder, [each for each in listens if each], MODULES),
        f'CustomLog {made.folder}/asked "%{{UNIQUE_ID}}e"',
        site if made.plain else _apache_host(made, site),
    ]
    command = [str(apache.PROGRAM), "-DFOREGROUND", "-f"]
    return _started(made, "apache.conf", "\n".join(lines), command)


def _apache_host(made: Front, site: str) -> str:
    """A virtual host that is there already."""
    (made.folder / "index.html").write_text(ELSEWHERE)
    lines = [
        f"<VirtualHost {made.host.removeprefix('https://')}>",
        f"SSLEngine on\nSSLCertificateFile {made.certificate}",
        f"SSLCertificateKeyFile {made.folder}/tls.key",
        f'AliasMatch "^/" {made.folder}/index.html',
        f"<Directory {made.folder}>\nRequire all granted\n</Directory>",
        site,
        "</VirtualHost>",
    ]
    return "\n".join(lines)


def _started(made: Front, name: str, text: str, command: list[str]) -> subprocess.Popen[bytes]:
    (made.folder / name).write_text(text)
    with (made.folder / "error.log").open("ab") as output:
        return subprocess.Popen([*command, str(made.folder / name)], stdout=output, stderr=output)


SERVERS: dict[str, Callable[[Front, str], "subprocess.Popen[bytes]"]] = {
    "nginx": _nginx,
    "apache": _apache,
}
