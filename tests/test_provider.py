"""The demo's identity provider, on which other tests rely. The application takes no part."""

import re
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
import requests

from tests.infra.application import CALLBACK, OURS, Application, Claims, opened
from tests.infra.provider import NoProvider, Provider
from tests.infra.provider import provider as running


@pytest.fixture(scope="module")
def shared() -> Iterator[Provider]:
    with running((OURS,)) as made:
        yield made


@pytest.fixture
def provider(shared: Provider) -> Iterator[Provider]:
    """The shared one, with the people that it begins with."""
    yield shared
    shared.change("ada", groups=["ml-platform"], display="Ada Osei")
    shared.stall(0)
    shared.no_refresh(False)


# --- signing in ---------------------------------------------------------------------------------


def test_id_token_and_userinfo_say_who_it_is(provider: Provider) -> None:
    ada = Application(provider)
    tokens = ada.sign_in()
    claims, info = opened(provider, tokens["id_token"]), ada.userinfo(tokens)
    assert (claims["iss"], claims["aud"]) == (provider.issuer, "milvus-admin")
    assert claims["nonce"] == "the-nonce"
    for said in (claims, info):
        assert (said["sub"], said["name"], said["groups"]) == ("ada", "Ada Osei", ["ml-platform"])
        assert said["email"] == "ada@example.com"


@pytest.mark.parametrize(
    ("name", "groups"), [("vera", ["ml-readers"]), ("aldo", ["audit"]), ("ada", ["ml-platform"])]
)
def test_provider_people_have_their_groups(
    name: str, groups: list[str], provider: Provider
) -> None:
    tokens = Application(provider).sign_in(name)
    assert opened(provider, tokens["id_token"])["groups"] == groups


def test_groups_need_their_scope(provider: Provider) -> None:
    tokens = Application(provider).sign_in(scope="openid profile")
    assert "groups" not in opened(provider, tokens["id_token"])


def test_userinfo_may_differ_from_the_id_token(provider: Provider) -> None:
    provider.change("mia", display="Mia", groups=None, userinfo={"groups": ["late"]})
    mia = Application(provider)
    tokens = mia.sign_in("mia")
    assert opened(provider, tokens["id_token"]).get("groups") is None
    assert mia.userinfo(tokens)["groups"] == ["late"]


def test_code_with_a_wrong_verifier_is_refused(provider: Provider) -> None:
    ada = Application(provider)
    code = ada.authorize()["code"]
    assert ada.exchange(code, secrets.token_urlsafe(48))["error"] == "invalid_grant"


def test_authorization_without_pkce_is_refused(provider: Provider) -> None:
    back = Application(provider).authorize(code_challenge=None, code_challenge_method=None)
    assert back["error"] == "invalid_request"
    assert "PKCE" in back["error_description"]


def test_code_works_once(provider: Provider) -> None:
    ada = Application(provider)
    code = ada.authorize()["code"]
    assert "id_token" in ada.exchange(code, ada.verifier)
    assert ada.exchange(code, ada.verifier)["error"] == "invalid_grant"


def test_client_with_a_wrong_secret_is_refused(provider: Provider) -> None:
    ada = Application(provider)
    code = ada.authorize()["code"]
    ada.provider = Provider(provider.folder, (), port=provider.port, client_secret="not it")
    assert ada.exchange(code, ada.verifier)["error"] == "invalid_client"


@pytest.mark.parametrize("address", [f"{OURS}/elsewhere/", "http://example.com/oidc/callback/"])
def test_redirect_to_another_address_is_refused(address: str, provider: Provider) -> None:
    with pytest.raises(AssertionError, match="redirect_uri"):
        Application(provider).authorize(redirect_uri=address)


def test_sign_in_cancelled_is_an_error(provider: Provider) -> None:
    assert Application(provider).authorize("")["error"] == "access_denied"


# --- signing in again ---------------------------------------------------------------------------


