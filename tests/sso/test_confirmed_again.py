"""Rechecks: the provider confirms a session regularly, and before each drop."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from milvusadmin.sso.models import SignIn
from milvusadmin.sso.oidc import session as sessions
from tests.fakes import FakeMilvus
from tests.infra.forger import Forger
from tests.infra.provider import Provider
from tests.web import Page, act_url

from .conftest import come_back, later, phases, recorded, signed_in

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


# --- groups ---------------------------------------------------------------------------------------


def test_recheck_applies_a_removed_group(oidc: Any, come_in: ComeIn, provider: Provider) -> None:
    browser = come_in("aldo")
    assert browser.get("/audit/").status_code == 200
    provider.change("aldo", groups=[])
    assert browser.get("/audit/").status_code == 200
    later(301)
    assert browser.get("/audit/").status_code == 403
    (event,) = recorded("session.groups")
    assert event["message"] == "Groups changed: -audit"
    assert event["details"] == {"before": ["audit"], "now": []}


def test_recheck_under_htmx_applies_a_removed_group(come_in: ComeIn, provider: Provider) -> None:
    browser = come_in("aldo")
    provider.change("aldo", groups=[])
    later(301)
    assert browser.get("/audit/", headers=HTMX).status_code == 403
    assert len(recorded("session.groups")) == 1


def test_recheck_applies_a_new_group(come_in: ComeIn, provider: Provider) -> None:
    browser = come_in()
    provider.change("ada", groups=["ml-platform", "audit"])
    later(301)
    assert browser.get("/audit/").status_code == 200
    assert recorded("session.groups")[0]["message"] == "Groups changed: +audit"


def test_recheck_without_a_change_records_nothing(ada: Client, forger: Forger) -> None:
    before = len(forger.forms)
    for _ in range(3):
        later(301)
        assert ada.get("/access/").status_code == 200
    assert len(forger.forms) == before + 3
    assert recorded("session.groups") == []
    assert len(recorded("session.sign_in")) == 1


def test_recheck_not_due_asks_no_provider(ada: Client, forger: Forger) -> None:
    forger.asked.clear()
    later(290)
    for _ in range(3):
        assert ada.get("/access/").status_code == 200
    assert forger.asked == []


# --- somebody who is gone -------------------------------------------------------------------------


@pytest.fixture
def tom(come_in: ComeIn, provider: Provider) -> Client:
    """He may drop; and then he is removed at the provider."""
    provider.change("tom", groups=["ml-platform"], display="Tom")
    browser = come_in("tom")
    provider.remove("tom")
    return browser


def test_recheck_of_a_removed_user_ends_the_session(tom: Client) -> None:
    later(301)
    answer: Any = tom.get("/access/")
    assert answer.headers["Location"] == "/sign-in/?next=/access/"
    assert not signed_in(tom)
    assert not SignIn.objects.exists()
    (event,) = recorded("session.ended")
    assert event["actor"]["subject"] == "tom"
    assert "no longer confirms" in event["message"]


def test_recheck_of_a_removed_user_under_htmx_redirects(tom: Client) -> None:
    later(301)
    answer: Any = tom.get("/access/", headers=HTMX)
    assert answer.headers["HX-Redirect"].startswith("/sign-in/?next=")
    assert (answer.content, signed_in(tom)) == (b"", False)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["browser", "htmx"])
def test_dialog_of_a_removed_user_drops_nothing(
    tom: Client, headers: dict[str, str], books: FakeMilvus
) -> None:
    token = token_of(tom)
    answer = send(tom, token, headers)
    assert answer.headers.get("Location", answer.headers.get("HX-Redirect")).startswith("/sign-in/")
    assert books.sent == []
    assert not signed_in(tom)
    assert [e["actor"]["subject"] for e in recorded("session.ended")] == ["tom"]


def test_removed_user_with_an_unwritable_log_is_signed_out(
    tom: Client, full_log: Callable[[], None]
) -> None:
    full_log()
    later(301)
    tom.raise_request_exception = False
    assert [tom.get("/access/").status_code for _ in range(3)].count(200) == 0


def test_session_past_its_maximum_age_ends(ada: Client) -> None:
    SignIn.objects.update(started_at=timezone.now() - timedelta(hours=8, seconds=1))
    assert ada.get("/access/").status_code == 302
    assert "maximum age" in recorded("session.ended")[0]["message"]


# --- right before a drop --------------------------------------------------------------------------


def test_drop_asks_the_provider_without_a_recheck_due(
    ada: Client, forger: Forger, books: FakeMilvus
) -> None:
    forger.asked.clear()
    token = token_of(ada)
    assert forger.asked == []
    assert send(ada, token).status_code == 302
    assert forger.asked == ["/token", "/userinfo"]
    assert books.sent == [("drop_collection", "default", "books")]


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["browser", "htmx"])
def test_group_removed_during_an_open_dialog_counts(
    come_in: ComeIn, provider: Provider, headers: dict[str, str], books: FakeMilvus
) -> None:
    browser = come_in()
    token = token_of(browser)
    provider.change("ada", groups=["ml-readers"])
    assert send(browser, token, headers).status_code in {403, 404}
    assert books.sent == []
    assert phases() == [DENIED]
    assert recorded("collection.drop")[0]["actor"]["groups"] == ["ml-readers"]
    assert recorded("session.groups")[0]["message"] == "Groups changed: +ml-readers, -ml-platform"


def test_group_removed_seen_by_a_concurrent_request_counts(
    ada: Client, books: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two requests of one session: one asks the provider, and the other waits for the answer."""
    token = token_of(ada)
    meanwhile(monkeypatch, groups=["ml-readers"])
    assert send(ada, token).status_code in {403, 404}
    assert books.sent == []
    assert phases() == [DENIED]


def test_drop_waiting_for_a_concurrent_recheck_uses_its_answer(
    ada: Client, books: FakeMilvus, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(ada)
    meanwhile(monkeypatch)
    assert send(ada, token).status_code == 302
    assert books.sent == [("drop_collection", "default", "books")]


def test_dialog_opened_during_a_concurrent_recheck_is_shown(
    ada: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    later(301)
    meanwhile(monkeypatch)
    answer: Any = ada.get(DIALOG)
    assert (answer.status_code, phases()) == (200, [])


def meanwhile(monkeypatch: pytest.MonkeyPatch, **heard: Any) -> None:
    """Another request is asking; it gets its answer while this one waits."""
    SignIn.objects.update(asking_until=timezone.now() + timedelta(seconds=15))

    class Clock:
        @staticmethod
        def sleep(seconds: float) -> None:
            SignIn.objects.update(checked_at=timezone.now(), **heard)

    monkeypatch.setattr(sessions, "time", Clock)


def test_group_change_that_cannot_be_recorded_stops_the_drop(
    ada: Client, forger: Forger, books: FakeMilvus, full_log: Callable[[], None]
) -> None:
    token = token_of(ada)
    forger.claims = {"groups": ["ml-platform", "audit"]}

    full_log()
    send(ada, token)
    assert books.sent == []
    assert phases() == [DENIED]
