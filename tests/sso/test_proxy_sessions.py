"""Sessions behind a proxy: begun, changed, ended, and all of it recorded."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from collections_app.audit.log import LogUnwritable
from collections_app.models import AuditEvent
from milvusadmin.sso import events
from milvusadmin.sso.models import SignIn
from tests.fixtures import person

from .behind_proxy import ADA, ELSEWHERE, PEER, Configure, ask, head, nobody_is_in, switch_on
from .conftest import recorded

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def proxy(settings: Any) -> Configure:
    """Every test here is behind the proxy. proxy(unix=True) changes what is configured."""
    return switch_on(settings)


# --- the session ----------------------------------------------------------------------------------


def test_proxy_session_begins_and_is_recorded_once() -> None:
    browser = Client()
    keys = {(ask(browser), browser.session.session_key)[1] for _ in range(3)}
    assert len(keys) == 1
    (event,) = recorded("session.sign_in")
    assert event["actor"]["issuer"] == event["actor"]["method"] == "proxy"
    assert event["actor"]["subject"] == "ada"
    assert event["actor"]["groups"] == ["ml-platform"]
    assert event["outcome"] == "succeeded"
    assert SignIn.objects.count() == Session.objects.count() == 1


def test_proxy_session_gets_a_new_key() -> None:
    browser = Client()
    browser.session.save()
    planted = browser.session.session_key
    ask(browser)
    assert browser.session.session_key != planted
    assert not Session.objects.filter(session_key=planted).exists()


@pytest.mark.parametrize("htmx", [{}, {"HX_Request": "true"}], ids=["page", "part"])
def test_proxy_session_uses_current_groups(htmx: dict[str, str]) -> None:
    browser = Client()
    assert ask(browser, "/audit/", groups="audit").status_code == 200
    assert ask(browser, "/audit/", groups="other", **htmx).status_code == 403
    assert ask(browser, "/audit/", groups="other", **htmx).status_code == 403
    (event,) = recorded("session.groups")
    assert event["details"] == {"before": ["audit"], "now": ["other"]}
    assert event["message"] == "Groups changed: +other, -audit"
    assert ask(browser, "/audit/", groups="audit").status_code == 200
    assert len(recorded("session.groups")) == 2
    assert len(recorded("session.sign_in")) == 1


def test_proxy_groups_in_another_order_are_no_change() -> None:
    browser = Client()
    ask(browser, groups="a,b")
    ask(browser, groups="b, a")
    assert recorded("session.groups") == []


def test_proxy_session_of_another_user_is_a_new_one() -> None:
    browser = Client()
    ask(browser)
    session = browser.session
    session["of"] = "ada"
    session.save()
    answer = ask(browser, user="vera", name="Vera Lind", groups="audit")
    assert head(answer) == ("Vera Lind", "audit")
    assert browser.session.session_key != session.session_key
    assert "of" not in browser.session
    assert [e["actor"]["subject"] for e in recorded("session.ended")] == ["ada"]
    assert [e["actor"]["subject"] for e in recorded("session.sign_in")] == ["ada", "vera"]
    assert SignIn.objects.get().subject == "vera"


WITHOUT = [{"without": "user"}, {"user": ""}, {"user": "ada,eve"}, {"without": "secret"}]


@pytest.mark.parametrize("what", [*WITHOUT, {"peer": ELSEWHERE}], ids=str)
def test_proxy_session_without_its_headers_is_ended(what: dict[str, str]) -> None:
    browser = Client()
    ask(browser)
    key = browser.session.session_key
    assert ask(browser, **what).status_code == 403
    assert not Session.objects.exists()
    assert not SignIn.objects.exists()
    (event,) = recorded("session.ended")
    assert event["actor"]["subject"] == "ada"
    ask(browser)
    assert browser.session.session_key != key
    assert len(recorded("session.sign_in")) == 2


def test_local_session_behind_a_proxy_is_refused() -> None:
    browser = Client()
    browser.force_login(person("ada"), backend="django.contrib.auth.backends.ModelBackend")
    assert browser.get("/access/", REMOTE_ADDR=PEER).status_code == 403
    assert ask(browser, user="vera").wsgi_request.actor.subject == "vera"


@pytest.mark.parametrize("when", ["coming in", "groups changed"])
def test_proxy_session_with_an_unwritable_log_does_not_begin(
    when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Client(raise_request_exception=False)
    if when == "groups changed":
        ask(browser)
    with monkeypatch.context() as broken:
        broken.setattr(events, "write", unwritable)
        answer = ask(browser, "/audit/", groups="audit")
    assert answer.status_code == 503
    assert "audit log can’t be written" in answer.content.decode().replace("&#x27;", "’")
    before = [] if when == "coming in" else [["ml-platform"]]
    assert [row.groups for row in SignIn.objects.all()] == before
    assert ask(browser, "/audit/", groups="audit").status_code == 200
    assert recorded("session.sign_in" if when == "coming in" else "session.groups")


def unwritable(entry: object) -> None:
    raise LogUnwritable("a test says so")


# --- the door's own pages -------------------------------------------------------------------------


def sign_out(browser: Client) -> Any:
    return ask(browser, "/sign-out/", method="post")


def test_proxy_sign_out_leads_to_the_proxys_own(proxy: Configure) -> None:
    proxy(sign_out_url="/oauth2/sign_out?rd=%2F&x=1")
    browser = Client()
    ask(browser)
    page = sign_out(browser).content.decode()
    assert '<meta http-equiv="refresh" content="0; url=/oauth2/sign_out?rd=%2F&amp;x=1">' in page
    assert not SignIn.objects.exists()
    assert not Session.objects.exists()
    assert [e["actor"]["subject"] for e in recorded("session.sign_out")] == ["ada"]


def test_proxy_sign_out_without_an_address_ends_the_session() -> None:
    browser = Client()
    ask(browser)
    answer = sign_out(browser)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/signed-out/")
    assert not Session.objects.exists()


@pytest.mark.parametrize("peer", [PEER, ELSEWHERE])
def test_signed_out_page_behind_a_proxy_begins_no_session(peer: str) -> None:
    browser = Client()
    answer = ask(browser, "/signed-out/", peer=peer)
    assert answer.status_code == 200
    assert nobody_is_in(browser)
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("asked", "leads"),
    [("/access/?x=1", "/access/?x=1"), ("//evil.example/", "/"), ("https://evil.example", "/")],
)
def test_sign_in_page_behind_a_proxy_redirects(asked: str, leads: str) -> None:
    answer = Client().get("/sign-in/", {"next": asked}, headers=ADA, REMOTE_ADDR=PEER)
    assert (answer.status_code, answer.headers["Location"]) == (302, leads)


@pytest.mark.parametrize("path", ["/oidc/callback/", "/oidc/backchannel-logout/"])
def test_provider_addresses_behind_a_proxy_are_not_found(path: str) -> None:
    method = "post" if "logout" in path else "get"
    assert ask(Client(), path, method=method).status_code == 404
