"""Through a real Apache with mod_auth_openidc, set up as docs/sign-in.md says."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.infra.apache import PAGE, USER, Apache, Browser, apache
from tests.infra.gunicorn import CONFIG, HOST, App, NotStarted, ask, gunicorn
from tests.infra.provider import Provider
from tests.infra.waiting import until

SECRET = "what-the-proxy-says-" + "0f" * 16
RULES = """
access = [
    {groups = ["ml-platform"], clusters = ["*"], actions = ["view", "drop"]},
    {groups = ["audit"], clusters = ["*"], actions = ["audit"]},
]
"""
Header = tuple[str, str]
HTTPS: Header = ("X-Forwarded-Proto", "https")
REFRESH = "OIDCUserInfoRefreshInterval  300"
OFTEN = {REFRESH: "OIDCUserInfoRefreshInterval 1"}
PEERS = {"unix": "unix", "tcp": HOST}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """How the application is set up on docs/sign-in.md, but for PROXY_TRUSTED."""
    rules = tmp_path_factory.mktemp("rules") / "rules.toml"
    rules.write_text(RULES)
    return {
        "SIGN_IN": "proxy",
        "PROXY_SECRET": SECRET,
        "PROXY_SIGN_OUT_URL": "/oidc-callback?logout=",
        "TRUST_PROXY": f"unix,{HOST}",
        "MILVUSADMIN_CONFIG": str(rules),
    }


@pytest.fixture(scope="module", params=["unix", "tcp"])
def app(request: pytest.FixtureRequest, environment: dict[str, str]) -> Iterator[App]:
    """The application, on a Unix socket and on a TCP port."""
    trusted = {"PROXY_TRUSTED": PEERS[request.param]}
    with gunicorn(environment | trusted, unix=request.param == "unix", group=USER) as made:
        yield made


@pytest.fixture(scope="module")
def proxied(app: App, shared_provider: Provider) -> Iterator[Apache]:
    with apache(app, shared_provider, SECRET) as made:
        yield made


@pytest.fixture(scope="module")
def nora(proxied: Apache) -> Iterator[Browser]:
    """Signed in; the provider sends no groups claim for her that could cover a forged one."""
    proxied.provider.change("nora", display="Zoë Łukasz ✓")
    browser = proxied.browser()
    browser.sign_in("nora", "/access/")
    yield browser
    proxied.provider.remove("nora")


def who(page: str) -> tuple[str, str]:
    """Name and groups, as the page's head shows them."""
    found = re.search(r'Groups: ([^"]*)"[^>]*>([^<]*)</a>', page)
    return (found[2], found[1]) if found else ("", "")


def asked_so_far(browser: Browser) -> list[str]:
    """What got as far as the application. Its log is a moment late, so a last request marks it."""
    marker, app = f"/{uuid.uuid4()}/", browser.apache.app
    ask(browser.connection(), marker, (browser.cookie,))
    until(lambda: marker in app.asked)
    return app.asked


# --- in and out -----------------------------------------------------------------------------------


def test_apache_signed_in_user_and_groups_reach_milvus_admin(
    proxied: Apache, provider: Provider
) -> None:
    browser = proxied.browser()
    before = len(proxied.app.recorded("session.sign_in"))
    page = browser.sign_in("ada", "/access/")
    assert (page.status_code, who(page.text)) == (200, ("Ada Osei", "ml-platform"))
    assert who(browser.get("/access/").text) == ("Ada Osei", "ml-platform")
    (event,) = proxied.app.recorded("session.sign_in")[before:]
    assert event["actor"]["subject"] == "ada"
    assert event["actor"]["groups"] == ["ml-platform"]
    assert event["origin"]["ip"] == HOST


def test_apache_signed_out_lets_nothing_through(proxied: Apache, nora: Browser) -> None:
    answer = proxied.browser().get("/by-a-stranger/")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(proxied.provider.issuer)
    assert "/by-a-stranger/" not in asked_so_far(nora)


