"""The jump page: its matches, its permissions, and the cost of a silent cluster."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app.audit import log
from collections_app.audit.log import Entry, Outcome, Phase
from tests.fakes import FakeMilvus
from tests.fixtures import caller, rule
from tests.web import Page, collection_url, list_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
JUMP, NAMES = "/jump/", "/clusters/main/jump/"


@pytest.fixture
def team(people: dict[str, Any], signed_in: SignIn, settings: Any) -> Client:
    """Somebody who sees `team_*` only."""
    settings.ACCESS = (rule("team", "view", clusters=("main",), collections=("team_*",)),)
    people["outsider"].groups.add(Group.objects.create(name="team"))
    return signed_in("outsider")


def operation(collection: str) -> uuid.UUID:
    number = uuid.uuid4()
    target = {"cluster": "main", "database": "default", "kind": "collection"}
    entry = Entry(
        phase=Phase.REJECTED,
        action="collection.drop",
        caller=caller(),
        outcome=Outcome.DENIED,
        operation_id=number,
        target={**target, "collection": collection, "name": collection},
    )
    log.write(entry)
    return number


def hits(page: Page) -> list[str]:
    links = {tag.attrs["href"] for tag in page.find("a")}
    return sorted(link for link in links if "name=" in link or "database=" in link)


def test_jump_finds_databases_and_collections_whatever_the_case(
    fake: FakeMilvus, signed_in: SignIn
) -> None:
    fake.add("Books")
    fake.add("films")
    client = signed_in("viewer", htmx=True)
    assert hits(Page(client.get(NAMES, {"q": "bOO"}))) == [collection_url("Books")]
    assert hits(Page(client.get(NAMES, {"q": "defau"}))) == [list_url("default")]
    nothing = Page(client.get(NAMES, {"q": "nosuch"}))
    assert "No database or collection has this in its name." in nothing.text


def test_jump_finds_nothing_that_is_hidden(fake: FakeMilvus, team: Client) -> None:
    fake.add("team_books")
    fake.add("plan_books")
    assert hits(Page(team.get(NAMES, {"q": "books"}))) == [collection_url("team_books")]
    hidden, shown = operation("plan_books"), operation("team_books")
    assert Page(team.get(JUMP, {"q": str(shown)})).has_link("operation Drop collection team_books")
    assert "plan_books" not in Page(team.get(JUMP, {"q": str(hidden)})).html


def test_jump_asks_no_cluster_for_its_first_answer(
    use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    use_cluster("http://127.0.0.1:1", read_timeout=0.5)
    page = Page(signed_in("viewer").get(JUMP, {"q": "book"}))
    [part] = [tag.attrs["hx-get"] for tag in page.tags if "/jump/?" in tag.attrs.get("hx-get", "")]
    assert part == f"{NAMES}?q=book"
    unread = Page(signed_in("viewer", htmx=True).get(part))
    assert unread.status == 200
    assert unread.find("p", cls="note")


def test_jump_without_a_role_is_refused(signed_in: SignIn) -> None:
    assert signed_in("outsider").get(JUMP).status_code == 403
    assert signed_in("auditor").get(JUMP).status_code == 200
    assert signed_in("auditor").get(NAMES).status_code == 403


def test_jump_palette_is_the_content_of_the_dialog(signed_in: SignIn) -> None:
    page = Page(signed_in("viewer", htmx=True).get(JUMP, {"palette": "1"}))
    assert not page.is_whole
    assert [tag.attrs["hx-push-url"] for tag in page.find("form")] == ["false"]
    assert page.find("h2", id="confirm-title")
