"""The jump page: its matches, its permissions, and the cost of a silent cluster."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app.access.policy import Action
from collections_app.audit import log
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.plans import building
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
    assert "No database, collection or partition has this in its name." in nothing.text


def test_jump_finds_nothing_that_is_hidden(fake: FakeMilvus, team: Client) -> None:
    fake.add("team_books")
    fake.add("plan_books")
    assert hits(Page(team.get(NAMES, {"q": "books"}))) == [collection_url("team_books")]
    hidden, shown = operation("plan_books"), operation("team_books")
    label = f"operation {str(shown)[:8]} / Drop collection team_books"
    assert Page(team.get(JUMP, {"q": str(shown)})).has_link(label)
    assert "plan_books" not in Page(team.get(JUMP, {"q": str(hidden)})).html


def test_jump_with_a_full_cluster_says_so_in_a_line(
    use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    milvus = use_cluster("http://127.0.0.1:1", max_concurrent=1)
    with milvus.bulkhead.slot(), milvus.bulkhead.write():
        page = Page(signed_in("viewer", htmx=True).get(NAMES, {"q": "book"}))
    assert page.status == 200
    assert "Milvus does not answer" in page.find("p", cls="note")[0].text


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


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("Books/2024", ["2024_q1", "2024_q2"]),
        ("ook/q2", ["2024_q2"]),
        ("default/books/q1", ["2024_q1"]),
        ("other/books/q1", []),
        ("books/", ["2024_q1", "2024_q2", "_default"]),
        ("2024", []),
        ("default/book", ["books"]),
        ("other/book", []),
        ("a/b/c/d", []),
    ],
)
def test_jump_path_narrows_what_is_found(
    q: str, found: list[str], fake: FakeMilvus, team: Client
) -> None:
    fake.add("team_books", partitions=("2024_q1", "2024_q2"))
    fake.add("plan_books", partitions=("2024_q3",))
    page = Page(team.get(NAMES, {"q": q}, headers={"HX-Request": "true"}))
    links = [tag.attrs["href"] for tag in page.find("a")]
    wanted = {
        "books": collection_url("team_books"),
        **{
            name: collection_url("team_books", q=name)
            for name in ("2024_q1", "2024_q2", "_default")
        },
    }
    assert sorted(links) == sorted(wanted[name] for name in found)


def test_jump_reads_the_partitions_of_few_collections(
    fake: FakeMilvus, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one whose name was typed is among them, wherever it is in the list."""
    for number in range(20):
        fake.add(f"a_books_{number}")
    fake.add("books", partitions=("wanted",))
    read = []
    monkeypatch.setattr(fake, "partitions", _counting(fake.partitions, read))
    page = Page(signed_in("viewer", htmx=True).get(NAMES, {"q": "books/wanted"}))
    assert page.has_link("partition default / books / wanted")
    assert len(read) == 5


def _counting(call: Callable[..., Any], calls: list[Any]) -> Callable[..., Any]:
    def counted(*args: Any) -> Any:
        calls.append(args)
        return call(*args)

    return counted


@pytest.mark.parametrize(
    ("length", "is_found"), [(3, False), (4, True), (9, True), (13, True), (36, True)]
)
def test_jump_finds_operations_by_their_first_characters(
    length: int, is_found: bool, fake: FakeMilvus, team: Client
) -> None:
    shown, hidden = operation("team_books"), operation("plan_books")
    page = Page(team.get(JUMP, {"q": str(shown)[:length].upper()}))
    assert (f"/operations/{shown}/" in page.html) is is_found
    assert "plan_books" not in Page(team.get(JUMP, {"q": str(hidden)[:length]})).html


@pytest.mark.parametrize("q", ["zzzz", "12345678-1234-1234-1234-123456789abc-def", "....", "%%%%"])
def test_jump_text_that_is_no_id_finds_no_operation(q: str, fake: FakeMilvus, team: Client) -> None:
    operation("team_books")
    assert "/operations/" not in Page(team.get(JUMP, {"q": q})).html.replace(
        'href="/operations/"', ""
    )


@pytest.mark.parametrize("q", ["{}", "#{}", "plan {}", "Plan #{}"])
def test_jump_finds_a_plan_that_one_may_see_by_its_number(
    q: str, fake: FakeMilvus, team: Client
) -> None:
    plans = {name: a_plan(name) for name in ("team_books", "plan_books")}
    found = {
        name: f'href="/plans/{number}/"' in Page(team.get(JUMP, {"q": q.format(number)})).html
        for name, number in plans.items()
    }
    assert found == {"team_books": True, "plan_books": False}


def a_plan(collection: str) -> int:
    pair = (collection, collection)
    plan = building.create(Action.DROP_COLLECTION, "main", "default", [pair], caller())
    return int(plan.pk)
