"""The menus of the breadcrumbs in a real browser: two actions from any database to another."""

import re
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.infra.seeds import Seeds

from .conftest import address, settled

pytestmark = pytest.mark.django_db(transaction=True)


def test_switcher_leads_to_a_database_by_a_part_of_its_name(
    page: Page, real: object, make_collection: Seeds
) -> None:
    here, there = make_collection.database(), make_collection.database()
    settled(page, address("collections", database=here))
    page.get_by_label("Switch database").click()
    search = page.get_by_placeholder("Find a database")
    expect(search).to_be_focused()
    search.fill(there[3:])
    menu = page.locator(".switcher-menu .place-list")
    expect(menu.get_by_role("link")).to_have_text([there])
    page.keyboard.press("Escape")
    expect(search).to_be_hidden()
    expect(page.get_by_label("Switch database")).to_be_focused()
    page.keyboard.press("Enter")
    menu.get_by_role("link", name=there).click()
    expect(page).to_have_url(re.compile(f"database={quote(there)}"))
