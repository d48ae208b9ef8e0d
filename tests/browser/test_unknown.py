"""A drop without a clear reply: its page says so, checks the status, and shows the outcome."""

import re
from collections.abc import Callable

import grpc
import pytest
from playwright.sync_api import Page, expect

from tests.infra.chain import Chain
from tests.web import act_url, list_url

from .conftest import REQUEST, Shown, Watch, act_button, name_field, opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def impatient(use_cluster: Callable[..., object], faulty: object, chain: Chain) -> None:
    """The application gives Milvus a second."""
    use_cluster(chain.uri, chain.token, read_timeout=1.0, drop_timeout=0.5, unknown_timeout=0.1)


def three_seconds_later(page: Page) -> None:
    """When the page looks again."""
    page.clock.fast_forward(3_000)


def confirmed(page: Page, thing: Shown) -> None:
    """Confirm, and land on the page of an operation that nobody knows the outcome of."""
    page.clock.install()
    dialog = opened(page, thing)
    name_field(dialog).fill(thing.name)
    act_button(dialog).click()
    expect(page).to_have_url(re.compile("/operations/"))
    expect(page.get_by_role("status")).to_have_text("Unknown – verifying")
    expect(page.get_by_text("Milvus has not confirmed this operation.")).to_be_visible()


def test_stalled_milvus_is_unknown_until_its_page_settles(
    page: Page, impatient: None, thing: Shown
) -> None:
    """Milvus receives the request, but its reply is lost."""
    thing.chain.relay.before(REQUEST[thing.kind], thing.chain.proxy.stall)
    confirmed(page, thing)
    expect(page.get_by_text("The read-back failed")).to_be_visible()
    thing.chain.proxy.ok()
    three_seconds_later(page)
    expect(page.get_by_role("status")).to_have_text("Succeeded")
    expect(page.get_by_text("Verified: it no longer exists")).to_be_visible()
    expect(page.get_by_role("button", name="Check now")).to_have_count(0)
    assert not thing.there()
    assert thing.sent() == 1


@pytest.mark.expects_console("status of 503")
def test_page_asks_again_after_an_answer_of_503(
    page: Page, impatient: None, make_thing: Callable[..., Shown], watch: Watch
) -> None:
    thing = make_thing("collection")
    thing.chain.relay.before(REQUEST[thing.kind], thing.chain.proxy.stall)
    confirmed(page, thing)
    page.route("**/look/", lambda route: route.fulfill(status=503, body="<p>Busy</p>"))
    three_seconds_later(page)
    banner = page.get_by_text("Milvus Admin did not answer that request.")
    expect(banner).to_be_visible()
    expect(page.get_by_text("check its outcome")).to_be_hidden()
    expect(page.get_by_text("Milvus has not confirmed this operation.")).to_be_visible()
    thing.chain.proxy.ok()
    page.unroute("**/look/")
    three_seconds_later(page)
    expect(page.get_by_role("status")).to_have_text("Succeeded")
    expect(banner).to_be_hidden()


def test_drop_that_did_not_happen_is_failed_and_not_resent(
    page: Page, make_thing: Callable[..., Shown], use_cluster: Callable[..., object], chain: Chain
) -> None:
    thing = make_thing("collection")
    use_cluster(chain.uri, chain.token, drop_timeout=0.2, unknown_timeout=6.0)
    thing.chain.relay.fail(REQUEST["collection"], grpc.StatusCode.UNAVAILABLE, "Socket closed")
    confirmed(page, thing)
    thing.chain.relay.forward(REQUEST["collection"])
    expect(page.get_by_role("status")).to_have_text("Failed", timeout=40_000)  # it looks itself
    expect(page.get_by_text("still exists after the drop deadline")).to_be_visible()
    assert thing.there()
    assert thing.sent() == 1


@pytest.mark.expects_console("status of 409")
def test_open_operation_names_its_author_to_everybody(
    page: Page, make_thing: Callable[..., Shown], use_cluster: Callable[..., object], chain: Chain
) -> None:
    """In the list, in a dialog opened by its address, and when that dialog is confirmed."""
    thing = make_thing("collection")
    use_cluster(chain.uri, chain.token, unknown_timeout=600.0)
    chain.relay.fail(REQUEST["collection"], grpc.StatusCode.UNAVAILABLE, "Socket closed")
    confirmed(page, thing)
    page.goto(list_url(q=thing.name))
    expect(page.get_by_role("link", name=f"Drop {thing.name}…")).to_have_count(0)
    page.get_by_role("link", name=re.compile("^In progress.*operation by operator")).click()
    expect(page.get_by_role("status")).to_have_text("Unknown – verifying")
    page.goto(act_url("drop-collection", thing.name))
    main = page.get_by_role("main")
    expect(main.get_by_role("alert")).to_contain_text(
        "operator has an operation on it in progress."
    )
    name_field(main).fill(thing.name)
    act_button(main).click()
    expect(main.get_by_role("heading", level=2)).to_have_text("Another operation is in progress")
    main.get_by_role("link", name="View operation").click()
    expect(page.get_by_role("status")).to_have_text("Unknown – verifying")
    assert thing.sent() == 1
