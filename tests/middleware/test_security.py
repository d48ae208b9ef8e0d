"""Security headers of every kind of response."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.fixtures import PASSWORD
from tests.web import list_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


@pytest.fixture(autouse=True)
def nobody_there(use_cluster: Callable[..., Any]) -> None:
    use_cluster("http://127.0.0.1:1", read_timeout=0.5)


ANSWERS: dict[str, tuple[int, Callable[[SignIn], Any]]] = {
    "sign-in page": (200, lambda _: Client().get("/sign-in/")),
    "page": (200, lambda signed_in: signed_in("auditor").get("/audit/")),
    "part": (200, lambda signed_in: signed_in("auditor", htmx=True).get("/audit/")),
    "redirect": (302, lambda signed_in: signed_in("auditor").get("/")),
    "redirect to sign-in": (302, lambda _: Client().get("/")),
    "redirect of htmx": (200, lambda _: Client(headers={"HX-Request": "true"}).get("/")),
    "download": (
        200,
        lambda signed_in: signed_in("auditor").post("/audit/export/", {"form": "csv"}),
    ),
    "foreign host": (400, lambda _: Client(headers={"Host": "evil.example"}).get("/sign-in/")),
    "not permitted": (403, lambda signed_in: signed_in("viewer").get("/audit/")),
    "form from elsewhere": (
        403,
        lambda signed_in: signed_in("auditor", enforce_csrf_checks=True).post("/audit/verify/"),
    ),
    "not here": (404, lambda signed_in: signed_in("viewer").get("/nosuch/")),
    "wrong method": (405, lambda signed_in: signed_in("auditor").get("/audit/verify/")),
    "Milvus is down": (503, lambda signed_in: signed_in("viewer").get(list_url())),
}
every_answer = pytest.mark.parametrize(("status", "ask"), ANSWERS.values(), ids=ANSWERS.keys())


@every_answer
def test_security_headers_are_on_every_kind_of_answer(
    status: int, ask: Callable[[SignIn], Any], signed_in: SignIn
) -> None:
    answer = ask(signed_in)
    assert answer.status_code == status
    policy = dict(
        rule.split(" ", 1) for rule in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy == POLICY
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_security_headers_are_on_an_internal_error(
    signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("collections_app.web.audit.listing.log_page", None)
    client = signed_in("auditor")
    client.raise_request_exception = False
    answer = client.get("/audit/")
    assert answer.status_code == 500
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_cors_headers_are_never_sent(signed_in: SignIn) -> None:
    answer = signed_in("auditor").get("/audit/", headers={"Origin": "https://evil.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_cookies_are_hidden_from_scripts(accounts: None) -> None:
    client = Client()
    client.post("/sign-in/", {"username": "viewer", "password": PASSWORD})
    client.get("/sign-in/")
    assert {"csrf", "session"} == set(client.cookies)
    for cookie in client.cookies.values():
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"