def test_apache_passes_htmx_parts(proxied: Apache) -> None:
    browser = proxied.browser()
    browser.sign_in("aldo", "/audit/")
    part = browser.get("/audit/", HX_Request="true")
    assert part.status_code == 200
    assert "Signed in through the proxy" in part.text
    assert "<html" not in part.text


def test_apache_sign_out_ends_all_three_sessions(proxied: Apache) -> None:
    browser = proxied.browser()
    page = browser.sign_in("vera", "/access/")
    before = len(proxied.app.recorded("session.sign_out"))
    answer = browser.post("/sign-out/", page)
    leads = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    assert leads, answer.text
    ended = browser.get(leads[1])
    assert ended.headers["Location"].startswith(f"{proxied.provider.issuer}/session/end")
    # The provider's own page at the end leads nowhere.
    with pytest.raises(AssertionError, match="You are signed out"):
        proxied.provider.visit(browser.session, ended.headers["Location"])
    asked = browser.session.get(browser.get("/").headers["Location"], timeout=30)
    assert 'name="login"' in asked.text
    (event,) = proxied.app.recorded("session.sign_out")[before:]
    assert event["actor"]["subject"] == "vera"


def test_apache_form_of_another_site_is_refused(proxied: Apache) -> None:
    browser = proxied.browser()
    page = browser.sign_in("vera", "/access/")
    assert browser.post("/sign-out/", page, origin="https://evil.example").status_code == 403
    assert who(browser.get("/access/").text)[0] == "Vera Lind"


# --- forged headers -------------------------------------------------------------------------------

FORGED: list[tuple[Header, ...]] = [
    (("X-Forwarded-User", "ada"),),
    (("x-forwarded-user", "ada"),),
    (("X_Forwarded_User", "ada"),),
    (("X-Forwarded_User", "ada"),),
    (("X-Forwarded-User", "ada"), ("X-Forwarded-User", "ada")),
    (("X-Forwarded-User", "ada"), ("X_Forwarded_User", "ada")),
    (("X-Forwarded-Preferred-Username", "Ada Osei"),),
    (("X-Forwarded-Groups", "ml-platform"),),
    (("x-forwarded-groups", "ml-platform"),),
    (("X_Forwarded_Groups", "ml-platform"),),
    (("X-Forwarded-Groups", "ml-platform"), ("X-Forwarded-Groups", "audit")),
    (("OIDC_CLAIM_groups", "ml-platform"),),
    (("OIDC-CLAIM-groups", "ml-platform"),),
    (("oidc_claim_groups", "ml-platform"),),
    (("OIDC_CLAIM_groups", "ml-platform"), ("OIDC_CLAIM_groups", "audit")),
    (("OIDC_CLAIM_sub", "ada"), ("OIDC_CLAIM_name", "Ada Osei")),
    (("Remote-User", "ada"),),
    (("Authorization", "Basic YWRhOmFkYQ=="),),
    (("X-Proxy-Secret", "wrong"), ("X_Proxy_Secret", "wrong")),
    (("Connection", "close, X-Forwarded-Groups"), ("X-Forwarded-Groups", "ml-platform")),
    (("X-Forwarded-For", "203.0.113.9"), ("Forwarded", "for=203.0.113.9")),
]


@pytest.mark.parametrize("forged", FORGED, ids=lambda headers: "+".join(dict(headers)))
def test_apache_ignores_forged_headers_of_a_signed_in_user(
    nora: Browser, forged: tuple[Header, ...]
) -> None:
    answer = ask(nora.connection(), "/access/", (nora.cookie, *forged))
    assert (answer.status, who(answer.text)) == (200, ("Zoë Łukasz ✓", "none"))