def test_provider_session_with_prompt_none_asks_nobody(provider: Provider) -> None:
    ada = Application(provider)
    assert ada.authorize("ada", prompt="none")["error"] == "login_required"
    first = opened(provider, ada.sign_in()["id_token"])
    again = opened(provider, ada.sign_in("nobody", prompt="none")["id_token"])
    assert (again["sub"], again["auth_time"]) == ("ada", first["auth_time"])


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": 0}], ids=str)
def test_prompt_login_and_max_age_give_a_fresh_auth_time(asked: Claims, provider: Provider) -> None:
    ada = Application(provider)
    first = opened(provider, ada.sign_in()["id_token"])
    wait_past(first["auth_time"])
    assert ada.authorize("", **asked)["error"] == "access_denied"  # it does ask
    second = opened(provider, ada.sign_in("ada", **asked)["id_token"])
    assert second["auth_time"] > first["auth_time"]
    assert abs(second["auth_time"] - time.time()) < 5


def test_max_age_not_reached_asks_nobody(provider: Provider) -> None:
    ada = Application(provider)
    first = opened(provider, ada.sign_in()["id_token"])
    again = opened(provider, ada.sign_in("nobody", max_age=600)["id_token"])
    assert again["auth_time"] == first["auth_time"]


def wait_past(second: int) -> None:
    """`auth_time` counts whole seconds, and so does the comparison with max_age."""
    while int(time.time()) <= second + 1:
        time.sleep(0.05)


def test_prompt_login_may_be_answered_by_another_user(provider: Provider) -> None:
    browser = requests.Session()
    Application(provider, browser).sign_in("ada")
    tokens = Application(provider, browser).sign_in("vera", prompt="login")
    assert opened(provider, tokens["id_token"])["sub"] == "vera"


# --- while the session lasts ----------------------------------------------------------------------


def test_refresh_shows_changed_groups(provider: Provider) -> None:
    ada = Application(provider)
    tokens = ada.sign_in()
    provider.change("ada", groups=[], display="Ada O.")
    fresh = ada.refresh(tokens)
    for said in (opened(provider, fresh["id_token"]), ada.userinfo(fresh)):
        assert (said["name"], said["groups"]) == ("Ada O.", [])


def test_refresh_token_used_twice_ends_all(provider: Provider) -> None:
    ada = Application(provider)
    tokens = ada.sign_in()
    fresh = ada.refresh(tokens)
    assert fresh["refresh_token"] != tokens["refresh_token"]
    assert ada.refresh(tokens)["error"] == "invalid_grant"
    assert ada.refresh(fresh)["error"] == "invalid_grant"


def test_user_removed_is_refused_and_asked_again(provider: Provider) -> None:
    provider.change("tom", groups=["ml-platform"], display="Tom")
    tom = Application(provider)
    tokens = tom.sign_in("tom")
    provider.remove("tom")
    assert tom.refresh(tokens)["error"] == "invalid_grant"
    assert tom.userinfo(tokens)["error"] == "invalid_token"
    assert tom.authorize("tom", prompt="none")["error"] == "login_required"
    assert opened(provider, tom.sign_in("vera")["id_token"])["sub"] == "vera"


def test_refresh_tokens_can_be_withheld(provider: Provider) -> None:
    provider.no_refresh()
    assert "refresh_token" not in Application(provider).sign_in()
    provider.no_refresh(False)
    assert "refresh_token" in Application(provider).sign_in()


# --- signing out ----------------------------------------------------------------------------------


def test_end_session_leads_back_and_ends_the_session(provider: Provider) -> None:
    ada = Application(provider)
    tokens = ada.sign_in()
    back = f"{OURS}/signed-out/"
    asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": back}
    address = f"{provider.issuer}/session/end?{urlencode(asked | {'state': 'bye'})}"
    assert provider.visit(ada.visitor, address) == f"{back}?state=bye"
    assert ada.authorize("ada", prompt="none")["error"] == "login_required"
    assert ada.refresh(tokens)["error"] == "invalid_grant"


