"""Attacks on the callback and on redirects: refused and recorded."""

import time
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client, RequestFactory

from milvusadmin.sso import flows
from tests.infra.forger import (
    Forger,
)
from tests.web import Page

from .conftest import (
    asked_of,
    begin,
    come_back,
    later,
    recorded,
    signed_in,
    turned_away,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("forged")]
CALLBACK = "/oidc/callback/"


@pytest.fixture
def visitor() -> Client:
    return Client()


def test_callback_honest_gets_in(visitor: Client, forger: Forger) -> None:
    """All the other tests here differ from this one in one thing."""
    assert come_back(visitor, forger).headers["Location"] == "/"
    assert "Ada Osei" in Page(visitor.get("/access/")).text
    assert recorded("session.refused") == []


# --- the state ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [{}, {"code": "x"}, {"state": ""}, {"state": "made up"}, {"state": "\0"}, {"error": "x"}],
    ids=str,
)
def test_callback_without_a_request_is_refused(query: dict[str, str], visitor: Client) -> None:
    turned_away(visitor, visitor.get(CALLBACK, query), "did not start this sign-in")


def test_callback_with_a_forged_state_is_refused(visitor: Client, forger: Forger) -> None:
    turned_away(visitor, come_back(visitor, forger, state="forged"), "did not start this sign-in")
    assert forger.forms == []


def test_callback_for_another_browsers_request_is_refused(visitor: Client, forger: Forger) -> None:
    """Otherwise a link could sign a victim in as the attacker, who then sees what they do."""
    attacker = Client()
    granted = forger.grant(begin(attacker))
    begin(visitor)
    turned_away(visitor, visitor.get(CALLBACK, granted), "did not start this sign-in")
    assert forger.forms == []


def test_callback_sent_twice_changes_nothing(visitor: Client, forger: Forger) -> None:
    granted = forger.grant(begin(visitor))
    visitor.get(CALLBACK, granted)
    again: Any = visitor.get(CALLBACK, granted)
    assert again.headers["Location"] == "/", "she is signed in: an old tab, and no attack"
    assert recorded("session.refused") == []
    assert len(forger.forms) == 1
    assert len(recorded("session.sign_in")) == 1
    assert visitor.get("/access/").status_code == 200


def test_callback_with_a_used_code_is_refused(visitor: Client, forger: Forger) -> None:
    used = forger.grant(begin(Client()))
    forger.redeem(used["code"])
    answer = come_back(visitor, forger, code=used["code"])
    turned_away(visitor, answer, "invalid_grant")


def test_callback_used_before_is_refused_after_sign_out(visitor: Client, forger: Forger) -> None:
    granted = forger.grant(begin(visitor))
    visitor.get(CALLBACK, granted)
    del visitor.cookies["session"]
    assert visitor.get(CALLBACK, granted).status_code == 403
    assert len(forger.forms) == 1


def test_callback_by_a_foreign_link_records_no_refusal(visitor: Client, forger: Forger) -> None:
    come_back(visitor, forger)
    answer: Any = visitor.get(CALLBACK, {"state": "of an attacker"})
    assert answer.headers["Location"] == "/"
    assert recorded("session.refused") == []


def test_callback_after_fifteen_minutes_is_refused(
    visitor: Client, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = forger.grant(begin(visitor))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + flows.SECONDS + 5)
    turned_away(visitor, visitor.get(CALLBACK, granted), "did not start this sign-in")


def test_sign_in_page_strangers_leave_no_rows(forger: Forger) -> None:
    for _ in range(20):
        begin(Client())
    assert not Session.objects.exists()


def test_tabs_in_parallel_all_reach_their_pages(forger: Forger) -> None:
    """Each tab begins without a cookie, as restored tabs do."""
    tabs = [Client() for _ in range(3)]
    begun = [begin(tab, next=f"/access/?tab={at}") for at, tab in enumerate(tabs)]
    browser = Client()
    for tab in tabs:
        browser.cookies.update(tab.cookies)
    for at, address in enumerate(begun):
        assert come_back(browser, forger, address).headers["Location"] == f"/access/?tab={at}"
    assert recorded("session.refused") == []
    assert len(recorded("session.sign_in")) == 1


