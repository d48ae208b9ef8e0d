"""Sign-in by the headers of a trusted proxy. What a real Apache sends: test_apache.py."""

import json
import logging
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.contrib.auth import get_user_model
from django.test import Client, RequestFactory

from collections_app.audit import quotas
from collections_app.models import AuditEvent
from milvusadmin.config.peers import Peers
from milvusadmin.sso.proxy import take_headers

from .behind_proxy import (
    ADA,
    ELSEWHERE,
    PEER,
    SECRET,
    Configure,
    ask,
    head,
    nobody_is_in,
    switch_on,
)
from .conftest import recorded

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def proxy(settings: Any) -> Configure:
    """Every test here is behind the proxy. proxy(unix=True) changes what is configured."""
    return switch_on(settings)


# --- who is let in --------------------------------------------------------------------------------


def test_proxy_headers_say_who_the_user_is() -> None:
    answer = ask(Client())
    assert answer.status_code == 200
    assert head(answer) == ("Ada Osei", "ml-platform")
    assert "Ada Osei" in answer.content.decode()


@pytest.mark.parametrize("peer", ["10.0.3.0", "10.0.3.15"])
def test_proxy_in_a_trusted_network_is_trusted(peer: str) -> None:
    assert ask(Client(), peer=peer).status_code == 200


def test_proxy_on_a_unix_socket_is_trusted_without_address(proxy: Configure) -> None:
    proxy(unix=True, networks=())
    assert ask(Client(), peer="").status_code == 200
    assert ask(Client(), peer="127.0.0.1").status_code == 403


NOT_THE_PROXY: dict[str, dict[str, str]] = {
    "no secret": {"without": "secret"},
    "empty secret": {"secret": ""},
    "wrong secret": {"secret": "x" * len(SECRET)},
    "doubled secret": {"secret": f"{SECRET},{SECRET}"},
    "doubled with a space": {"secret": f"{SECRET}, {SECRET}"},
    "the secret and more": {"secret": f"{SECRET}x"},
    "its beginning": {"secret": SECRET[:-1]},
    "other case": {"secret": SECRET.upper()},
    "not ASCII": {"secret": "ſ" + SECRET[1:]},
    "from elsewhere": {"peer": ELSEWHERE},
    "from next door": {"peer": "10.0.3.16"},
    "from an IPv6 address": {"peer": "2001:db8::7"},
    "from a Unix socket": {"peer": ""},
    "from no address": {"peer": "unknown"},
}


@pytest.mark.parametrize("what", NOT_THE_PROXY.values(), ids=NOT_THE_PROXY.keys())
def test_proxy_headers_of_anybody_else_are_refused(what: dict[str, str]) -> None:
    browser = Client()
    answer = ask(browser, **what)
    assert answer.status_code == 403
    assert "Direct access not allowed" in answer.content.decode()
    assert nobody_is_in(browser)
    (event,) = recorded("session.refused")
    assert (event["actor"]["subject"], event["outcome"]) == ("", "denied")
    assert event["origin"]["ip"] == what.get("peer", PEER)
    assert SECRET not in json.dumps(event)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Client-IP"])
def test_proxy_trust_ignores_forwarded_addresses(header: str, settings: Any) -> None:
    settings.TRUST_PROXY = Peers(networks=(ip_network(ELSEWHERE),))
    value = f"for={PEER}" if header == "Forwarded" else PEER
    assert ask(Client(), peer=ELSEWHERE, **{header: value}).status_code == 403


def test_request_without_proxy_headers_is_refused_unrecorded() -> None:
    assert Client().get("/access/", REMOTE_ADDR=ELSEWHERE).status_code == 403
    assert not AuditEvent.objects.exists()


def test_htmx_without_proxy_headers_is_sent_to_its_page() -> None:
    """There the browser gets the proxy's own answer."""
    sent = {"HX-Request": "true", "HX-Current-URL": "http://testserver/access/?x=1"}
    answer = Client().get("/audit/", headers=sent, REMOTE_ADDR=ELSEWHERE)
    assert answer.headers["HX-Redirect"] == "/access/?x=1"


def test_proxy_refusals_recorded_per_minute_are_limited() -> None:
    for _ in range(quotas.A_MINUTE + 5):
        assert ask(Client(), secret="wrong").status_code == 403
    assert len(recorded("session.refused")) == quotas.A_MINUTE


# --- what the headers say -------------------------------------------------------------------------


LONG, DOUBLED = ("a" * 256, "a" * 300), ("ada,mallory", "ada, ada", "ada,")
# Some of them look like ada.
UNREADABLE = ("", " ", "ada\nmallory", "ada\0", "ada\u200b", "ada\u202eeve", "ada\u00a0")


@pytest.mark.parametrize("user", [*LONG, *DOUBLED, *UNREADABLE], ids=lambda user: ascii(user)[:20])
def test_proxy_user_that_is_doubtful_is_refused(user: str) -> None:
    browser = Client()
    assert ask(browser, user=user).status_code == 403
    assert nobody_is_in(browser)


@pytest.mark.parametrize(
    "user", ["a" * 255, "ada@example.com", "Ada Osei", "zoë", "用户", "o'hara"]
)
def test_proxy_user_of_any_other_form_is_accepted(user: str) -> None:
    assert ask(Client(), user=user).wsgi_request.actor.subject == user


