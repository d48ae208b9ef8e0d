"""Back-channel logout: the provider's tokens end sessions, and forged ones don't."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from milvusadmin.sso.models import SignIn
from tests.infra.forger import (
    LOGOUT_EVENT,
    Claims,
    Forger,
    In,
    Reply,
    by_secret,
    key,
    public_key,
    signed,
    tampered,
    unsigned,
)

from .conftest import come_back, recorded, signed_in

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("forged")]
ADDRESS = "/oidc/backchannel-logout/"


def say(token: str) -> Any:
    """The provider's call: no cookie, no CSRF token, a browser is not involved."""
    stranger = Client(enforce_csrf_checks=True)
    return stranger.post(ADDRESS, {"logout_token": token})


@pytest.fixture
def ada(forged: object, forger: Forger) -> Client:
    browser = Client()
    come_back(browser, forger)
    return browser


def another(forger: Forger, **claims: Any) -> Client:
    """One more browser, signed in with these claims."""
    before, browser = forger.claims, Client()
    forger.claims = claims
    forger.userinfo = {"sub": claims.get("sub", "ada")}
    assert come_back(browser, forger).status_code == 302
    forger.claims, forger.userinfo = before, {}
    return browser


# --- what ends what -------------------------------------------------------------------------------


def test_logout_token_with_a_sid_ends_that_session_only(ada: Client, forger: Forger) -> None:
    elsewhere = another(forger, sid="session-2")
    answer = say(signed(forger.logout_claims(sub=None)))
    assert (answer.status_code, answer.content) == (200, b"")
    assert "no-store" in answer.headers["Cache-Control"]
    assert (signed_in(ada), signed_in(elsewhere)) == (False, True)
    assert ada.get("/access/").status_code == 302
    assert elsewhere.get("/access/").status_code == 200


def test_logout_token_with_a_sub_ends_all_sessions_of_the_user(ada: Client, forger: Forger) -> None:
    elsewhere, vera = another(forger, sid="session-2"), another(forger, sub="vera", sid="v")
    assert say(signed(forger.logout_claims(sid=None))).status_code == 200
    assert [signed_in(each) for each in (ada, elsewhere, vera)] == [False, False, True]
    assert len(recorded("session.ended")) == 2


def test_logout_token_with_sid_and_sub_needs_both(ada: Client, forger: Forger) -> None:
    for odd in ({"sub": "vera"}, {"sid": "session-2"}):
        assert say(signed(forger.logout_claims(**odd))).status_code == 200
    assert signed_in(ada)
    assert recorded("session.ended") == []


def test_logout_token_is_recorded_for_its_session(ada: Client, forger: Forger) -> None:
    say(signed(forger.logout_claims()))
    (event,) = recorded("session.ended")
    assert event["actor"]["subject"] == "ada"
    assert "by the identity provider" in event["message"]


def test_logout_token_with_an_unwritable_log_ends_the_session(
    ada: Client, forger: Forger, full_log: Callable[[], None]
) -> None:
    full_log()
    assert say(signed(forger.logout_claims())).status_code == 503
    assert not signed_in(ada)


def test_logout_token_sent_again_is_harmless(ada: Client, forger: Forger) -> None:
    token = signed(forger.logout_claims())
    assert [say(token).status_code for _ in range(2)] == [200, 200]
    assert len(recorded("session.ended")) == 1
    later = another(forger, sid="session-2")
    assert say(token).status_code == 200
    assert signed_in(later)


def test_logout_token_sent_again_spares_newer_sessions(ada: Client, forger: Forger) -> None:
    """Otherwise a captured token could keep a user signed out."""
    token = signed(forger.logout_claims(sid=None, iat=In(-100)))
    say(token)
    again = another(forger, sid="session-2")
    say(token)
    assert signed_in(again)


def test_logout_token_audience_in_a_list_is_accepted(ada: Client, forger: Forger) -> None:
    assert say(signed(forger.logout_claims(aud=["milvus-admin"]))).status_code == 200
    assert not signed_in(ada)


def test_logout_token_for_an_unknown_user_is_accepted(forger: Forger) -> None:
    assert say(signed(forger.logout_claims(sub="nobody", sid=None))).status_code == 200