def test_next_address_too_long_leads_to_the_start_page(visitor: Client, forger: Forger) -> None:
    begun = begin(visitor, next="/access/?" + "x" * 3000)
    assert len(begun) < 2000
    assert come_back(visitor, forger, begun).headers["Location"] == "/"


def test_flow_cookies_beyond_forty_drop_the_oldest(forger: Forger) -> None:
    """These cookies go along with every request; a server refuses too many."""
    names = [f"{flows.COOKIE}{number}" for number in range(flows.AT_ONCE)]
    request = RequestFactory().get("/", headers={"Cookie": "; ".join(f"{n}=x" for n in names)})
    response = HttpResponse()
    flows.remember(request, response, flows.begin("sign-in", "/", "/"))
    assert [name for name, one in response.cookies.items() if not one.value] == names[:1]


def test_authorization_request_has_own_state_nonce_and_verifier(visitor: Client) -> None:
    first, second = asked_of(begin(visitor)), asked_of(begin(visitor))
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 20
        assert first[name] != second[name]
    assert first["code_challenge_method"] == "S256"
    assert first["response_type"] == "code"


def test_callback_refusals_recorded_per_minute_are_limited(visitor: Client) -> None:
    for _ in range(15):
        assert visitor.get(CALLBACK, {"state": "noise"}).status_code == 403
    assert len(recorded("session.refused")) == 10


# --- where it leads -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "elsewhere",
    [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example/",
        "https:evil.example",
        "https:///evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "\x00//evil.example",
        "http://testserver@evil.example/",
        "http://testserver.evil.example/",
        "//testserver/access/",
        "/../other-app/",
        "/access/../../other-app/",
        "/%2e%2e/other-app/",
        "/access/%2E%2E/%2e%2e/x",
        "/%252e%252e/other-app/",
        "/..%2fother-app/",
        "/access/..\\..\\other-app/",
        "/.\t./other-app/",
        "/./access/",
    ],
    ids=ascii,
)
def test_next_address_elsewhere_is_not_followed(
    elsewhere: str, visitor: Client, forger: Forger
) -> None:
    begun = begin(visitor, next=elsewhere)
    assert come_back(visitor, forger, begun).headers["Location"] == "/"
    again: Any = visitor.get("/sign-in/", {"next": elsewhere})
    assert again.headers["Location"] == "/"


@pytest.mark.parametrize(
    "here",
    ["/access/", "/?a=//b", "/audit/?name=%2F%2Fevil", "/audit/?what=../..", "/audit/?what=.."],
)
def test_next_address_here_is_followed(here: str, visitor: Client, forger: Forger) -> None:
    assert come_back(visitor, forger, begin(visitor, next=here)).headers["Location"] == here


def test_next_address_of_sign_in_itself_ends(visitor: Client, forger: Forger) -> None:
    begun = begin(visitor, next="/sign-in/?next=/sign-in/?next=/access/")
    assert come_back(visitor, forger, begun).status_code == 302
    followed: Any = visitor.get("/sign-in/?next=/sign-in/?next=/access/", follow=True)
    assert followed.status_code == 200
    assert followed.redirect_chain[-1][0] == "/access/"


# --- the session ----------------------------------------------------------------------------------


def test_session_planted_before_sign_in_is_worthless(visitor: Client, forger: Forger) -> None:
    session = visitor.session
    session["planted"] = True
    session.save()
    planted = str(session.session_key)
    visitor.cookies["session"] = planted
    assert come_back(visitor, forger).status_code == 302
    assert visitor.cookies["session"].value != planted
    attacker = Client()
    attacker.cookies["session"] = planted
    assert attacker.get("/access/").status_code == 302
    assert not signed_in(attacker)


def test_session_of_a_second_user_has_nothing_of_the_first(visitor: Client, forger: Forger) -> None:
    """Without a refresh token the browser goes to the provider, where another user is now."""
    forger.tokens = {"refresh_token": None}
    come_back(visitor, forger)
    session = visitor.session
    session["resume"] = {"token": "of ada", "reason": "hers"}
    session.save()
    later(400)
    forger.claims = forger.userinfo = {"sub": "vera", "name": "Vera Lind"}
    assert come_back(visitor, forger, begin(visitor, silent="1")).status_code == 302
    assert "Vera Lind" in Page(visitor.get("/access/")).text
    assert "resume" not in visitor.session
    assert [e["actor"]["subject"] for e in recorded("session.sign_in")] == ["ada", "vera"]
