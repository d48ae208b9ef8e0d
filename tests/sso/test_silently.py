"""Silent rechecks: without a refresh token the browser goes by the provider and back."""

from typing import Any

import pytest
import requests
from django.test import Client

from milvusadmin.sso.models import SignIn
from tests.infra.forger import Forger, Reply
from tests.infra.provider import Provider, complete, sign_in
from tests.web import Page, act_url

from .conftest import asked_of, come_back, later, recorded

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(provider: Provider, oidc: Any) -> tuple[Client, requests.Session]:
    """Her browser, signed in without a refresh token, and its cookies at the provider."""
    provider.no_refresh()
    browser, visitor = Client(), requests.Session()
    sign_in(browser, provider, "ada", visitor=visitor)
    later(400)
    return browser, visitor


Ada = tuple[Client, requests.Session]


def test_silent_recheck_goes_by_the_provider_and_back(ada: Ada, provider: Provider) -> None:
    browser, visitor = ada
    provider.change("ada", groups=["audit"])
    door: Any = browser.get("/audit/?who=ada")
    assert door.status_code == 302
    begun: Any = browser.get(door.headers["Location"])
    assert asked_of(begun.headers["Location"])["prompt"] == "none"
    back = complete(browser, provider, begun, "nobody", visitor)
    assert back.headers["Location"] == "/audit/?who=ada"
    assert browser.get("/audit/?who=ada").status_code == 200
    assert len(recorded("session.sign_in")) == 1
    (event,) = recorded("session.groups")
    assert event["details"] == {"before": ["ml-platform"], "now": ["audit"]}
    assert SignIn.objects.count() == 1


def test_silent_recheck_under_htmx_redirects_the_whole_page(ada: Ada) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/access/"}
    answer: Any = ada[0].get("/audit/", headers=headers)
    assert answer.status_code == 200
    assert answer.content == b""
    assert answer.headers["HX-Redirect"] == "/sign-in/?silent=1&next=/access/"


def test_silent_recheck_without_a_provider_session_asks(ada: Ada, provider: Provider) -> None:
    browser, visitor = ada
    visitor.cookies.clear()
    begun: Any = browser.get("/sign-in/", {"silent": "1", "next": "/access/"})
    back = complete(browser, provider, begun, "", visitor)
    assert back.headers["Location"] == "/sign-in/?next=%2Faccess%2F"
    again: Any = browser.get(back.headers["Location"])
    assert "prompt" not in asked_of(again.headers["Location"])
    assert complete(browser, provider, again, "ada", visitor).headers["Location"] == "/access/"
    assert recorded("session.refused") == []


def test_silent_recheck_does_not_extend_the_session(ada: Ada, provider: Provider) -> None:
    browser, visitor = ada
    began = SignIn.objects.get().started_at
    begun: Any = browser.get("/sign-in/", {"silent": "1"})
    complete(browser, provider, begun, "ada", visitor)
    assert SignIn.objects.get().started_at == began


def test_dialog_sent_after_a_recheck_is_due_keeps_its_reason(
    ada: Ada, provider: Provider, fake: Any
) -> None:
    browser, visitor = ada
    url = act_url("drop-collection", fake.add("books"))
    later(-400)
    token = Page(browser.get(url)).value("token")
    later(400)
    typed = {"token": token, "typed_name": "books", "reason": "OPS-1423"}
    door: Any = browser.post(url, typed)
    assert door.status_code == 302
    assert fake.sent == []
    begun: Any = browser.get(door.headers["Location"])
    assert complete(browser, provider, begun, "", visitor).headers["Location"] == url
    dialog = Page(browser.get(url))
    assert dialog.value("reason") == "OPS-1423"
    assert dialog.value("typed_name") == ""
    again = {"token": dialog.value("token"), "typed_name": "books", "reason": "OPS-1423"}
    assert browser.post(url, again).status_code == 302
    assert fake.sent == [("drop_collection", "default", "books")]


def test_dialog_restored_after_a_recheck_is_for_its_target_only(
    ada: Ada, provider: Provider, fake: Any
) -> None:
    browser, visitor = ada
    url = act_url("drop-collection", fake.add("books"))
    later(-400)
    token = Page(browser.get(url)).value("token")
    later(400)
    door: Any = browser.post(url, {"token": token, "typed_name": "books"})
    fake.drop_collection("default", "books")
    fake.add("books")
    complete(browser, provider, browser.get(door.headers["Location"]), "", visitor)  # type: ignore[arg-type]
    page = Page(browser.get(url))
    assert page.status == 409
    assert "It changed since you opened this dialog" in page.text
    assert "Type books" not in page.text


def test_dialog_of_a_removed_user_is_not_restored_for_another(
    forged: object, forger: Forger, fake: Any
) -> None:
    """The user is removed while the dialog is open; the next user here gets a new dialog."""
    browser = Client()
    come_back(browser, forger)
    url = act_url("drop-collection", fake.add("books"))
    token = Page(browser.get(url)).value("token")
    forger.replies["/token"] = Reply({"error": "invalid_grant"}, 400)
    browser.post(url, {"token": token, "typed_name": "books", "reason": "hers"})
    forger.replies.clear()
    forger.claims = forger.userinfo = {"sub": "eve", "name": "Eve"}
    come_back(browser, forger)
    dialog = Page(browser.get(url))
    assert "Eve" in Page(browser.get("/access/")).text
    assert (dialog.status, dialog.value("reason")) == (200, "")
    assert dialog.value("token") != token
    assert browser.post(url, {"token": token, "typed_name": "books"}).status_code == 403
    assert fake.sent == []