class Listener(HTTPServer):
    """Keeps the forms that are posted to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receive)
        self.received: list[tuple[str, dict[str, list[str]]]] = []


class Receive(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.append((self.path, parse_qs(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def listener(provider: Provider) -> Iterator[Listener]:
    """Gets the logout tokens in place of our application."""
    with Listener() as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        provider.send_logouts_to(f"http://127.0.0.1:{made.server_port}")
        yield made
        made.shutdown()
    provider.send_logouts_to(OURS)


def test_end_sessions_sends_a_logout_token(provider: Provider, listener: Listener) -> None:
    provider.end_sessions("ada")  # those of other tests
    listener.received.clear()
    ada, vera = Application(provider), Application(provider)
    tokens, hers = ada.sign_in(), vera.sign_in("vera")
    assert provider.end_sessions("ada")["failed"] == []
    ((path, fields),) = listener.received
    token = opened(provider, fields["logout_token"][0])
    assert path == "/oidc/backchannel-logout/"
    assert (token["iss"], token["aud"]) == (provider.issuer, "milvus-admin")
    assert token["sid"] == opened(provider, tokens["id_token"])["sid"]
    assert "http://schemas.openid.net/event/backchannel-logout" in token["events"]
    assert "nonce" not in token
    assert ada.refresh(tokens)["error"] == "invalid_grant"
    assert ada.authorize("ada", prompt="none")["error"] == "login_required"
    assert "id_token" in vera.refresh(hers)


# --- when it does not answer ----------------------------------------------------------------------


def test_provider_restarted_keeps_key_people_and_sessions(provider: Provider) -> None:
    ada = Application(provider)
    tokens = ada.sign_in()
    provider.change("ada", groups=["other"])
    provider.stop()
    with pytest.raises(requests.ConnectionError):
        ada.refresh(tokens)
    provider.start()
    assert opened(provider, tokens["id_token"])["sub"] == "ada"
    assert opened(provider, ada.refresh(tokens)["id_token"])["groups"] == ["other"]
    assert "code" in ada.authorize("nobody", prompt="none")


def test_provider_stalled_holds_every_answer_until_it_ends(provider: Provider) -> None:
    discovery = f"{provider.issuer}/.well-known/openid-configuration"
    provider.stall(60)
    with pytest.raises(requests.Timeout):
        requests.get(discovery, timeout=0.3)
    answers: list[requests.Response] = []
    held = threading.Thread(target=lambda: answers.append(requests.get(discovery, timeout=30)))
    held.start()
    held.join(0.3)
    assert answers == []
    provider.stall(0)
    held.join(10)
    assert [answer.status_code for answer in answers] == [200]


def test_provider_that_cannot_start_says_why(provider: Provider) -> None:
    second = Provider(provider.folder, (OURS,), port=provider.port)
    with pytest.raises(NoProvider, match="EADDRINUSE"):
        second.start()


# --- what it shows, and what it is without tests --------------------------------------------------


def test_provider_pages_say_what_they_are_and_load_nothing(provider: Provider) -> None:
    asked = {"client_id": provider.client_id, "redirect_uri": CALLBACK, "scope": "openid"}
    more = {"response_type": "code", "code_challenge": "x" * 43, "code_challenge_method": "S256"}
    page = requests.get(f"{provider.issuer}/auth", params=asked | more, timeout=5)
    assert "<title>Demo identity provider</title>" in page.text
    assert "asks for no password" in page.text
    assert "Sign in as Ada Osei" in page.text
    assert "ml-platform" in page.text
    wrong = requests.get(f"{provider.issuer}/auth", timeout=5)
    assert wrong.status_code == 400
    for shown in (page.text, wrong.text):
        assert re.findall(r"https?://|@import|url\(", shown) == []
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_provider_shows_names_as_text(provider: Provider) -> None:
    provider.change("eve", display="<script>alert(1)</script>", groups=['"><b>'])
    with pytest.raises(AssertionError) as shown:
        Application(provider).authorize("somebody unknown")
    provider.remove("eve")
    assert "&#60;script&#62;alert(1)" in str(shown.value)
    assert "<script>alert" not in str(shown.value)


class Strict(Provider):
    """One as it is without the switches for tests."""

    def environment(self) -> dict[str, str]:
        switches = ("TEST_HOOKS", "ANY_LOOPBACK", "STATE_FILE")
        given = super().environment()
        return {key: value for key, value in given.items() if key not in switches}


def test_provider_without_its_switches_has_no_test_addresses(
    provider: Provider,
) -> None:
    other = Strict(provider.folder, (OURS,))
    other.start()
    try:
        hook = requests.delete(f"{other.issuer}/test/users/ada", timeout=5)
        assert hook.status_code == 404
        assert "code" in Application(other).authorize("ada")
        with pytest.raises(AssertionError, match="redirect_uri"):
            Application(other).authorize(redirect_uri=f"{OURS[:-1]}9/oidc/callback/")
    finally:
        other.stop()
