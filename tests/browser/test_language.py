"""The language of the pages in a real browser: chosen in the header, and remembered."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.infra.seeds import Seeds

from .conftest import address, settled, the_dialog

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("has_script", [True, False], ids=["script", "no script"])
def test_language_choice_is_remembered(
    browse: Callable[..., Page], real: object, make_collection: Seeds, has_script: bool
) -> None:
    name = make_collection("books", rows=3)
    page = browse("operator", java_script_enabled=has_script, locale="en-GB")
    page.goto(address("collections", database="default", q=name))
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page.locator("#q")).to_have_value(name)
    page.goto(address("collection", database="default", name=name))
    expect(page.get_by_role("heading", name="危险区域")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="Danger zone")).to_be_visible()


def test_chinese_pages_fit_and_are_accessible(
    browse: Callable[..., Page], real: object, make_collection: Seeds
) -> None:
    name = make_collection("books", partitions=["novels"], rows=3)
    page = browse("operator", locale="zh-CN")
    there = {"database": "default", "name": name}
    for url in (
        "/",
        address("collections", database="default"),
        address("collection", **there),
        "/access/",
    ):
        settled(page, url)
        checked(page)
    settled(page, address("collections", database="default", q=name))
    page.get_by_role("link", name=f"删除 {name}…").click()
    expect(the_dialog(page)).to_contain_text(f"删除 Collection {name}")
    checked(page)


def checked(page: Page) -> None:
    """axe finds nothing, and nothing overflows a phone."""
    page.set_viewport_size({"width": 1280, "height": 900})
    found = Axe().run(page)
    assert found.violations_count == 0, f"{page.url}\n{found.generate_report()}"
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