# --- what is not believed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"aud": []},
        {"aud": ["milvus-admin", "another"]},
        {"nonce": "x"},
        {"nonce": ""},
        {"events": None},
        {"events": {}},
        {"events": [LOGOUT_EVENT]},
        {"events": LOGOUT_EVENT},
        {"events": {"https://evil.example": {}}},
        {"sub": None, "sid": None},
        {"sub": "", "sid": ""},
        {"sub": ["ada"]},
        {"sub": {"$ne": ""}},
        {"sid": 7},
        {"iat": In(-400)},
        {"iat": In(3600)},
        {"iat": None},
        {"iat": "now"},
        {"exp": In(-120)},
        {"exp": "never"},
        {"jti": None},
    ],
    ids=str,
)
def test_logout_token_with_a_wrong_claim_ends_nothing(
    changes: Claims, ada: Client, forger: Forger
) -> None:
    refused(say(signed(forger.logout_claims(**changes))), ada)


def test_logout_token_issuer_must_match_exactly(ada: Client, forger: Forger) -> None:
    refused(say(signed(forger.logout_claims(iss=f"{forger.issuer}/"))), ada)


def refused(answer: Any, ada: Client) -> None:
    """400 for whoever sent it, a line on the record, and she is still there."""
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_request"})
    assert signed_in(ada)
    assert ada.get("/access/").status_code == 200
    assert recorded("session.ended") == []
    (event,) = recorded("session.refused")
    assert "logout token" in event["message"]


FORGERIES: dict[str, Callable[[Claims], str]] = {
    "another key with the same kid": lambda claims: signed(claims, key("another key")),
    "its own key in its header": lambda claims: signed(
        claims, key("unknown", "unknown"), jwk=key("unknown", "unknown").as_dict(private=False)
    ),
    "alg none": unsigned,
    "alg None": lambda claims: unsigned(claims, "None"),
    "HS256 with the public key": lambda claims: by_secret(claims, public_key()),
    "HS256 with the client's secret": lambda claims: by_secret(
        claims, b"the secret of the forger's client"
    ),
    "changed afterwards": lambda claims: tampered(claims, iat=claims["iat"] + 1),
    "no signature": lambda claims: signed(claims).rpartition(".")[0] + ".",
    "no token": lambda claims: "not.a.token",
    "no parts": lambda claims: "x",
    "two parts": lambda claims: "e30.e30",
    "claims that are a list": lambda claims: signed([1]),  # type: ignore[arg-type]
    "an empty one": lambda claims: "",
    "odd letters": lambda claims: "é.☃.\0",
}


@pytest.mark.parametrize("make", FORGERIES.values(), ids=FORGERIES)
def test_logout_token_not_signed_by_the_provider_ends_nothing(
    make: Callable[[Claims], str], ada: Client, forger: Forger
) -> None:
    refused(say(make(forger.logout_claims())), ada)


def test_id_token_as_a_logout_token_ends_nothing(ada: Client, forger: Forger) -> None:
    refused(say(signed(forger.id_claims())), ada)


def test_logout_token_as_an_id_token_is_refused(forger: Forger) -> None:
    forger.make = lambda claims: signed(forger.logout_claims(nonce=claims["nonce"], sub="ada"))
    browser = Client()
    come_back(browser, forger)
    forger.make = lambda claims: signed(forger.logout_claims())
    stranger = Client()
    assert come_back(stranger, forger).status_code == 403
    assert not signed_in(stranger)


def test_logout_token_with_unknown_keys_fetches_keys_once(ada: Client, forger: Forger) -> None:
    forger.asked.clear()
    for number in range(10):
        token = signed(forger.logout_claims(), key("unknown", "unknown"), kid=f"unknown-{number}")
        assert say(token).status_code == 400
    assert forger.asked.count("/jwks") == 1
    assert signed_in(ada)


def test_logout_token_signed_by_a_new_key_is_accepted(ada: Client, forger: Forger) -> None:
    new = key("new", "new")
    forger.keys = [new]
    assert say(signed(forger.logout_claims(), new, kid="new")).status_code == 200
    assert not signed_in(ada)


def test_logout_token_without_reachable_keys_may_be_resent(ada: Client, forger: Forger) -> None:
    """400 would tell the provider to give up, and the session would live on."""
    new = key("new", "new")
    forger.replies["/jwks"] = Reply("", 502)
    assert say(signed(forger.logout_claims(), new, kid="new")).status_code == 503
    assert signed_in(ada)


def test_logout_token_is_accepted_by_post_only(ada: Client, forger: Forger) -> None:
    token = signed(forger.logout_claims())
    assert Client().get(ADDRESS, {"logout_token": token}).status_code == 405
    assert Client().post(f"{ADDRESS}?logout_token={token}").status_code == 400
    assert signed_in(ada)


def test_logout_token_refusals_recorded_per_minute_are_limited(ada: Client) -> None:
    for _ in range(15):
        assert say("noise").status_code == 400
    assert len(recorded("session.refused")) == 10
    assert SignIn.objects.count() == 1
