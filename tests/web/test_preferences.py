"""What people choose for their own pages: columns, density, pinned and recent places."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from collections_app.models import PersonalSettings, SeenCollection, WatchedDatabase
from tests.fakes import FakeMilvus
from tests.fixtures import rule
from tests.web import Page, collection_url, list_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
VIEW, PIN, JUMP = "/view/", "/clusters/main/pin/", "/jump/"
ALL = ["State", "Rows", "Partitions", "Aliases", "Created"]


def headers(page: Page) -> list[str]:
    return [tag.text.rstrip(" ↑↓") for tag in page.find("th", scope="col") if tag.text][1:]


def choose(client: Client, *columns: str, **more: str) -> Any:
    return client.post(VIEW, {"table": "collections", "column": columns, **more})


def test_hidden_columns_are_those_of_one_person(fake: FakeMilvus, signed_in: SignIn) -> None:
    fake.add("books")
    operator, viewer = signed_in("operator"), signed_in("viewer")
    back = choose(operator, "state", "created", density="compact", next=list_url(q="b"))
    assert (back.status_code, back.headers["Location"]) == (302, list_url(q="b"))
    mine, theirs = (Page(client.get(list_url())) for client in (operator, viewer))
    assert headers(mine)[:2] == ["State", "Created"]
    assert not {"Rows", "Partitions", "Aliases"} & set(headers(mine))
    assert headers(theirs) == ALL
    bodies = [page.find("body")[0].attrs.get("data-density") for page in (mine, theirs)]
    assert bodies == ["compact", None]
    unread = [tag for tag in mine.find("div", id="results") if "hx-trigger" in tag.attrs]
    assert not unread, "nothing that is shown has to be read row by row"


@pytest.mark.parametrize("stored", [{"collections": ["nosuch", "name"]}, {"nosuch": ["rows"]}, 7])
def test_unknown_stored_columns_hide_nothing(
    stored: Any, fake: FakeMilvus, people: Any, signed_in: SignIn
) -> None:
    fake.add("books")
    PersonalSettings.objects.create(
        user=people["viewer"], hidden=stored, density="huge", used_at=timezone.now()
    )
    assert headers(Page(signed_in("viewer").get(list_url()))) == ALL


@pytest.mark.parametrize(
    ("sent", "status", "goes_to"),
    [
        ({"table": "partitions", "next": "https://evil.example/"}, 302, "/"),
        ({"table": "partitions", "next": "//evil.example/"}, 302, "/"),
        ({"table": "audit", "density": "huge", "next": "/audit/?who=a"}, 302, "/audit/?who=a"),
        ({"table": "nosuch"}, 404, None),
        ({}, 404, None),
    ],
)
def test_view_form_leads_back_and_nowhere_else(
    sent: dict[str, str], status: int, goes_to: str | None, signed_in: SignIn
) -> None:
    answer = signed_in("viewer").post(VIEW, sent)
    assert (answer.status_code, answer.headers.get("Location")) == (status, goes_to)


# --- places ---------------------------------------------------------------------------------------


def linked(page: Page) -> list[str]:
    """The places that a page leads to, in its order."""
    found = [tag.attrs["href"] for tag in page.find("a")]
    return [url for url in found if "database=" in url]


def pin(client: Client, collection: str, **more: str) -> Any:
    return client.post(PIN, {"database": "default", "collection": collection, **more})


@pytest.mark.parametrize("path", ["/", JUMP])
def test_home_and_jump_show_pinned_and_recent_places(
    path: str, fake: FakeMilvus, signed_in: SignIn
) -> None:
    fake.add("books")
    fake.add("films")
    client = signed_in("viewer")
    client.get(list_url())
    client.get(collection_url("books"))
    client.get(list_url(), headers={"HX-Request": "true"})
    assert pin(client, "films").status_code == 302
    wanted = [collection_url("films"), collection_url("books"), list_url()]
    assert linked(Page(client.get(path))) == wanted
    assert linked(Page(signed_in("operator").get(path))) == [], "they are hers alone"
    pin(client, "films", pinned="0")
    client.post("/places/forget/")
    assert linked(Page(client.get(path))) == []


def test_pages_offer_to_pin_and_to_unpin(fake: FakeMilvus, signed_in: SignIn) -> None:
    fake.add("books")
    client = signed_in("viewer")
    pages = {
        "/clusters/main/": "cluster",
        list_url(): "database",
        collection_url("books"): "collection",
    }
    for url, kind in pages.items():
        before = Page(client.get(url))
        assert f"Pin {kind}" in before.text
        form = {
            tag.attrs["name"]: tag.attrs["value"] for tag in before.find("input", type="hidden")
        }
        assert form["next"] == url
        client.post(
            PIN,
            {key: form[key] for key in ("database", "collection", "pinned", "next") if key in form},
        )
        assert f"Unpin {kind}" in Page(client.get(url)).text


def test_places_that_may_not_be_seen_are_left_out(
    fake: FakeMilvus, people: Any, signed_in: SignIn, settings: Any
) -> None:
    people["outsider"].groups.add(Group.objects.create(name="team"))
    settings.ACCESS = (rule("team", "view", clusters=("main",)),)
    client = signed_in("outsider")
    for name in ("team_books", "plan_books"):
        fake.add(name)
        client.get(collection_url(name))
        pin(client, name)
    settings.ACCESS = (rule("team", "view", clusters=("main",), collections=("team_*",)),)
    for path in ("/", JUMP):
        assert linked(Page(client.get(path))) == [collection_url("team_books")]
    assert pin(client, "plan_other").status_code == 404
    main = settings.CLUSTERS["main"]
    settings.CLUSTERS = {"other": replace(main, key="other")}
    assert linked(Page(client.get("/"))) == [], "the cluster is no longer configured"


def test_gone_places_are_told_without_asking_milvus(
    fake: FakeMilvus, signed_in: SignIn, settings: Any
) -> None:
    """A visit found no films; the watch, which listed later, found no books."""
    client = signed_in("viewer")
    for name in ("books", "films", "songs"):
        fake.add(name)
        client.get(collection_url(name))
        pin(client, name)
    fake.drop_collection("default", "films")
    assert client.get(collection_url("films")).status_code == 404
    watched = WatchedDatabase.objects.create(
        cluster="main",
        database="default",
        endpoint=settings.CLUSTERS["main"].endpoint,
        listed_at=timezone.now() + timedelta(minutes=1),
        position=0,
    )
    SeenCollection.objects.create(watched=watched, name="songs", collection_id=3)
    page = Page(client.get("/"))
    assert linked(page) == [collection_url("songs")]
    gone = [tag.text for tag in page.find("li") if "gone" in tag.text]
    assert len(gone) == 2
    assert linked(Page(client.get(JUMP))) == [collection_url("songs")]
    watched.endpoint = "http://elsewhere:19530"
    watched.save()
    assert collection_url("books") in linked(Page(client.get("/"))), "that was another server"
