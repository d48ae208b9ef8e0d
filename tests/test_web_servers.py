"""Behind a real nginx and a real Apache, with TLS, as the files in deploy/ set them up.

At the root of a host and below a path; with local accounts, a provider, and Apache's own sign-in.
"""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from tests.infra.apache import USER
from tests.infra.front import ELSEWHERE, PATH, Front, front
from tests.infra.gunicorn import HOST, App, gunicorn, local_accounts
from tests.infra.milvus_server import free_port
from tests.infra.provider import Provider
from tests.infra.provider import provider as running

PASSWORD = "a-long-one-for-tests"
SECRET = "what-the-proxy-says-" + "0f" * 16
RULES = """
access = [{groups = ["audit"], clusters = ["*"], actions = ["view", "audit"]}]
"""
WAYS = [("nginx", "root"), ("nginx", "path"), ("apache", "root"), ("apache", "path")]


def environment(site: str) -> dict[str, str]:
    """What the file says the application's has to be."""
    return {"TRUST_PROXY": "unix", "URL_PREFIX": PATH if "path" in site else ""}


@pytest.fixture(scope="module", params=["root", "path"])
def app(request: pytest.FixtureRequest) -> Iterator[tuple[App, str]]:
    variables = {"SIGN_IN": "local", **environment(request.param)}
    with gunicorn(variables, unix=True, group=USER) as made:
        local_accounts(made, PASSWORD)
        yield made, request.param


@pytest.fixture(scope="module", params=["nginx", "apache"])
def served(request: pytest.FixtureRequest, app: tuple[App, str]) -> Iterator[tuple[Front, App]]:
    made, site = app
    with front(request.param, site, made, free_port()) as before:
        yield before, made


def page_after(browser: requests.Session, address: str, **options: Any) -> requests.Response:
    """The page at the end of redirects, each of which stays below where we are."""
    answer = browser.get(address, allow_redirects=False, timeout=30, **options)
    while answer.is_redirect:
        address = urljoin(answer.url, answer.headers["Location"])
        answer = browser.get(address, allow_redirects=False, timeout=30)
    return answer


def sent(browser: requests.Session, page: requests.Response, **fields: str) -> requests.Response:
    """Send the form of the page that has those fields, where it leads."""
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    headers = {"Origin": "{0.scheme}://{0.netloc}".format(urlsplit(page.url)), "Referer": page.url}
    options: dict[str, Any] = {"headers": headers, "allow_redirects": False, "timeout": 30}
    return browser.post(page.url, hidden | fields, **options)


def signed_in(before: Front) -> requests.Session:
    """The browser of somebody who came through the form."""
    browser = before.browser()
    page = page_after(browser, before.base)
    done = sent(browser, page, username="operator", password=PASSWORD)
    assert (done.status_code, urljoin(page.url, done.headers["Location"])) == (302, before.base)
    return browser


@pytest.fixture(scope="module")
def operator(served: tuple[Front, App]) -> requests.Session:
    return signed_in(served[0])


def addresses(page: requests.Response) -> list[str]:
    """Whatever the page leads to, asks for or sends to."""
    kinds = "href|src|action|hx-get|hx-post"
    found = re.findall(rf'\b(?:{kinds})="([^"]+)"', page.text)
    return [urljoin(page.url, address) for address in found]


def test_addresses_on_pages_are_below_the_prefix(
    served: tuple[Front, App], operator: requests.Session
) -> None:
    before, _ = served
    for path in ("", "access/", "clusters/main/", "nothing-here/"):
        found = addresses(operator.get(f"{before.base}{path}", timeout=30))
        assert len(found) > 5
        assert [address for address in found if not address.startswith(before.base)] == []


def test_static_files_are_served_as_immutable(
    served: tuple[Front, App], operator: requests.Session
) -> None:
    page = operator.get(served[0].base, timeout=30)
    files = [address for address in addresses(page) if "/static/" in address]
    assert len(files) >= 4
    for address in files:
        answer = operator.get(address, timeout=30)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


