"""A plan in a real browser: selected, read, confirmed and followed, with axe on the way."""

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.core.management import call_command
from playwright.sync_api import Page, expect

from collections_app.models import Plan
from collections_app.plans import running
from tests.infra.seeds import Seeds, unique_name

from .conftest import address, settled
from .test_list import DETAILS, held

pytestmark = pytest.mark.django_db(transaction=True)
SCHEMES = ("light", "dark")
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
TYPED = re.compile(r"^\s*Type .* to confirm\s*$", re.DOTALL)
PICTURES = os.environ.get("PLAN_PICTURES", "")


@pytest.fixture
def database(real: Any, make_collection: Seeds) -> str:
    """Eight temporary collections, one of them in use; and one that is no candidate."""
    database = make_collection.database()
    make_collection("books", database=database)
    for number in range(8):
        more = {"aliases": [unique_name("now")]} if number == 3 else {}
        make_collection(f"tmp_{number}", database=database, **more)
    return database


def is_sound(page: Page, step: str) -> None:
    """Nothing for axe to say, in both schemes; nothing sticks out of a phone."""
    for scheme in SCHEMES:
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (step, size)
            if PICTURES:
                page.screenshot(path=f"{PICTURES}/{step}-{size}-{scheme}.png", full_page=True)
            found = Axe().run(page).response["violations"]
            assert found == [], (step, scheme, size)
    page.set_viewport_size({"width": 1440, "height": 900})


def work() -> None:
    call_command("run_plans", "--once")


def test_plan_made_from_the_list_runs_to_its_end(page: Page, database: str, settings: Any) -> None:
    settled(page, address("collections", database=database, q="tmp_*"))
    page.get_by_role("checkbox", name="Select tmp_0").check()
    is_sound(page, "list")
    page.get_by_role("button", name="Plan drop of all 8 that match…").click()
    expect(page.get_by_text("The background process does not run")).to_be_visible()
    is_sound(page, "reading")
    work()
    expect(
        page.get_by_role("heading", name="7 collections will be dropped; 1 blocked")
    ).to_be_visible()
    page.get_by_role("checkbox", name="Select tmp_7").check()
    is_sound(page, "draft")
    page.get_by_role("button", name="Take out selected").click()
    page.get_by_label(TYPED).fill("drop 7 on Test")
    page.get_by_role("button", name="Confirm plan").click()
    expect(page.get_by_role("alert").filter(has_text="That is not the sentence")).to_be_visible()
    page.get_by_label(TYPED).fill("drop 6 on Test")
    page.get_by_label("Reason").fill("tidying up")
    page.get_by_role("button", name="Confirm plan").click()
    expect(page.get_by_role("button", name="Pause plan")).to_be_visible()
    plan = Plan.objects.get()
    for _ in range(2):
        item = running.take(plan)
        assert item
        running._carry_out(plan, item, running.caller_of(plan))
    expect(page.get_by_role("heading", name="2 of 6 carried out")).to_be_visible()
    is_sound(page, "running")
    page.get_by_role("button", name="Pause plan").click()
    expect(page.get_by_text("Paused by operator")).to_be_visible()
    is_sound(page, "paused")
    page.get_by_role("button", name="Resume plan").click()
    work()
    expect(page.get_by_role("heading", name="6 of 6 carried out")).to_be_visible()
    is_sound(page, "done")
    page.goto("/plans/")
    is_sound(page, "plans")


def test_selection_outlives_the_details_of_the_list(page: Page, database: str) -> None:
    details = held(page, DETAILS)
    page.goto(address("collections", database=database))
    box = page.get_by_role("checkbox", name="Select tmp_1")
    box.check()
    details[0].continue_()
    expect(page.locator(".skeleton")).to_have_count(0)
    expect(box).to_be_checked()
    page.get_by_role("checkbox", name="Select all on this page").check()
    expect(page.get_by_role("checkbox", name="Select books")).to_be_checked()


def test_plan_works_without_javascript(browse: Callable[..., Page], database: str) -> None:
    page = browse("operator", java_script_enabled=False)
    page.goto(address("collections", database=database))
    page.get_by_role("checkbox", name="Select tmp_1").check()
    page.get_by_role("checkbox", name="Select tmp_2").check()
    page.get_by_role("button", name="Plan drop of selected…").click()
    expect(page.get_by_role("link", name="Reload this page")).to_be_visible()
    work()
    page.get_by_role("link", name="Reload this page").click()
    page.get_by_label(TYPED).fill("drop 2 on Test")
    page.get_by_role("button", name="Confirm plan").click()
    expect(page.get_by_role("heading", name="0 of 2 carried out")).to_be_visible()
    work()
    page.get_by_role("link", name="Reload this page").click()
    expect(page.get_by_role("heading", name="2 of 2 carried out")).to_be_visible()
