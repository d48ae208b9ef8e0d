"""Signing in and out: the door everybody passes, and what it leads back to."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import SESSION_KEY
from django.test import Client

from tests.fixtures import PASSWORD
from tests.views import Page, act_url, list_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("people")]
SignIn = Callable[..., Client]
DOOR = "/sign-in/"


@pytest.fixture(autouse=True)
def nobody_there(use_cluster: Callable[..., Any]) -> None:
    """Milvus is down: nothing here may need it."""
    use_cluster("http://127.0.0.1:1", read_timeout=0.5)


def signed_in_as(client: Client) -> str | None:
    return client.session.get(SESSION_KEY)


def sign_in(client: Client, **more: str) -> Any:
    return client.post(DOOR, {"username": "viewer", "password": PASSWORD, **more})


# --- in -------------------------------------------------------------------------------------------


def test_the_page_asks_for_name_and_password_and_says_what_is_kept() -> None:
    page = Page(Client().get(DOOR))
    assert page.status == 200
    assert "kept in its audit log under your name" in page.text
    assert not page.has_link("Audit log")
    assert [tag.text for tag in page.find("button")][-1] == "Sign in"


def test_name_and_password_lead_to_the_clusters() -> None:
    client = Client()
    answer = sign_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert signed_in_as(client)


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "wrong"},
        {"password": PASSWORD.upper()},
        {"username": "nobody"},
        {"username": "VIEWER"},
        {"username": ""},
        {"username": "a\0b"},
        {"username": "x" * 5000},
    ],
    ids=str,
)
def test_anything_else_stays_outside_and_tells_nobody_which_part_was_wrong(
    wrong: dict[str, str],
) -> None:
    client = Client()
    page = Page(sign_in(client, **wrong))
    assert page.status == 200
    assert "don’t match an account" in page.text
    assert page.find("p", role="alert")
    assert PASSWORD not in page.html
    assert signed_in_as(client) is None


def test_an_account_switched_off_stays_outside_at_once(people: Any, signed_in: SignIn) -> None:
    client = signed_in("viewer")
    people["viewer"].is_active = False
    people["viewer"].save()
    assert client.get("/").status_code == 302
    assert "don’t match" in Page(sign_in(Client())).text


def test_a_role_taken_away_counts_at_the_next_request(people: Any, signed_in: SignIn) -> None:
    client = signed_in("auditor")
    assert client.get("/audit/").status_code == 200
    people["auditor"].groups.clear()
    assert client.get("/audit/").status_code == 403


def test_signing_in_gives_a_new_session() -> None:
    """A session planted by somebody else before must not become ours."""
    client = Client()
    session = client.session
    session["planted"] = True
    session.save()
    planted = session.session_key
    client.cookies["session"] = planted
    sign_in(client)
    assert signed_in_as(client)
    assert client.session.session_key != planted


# --- back to where one was ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [list_url(q="a&b", sort="-name", page=2), act_url("drop-collection", "odd name\n"), "/audit/"],
)
def test_who_is_sent_to_the_door_comes_back_to_the_same_address(address: str) -> None:
    client = Client()
    sent = client.get(address)
    assert sent.status_code == 302
    assert sent.headers["Location"].startswith(f"{DOOR}?next=/")
    page = Page(client.get(sent.headers["Location"]))
    assert page.value("next") == address
    assert "then you get back to where you were" in page.text
    assert sign_in(client, next=page.value("next")).headers["Location"] == address


@pytest.mark.parametrize(
    "evil",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "http:///evil.example"],
)
def test_signing_in_leads_to_no_other_site(evil: str) -> None:
    client = Client()
    assert Page(client.get(DOOR, {"next": evil})).status == 200
    assert sign_in(client, next=evil).headers["Location"] == "/"


@pytest.mark.parametrize("address", ["/audit/export/", "/audit/verify/", "/sign-out/"])
def test_a_button_pressed_after_the_session_ended_does_not_lead_to_a_dead_end(
    address: str,
) -> None:
    """These addresses can't be opened, so coming back to them would show an empty error."""
    client = Client()
    sent = client.post(address)
    assert sent.status_code == 302
    page = Page(client.get(sent.headers["Location"]))
    landed = client.post(
        DOOR, {"username": "auditor", "password": PASSWORD, "next": page.value("next")}, follow=True
    )
    assert landed.status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_htmx_takes_the_whole_page_to_the_door_and_back_to_where_it_was(method: str) -> None:
    open_page = list_url(q="books")
    client = Client(
        headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{open_page}"}
    )
    address = list_url(details=1) if method == "get" else "/audit/verify/"
    answer = getattr(client, method)(address)
    assert (answer.status_code, answer.content) == (200, b"")
    door = answer.headers["HX-Redirect"]
    assert Page(Client().get(door)).value("next") == open_page


def test_from_a_dialog_one_comes_back_to_the_dialog() -> None:
    dialog = act_url("drop-collection", "books")
    here = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{list_url()}"}
    for answer in (Client(headers=here).get(dialog), Client(headers=here).post(dialog)):
        assert Page(Client().get(answer.headers["HX-Redirect"])).value("next") == dialog


def test_htmx_on_a_page_of_another_site_leads_back_to_none_of_its_pages() -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/phish"}
    answer = Client(headers=headers).get(list_url())
    assert "evil" not in answer.headers["HX-Redirect"]
    assert Page(Client().get(answer.headers["HX-Redirect"])).value("next") == list_url()


# --- out ------------------------------------------------------------------------------------------


def test_signing_out_ends_the_session(signed_in: SignIn) -> None:
    client = signed_in("viewer")
    assert "Sign out" in Page(client.get("/clusters/main/")).text
    answer = client.post("/sign-out/")
    assert (answer.status_code, answer.headers["Location"]) == (302, DOOR)
    assert signed_in_as(client) is None
    assert client.get("/").status_code == 302


def test_a_link_can_sign_nobody_out(signed_in: SignIn) -> None:
    client = signed_in("viewer")
    assert client.get("/sign-out/").status_code == 405
    assert signed_in_as(client)


def test_every_page_says_who_is_signed_in(signed_in: SignIn) -> None:
    page = Page(signed_in("auditor").get("/audit/"))
    [person] = page.find("span", cls="person")
    assert person.text == "auditor"
    assert person.attrs["title"] == "Local account, auditor"
