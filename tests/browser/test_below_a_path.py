"""A day's work at /milvus-admin/, behind real web servers: every request stays below it."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.infra.apache import USER
from tests.infra.front import PATH, Front, front
from tests.infra.gunicorn import gunicorn, local_accounts
from tests.infra.milvus_server import MilvusServer, free_port
from tests.infra.seeds import Seeds

from .conftest import Watch, act_button, name_field, the_dialog

PASSWORD = "a-long-one-for-tests"


@pytest.fixture(scope="module", params=["nginx", "apache"])
def served(request: pytest.FixtureRequest, milvus_server: MilvusServer) -> Iterator[Front]:
    variables = {
        "SIGN_IN": "local",
        "TRUST_PROXY": "unix",
        "URL_PREFIX": PATH,
        "MILVUS_URI": milvus_server.uri,
        "MILVUS_TOKEN": milvus_server.token,
    }
    with gunicorn(variables, unix=True, group=USER) as app:
        local_accounts(app, PASSWORD)
        with front(request.param, "path", app, free_port()) as made:
            yield made


@pytest.fixture
def asked() -> list[str]:
    """Every address that the browser asked for."""
    return []


@pytest.fixture
def page(
    served: Front, new_context: Callable[..., BrowserContext], asked: list[str]
) -> Iterator[Page]:
    """A browser that was signed in through the form."""
    watch = Watch(served.base)
    context = new_context(base_url=served.base, ignore_https_errors=True)
    made = watch.on(context.new_page())
    made.on("request", lambda request: asked.append(request.url))
    made.goto(served.base)
    made.get_by_label("Name").fill("operator")
    made.get_by_label("Password").fill(PASSWORD)
    made.get_by_role("button", name="Sign in").click()
    expect(made.get_by_role("button", name="Sign out")).to_be_visible()
    yield made
    assert watch.problems == []


def test_dashboard_below_a_path_lists_searches_and_drops(
    page: Page, served: Front, make_collection: Seeds, asked: list[str]
) -> None:
    name, other = make_collection(), make_collection()
    page.goto(f"clusters/main/collections/?{urlencode({'database': 'default'})}")
    expect(page.locator(".skeleton")).to_have_count(0)
    page.get_by_role("searchbox").press_sequentially(name)
    expect(page).to_have_url(re.compile(f"^{served.base}clusters/main/collections/.*q={name}"))
    expect(page.get_by_text(other, exact=True)).to_have_count(0)
    page.get_by_role("link", name=f"Drop {name}…", exact=True).click()
    name_field(the_dialog(page)).fill(name)
    act_button(the_dialog(page)).click()
    expect(page.get_by_role("status").first).to_contain_text("was dropped")
    page.get_by_role("link", name="View operation").click()
    expect(page).to_have_url(re.compile(f"^{served.base}operations/"))
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(f"{served.base}signed-out/")
    page.get_by_role("link", name="Sign in again").click()
    expect(page.get_by_label("Password")).to_be_visible()
    assert [url for url in asked if not url.startswith(served.base)] == []
    assert len([url for url in asked if "/static/" in url]) >= 4
    assert not make_collection.server.client().has_collection(name)
