"""Forwarded headers of a trusted proxy, and the URL prefix."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse

from collections_app.access.principals import client_address
from milvusadmin.config.peers import Peers, peers
from milvusadmin.middleware.forwarded import ForwardedMiddleware, address, prefix, with_url_prefix
from tests.infra.gunicorn import HOST, App, ask, gunicorn

PROXY, ELSEWHERE = "10.0.3.7", "192.0.2.9"
SAID = {
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "admin.example",
    "HTTP_X_FORWARDED_FOR": "198.51.100.7",
}


def through(settings: Any, peer: str, **said: str) -> tuple[str, str, str]:
    """Scheme, host and client of a request from that peer, as the views see them."""
    settings.TRUST_PROXY = Peers(networks=(ip_network(PROXY),))
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.USE_X_FORWARDED_HOST = True
    settings.ALLOWED_HOSTS = ["admin.example", "own.example"]
    request = HttpRequest()
    request.META = {"REMOTE_ADDR": peer, "HTTP_HOST": "own.example", **said}
    ForwardedMiddleware(lambda _: HttpResponse())(request)
    return str(request.scheme), request.get_host(), client_address(request)


def test_forwarded_headers_of_a_trusted_proxy_are_used(settings: Any) -> None:
    assert through(settings, PROXY, **SAID) == ("https", "admin.example", "198.51.100.7")


@pytest.mark.parametrize("peer", [ELSEWHERE, "", "::1"])
def test_forwarded_headers_of_anybody_else_are_ignored(peer: str, settings: Any) -> None:
    assert through(settings, peer, **SAID) == ("http", "own.example", peer)


def test_forwarded_headers_forged_by_a_client_are_ignored(settings: Any) -> None:
    forged = {name: f"forged, https, {value}" for name, value in SAID.items()}
    assert through(settings, PROXY, **forged) == ("https", "admin.example", "198.51.100.7")


def test_forwarded_headers_left_empty_change_nothing(settings: Any) -> None:
    empty = dict.fromkeys(SAID, "")
    assert through(settings, PROXY, **empty) == ("http", "own.example", PROXY)


ADDRESSES = [
    ("203.0.113.7", "203.0.113.7"),
    ("203.0.113.7:40000", "203.0.113.7"),
    ("2001:db8::7", "2001:db8::7"),
    ("2001:DB8:0::7", "2001:db8::7"),
    ("[2001:db8::7]:40000", "2001:db8::7"),
    ("[2001:db8::7]", "2001:db8::7"),
    ("fe80::1%eth0", "fe80::1"),
    ("::ffff:203.0.113.7", "203.0.113.7"),
    ('"[2001:db8::7]:4711"', "2001:db8::7"),
    ("unknown", ""),
    ("_hidden", ""),
    ("203.0.113.7:x:y", ""),
    ("203.0.113", ""),
    ("203.0.113.7\x00", ""),
    ("[", ""),
    ("", ""),
]


@pytest.mark.parametrize(("said", "expected"), ADDRESSES)
def test_address_forwarded_value_is_an_address_or_nothing(said: str, expected: str) -> None:
    assert address(said) == expected


@pytest.mark.parametrize("said", [said for said, expected in ADDRESSES if not expected])
def test_forwarded_client_that_is_no_address_is_ignored(said: str, settings: Any) -> None:
    assert through(settings, PROXY, HTTP_X_FORWARDED_FOR=said)[2] == PROXY


def test_forwarded_protocol_in_capitals_is_the_same(settings: Any) -> None:
    assert through(settings, PROXY, HTTP_X_FORWARDED_PROTO="HTTPS")[0] == "https"


@pytest.mark.parametrize("value", ["1", "true", "*", "0.0.0.0/0"])
def test_trust_proxy_that_matches_everybody_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRUST_PROXY", value)
    with pytest.raises(ImproperlyConfigured, match=r"^TRUST_PROXY: .* List the proxy"):
        peers("TRUST_PROXY")


# --- below a prefix -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "asked", "path"),
    [
        ("", "/audit/", "/audit/"),
        ("/ma", "/ma/audit/", "/audit/"),
        ("/ma", "/audit/", "/audit/"),  # the proxy took it off
        ("/ma", "/ma", ""),
        ("/ma", "/max/audit/", "/max/audit/"),
        ("/ma", "/ma/ma/", "/ma/"),
        ("/tools/ma", "/tools/ma/audit/", "/audit/"),
    ],
)
def test_url_prefix_is_removed_once(where: str, asked: str, path: str) -> None:
    seen: dict[str, Any] = {}
    request = {"PATH_INFO": asked, "SCRIPT_NAME": "/of-somebody-else"}
    with_url_prefix(where, lambda environ, start: seen.update(environ))(request, lambda *args: None)
    assert seen == {"PATH_INFO": path, "SCRIPT_NAME": where}


@pytest.mark.parametrize(
    ("value", "expected"), [("", ""), ("/", ""), ("/ma/", "/ma"), ("/a/b-c", "/a/b-c")]
)
def test_url_prefix_in_any_usual_form_is_read(
    value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URL_PREFIX", value)
    assert prefix() == expected


@pytest.mark.parametrize("value", ["ma", "//ma", "/m a", "/../ma", "https://host/ma", "/a?b", "/ä"])
def test_url_prefix_that_is_no_path_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL_PREFIX", value)
    with pytest.raises(ImproperlyConfigured, match=r"URL_PREFIX is .* Use a path"):
        prefix()


# --- headers that would be the server's own -------------------------------------------------------


@pytest.fixture(scope="module", params=["unix", "tcp"])
def app(request: pytest.FixtureRequest) -> Iterator[App]:
    """On a Unix socket too: gunicorn by itself believes everybody there."""
    with gunicorn({"SIGN_IN": "local"}, unix=request.param == "unix") as made:
        yield made


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "script_name", "Script-Name", "PATH_INFO"])
@pytest.mark.parametrize("value", ["/evil", "/", "x"])
def test_url_prefix_is_not_set_by_a_header(name: str, value: str, app: App) -> None:
    assert leads_to(app, (name, value)) == f"https://{own_name(app)}/sign-in/"


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Protocol", "X-Forwarded-Ssl"])
@pytest.mark.parametrize("value", ["https", "ssl", "on"])
def test_forwarded_protocol_of_anybody_is_ignored(name: str, value: str, app: App) -> None:
    assert leads_to(app, (name, value)) == f"https://{own_name(app)}/sign-in/"


def leads_to(app: App, header: tuple[str, str]) -> str:
    """Where a request over plain HTTP is sent."""
    answer = ask(app.connection(), "/sign-in/", (header,))
    assert answer.status == 301, answer.text
    return answer.headers["Location"]


def own_name(app: App) -> str:
    return HOST if app.bind.startswith("unix:") else app.bind
