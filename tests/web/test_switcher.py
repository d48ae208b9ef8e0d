"""The menus of the breadcrumbs, with and without JavaScript."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.fakes import FakeMilvus
from tests.fixtures import cluster_at, rule
from tests.web import Page, list_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
DATABASES = "/clusters/main/databases/"
COLLECTIONS = "/clusters/main/collections/switch/"


def menu(client: Client, url: str, **query: str) -> Page:
    page = Page(client.get(f"{url}?{urlencode(query)}", headers={"HX-Request": "true"}))
    assert page.status == 200
    assert not page.is_whole
    return page


def names(page: Page) -> list[str]:
    return [tag.text for tag in page.find("a") if "no-js" not in tag.classes]


@pytest.fixture
def second(settings: Any) -> None:
    """Another cluster, called Elsewhere."""
    other = replace(cluster_at("http://127.0.0.1:1"), key="second", label="Elsewhere")
    settings.CLUSTERS = {**settings.CLUSTERS, "second": other}


def test_database_menu_leads_to_the_collections(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.add("a", database="team")
    page = menu(signed_in("viewer"), DATABASES, current="team")
    assert names(page) == ["default", "team"]
    assert page.link("default") == list_url("default")
    assert [tag.text for tag in page.find("a", aria_current="true")] == ["team"]


def test_database_menu_finds_by_part_of_the_name(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.add("a", database="team")
    assert names(menu(signed_in("viewer"), DATABASES, q="EA")) == ["team"]
    assert "No database matches" in menu(signed_in("viewer"), DATABASES, q="nosuch").text


def test_database_menu_loads_other_clusters_on_their_own(
    signed_in: SignIn, fake: FakeMilvus, second: None
) -> None:
    page = menu(signed_in("viewer"), DATABASES, q="d")
    (other,) = page.find("div", hx_trigger="load")
    assert other.attrs["hx-get"] == "/clusters/second/databases/?q=d&alone=1"
    assert not menu(signed_in("viewer"), other.attrs["hx-get"]).find("div", hx_trigger="load")


def test_menu_of_a_silent_cluster_says_so(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.unreachable = True
    for url in (DATABASES, COLLECTIONS):
        assert "Milvus does not answer" in menu(signed_in("viewer"), url).text


def test_menus_list_only_what_the_user_may_see(
    signed_in: SignIn, fake: FakeMilvus, settings: Any, second: None
) -> None:
    fake.add("mine_a")
    fake.add("secret")
    fake.add("mine_b", database="vault")
    here = {"clusters": ("main",), "databases": ("default",), "collections": ("mine_*",)}
    settings.ACCESS = (rule("viewer", "view", **here),)
    client = signed_in("viewer")
    assert names(menu(client, DATABASES)) == ["default"]
    assert names(menu(client, COLLECTIONS, database="default")) == ["mine_a"]
    assert names(menu(client, "/switch-cluster/")) == ["Milvus"]
    assert client.get(f"{COLLECTIONS}?database=vault").status_code == 404


def test_collection_menu_is_cut_and_says_how_to_go_on(signed_in: SignIn, fake: FakeMilvus) -> None:
    for number in range(60):
        fake.add(f"c{number:02}")
    page = menu(signed_in("viewer"), COLLECTIONS, database="default", current="c07")
    assert len(names(page)) == 50
    assert "50 of 60" in page.text
    assert names(menu(signed_in("viewer"), COLLECTIONS, database="default", q="59")) == ["c59"]


def test_menu_is_a_page_with_a_search_without_javascript(
    signed_in: SignIn, fake: FakeMilvus
) -> None:
    client = signed_in("viewer")
    fake.add("a")
    listed = Page(client.get(list_url("default")))
    page = Page(client.get(listed.link("Switch database")))
    assert page.is_whole
    assert page.find("h1")
    assert page.find("form", method="get", action=DATABASES)
    assert page.value("current") == "default"


def test_breadcrumbs_end_with_the_place_of_the_page(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.add("books")
    client = signed_in("viewer")
    pages = {
        "/clusters/main/": "Milvus",
        list_url("default"): "default",
        "/clusters/main/collection/?database=default&name=books": "books",
    }
    for url, last in pages.items():
        page = Page(client.get(url))
        current = [tag.text for tag in page.find("a", aria_current="page")]
        assert current[-1] == last, url
    assert page.link("Switch collection").startswith(COLLECTIONS)


def test_cluster_menu_appears_only_with_a_choice(
    signed_in: SignIn, fake: FakeMilvus, settings: Any
) -> None:
    client = signed_in("viewer")
    assert not Page(client.get(list_url("default"))).has_link("Switch cluster")
    other = replace(cluster_at("http://127.0.0.1:1"), key="second", label="Elsewhere")
    settings.CLUSTERS = {**settings.CLUSTERS, "second": other}
    page = Page(client.get(list_url("default")))
    assert page.link("Switch cluster") == "/switch-cluster/?current=main"
