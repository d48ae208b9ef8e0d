"""Two people in two browsers: requested, read again, approved, run; axe finds nothing."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from collections_app.web import plan_page
from tests.infra.seeds import Seeds

from .conftest import address
from .test_plans import TYPED, is_sound

pytestmark = pytest.mark.django_db(transaction=True)
Browse = Callable[..., Page]


@pytest.fixture
def name(real: Any, make_collection: Seeds, settings: Any) -> str:
    found = settings.CLUSTERS.items()
    settings.CLUSTERS = {key: replace(cluster, approvals=1) for key, cluster in found}
    return make_collection(rows=3)


def work() -> None:
    call_command("run_plans", "--once")


def request(page: Page, name: str) -> None:
    """From the dialog to the plan that awaits approval."""
    page.goto(address("drop-collection", database="default", collection=name))
    expect(page.get_by_text("A second person has to approve this")).to_be_visible()
    page.get_by_label(TYPED).fill(name)
    page.get_by_label("Reason").fill("no longer used")
    page.get_by_role("button", name=f"Request approval for {name}").click()
    expect(page.get_by_text("Awaiting approval", exact=True)).to_be_visible()


def test_two_people_drop_a_collection(
    page: Page,
    browse: Browse,
    name: str,
    make_collection: Seeds,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The approver's page requests its sheet, as that of a long plan does."""
    monkeypatch.setattr(plan_page, "READ_AT_ONCE", 0)
    page.goto(address("drop-collection", database="default", collection=name))
    is_sound(page, "approval-dialog")
    request(page, name)
    is_sound(page, "approval-requested")
    second = browse("approver")
    second.goto("/approvals/")
    expect(second.locator("#approvals-waiting")).to_have_text("1")
    is_sound(second, "approvals")
    second.get_by_role("link", name=re.compile("Drop collection")).click()
    expect(second.get_by_text("Nothing changed since the request")).to_be_visible()
    is_sound(second, "approval-sheet")
    second.get_by_label(TYPED).fill("wrong")
    second.get_by_role("button", name="Approve plan").click()
    expect(second.get_by_role("alert").filter(has_text="That is not the sentence")).to_be_visible()
    is_sound(second, "approval-wrong")
    second.get_by_label(TYPED).fill(name)
    second.get_by_role("button", name="Approve plan").click()
    expect(second.get_by_text("who requested the approval, can run it")).to_be_visible()
    page.reload()
    expect(page.locator("#approvals-waiting")).to_have_text("1")
    is_sound(page, "approval-to-run")
    page.get_by_label(TYPED).fill(name)
    page.get_by_role("button", name="Run plan").click()
    expect(page.get_by_role("heading", name="0 of 1 carried out")).to_be_visible()
    work()
    expect(page.get_by_role("heading", name="1 of 1 carried out")).to_be_visible()
    assert not make_collection.exists(name)


def test_rejection_works_without_javascript(
    browse: Browse, name: str, make_collection: Seeds
) -> None:
    first = browse("operator", java_script_enabled=False)
    request(first, name)
    second = browse("approver", java_script_enabled=False)
    second.goto("/approvals/")
    second.get_by_role("link", name=re.compile("Drop collection")).click()
    second.get_by_label("Or say why not").fill("Search needs it")
    second.get_by_role("button", name="Reject plan").click()
    first.reload()
    expect(first.get_by_text("Rejected by approver: Search needs it")).to_be_visible()
    assert make_collection.exists(name)
