"""Sign-in through the company's provider: who a user is, and which groups they have."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from django.contrib.auth import get_user_model
from django.test import Client

from milvusadmin.sso.models import SignIn
from milvusadmin.sso.oidc import client as ours
from tests.infra.forger import DISCOVERY, Forger, Reply
from tests.infra.forger import forger as forging
from tests.infra.provider import Provider, complete, sign_in
from tests.web import Page, act_url

from .conftest import begin, come_back, later, recorded, signed_in, switch_on

pytestmark = pytest.mark.django_db
ComeIn = Callable[..., Client]


def groups_of(subject: str = "ada") -> list[str]:
    """What the session's groups are."""
    found: list[str] = SignIn.objects.get(subject=subject).groups
    return found


# --- in -------------------------------------------------------------------------------------------


def test_sign_in_returns_to_the_page_and_is_recorded(oidc: Any, provider: Provider) -> None:
    browser = Client()
    answer = sign_in(browser, provider, "ada", next="/access/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/access/")
    page = browser.get("/access/").content.decode()
    assert "Ada Osei" in page
    assert "ml-platform" in page
    (event,) = recorded("session.sign_in")
    assert event["actor"]["subject"] == "ada"
    assert event["actor"]["issuer"] == provider.issuer
    assert event["actor"]["groups"] == ["ml-platform"]


def test_every_page_signed_out_leads_to_the_provider_and_back(
    oidc: Any, provider: Provider
) -> None:
    browser = Client()
    door: Any = browser.get("/access/")
    assert door.headers["Location"] == "/sign-in/?next=/access/"
    begun: Any = browser.get(door.headers["Location"])
    assert begun.headers["Location"].startswith(f"{provider.issuer}/auth?")
    assert begun.headers["Cache-Control"] == "no-store" or "no-store" in begun["Cache-Control"]
    assert complete(browser, provider, begun, "ada").headers["Location"] == "/access/"


def test_sign_in_cancelled_at_the_provider_is_recorded(oidc: Any, provider: Provider) -> None:
    browser = Client()
    answer = sign_in(browser, provider, "")
    assert answer.status_code == 403
    assert "The person chose to cancel" in Page(answer).text
    assert not signed_in(browser)
    assert "access_denied" in recorded("session.refused")[0]["message"]


def test_user_switched_off_here_is_signed_out(come_in: ComeIn, provider: Provider) -> None:
    browser = come_in()
    get_user_model().objects.update(is_active=False)
    assert browser.get("/access/").status_code == 302
    answer = sign_in(Client(), provider, "ada")
    assert answer.status_code == 403
    assert "is disabled in Milvus Admin" in recorded("session.refused")[0]["message"]


def test_sign_in_with_an_unwritable_log_is_refused(
    oidc: Any, provider: Provider, full_log: Callable[[], None]
) -> None:
    full_log()
    browser = Client()
    answer = sign_in(browser, provider, "ada")
    assert answer.status_code == 503
    assert "audit log can't be written" in Page(answer).text
    assert not signed_in(browser)
    assert not SignIn.objects.exists()


# --- who it is ------------------------------------------------------------------------------------


def test_display_name_changed_is_shown_after_the_next_check(
    come_in: ComeIn, oidc: Any, provider: Provider
) -> None:
    browser = come_in()
    provider.change("ada", display="Ada Conti")
    oidc(recheck=0.0)
    assert "Ada Conti" in Page(browser.get("/access/")).text
    assert recorded("session.groups") == []


def test_display_name_changed_is_the_same_user(come_in: ComeIn, provider: Provider) -> None:
    come_in()
    provider.change("ada", display="Ada Conti")
    assert "Ada Conti" in Page(come_in().get("/access/")).text
    (user,) = get_user_model().objects.all()
    assert user.first_name == "Ada Conti"
    assert not user.has_usable_password()


def test_subject_with_another_users_name_is_another_user(
    come_in: ComeIn, provider: Provider
) -> None:
    same = {"display": "Ada Osei", "email": "ada@example.com", "preferred_username": "ada"}
    provider.change("ada2", groups=["audit"], **same)
    first, second = come_in("ada"), come_in("ada2")
    provider.remove("ada2")
    assert get_user_model().objects.count() == 2
    assert [b.get("/audit/").status_code for b in (first, second)] == [403, 200]


@pytest.mark.parametrize("subject", ["Ada", "ada ", "ADA", "аda"], ids=ascii)
def test_subject_is_compared_exactly(subject: str, forged: Any, forger: Forger) -> None:
    come_back(Client(), forger)
    forger.claims = forger.userinfo = {"sub": subject}
    come_back(Client(), forger)
    assert get_user_model().objects.count() == 2


def test_subject_at_another_issuer_is_another_user(
    settings: Any, forged: Any, forger: Forger
) -> None:
    browser = Client()
    come_back(browser, forger)
    with forging() as elsewhere:
        switch_on(settings, elsewhere)
        assert browser.get("/access/").status_code == 302
        come_back(Client(), elsewhere)
    assert get_user_model().objects.count() == 2
    assert SignIn.objects.filter(subject="ada").count() == 2


@pytest.mark.parametrize(
    ("claims", "shown"),
    [
        ({"name": None, "preferred_username": "ada.o"}, "ada.o"),
        ({"name": "  ", "email": "ada@example.com"}, "ada@example.com"),
        ({"name": None}, "ada"),
        ({"name": 7}, "ada"),
        ({"name": "<b>Ada</b>"}, "<b>Ada</b>"),
        ({"name": "A" * 500}, "A" * 300),
    ],
    ids=str,
)
def test_display_name_is_taken_from_the_first_usable_claim(
    claims: dict[str, Any], shown: str, forged: Any, forger: Forger
) -> None:
    forger.claims = claims
    browser = Client()
    come_back(browser, forger)
    assert Page(browser.get("/access/")).find("a", cls="person")[0].text == shown