def test_proxy_users_are_distinguished_exactly() -> None:
    for user in ("ada", "Ada", "аda", "zoë", "zoe\u0308"):
        assert ask(Client(), user=user).status_code == 200
    assert get_user_model().objects.count() == 5


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Zoë Łukasz ✓", "Zoë Łukasz ✓"), ("", "ada"), ("n" * 400, "n" * 300), ("<b>Ada", "<b>Ada")],
    ids=["not ASCII", "none", "long", "HTML"],
)
def test_proxy_display_name_is_only_shown(name: str, shown: str) -> None:
    answer = ask(Client(), name=name)
    assert head(answer)[0] == shown
    assert "<b>Ada" not in answer.content.decode()
    assert get_user_model().objects.get().first_name == shown[:150]


def test_proxy_display_name_in_latin_1_is_read() -> None:
    sent = ADA | {"X-Forwarded-Preferred-Username": "Zo\xeb"}
    answer = Client().get("/access/", headers=sent, REMOTE_ADDR=PEER)
    assert head(answer)[0] == "Zoë"


@pytest.mark.parametrize(
    ("header", "separator", "groups"),
    [
        ("a,b", ",", ["a", "b"]),
        (" b , a ,, a ,", ",", ["a", "b"]),
        ("a;b,c", ";", ["a", "b,c"]),
        ("a|b", ",", ["a|b"]),
        ("a\u00a0,b\u3000", ",", ["a\u00a0", "b\u3000"]),
        ("größe,用户", ",", ["größe", "用户"]),
        ("", ",", []),
        (" , ", ",", []),
    ],
)
def test_proxy_groups_are_split_at_the_configured_separator(
    proxy: Configure, header: str, separator: str, groups: list[str]
) -> None:
    proxy(groups_separator=separator)
    ask(Client(), groups=header)
    (event,) = recorded("session.sign_in")
    assert event["actor"]["groups"] == groups


def test_proxy_user_without_groups_has_no_rights() -> None:
    answer = ask(Client(), without="groups")
    assert "No rule applies to you" in answer.content.decode()


@pytest.mark.parametrize("role", ["viewer", "operator", "auditor"])
def test_proxy_groups_named_as_local_roles_grant_nothing(role: str) -> None:
    browser = Client()
    assert "No rule applies to you" in ask(browser, groups=role).content.decode()
    assert ask(browser, "/audit/", groups=role).status_code == 403
    assert ask(browser, "/clusters/main/", groups=role).status_code == 404


def test_proxy_headers_can_have_other_names(proxy: Configure) -> None:
    proxy(secret_header="X-Gateway", user_header="Remote-User", groups_header="X-Roles")
    sent = {"X-Gateway": SECRET, "Remote-User": "vera", "X-Roles": "audit"}
    answer = Client().get("/audit/", headers=ADA | sent, REMOTE_ADDR=PEER)
    assert (answer.status_code, head(answer)) == (200, ("Ada Osei", "audit"))
    assert Client().get("/audit/", headers=ADA, REMOTE_ADDR=PEER).status_code == 403


# --- nobody else reads the headers ----------------------------------------------------------------


def test_take_headers_clears_headers_read_before() -> None:
    request = RequestFactory().get("/", headers=ADA)
    assert request.headers["X-Proxy-Secret"] == SECRET
    assert take_headers(request)["secret"] == SECRET
    assert "X-Proxy-Secret" not in request.headers


PAGES = ["/", "/access/", "/nothing-here/", "/signed-out/", "/sign-in/", "/oidc/callback/"]


@pytest.mark.parametrize("peer", [PEER, ELSEWHERE])
@pytest.mark.parametrize("path", PAGES)
def test_proxy_headers_are_removed_from_the_request(path: str, peer: str) -> None:
    request = ask(Client(), path, peer=peer).wsgi_request
    assert not [name for name in ADA if name in request.headers]
    assert SECRET not in str(sorted(map(str, request.META.items())))
    assert SECRET not in str(sorted(map(str, request.environ.items())))


@pytest.mark.parametrize("path", [*PAGES, "/access/broken/"])
def test_proxy_secret_is_on_no_page_even_of_an_error(
    path: str, proxy: Configure, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a header name that Django does not recognise as a secret."""
    proxy(secret_header="X-Gateway")
    settings.DEBUG = True
    broken = "collections_app.web.access.rules_of"
    monkeypatch.setattr(broken, lambda actor: 1 / 0) if "broken" in path else None
    browser = Client(raise_request_exception=False)
    answer = ask(browser, path.removesuffix("broken/"), X_Gateway=SECRET)
    assert ("ZeroDivisionError" in answer.content.decode()) is ("broken" in path)
    assert SECRET not in answer.content.decode()
    assert SECRET not in str(answer.headers)


@pytest.mark.parametrize("what", [{}, *NOT_THE_PROXY.values()], ids=["right", *NOT_THE_PROXY])
def test_proxy_secret_is_in_neither_log(
    what: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(Client(), **what)
    assert SECRET not in caplog.text
    assert not AuditEvent.objects.filter(record__contains=SECRET).exists()
    assert SECRET not in repr(live_settings.PROXY)