def test_cookies_are_limited_to_the_prefix(
    served: tuple[Front, App], operator: requests.Session
) -> None:
    before, _ = served
    below = urlsplit(before.base).path != "/"
    kind, path = ("__Secure-", PATH) if below else ("__Host-", "/")
    found = {(cookie.name, cookie.path, cookie.secure) for cookie in operator.cookies}
    assert found == {(f"{kind}session", path, True), (f"{kind}csrf", path, True)}


def test_htmx_signed_out_is_redirected_below_the_prefix(served: tuple[Front, App]) -> None:
    before, _ = served
    now = f"{before.base}audit/?q=1"
    headers = {"HX-Request": "true", "HX-Current-URL": now}
    answer = before.browser().get(f"{before.base}audit/", headers=headers, timeout=30)
    path = urlsplit(before.base).path
    assert answer.headers["HX-Redirect"] == f"{path}sign-in/?next={path}audit/%3Fq%3D1"


def test_plain_http_redirects_to_https(served: tuple[Front, App]) -> None:
    before, _ = served
    if before.plain:
        answer = before.browser().get(f"{before.plain}/audit/", allow_redirects=False, timeout=30)
        assert answer.status_code in {301, 308}
        assert answer.headers["Location"] == f"{before.base}audit/"
    else:
        answer = before.browser().get(before.base.rstrip("/"), allow_redirects=False, timeout=30)
        assert urljoin(answer.url, answer.headers["Location"]) == before.base


def test_healthz_is_public_and_readyz_is_not(served: tuple[Front, App]) -> None:
    before, _ = served
    assert before.browser().get(f"{before.base}healthz", timeout=30).text == "ok\n"
    for inside in ("readyz", "metrics"):
        answer = before.browser().get(f"{before.base}{inside}", timeout=30)
        assert "X-Request-ID" not in answer.headers, "it got as far as the application"
        assert "audit_log" not in answer.text, "it got as far as the application"


def test_sign_out_stays_below_the_prefix(served: tuple[Front, App]) -> None:
    before, _ = served
    browser = signed_in(before)
    page = browser.get(f"{before.base}access/", timeout=30)
    page.url = f"{before.base}sign-out/"
    done = sent(browser, page)
    assert urljoin(done.url, done.headers["Location"]) == f"{before.base}signed-out/"


SPOOFED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "http",
    "X-Request-ID": "chosen-by-the-client",
    "Script-Name": "/evil",
    "SCRIPT_NAME": "/evil",
    "Forwarded": "for=203.0.113.9;host=evil.example",
}


def test_forwarded_headers_of_a_client_are_ignored(served: tuple[Front, App]) -> None:
    before, made = served
    for name, value in SPOOFED.items():
        browser = before.browser()
        browser.headers[name] = value
        page = page_after(browser, before.base)
        assert (page.status_code, page.url.startswith(before.base)) == (200, True), name
    browser.headers.update(SPOOFED)
    sent(browser, page_after(browser, before.base), username="viewer", password="wrong")
    origin = made.recorded("session.refused")[-1]["origin"]
    assert origin["ip"] == HOST
    assert origin["request_id"] != SPOOFED["X-Request-ID"]


def test_request_id_is_the_same_in_both_logs(served: tuple[Front, App]) -> None:
    before, _ = served
    answer = before.browser().get(f"{before.base}sign-in/", timeout=30)
    before.browser().get(f"{before.base}sign-in/", timeout=30)  # its line may be a moment late
    assert answer.headers["X-Request-ID"] in before.asked


def test_next_address_leads_nowhere_else(served: tuple[Front, App]) -> None:
    before, _ = served
    for elsewhere in ("//evil.example/", "/another-tool/"):
        browser = before.browser()
        page = page_after(browser, f"{before.base}sign-in/", params={"next": elsewhere})
        done = sent(browser, page, username="operator", password=PASSWORD)
        leads = urljoin(page.url, done.headers["Location"])
        assert leads.startswith(before.base)


