"""Step-up: before a drop a cluster may require a fresh sign-in at the provider."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.test import Client

from milvusadmin.sso.models import SignIn
from tests.fakes import FakeMilvus
from tests.infra.forger import Forger, In
from tests.infra.provider import Provider, complete, sign_in
from tests.web import Page, act_url

from .conftest import (
    asked_of,
    begin,
    come_back,
    later,
    recorded,
    signed_in,
    signed_in_long_ago,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("wary")]
DIALOG = act_url("drop-collection", "books")
DROPPED = [("drop_collection", "default", "books")]


@pytest.fixture(autouse=True)
def books(wary: None, fake: FakeMilvus) -> FakeMilvus:
    fake.add("books")
    return fake


@pytest.fixture
def ada(forged: object, forger: Forger) -> Client:
    """Signed in at the forger, two minutes ago."""
    browser = Client()
    assert come_back(browser, forger).status_code == 302
    signed_in_long_ago(120)
    return browser


def send(browser: Client, token: str) -> Any:
    return browser.post(DIALOG, {"token": token, "typed_name": "books", "reason": "OPS-1423"})


def test_dialog_step_up_goes_by_the_provider_and_back(
    oidc: Any, provider: Provider, books: FakeMilvus
) -> None:
    browser, visitor = Client(), requests.Session()
    sign_in(browser, provider, "ada", visitor=visitor)
    signed_in_long_ago(120)
    dialog = Page(browser.get(DIALOG))
    assert "requires a sign-in that is at most" in dialog.text
    assert not dialog.find("button", cls="submit")
    begun: Any = browser.get(dialog.link("Sign in again"))
    asked = asked_of(begun.headers["Location"])
    assert (asked["prompt"], asked["max_age"]) == ("login", "60")
    back = complete(browser, provider, begun, "ada", visitor)
    assert back.headers["Location"] == DIALOG
    dialog = Page(browser.get(DIALOG))
    assert dialog.find("button", cls="submit")
    assert send(browser, dialog.value("token")).status_code == 302
    assert books.sent == DROPPED
    intent, _ = recorded("collection.drop")
    assert 0 <= intent["details"]["sign_in_age_seconds"] < 30
    (event,) = recorded("session.step_up")
    assert event["actor"]["subject"] == "ada"
    assert SignIn.objects.count() == 1


def test_drop_with_a_fresh_sign_in_goes_through(
    forged: object, forger: Forger, books: FakeMilvus
) -> None:
    browser = Client()
    come_back(browser, forger)
    assert send(browser, Page(browser.get(DIALOG)).value("token")).status_code == 302
    assert books.sent == DROPPED


def test_reason_typed_before_a_step_up_is_restored(ada: Client, forger: Forger) -> None:
    """The sign-in may get too old while the reason is being typed."""
    signed_in_long_ago(0)
    token = Page(ada.get(DIALOG)).value("token")
    signed_in_long_ago(120)
    refused = send(ada, token)
    assert refused.status_code == 403
    door = Page(refused).link("Sign in again")
    come_back(ada, forger, asked_there(ada, door))
    assert Page(ada.get(DIALOG)).value("reason") == "OPS-1423"


def asked_there(browser: Client, door: str) -> str:
    """The address at the provider where that door leads."""
    answer: Any = browser.get(door)
    return str(answer.headers["Location"])


def test_drop_without_a_step_up_is_not_sent(ada: Client, books: FakeMilvus) -> None:
    signed_in_long_ago(0)
    token = Page(ada.get(DIALOG)).value("token")
    signed_in_long_ago(120)
    answer = send(ada, token)
    assert answer.status_code == 403
    assert "requires a more recent sign-in" in Page(answer).text
    assert books.sent == []


def test_reading_requires_no_step_up(ada: Client) -> None:
    assert ada.get("/clusters/main/collections/?database=default").status_code == 200


def test_silent_recheck_is_no_step_up(ada: Client, forger: Forger, books: FakeMilvus) -> None:
    """The groups were just confirmed, but the user proved nothing."""
    later(400)
    assert ada.get("/access/").status_code == 200
    assert "requires a sign-in" in Page(ada.get(DIALOG)).text


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"auth_time": In(-3600)}, "did not ask for a new sign-in"),
        ({"auth_time": In(3600)}, "no auth_time"),
        ({"auth_time": None}, "no auth_time"),
        ({"auth_time": 0}, "no auth_time"),
        ({"sub": "vera"}, "a different person signed in"),
        ({"sub": "vera", "name": "Ada Osei"}, "a different person signed in"),
    ],
    ids=str,
)
def test_step_up_the_provider_did_not_prompt_for_is_refused(
    claims: dict[str, Any], why: str, ada: Client, forger: Forger, books: FakeMilvus
) -> None:
    token = Page(ada.get(DIALOG)).value("token")
    forger.claims = claims
    forger.userinfo = {"sub": claims.get("sub", "ada")}
    answer = come_back(ada, forger, begin(ada, fresh="1", next=DIALOG))
    assert answer.status_code == 403
    assert why in Page(answer).text
    (event,) = recorded("session.refused")
    assert why in event["message"]
    assert event["actor"]["subject"] == "ada"
    assert recorded("session.step_up") == []
    forger.claims, forger.userinfo = {}, {}
    assert signed_in(ada)
    assert ada.get("/access/").status_code == 200
    assert send(ada, token).status_code == 403
    assert books.sent == []


def test_step_up_by_another_user_is_refused(
    oidc: Any, provider: Provider, books: FakeMilvus
) -> None:
    browser, visitor = Client(), requests.Session()
    sign_in(browser, provider, "ada", visitor=visitor)
    begun: Any = browser.get("/sign-in/", {"fresh": "1", "next": DIALOG})
    answer = complete(browser, provider, begun, "vera", visitor)
    assert answer.status_code == 403
    assert "a different person signed in" in recorded("session.refused")[0]["message"]
    assert "Ada Osei" in Page(browser.get("/access/")).text


def test_step_up_cancelled_keeps_the_session_and_drops_nothing(
    oidc: Any, provider: Provider, books: FakeMilvus
) -> None:
    browser, visitor = Client(), requests.Session()
    sign_in(browser, provider, "ada", visitor=visitor)
    signed_in_long_ago(120)
    begun: Any = browser.get("/sign-in/", {"fresh": "1", "next": DIALOG})
    assert complete(browser, provider, begun, "", visitor).status_code == 403
    assert browser.get("/access/").status_code == 200
    assert "requires a sign-in" in Page(browser.get(DIALOG)).text


def test_dialog_after_a_step_up_spares_a_namesake(
    ada: Client, forger: Forger, books: FakeMilvus
) -> None:
    door = Page(ada.get(DIALOG)).link("Sign in again")
    books.drop_collection("default", "books")
    books.add("books")
    come_back(ada, forger, asked_there(ada, door))
    page = Page(ada.get(DIALOG))
    assert page.status == 409
    assert "It changed since you opened this dialog" in page.text
    assert books.sent == DROPPED  # by the test itself
    fresh = Page(ada.get(DIALOG))
    assert fresh.status == 200
    assert send(ada, fresh.value("token")).status_code == 302


def test_step_up_gives_the_session_a_new_key(ada: Client, forger: Forger) -> None:
    """The old session key is worth nothing afterwards."""
    before = ada.cookies["session"].value
    come_back(ada, forger, begin(ada, fresh="1"))
    assert ada.cookies["session"].value != before
    old = Client()
    old.cookies["session"] = before
    assert old.get("/access/").status_code == 302
    assert SignIn.objects.count() == 1


def test_step_up_without_refresh_tokens_passes_a_due_check(
    forged: Callable[..., Any], forger: Forger, books: FakeMilvus
) -> None:
    """The user is at the provider when a recheck is due."""
    forger.tokens = {"refresh_token": None}
    browser = Client()
    come_back(browser, forger)
    signed_in_long_ago(120)
    door = Page(browser.get(DIALOG)).link("Sign in again")
    begun = asked_there(browser, door)
    later(400)
    back = come_back(browser, forger, begun)
    assert (back.status_code, back.headers.get("Location")) == (302, DIALOG)
    assert send(browser, Page(browser.get(DIALOG)).value("token")).status_code == 302
    assert books.sent == DROPPED


def test_step_up_signed_out_is_an_ordinary_sign_in(forged: object, forger: Forger) -> None:
    browser = Client()
    begun = begin(browser, fresh="1")
    assert "prompt" not in asked_of(begun)
    assert come_back(browser, forger, begun).status_code == 302
    assert len(recorded("session.sign_in")) == 1