def test_apache_ignores_forged_headers_for_a_new_session(proxied: Apache, nora: Browser) -> None:
    forged = (*FORGED[2], *FORGED[7], *FORGED[9], *FORGED[11], *FORGED[20])
    kept = [pair for pair in nora.cookie[1].split("; ") if not pair.startswith("__Host-")]
    before = len(proxied.app.recorded("session.sign_in"))
    ask(nora.connection(), "/access/", (("Cookie", "; ".join(kept)), *forged))
    (event,) = proxied.app.recorded("session.sign_in")[before:]
    assert event["actor"]["subject"] == "nora"
    assert event["actor"]["groups"] == []
    assert event["origin"]["ip"] == HOST


@pytest.mark.parametrize(
    ("dropped", "seen"),
    [
        ("X-Forwarded-Groups", (200, ("Ada Osei", "none"))),
        ("X-Forwarded-User", (403, ("", ""))),
        ("X-Proxy-Secret", (403, ("", ""))),
    ],
)
def test_apache_headers_dropped_by_a_client_only_lose_rights(
    proxied: Apache, provider: Provider, dropped: str, seen: Any
) -> None:
    """`Connection: X` tells a proxy not to pass X on, and Apache obeys."""
    browser = proxied.browser()
    browser.sign_in("ada", "/access/")
    answer = ask(browser.connection(), "/access/", (browser.cookie, ("Connection", dropped)))
    assert (answer.status, who(answer.text)) == seen


CALLBACKS = ("/oidc-callback", "/oidc-callback/", "/oidc-callback/x", "//oidc-callback")
SPELLED = ("/x/../oidc-callback", "/./oidc-callback", "/%6fidc-callback")


@pytest.mark.parametrize("path", [f"{path}?code=stolen" for path in CALLBACKS + SPELLED])
def test_apache_keeps_provider_codes_from_milvus_admin(nora: Browser, path: str) -> None:
    assert ask(nora.connection(), path, (nora.cookie,)).status < 500
    assert not [asked for asked in asked_so_far(nora) if "oidc-callback" in asked]


# --- past Apache ----------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [(), (("X-Proxy-Secret", "wrong"),)], ids=["none", "wrong"])
def test_request_past_apache_is_refused(proxied: Apache, secret: tuple[Header, ...]) -> None:
    app = proxied.app
    before = len(app.recorded("session.refused"))
    forged = (("X-Forwarded-User", "ada"), ("X-Forwarded-Groups", "ml-platform"))
    answer = ask(app.connection(), "/access/", (HTTPS, *forged, *secret))
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    (event,) = app.recorded("session.refused")[before:]
    assert (event["actor"]["subject"], event["outcome"]) == ("", "denied")
    assert "ada" in event["message"]


def test_session_past_apache_is_ended(proxied: Apache) -> None:
    browser = proxied.browser()
    browser.sign_in("ada", "/access/")
    before = len(proxied.app.recorded("session.ended"))
    assert ask(proxied.app.connection(), "/access/", (HTTPS, browser.cookie)).status == 403
    assert len(proxied.app.recorded("session.ended")) == before + 1


@pytest.mark.parametrize("listens", ["unix", "tcp"])
def test_proxy_secret_from_an_untrusted_peer_is_refused(
    environment: dict[str, str], listens: str
) -> None:
    trusted = {"unix": HOST, "tcp": "unix,192.0.2.1"}[listens]
    said = (HTTPS, ("X-Proxy-Secret", SECRET), ("X-Forwarded-User", "ada"))
    spoofed = ("X-Forwarded-For", "192.0.2.1")
    with gunicorn(environment | {"PROXY_TRUSTED": trusted}, unix=listens == "unix") as app:
        assert ask(app.connection(), "/access/", said).status == 403
        assert ask(app.connection(), "/access/", (*said, spoofed)).status == 403
        assert len(app.recorded("session.refused")) == 2


@pytest.mark.parametrize("missing", ["PROXY_SECRET", "PROXY_TRUSTED"])
def test_server_without_a_proxy_setting_does_not_start(
    environment: dict[str, str], missing: str
) -> None:
    without = environment | {"PROXY_TRUSTED": HOST, missing: ""}
    with pytest.raises(NotStarted, match=f"{missing} is not set"), gunicorn(without):
        pass