# --- with a provider ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("rules") / "rules.toml"
    file.write_text(RULES)
    return str(file)


@pytest.mark.parametrize(("server", "site"), WAYS)
def test_provider_leads_back_below_the_prefix(server: str, site: str, rules: str) -> None:
    port = free_port()
    base = f"https://{HOST}:{port}{environment(site)['URL_PREFIX']}"
    with running((base,)) as provider:
        variables = environment(site) | {
            "SIGN_IN": "oidc",
            "OIDC_ISSUER": provider.issuer,
            "OIDC_CLIENT_ID": provider.client_id,
            "OIDC_CLIENT_SECRET": provider.client_secret,
            "OIDC_SCOPES": "openid profile email groups",
            "MILVUSADMIN_CONFIG": rules,
        }
        with (
            gunicorn(variables, unix=True, group=USER) as made,
            front(server, site, made, port) as before,
        ):
            browser = before.browser()
            page = through(provider, browser, f"{before.base}audit/", "aldo")
            assert page.url == f"{before.base}audit/"
            assert "Aldo Conti" in page.text
            page.url = f"{before.base}sign-out/"
            leads = re.search(r'content="0; url=([^"]+)"', sent(browser, page).text)
            assert leads
            back = provider.visit(browser, leads[1].replace("&amp;", "&"))
            assert back.partition("?")[0] == f"{before.base}signed-out/"


def through(
    provider: Provider, browser: requests.Session, address: str, name: str
) -> requests.Response:
    """Ask for a page, sign in at the provider on the way, and get it."""
    for _ in range(20):
        answer = browser.get(address, allow_redirects=False, timeout=30)
        if not answer.is_redirect:
            return answer
        address = urljoin(answer.url, answer.headers["Location"])
        address = provider.visit(browser, address, name)
    raise AssertionError(f"It leads nowhere; the last address is {address}")


def test_apache_sign_in_works_below_the_prefix(rules: str) -> None:
    port = free_port()
    base = f"https://{HOST}:{port}{PATH}"
    variables = environment("path") | {
        "SIGN_IN": "proxy",
        "PROXY_SECRET": SECRET,
        "PROXY_TRUSTED": "unix",
        "PROXY_SIGN_OUT_URL": f"{PATH}/oidc-callback?logout=",
        "MILVUSADMIN_CONFIG": rules,
    }
    with (
        running(proxy_base=base) as provider,
        gunicorn(variables, unix=True, group=USER) as made,
        front("apache", "proxy-mode-path", made, port, of(provider)) as before,
    ):
        browser = before.browser()
        page = through(provider, browser, f"{before.base}audit/", "aldo")
        assert page.url == f"{before.base}audit/"
        assert "Aldo Conti" in page.text
        assert [a for a in addresses(page) if not a.startswith(before.base)] == []
        assert browser.get(f"{before.host}/", timeout=30).text == ELSEWHERE
        page.url = f"{before.base}sign-out/"
        leads = re.search(r'content="0; url=([^"]+)"', sent(browser, page).text)
        assert leads
        ended = browser.get(urljoin(page.url, leads[1]), allow_redirects=False, timeout=30)
        assert ended.headers["Location"].startswith(f"{provider.issuer}/session/end")


def of(provider: Provider) -> dict[str, str]:
    """What stands for the provider in Apache's file."""
    return {
        "https://id.example.com/realms/main": provider.issuer,
        "OIDCClientID         milvus-admin": "OIDCClientID apache",
        "THE-CLIENT-SECRET": provider.client_secret,
        "ANOTHER-LONG-SECRET": SECRET[::-1],
        '"openid profile email"': '"openid profile email groups"',
        "THE-SHARED-SECRET": SECRET,
    }
