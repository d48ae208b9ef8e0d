"""Unusual answers of the provider: nobody gets in by mistake, and nothing breaks."""

from typing import Any

import pytest
from django.test import Client

from milvusadmin.sso.models import SignIn
from tests.infra.forger import (
    DISCOVERY,
    Claims,
    Forger,
    Reply,
    key,
    signed,
)
from tests.web import Page

from .conftest import (
    asked_of,
    begin,
    come_back,
    no_answer,
    recorded,
    signed_in,
    turned_away,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("forged")]
CALLBACK = "/oidc/callback/"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def visitor() -> Client:
    return Client()


# --- what comes back by the browser ---------------------------------------------------------------


def test_provider_error_is_shown_as_text(visitor: Client, forger: Forger) -> None:
    state = asked_of(begin(visitor))["state"]
    query = {"state": state, "error": f"access_denied{SCRIPT}", "error_description": SCRIPT}
    answer = visitor.get(CALLBACK, query)
    turned_away(visitor, answer, f"{SCRIPT}")
    assert SCRIPT not in answer.content.decode()
    assert "&lt;script&gt;" in answer.content.decode()


def test_provider_error_writes_no_line_into_the_log(
    visitor: Client, caplog: pytest.LogCaptureFixture
) -> None:
    state = asked_of(begin(visitor))["state"]
    line = "\n2026-01-01 00:00:00,000 INFO milvusadmin: all is well"
    visitor.get(CALLBACK, {"state": state, "error": "x", "error_description": line})
    assert "sign-in refused" in caplog.text
    assert not [r for r in caplog.records if "\n" in r.getMessage()]


# --- what its addresses answer --------------------------------------------------------------------

HTML = "<!doctype html><title>Bad gateway</title>"
UNUSABLE = [
    ("/token", Reply(HTML, 500)),
    ("/token", Reply(HTML, 502)),
    ("/token", Reply(HTML)),
    ("/token", Reply({"error": "temporarily_unavailable"}, 503)),
    ("/token", Reply({"error": "server_error"}, 400)),
    ("/userinfo", Reply(HTML, 500)),
    ("/userinfo", Reply(HTML)),
    ("/jwks", Reply(HTML, 500)),
    ("/jwks", Reply(HTML)),
]


@pytest.mark.parametrize(("path", "reply"), UNUSABLE, ids=str)
def test_provider_answer_unusable_is_an_outage(
    path: str, reply: Reply, visitor: Client, forger: Forger
) -> None:
    forger.replies[path] = reply
    no_answer(visitor, come_back(visitor, forger))
    assert recorded("session.refused") == []


@pytest.mark.parametrize(
    ("path", "reply"),
    [
        ("/token", Reply({"error": "invalid_grant", "error_description": SCRIPT}, 400)),
        ("/token", Reply({"error": "invalid_client"}, 401)),
        ("/userinfo", Reply({"error": "invalid_token"}, 401)),
        ("/userinfo", Reply("", 403)),
    ],
    ids=str,
)
def test_provider_answer_no_is_a_refusal(
    path: str, reply: Reply, visitor: Client, forger: Forger
) -> None:
    forger.replies[path] = reply
    answer = come_back(visitor, forger)
    assert SCRIPT not in answer.content.decode()
    turned_away(visitor, answer, "")


@pytest.mark.parametrize("body", [[1], 7, None, "a", {}, {"keys": 1}], ids=repr)
@pytest.mark.parametrize("path", ["/token", "/userinfo", "/jwks", DISCOVERY])
def test_provider_json_of_the_wrong_shape_lets_nobody_in(
    path: str, body: Any, visitor: Client, forger: Forger
) -> None:
    if path == DISCOVERY:
        forger.replies[path] = Reply(body)
        answer: Any = visitor.get("/sign-in/")
    else:
        begun = begin(visitor)
        forger.replies[path] = Reply(body)
        answer = come_back(visitor, forger, begun)
    assert answer.status_code in {403, 503}
    assert not signed_in(visitor)
    assert not SignIn.objects.exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "a\ud800b"},
        {"name": "\ud800"},
        {"groups": ["\ud800"]},
        {"sid": "\ud800"},
        {"auth_time": 10**20},
        {"auth_time": float("nan")},
        {"auth_time": True},
    ],
    ids=ascii,
)
def test_provider_claims_with_odd_values_break_nothing(
    claims: Claims, visitor: Client, forger: Forger
) -> None:
    forger.claims = claims
    forger.userinfo = {"sub": claims.get("sub", "ada")}
    answer = come_back(visitor, forger)
    assert answer.status_code in {302, 403, 503}
    if answer.status_code == 302:
        assert visitor.get("/access/").status_code == 200