def test_proxy_secret_is_in_no_page_and_no_file(proxied: Apache, nora: Browser) -> None:
    answer = ask(nora.connection(), "/audit/", (nora.cookie,))
    written = [path.read_bytes() for path in proxied.app.folder.glob("*") if path.is_file()]
    assert len(written) >= 4
    assert SECRET not in answer.text
    assert not [content for content in written if SECRET.encode() in content]


# --- what Apache makes of changes at the provider -------------------------------------------------


@pytest.fixture(scope="module")
def alone(environment: dict[str, str]) -> Iterator[App]:
    """One application for those who bring an Apache of their own."""
    separator = {"PROXY_TRUSTED": "unix", "PROXY_GROUPS_SEPARATOR": "|"}
    with gunicorn(environment | separator, unix=True, group=USER) as made:
        yield made


@pytest.fixture
def reread(alone: App, provider: Provider) -> Iterator[Callable[..., Browser]]:
    """reread(...) is a browser with ada in it, before an Apache that asks userinfo each second."""
    with ExitStack() as stack:

        def start(changes: dict[str, str]) -> Browser:
            behind = apache(alone, provider, SECRET, changes)
            browser = stack.enter_context(behind).browser()
            browser.sign_in("ada", "/access/")
            return browser

        yield start


def test_apache_group_removed_counts_at_the_next_userinfo(
    reread: Callable[..., Browser], alone: App, provider: Provider
) -> None:
    browser = reread(OFTEN)
    assert who(browser.get("/access/").text) == ("Ada Osei", "ml-platform")
    provider.change("ada", groups=["other"])
    until(lambda: who(browser.get("/access/").text) == ("Ada Osei", "other"))
    told = alone.recorded("session.groups")[-1]["details"]
    assert told == {"before": ["ml-platform"], "now": ["other"]}


def test_apache_without_the_documented_line_keeps_old_claims(
    reread: Callable[..., Browser], provider: Provider
) -> None:
    """Why docs/sign-in.md has OIDCPassIDTokenAs: here the name comes from userinfo only."""
    provider._hook("PUT", "users/ada", {"name": None, "userinfo": {"name": "Ada One"}})
    browser = reread(OFTEN | {"OIDCPassIDTokenAs    payload": ""})
    assert who(browser.get("/access/").text) == ("Ada One", "ml-platform")
    provider.change("ada", groups=[], userinfo={"name": "Ada Two"})
    until(lambda: who(browser.get("/access/").text) == ("Ada Two", "ml-platform"))


def test_apache_user_removed_has_no_groups(
    reread: Callable[..., Browser], provider: Provider
) -> None:
    browser = reread(OFTEN)
    provider.remove("ada")
    until(lambda: who(browser.get("/access/").text) == ("ada", "none"))


def test_apache_with_the_provider_down_passes_no_groups(
    reread: Callable[..., Browser], provider: Provider
) -> None:
    browser = reread(OFTEN)
    provider.stop()
    try:
        until(lambda: who(browser.get("/access/").text) == ("ada", "none"))
    finally:
        provider.start()
    until(lambda: who(browser.get("/access/").text) == ("Ada Osei", "ml-platform"))


def test_apache_group_with_a_comma_is_one_group(
    reread: Callable[..., Browser], provider: Provider
) -> None:
    provider.change("ada", groups=["a,ml-platform", "b"])
    browser = reread({REFRESH: 'OIDCClaimDelimiter "|"'})
    page = browser.get("/access/")
    assert who(page.text) == ("Ada Osei", "a,ml-platform, b")
    assert "No rule applies to you" in page.text


def test_apache_setup_of_the_tests_is_the_documented_one() -> None:
    page = PAGE.read_text()
    command = re.search(r"^gunicorn .*", page, re.MULTILINE)
    assert command and command[0].startswith(f"gunicorn {' '.join(CONFIG)} -b unix:")
    assert command[0].endswith("--umask 007 -g www-data")
    assert 'add `OIDCClaimDelimiter "|"`' in page
