"""Refresh tokens: each is used once, and the response is verified."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.infra.forger import Forger, key, signed
from tests.infra.provider import Provider

from .conftest import come_back, later, recorded, signed_in

pytestmark = pytest.mark.django_db
ComeIn = Callable[..., Client]


@pytest.fixture
def ada(forged: object, forger: Forger) -> Client:
    """Signed in at the forger, which may say something else from now on."""
    browser = Client()
    assert come_back(browser, forger).status_code == 302
    return browser


# --- one refresh at a time ------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_refresh_token_of_concurrent_requests_is_used_once(
    come_in: ComeIn, oidc: Any, provider: Provider
) -> None:
    """This provider ends the session if a refresh token is used twice."""
    oidc(timeout=10.0)
    browser = come_in()
    later(301)
    provider.stall(60)
    answers: list[int] = []

    def ask() -> None:
        twin = Client()
        twin.cookies["session"] = browser.cookies["session"].value
        answers.append(twin.get("/access/").status_code)
        connection.close()

    requests = [threading.Thread(target=ask) for _ in range(3)]
    for each in requests:
        each.start()
    deadline = time.monotonic() + 10
    while len(answers) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    provider.stall(0)
    for each in requests:
        each.join(10)
    assert answers == [200, 200, 200]
    later(301)
    assert browser.get("/access/").status_code == 200
    assert recorded("session.ended") == []


def test_refresh_token_is_used_once(ada: Client, forger: Forger) -> None:
    forger.rotates = True
    for _ in range(3):
        later(301)
        assert ada.get("/access/").status_code == 200
    used = [form["refresh_token"] for form in forger.forms[1:]]
    assert len(set(used)) == 3


def test_refresh_without_a_new_token_uses_the_old_one(ada: Client, forger: Forger) -> None:
    forger.tokens = {"refresh_token": None}
    for _ in range(2):
        later(301)
        assert ada.get("/access/").status_code == 200
    assert len({form["refresh_token"] for form in forger.forms[1:]}) == 1


def test_refresh_without_an_id_token_is_accepted(ada: Client, forger: Forger) -> None:
    forger.tokens = {"id_token": None}
    forger.userinfo = {"groups": ["audit"]}
    later(301)
    assert ada.get("/audit/").status_code == 200


@pytest.mark.parametrize("seconds", [1, 60])
def test_access_token_short_lived_costs_no_refresh_token(
    seconds: int, forged: object, forger: Forger
) -> None:
    forger.rotates, forger.tokens = True, {"expires_in": seconds}
    browser = Client()
    assert come_back(browser, forger).status_code == 302
    for _ in range(2):
        later(301)
        assert browser.get("/access/").status_code == 200
    grants = [form["grant_type"] for form in forger.forms]
    assert grants == ["authorization_code", "refresh_token", "refresh_token"]


def test_access_token_short_lived_without_refresh_is_accepted(
    forged: object, forger: Forger
) -> None:
    forger.tokens = {"expires_in": 30, "refresh_token": None}
    assert come_back(Client(), forger).status_code == 302


# --- an answer that is not believed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "userinfo"),
    [
        ({"sub": "vera"}, {"sub": "vera"}),
        ({"sub": "vera"}, {}),
        ({}, {"sub": "vera"}),
        ({"aud": "another"}, {}),
        ({"aud": ["milvus-admin", "another"], "azp": "milvus-admin"}, {}),
        ({"iss": "https://evil.example"}, {}),
        ({"exp": None}, {}),
        ({"exp": 1}, {}),
    ],
    ids=str,
)
def test_refresh_about_another_user_ends_the_session(
    claims: Any, userinfo: Any, ada: Client, forger: Forger
) -> None:
    forger.claims, forger.userinfo = claims, userinfo
    later(301)
    assert ada.get("/access/").status_code == 302
    assert not signed_in(ada)
    assert len(recorded("session.ended")) == 1


def test_refresh_for_another_subject_ends_the_session(ada: Client, forger: Forger) -> None:
    forger.tokens, forger.userinfo = {"id_token": None}, {"sub": "vera"}
    later(301)
    assert ada.get("/access/").status_code == 302


def test_refresh_with_a_forged_id_token_ends_the_session(ada: Client, forger: Forger) -> None:
    forger.make = lambda claims: signed(claims, key("another key"))
    later(301)
    assert ada.get("/access/").status_code == 302
    assert not signed_in(ada)