def test_userinfo_signed_as_a_jwt_is_read(visitor: Client, forger: Forger) -> None:
    claims = {"iss": forger.issuer, "aud": forger.client_id, "sub": "ada", "name": "Ada the JWT"}
    forger.replies["/userinfo"] = Reply(signed(claims), kind="application/jwt")
    assert come_back(visitor, forger).status_code == 302
    assert "Ada the JWT" in Page(visitor.get("/access/")).text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"iss": "https://elsewhere.example"}, "a different issuer"),
        ({"aud": "another client"}, "a different audience"),
        ({"aud": None}, "a different audience"),
        ({"sub": "eve"}, "about a different person"),
    ],
)
def test_userinfo_jwt_for_another_audience_is_refused(
    change: Claims, why: str, visitor: Client, forger: Forger
) -> None:
    claims = {"iss": forger.issuer, "aud": forger.client_id, "sub": "ada", **change}
    made = signed({name: value for name, value in claims.items() if value})
    forger.replies["/userinfo"] = Reply(made, kind="application/jwt")
    turned_away(visitor, come_back(visitor, forger), why)


def test_userinfo_jwt_signed_by_another_key_is_refused(visitor: Client, forger: Forger) -> None:
    claims = {"iss": forger.issuer, "aud": forger.client_id, "sub": "ada"}
    forger.replies["/userinfo"] = Reply(signed(claims, key("other")), kind="application/jwt")
    assert come_back(visitor, forger).status_code == 403
    assert not signed_in(visitor)


@pytest.mark.parametrize("hint", [{"hasgroups": True}, {"_claim_names": {"groups": "src1"}}])
def test_groups_omitted_by_the_provider_are_named_in_the_log(
    hint: Claims, visitor: Client, forger: Forger, caplog: pytest.LogCaptureFixture
) -> None:
    forger.claims = {"groups": None, **hint}
    assert come_back(visitor, forger).status_code == 302
    assert "leaves the groups of 'ada' out, because there are too many" in caplog.text


def test_userinfo_with_an_invalid_auth_time_breaks_nothing(visitor: Client, forger: Forger) -> None:
    forger.userinfo = {"auth_time": "2026-01-01"}
    assert come_back(visitor, forger).status_code in {302, 403, 503}


# --- the discovery document -----------------------------------------------------------------------

DOCUMENTS: dict[str, Claims] = {
    "a different issuer": {"issuer": "https://evil.example"},
    "no issuer": {"issuer": None},
    **{
        f"{name} over http": {name: f"http://id.example/{name}"}
        for name in (
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "userinfo_endpoint",
            "end_session_endpoint",
        )
    },
    "a script as end of session": {"end_session_endpoint": "javascript:alert(1)"},
    "a script of this machine": {"end_session_endpoint": "javascript://127.0.0.1/%0aalert(1)"},
    "a file of this machine": {"token_endpoint": "file://localhost/etc/passwd"},
    "a script as the door": {"authorization_endpoint": "javascript:alert(1)"},
    "no door": {"authorization_endpoint": None},
    "no tokens": {"token_endpoint": None},
    "no keys": {"jwks_uri": None},
    "a number as address": {"token_endpoint": 7},
    "no address": {"token_endpoint": "https://[broken"},
}


@pytest.mark.parametrize("changes", DOCUMENTS.values(), ids=DOCUMENTS)
def test_discovery_that_cannot_be_trusted_is_not_used(
    changes: Claims, visitor: Client, forger: Forger
) -> None:
    forger.discovery = changes
    no_answer(visitor, visitor.get("/sign-in/"))
    assert forger.asked == [DISCOVERY]


def test_discovery_whose_issuer_has_a_slash_more_is_not_used(
    visitor: Client, forger: Forger
) -> None:
    forger.discovery = {"issuer": f"{forger.issuer}/"}
    no_answer(visitor, visitor.get("/sign-in/"))


@pytest.mark.parametrize(
    "reply",
    [Reply(HTML), Reply(HTML, 404), Reply("", 500), Reply("{" * 3_000_000), Reply("")],
    ids=lambda reply: f"{reply.status} {reply.body[:10]}",
)
def test_discovery_unusable_is_an_outage(reply: Reply, visitor: Client, forger: Forger) -> None:
    forger.replies[DISCOVERY] = reply
    no_answer(visitor, visitor.get("/sign-in/"))


def test_discovery_bad_is_asked_for_again_and_good_kept(visitor: Client, forger: Forger) -> None:
    forger.discovery = {"issuer": "https://evil.example"}
    no_answer(visitor, visitor.get("/sign-in/"))
    forger.discovery = {}
    begin(visitor)
    begin(visitor)
    assert forger.asked == [DISCOVERY, DISCOVERY]


def test_code_exchange_sends_the_secret_and_the_verifier(visitor: Client, forger: Forger) -> None:
    come_back(visitor, forger)
    (form,) = forger.forms
    assert form["grant_type"] == "authorization_code"
    assert len(form["code_verifier"]) >= 43
    assert form["redirect_uri"] == "http://testserver/oidc/callback/"
