"""Company sign-in in a real browser, with a real provider and the real Milvus."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.infra.provider import Provider
from tests.sso.conftest import recorded

from .conftest import Shown, Watch, act_button, name_field, opened, the_dialog

pytestmark = pytest.mark.django_db(transaction=True)
Browse = Callable[..., Page]


@pytest.fixture
def company(oidc: Callable[..., Any], provider: Provider, watch: Watch) -> Callable[..., Any]:
    """Company sign-in is on; going to its provider is no foreign host."""
    watch.allow(provider.issuer)
    return oidc


@pytest.fixture
def arrive(company: object, browse: Browse) -> Callable[..., Page]:
    """arrive("Ada Osei", "/") is a browser in which she signed in on her way to that address."""

    def come(display: str, address: str = "/") -> Page:
        page = browse()
        page.goto(address)
        be(page, display)
        return page

    return come


def be(page: Page, display: str) -> None:
    """Choose a person on the provider's page."""
    page.get_by_role("button", name=re.compile(f"Sign in as {display}")).click()


def test_sign_in_returns_to_the_requested_page(arrive: Callable[..., Page], thing: Shown) -> None:
    page = arrive("Ada Osei", thing.start)
    expect(page.get_by_role("link", name="Ada Osei")).to_be_visible()
    expect(thing.link(page)).to_be_visible()
    assert page.url.endswith(thing.start)


def test_drop_after_a_step_up_returns_to_its_dialog(
    arrive: Callable[..., Page], thing: Shown, settings: Any
) -> None:
    page = arrive("Ada Osei", thing.start)
    settings.CLUSTERS = with_reauth(settings.CLUSTERS, 0.001)
    dialog = opened(page, thing)
    expect(dialog).to_contain_text("Test requires a sign-in that is at most")
    expect(name_field(dialog)).to_have_count(0)
    settings.CLUSTERS = with_reauth(settings.CLUSTERS, 600.0)
    dialog.get_by_role("link", name="Sign in again").click()
    be(page, "Ada Osei")  # asked again, although the provider knows her
    expect(page.get_by_role("heading", name=re.compile(f"^Drop {thing.kind}"))).to_be_visible()
    name_field(page).fill(thing.name)
    act_button(page).click()
    expect(page.get_by_role("status").first).to_contain_text("was dropped")
    assert not thing.there()
    assert thing.sent() == 1
    assert len(recorded("session.step_up")) == 1
    intent = next(e for e in recorded(f"{thing.kind}.drop") if e["phase"] == "intent")
    assert 0 <= intent["details"]["sign_in_age_seconds"] < 60


@pytest.mark.expects_console(maybe=("status of 503",))
def test_tabs_restored_together_all_reach_their_pages(
    arrive: Callable[..., Page], live_server: LiveServer, watch: Watch
) -> None:
    """The provider's session is still there; the cookies of Milvus Admin are gone."""
    page = arrive("Ada Osei")
    expect(page.get_by_role("link", name="Ada Osei")).to_be_visible()
    page.context.clear_cookies(domain=urlsplit(live_server.url).hostname)
    addresses = [f"{live_server.url}/access/?cluster=main&collection=tab{at}" for at in range(4)]
    page.goto("about:blank")
    tabs: list[Page] = []
    page.context.on("page", lambda tab: tabs.append(tab))  # noqa: PLW0108
    page.evaluate("addresses => addresses.forEach(one => window.open(one))", addresses)
    while len(tabs) < len(addresses):
        page.wait_for_timeout(50)
    for tab in tabs:
        expect(tab.get_by_role("heading", level=1)).to_have_text("My permissions")
    assert {tab.url for tab in tabs} == set(addresses)
    assert recorded("session.refused") == []


def with_reauth(clusters: Any, seconds: float) -> Any:
    from dataclasses import replace

    return {key: replace(cluster, reauth=seconds) for key, cluster in clusters.items()}


@pytest.mark.expects_console("status of 404")
def test_group_removed_during_an_open_dialog_refuses_the_drop(
    arrive: Callable[..., Page], thing: Shown, provider: Provider
) -> None:
    page = arrive("Ada Osei", thing.start)
    dialog = opened(page, thing)
    provider.change("ada", groups=["ml-readers"])
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    expect(the_dialog(page)).to_contain_text("Not found")  # she may not even see it any more
    assert thing.there()
    assert thing.sent() == 0
    (changed,) = recorded("session.groups")
    assert changed["details"] == {"before": ["ml-platform"], "now": ["ml-readers"]}
    (refused,) = recorded(f"{thing.kind}.drop")
    assert refused["outcome"] == "denied"


def test_page_after_a_sign_out_at_the_provider_leads_to_sign_in(
    arrive: Callable[..., Page], provider: Provider, live_server: LiveServer, thing: Shown
) -> None:
    page = arrive("Ada Osei", thing.start)
    expect(page.locator(".skeleton")).to_have_count(
        0
    )  # or filling in the table would lead to the door
    provider.send_logouts_to(live_server.url.replace("localhost", "127.0.0.1"))
    assert provider.end_sessions("ada")["told"]
    thing.link(page).click()
    expect(page).to_have_title(re.compile("identity provider"))
    be(page, "Ada Osei")
    expect(name_field(page)).to_be_visible()  # the dialog, as a page of its own
    assert len(recorded("session.ended")) == 1


@pytest.mark.expects_console("status of 403", maybe=("status of 503",))
def test_drop_after_a_provider_outage_goes_through(
    company: Callable[..., Any], arrive: Callable[..., Page], provider: Provider, thing: Shown
) -> None:
    page = arrive("Ada Osei", thing.start)
    dialog = opened(page, thing)
    provider.stop()
    try:
        name_field(dialog).fill(thing.name)
        act_button(dialog).click()
        expect(the_dialog(page)).to_contain_text("The identity provider does not answer")
        assert thing.sent() == 0
        company(recheck=0.0)
        page.goto(thing.start)
        expect(page.get_by_text("nothing can be dropped until it answers")).to_be_visible()
        stranger = page.context.browser.new_page()  # type: ignore[union-attr]
        stranger.goto(page.url)
        expect(stranger.get_by_role("heading", level=1)).to_contain_text("does not answer")
        stranger.close()
    finally:
        provider.start()
    company(recheck=300.0)
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    expect(page.get_by_role("status").first).to_contain_text("was dropped")
    assert thing.sent() == 1


def test_sign_out_ends_both_sessions(arrive: Callable[..., Page]) -> None:
    page = arrive("Aldo Conti", "/audit/")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    page.get_by_role("link", name="Sign in again").click()
    expect(page).to_have_title(re.compile("identity provider"))  # it does not know him any more
    assert len(recorded("session.sign_out")) == 1


@pytest.mark.expects_console("status of 404")
def test_reader_sees_no_hidden_collection(
    arrive: Callable[..., Page], make_thing: Callable[..., Shown]
) -> None:
    thing = make_thing("collection")
    page = arrive("Vera Lind", thing.start)
    expect(page.get_by_role("heading", name="No collections")).to_be_visible()
    expect(page.get_by_text(thing.collection, exact=True)).to_have_count(0)
    page.goto(thing.dialog_address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Not found")