def test_browser_taken_over_by_another_user_starts_a_new_session(
    forged: Any, forger: Forger
) -> None:
    """Without a refresh token the browser goes to the provider, and nobody asks the first user."""
    forger.tokens = {"refresh_token": None}
    browser = Client()
    for subject in ("ada", "vera", "ada", "vera"):
        forger.claims = forger.userinfo = {"sub": subject, "name": f"The {subject}"}
        assert come_back(browser, forger, begin(browser, silent="1")).status_code == 302
        assert f"The {subject}" in Page(browser.get("/access/")).text
        later(400)
    assert SignIn.objects.count() == 1


# --- groups ---------------------------------------------------------------------------------------

NESTED = "realm_access.roles"


@pytest.mark.parametrize(
    ("claim", "claims", "userinfo", "groups"),
    [
        ("groups", {"groups": ["a", "b"]}, {}, ["a", "b"]),
        ("groups", {"groups": None}, {"groups": ["b"]}, ["b"]),
        ("groups", {"groups": ["a"]}, {"groups": ["b"]}, ["b"]),
        ("groups", {"groups": ["a"]}, {"groups": []}, []),
        ("groups", {"groups": "a"}, {}, ["a"]),
        ("groups", {"groups": "a,b a"}, {}, ["a,b a"]),
        ("groups", {"groups": None}, {}, []),
        ("groups", {"groups": {"a": True}}, {}, []),
        ("groups", {"groups": 7}, {}, []),
        ("groups", {"groups": ["b", 7, None, "", ["c"], "a", "a"]}, {}, ["a", "b"]),
        (NESTED, {"realm_access": {"roles": ["a"]}}, {}, ["a"]),
        (NESTED, {}, {"realm_access": {"roles": ["a"]}}, ["a"]),
        (NESTED, {"realm_access": ["a"]}, {}, []),
        (NESTED, {"realm_access": {}}, {}, []),
        (NESTED, {"groups": ["a"]}, {}, []),
        ("https://a.example/groups", {"https://a.example/groups": ["a"]}, {}, ["a"]),
    ],
    ids=str,
)
def test_groups_come_from_the_configured_claim(
    claim: str, claims: Any, userinfo: Any, groups: list[str], forged: Any, forger: Forger
) -> None:
    forged(groups_claim=claim)
    forger.claims, forger.userinfo = claims, userinfo
    browser = Client()
    assert come_back(browser, forger).status_code == 302
    assert groups_of() == groups
    assert recorded("session.sign_in")[0]["actor"]["groups"] == groups
    browser.get("/access/")


def test_provider_without_userinfo_is_accepted(forged: Any, forger: Forger) -> None:
    forger.discovery = {"userinfo_endpoint": None}
    assert come_back(Client(), forger).status_code == 302
    assert groups_of() == ["ml-platform"]


def test_user_without_groups_has_no_rights_and_is_told(
    come_in: ComeIn, provider: Provider, fake: Any
) -> None:
    fake.add("books")
    provider.change("ada", groups=None)
    browser = come_in()
    assert browser.get("/").headers["Location"] == "/access/"
    page = Page(browser.get("/access/"))
    assert "No rule applies to you" in page.text
    assert "Your sign-in brought no groups" in page.text
    assert browser.get(act_url("drop-collection", "books")).status_code == 404
    assert browser.get("/audit/").status_code == 403
    assert fake.sent == []


# --- when the provider does not answer ------------------------------------------------------------


def test_sign_in_with_the_provider_down_says_so(oidc: Any, provider: Provider) -> None:
    browser = Client()
    provider.stop()
    down: Any = browser.get("/sign-in/", {"next": "/access/"})
    assert down.status_code == 503
    assert down.headers["Retry-After"]
    assert "does not answer" in Page(down).text
    assert Page(down).link("Try again") == "/sign-in/?next=%2Faccess%2F"
    assert recorded("session.refused") == []
    provider.start()
    assert sign_in(browser, provider, "ada").status_code == 302


def test_sign_in_with_a_stalled_provider_ends_at_the_deadline(
    oidc: Any, provider: Provider
) -> None:
    oidc(timeout=0.5)
    ours._client.cache_clear()
    provider.stall(30)
    began = time.monotonic()
    assert Client().get("/sign-in/").status_code == 503
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("how", ["stall", "stop"])
def test_callback_with_the_provider_down_says_so(how: str, oidc: Any, provider: Provider) -> None:
    oidc(timeout=0.5)
    browser = Client()
    back = provider.visit(requests.Session(), begin(browser), "ada")
    if how == "stop":
        provider.stop()
    else:
        provider.stall(30)
    began = time.monotonic()
    answer: Any = browser.get(back)
    assert answer.status_code == 503
    assert time.monotonic() - began < 4
    assert not signed_in(browser)
    assert "Traceback" not in answer.content.decode()


def test_provider_error_text_is_not_on_the_page(forged: Any, forger: Forger) -> None:
    forger.replies[DISCOVERY] = Reply("an inner secret of the provider", 500)
    answer: Any = Client().get("/sign-in/")
    assert "secret" not in answer.content.decode()
    assert forger.issuer not in answer.content.decode()
