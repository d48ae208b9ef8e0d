"""An outage of the provider: reading goes on for a while, and nothing is dropped."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from milvusadmin.sso.oidc import client as ours
from tests.fakes import FakeMilvus
from tests.infra.forger import (
    DISCOVERY,
    Forger,
    Reply,
)
from tests.infra.provider import Provider
from tests.web import Page, act_url

from .conftest import (
    come_back,
    later,
    phases,
    recorded,
    signed_in,
)

pytestmark = pytest.mark.django_db
ComeIn = Callable[..., Client]
DIALOG = act_url("drop-collection", "books")
HTMX = {"HX-Request": "true"}
DENIED = ("rejected", "collection.drop", "denied")
BANNER = "can’t be confirmed"


@pytest.fixture(autouse=True)
def books(fake: FakeMilvus) -> FakeMilvus:
    fake.add("books")
    return fake


@pytest.fixture
def ada(forged: object, forger: Forger) -> Client:
    """Signed in at the forger, which may say something else from now on."""
    browser = Client()
    assert come_back(browser, forger).status_code == 302
    return browser


def drop(browser: Client, headers: dict[str, str] | None = None) -> Any:
    """Send the dialog, as it was shown."""
    token = Page(browser.get(DIALOG)).value("token")
    return send(browser, token, headers)


def send(browser: Client, token: str, headers: dict[str, str] | None = None) -> Any:
    typed = {"token": token, "typed_name": "books", "reason": "OPS-1423"}
    return browser.post(DIALOG, typed, headers=headers or {})


def token_of(browser: Client) -> str:
    return Page(browser.get(DIALOG)).value("token")


# --- an answer that is none -----------------------------------------------------------------------

HTML = "<!doctype html><title>Bad gateway</title>"
OUTAGES = [
    ("/token", Reply(HTML, 500)),
    ("/token", Reply(HTML, 502)),
    ("/token", Reply(HTML)),
    ("/token", Reply(HTML, 404)),
    ("/token", Reply(HTML, 429)),
    ("/token", Reply({"error": "temporarily_unavailable"}, 503)),
    ("/userinfo", Reply(HTML, 500)),
    ("/userinfo", Reply(HTML)),
    ("/userinfo", Reply("", 429)),
]


@pytest.mark.parametrize(("path", "reply"), OUTAGES, ids=str)
def test_recheck_with_an_unusable_answer_keeps_the_session(
    path: str, reply: Reply, ada: Client, forger: Forger, books: FakeMilvus
) -> None:
    forger.rotates = True
    forger.replies[path] = reply
    later(301)
    page = Page(ada.get("/access/"))
    assert (page.status, BANNER in page.text) == (200, True)
    forger.replies.clear()
    later(20)
    page = Page(ada.get("/access/"))
    assert (page.status, BANNER in page.text) == (200, False)
    assert drop(ada).status_code == 302
    assert books.sent


def test_recheck_with_an_unusable_discovery_keeps_the_session(ada: Client, forger: Forger) -> None:
    forger.replies[DISCOVERY] = Reply(HTML)
    ours._client.cache_clear()
    later(301)
    assert BANNER in Page(ada.get("/access/")).text


# --- a provider that is down ----------------------------------------------------------------------


@pytest.fixture(params=["stopped", "stalled"])
def outage(
    request: pytest.FixtureRequest, come_in: ComeIn, oidc: Any, provider: Provider
) -> Client:
    """Ada's session, a check that is due, and a provider that does not answer."""
    oidc(timeout=0.3)
    browser = come_in()
    later(301)
    if request.param == "stopped":
        provider.stop()
    else:
        provider.stall(60)
    return browser


def test_reading_during_an_outage_goes_on_with_a_banner(outage: Client) -> None:
    began = time.monotonic()
    page = Page(outage.get("/access/"))
    assert (page.status, BANNER in page.text) == (200, True)
    assert time.monotonic() - began < 3
    assert recorded("session.ended") == []


def test_drop_during_an_outage_is_refused_and_recorded(outage: Client, books: FakeMilvus) -> None:
    later(-301)
    token = token_of(outage)
    later(301)
    answer = send(outage, token)
    assert answer.status_code == 403
    assert "does not answer" in Page(answer).text
    assert books.sent == []
    assert phases() == [DENIED]
    assert "does not answer" in recorded("collection.drop")[0]["message"]


def test_drop_during_an_outage_just_begun_is_refused(outage: Client, books: FakeMilvus) -> None:
    later(-241)
    token = token_of(outage)
    assert BANNER not in Page(outage.get("/access/")).text
    assert send(outage, token).status_code == 403
    assert (books.sent, phases()) == ([], [DENIED])


def test_drop_during_an_outage_with_grace_for_drops_goes_through(
    outage: Client, oidc: Any, books: FakeMilvus
) -> None:
    oidc(grace_for_drops=True)
    assert drop(outage).status_code == 302
    assert books.sent == [("drop_collection", "default", "books")]


@pytest.mark.parametrize(("after", "status"), [(1790, 200), (1810, 302)])
def test_session_after_the_grace_period_ends(after: float, status: int, outage: Client) -> None:
    later(after)
    assert outage.get("/access/").status_code == status
    ended = [e["message"] for e in recorded("session.ended")]
    assert ended == (
        [] if status == 200 else ["The provider did not answer within the grace period"]
    )
    assert signed_in(outage) == (status == 200)


def test_session_without_a_grace_period_ends_at_once(outage: Client, oidc: Any) -> None:
    oidc(grace=0.0)
    assert outage.get("/access/").status_code == 302
    assert not signed_in(outage)


def test_provider_down_is_not_asked_by_each_request(ada: Client, forger: Forger) -> None:
    forger.replies["/token"] = Reply("", 500)
    later(301)
    before = len(forger.asked)
    for _ in range(5):
        assert ada.get("/access/").status_code == 200
    assert len(forger.asked) == before + 1


def test_provider_back_after_an_outage_restores_everything(
    outage: Client, oidc: Any, provider: Provider, books: FakeMilvus
) -> None:
    assert BANNER in Page(outage.get("/access/")).text
    oidc(timeout=3.0)
    if provider._process is None:
        provider.start()
    provider.stall(0)
    later(20)
    assert BANNER not in Page(outage.get("/access/")).text
    assert drop(outage).status_code == 302
    assert books.sent == [("drop_collection", "default", "books")]


def test_provider_restarted_is_not_noticed(come_in: ComeIn, provider: Provider) -> None:
    browser = come_in()
    provider.stop()
    provider.start()
    later(301)
    page = Page(browser.get("/access/"))
    assert (page.status, BANNER in page.text) == (200, False)
