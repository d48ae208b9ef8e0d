"""Sign-out: here, at the provider, and by the provider."""

from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
import requests
from django.db import connection
from django.test import Client

from milvusadmin.sso.models import SignIn
from milvusadmin.sso.oidc import client as ours
from tests.infra.forger import Forger
from tests.infra.provider import Provider, sign_in
from tests.web import Page

from .conftest import asked_of, begin, come_back, later, recorded, signed_in

pytestmark = pytest.mark.django_db
ComeIn = Callable[..., Client]


def sign_out(browser: Client) -> Any:
    return browser.post("/sign-out/")


def where_it_leads(answer: Any) -> str:
    """The address of the page that ends the provider's session too; both ways to it agree."""
    address = Page(answer).link("Continue")
    assert f"0; url={address}" in [m.attrs.get("content") for m in Page(answer).find("meta")]
    return unescape(address)


def out_of(browser: Client) -> bool:
    answer: Any = browser.get("/access/")
    return answer.status_code == 302 and not signed_in(browser)


# --- from here ------------------------------------------------------------------------------------


def test_sign_out_ends_the_providers_session_too(oidc: Any, provider: Provider) -> None:
    browser, visitor = Client(), requests.Session()
    sign_in(browser, provider, "ada", visitor=visitor)
    address = where_it_leads(sign_out(browser))
    asked = asked_of(address)
    assert asked["client_id"] == provider.client_id
    assert asked["id_token_hint"].count(".") == 2
    back = provider.visit(visitor, address)
    assert back.startswith("http://testserver/signed-out/")
    page = Page(browser.get(back))
    assert "You are signed out" in page.text
    assert page.link("Sign in again") == "/sign-in/"
    silently = provider.visit(visitor, begin(browser, silent="1"), "ada")
    assert asked_of(silently)["error"] == "login_required"


def test_sign_out_ends_the_session_and_is_recorded(come_in: ComeIn) -> None:
    browser = come_in()
    copied = Client()
    copied.cookies["session"] = browser.cookies["session"].value
    sign_out(browser)
    assert out_of(browser)
    assert copied.get("/access/").status_code == 302
    assert not SignIn.objects.exists()
    (event,) = recorded("session.sign_out")
    assert (event["actor"]["subject"], event["outcome"]) == ("ada", "succeeded")


def test_sign_out_keeps_other_sessions_of_the_user(come_in: ComeIn) -> None:
    browser, other = come_in(), come_in()
    sign_out(browser)
    assert other.get("/access/").status_code == 200


def test_sign_out_requires_a_post_with_a_csrf_token(come_in: ComeIn) -> None:
    browser = come_in(enforce_csrf_checks=True)
    assert browser.get("/sign-out/").status_code == 405
    assert browser.post("/sign-out/").status_code == 403
    assert browser.get("/access/").status_code == 200


@pytest.mark.parametrize("known", [True, False], ids=["discovery known", "discovery unknown"])
def test_sign_out_with_the_provider_down_ends_the_session(
    known: bool, come_in: ComeIn, provider: Provider
) -> None:
    browser = come_in()
    provider.stop()
    if not known:
        ours._client.cache_clear()
    assert sign_out(browser).status_code == (200 if known else 302)
    assert out_of(browser)
    assert len(recorded("session.sign_out")) == 1


def test_sign_out_without_an_end_session_endpoint_works(forged: object, forger: Forger) -> None:
    forger.discovery = {"end_session_endpoint": None}
    browser = Client()
    come_back(browser, forger)
    assert sign_out(browser).headers["Location"] == "/signed-out/"
    assert out_of(browser)


def test_sign_out_with_an_unwritable_log_ends_the_session(
    come_in: ComeIn, full_log: Callable[[], None]
) -> None:
    browser = come_in()
    full_log()
    sign_out(browser)
    assert out_of(browser)


def test_sign_out_with_a_recheck_due_works(forged: object, forger: Forger) -> None:
    """Without a refresh token a recheck goes by the provider; a sign-out must not."""
    forger.tokens = {"refresh_token": None}
    browser = Client()
    come_back(browser, forger)
    later(400)
    answer = sign_out(browser)
    assert "/sign-in/" not in answer.headers.get("Location", "")
    assert out_of(browser)
    assert len(recorded("session.sign_out")) == 1


def test_sign_out_without_a_session_signs_nobody_in(forged: object) -> None:
    """The provider would sign the user in again silently."""
    answer: Any = Client().post("/sign-out/")
    assert "/sign-in/" not in answer.headers.get("Location", "")


def test_signed_out_page_signs_nobody_in(oidc: Any) -> None:
    answer: Any = Client().get("/signed-out/", {"state": "<b>x"})
    assert answer.status_code == 200
    assert "<b>x" not in answer.content.decode()
    assert "http-equiv" not in answer.content.decode()


# --- from there -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_provider_ends_the_sessions_that_it_began(
    live_server: Any, come_in: ComeIn, provider: Provider
) -> None:
    """The real provider calls the real server: each session by its sid, and no other."""
    visitor = requests.Session()
    provider.end_sessions("ada")
    provider.send_logouts_to(live_server.url)
    ada, other, vera = Client(), come_in("ada"), come_in("vera")
    sign_in(ada, provider, "ada", visitor=visitor)
    sids = list(SignIn.objects.filter(subject="ada").values_list("sid", flat=True))
    assert len(set(sids)) == 2
    assert all(sids)
    told = provider.end_sessions("ada")
    assert told["failed"] == []
    assert told["told"] == [f"{live_server.url}/oidc/backchannel-logout/"] * 2
    assert (out_of(ada), out_of(other), out_of(vera)) == (True, True, False)
    assert [e["actor"]["subject"] for e in recorded("session.ended")] == ["ada", "ada"]
    assert {e["outcome"] for e in recorded("session.ended")} == {"succeeded"}


@pytest.mark.django_db(transaction=True)
def test_sign_out_followed_by_a_logout_token_is_harmless(
    live_server: Any, oidc: Any, provider: Provider
) -> None:
    provider.send_logouts_to(live_server.url)
    browser, visitor = Client(), requests.Session()
    sign_in(browser, provider, "ada", visitor=visitor)
    back = provider.visit(visitor, where_it_leads(sign_out(browser)))
    assert back.startswith("http://testserver/signed-out/")
    assert len(recorded("session.sign_out")) == 1
    assert recorded("session.refused") == []


def test_sign_out_deletes_the_tokens(come_in: ComeIn) -> None:
    browser = come_in()
    sign_out(browser)
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM sso_signin WHERE tokens <> ''")
        assert cursor.fetchone() == (0,)
