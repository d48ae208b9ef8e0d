"""Sign-in through a real nginx with auth_request, as in docs/sign-in.md.

What answers nginx is a stand-in for oauth2-proxy: it knows one cookie.
"""

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from tests.infra.apache import USER
from tests.infra.front import Front, front
from tests.infra.gunicorn import App, gunicorn
from tests.infra.milvus_server import free_port

SECRET = "what-the-proxy-says-" + "0f" * 16
RULES = 'access = [{groups = ["ml-platform"], clusters = ["*"], actions = ["view"]}]\n'
ADA = {"user": "ada", "preferred-username": "Ada Osei", "groups": "ml-platform"}


class StandIn(BaseHTTPRequestHandler):
    """Says at /oauth2/auth who that is, and has a page to sign in."""

    said = ADA

    def do_GET(self) -> None:
        known = "signed-in=yes" in self.headers.get("Cookie", "")
        asked = self.path == "/oauth2/auth"
        self.send_response((202 if known else 401) if asked else 200)
        for name, value in self.said.items() if asked and known else ():
            self.send_header(f"X-Auth-Request-{name}", value)
        self.end_headers()
        self.wfile.write(b"" if asked else b"the company's sign-in")


@pytest.fixture(scope="module")
def stand_in() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def served(stand_in: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, App]]:
    rules = tmp_path_factory.mktemp("rules") / "rules.toml"
    rules.write_text(RULES)
    variables = {
        "SIGN_IN": "proxy",
        "PROXY_SECRET": SECRET,
        "PROXY_TRUSTED": "unix",
        "PROXY_SIGN_OUT_URL": "/oauth2/sign_out",
        "TRUST_PROXY": "unix",
        "MILVUSADMIN_CONFIG": str(rules),
    }
    changes = {"127.0.0.1:4180": f"127.0.0.1:{stand_in}", "THE-SHARED-SECRET": SECRET}
    with (
        gunicorn(variables, unix=True, group=USER) as app,
        front("nginx", "sign-in", app, free_port(), changes) as made,
    ):
        yield made, app


@pytest.fixture
def ada(served: tuple[Front, App]) -> requests.Session:
    browser = served[0].browser()
    browser.headers["Cookie"] = "signed-in=yes"
    return browser


def who(
    browser: requests.Session, served: tuple[Front, App], sent: dict[str, str] | None = None
) -> tuple[str, str]:
    """Name and groups, as the page's head shows them."""
    page = browser.get(f"{served[0].base}access/", headers=sent, timeout=30)
    found = re.search(r'Groups: ([^"]*)"[^>]*>([^<]*)</a>', page.text)
    return (found[2], found[1]) if found else (str(page.status_code), page.text)


def test_nginx_signed_in_user_reaches_milvus_admin(
    ada: requests.Session, served: tuple[Front, App]
) -> None:
    assert who(ada, served) == ("Ada Osei", "ml-platform")
    assert served[1].recorded("session.sign_in")[-1]["actor"]["subject"] == "ada"


def test_nginx_signed_out_shows_the_companys_sign_in(served: tuple[Front, App]) -> None:
    before = served[0].browser()
    forged = {"X-Forwarded-User": "ada", "X-Proxy-Secret": SECRET}
    page = before.get(f"{served[0].base}access/", headers=forged, timeout=30)
    assert page.text == "the company's sign-in"


FORGED = {
    "X-Forwarded-User": "eve",
    "X-Forwarded-Preferred-Username": "Eve",
    "X-Forwarded-Groups": "audit",
    "X-Proxy-Secret": "wrong",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-For": "203.0.113.9",
    "X_Forwarded_Groups": "audit",
}


def test_nginx_ignores_forged_headers_of_a_signed_in_user(
    ada: requests.Session, served: tuple[Front, App]
) -> None:
    for name, value in FORGED.items():
        assert who(ada, served, {name: value}) == ("Ada Osei", "ml-platform")


def test_nginx_without_groups_passes_none(
    ada: requests.Session, served: tuple[Front, App], monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {name: value for name, value in ADA.items() if name != "groups"}
    monkeypatch.setattr(StandIn, "said", without)
    assert who(ada, served, {"X-Forwarded-Groups": "ml-platform"}) == ("Ada Osei", "none")
