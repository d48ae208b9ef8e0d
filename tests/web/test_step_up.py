"""Step-up before a drop: the draft is kept, and nothing is sent."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from collections_app import clusters
from collections_app.access.policy import Action
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent
from collections_app.operations import confirmation, protocol
from collections_app.operations.kinds import OPERATIONS
from milvusadmin.sso.local import WHEN
from tests.fakes import FakeMilvus
from tests.fixtures import PASSWORD, actor, caller, cluster_at
from tests.web import Page, act_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("accounts")]
SignIn = Callable[..., Client]
DIALOG = act_url("drop-collection", "books")
REASON = "OPS-1423 <tidy & clean>"


@pytest.fixture
def milvus(fake: FakeMilvus, settings: Any) -> FakeMilvus:
    """A cluster that asks for a sign-in of the last ten minutes; it holds `books` and `films`."""
    settings.CLUSTERS = {"main": cluster_at("http://127.0.0.1:1", reauth=600.0)}
    fake.add("books", partitions=["novels"], rows=3)
    fake.add("films")
    return fake


def come_in(client: Client, name: str = "operator", address: str = "/sign-in/", **more: str) -> Any:
    answer = client.post(address, {"username": name, "password": PASSWORD, **more})
    assert answer.status_code == 302
    return answer


def grow_old(client: Client, seconds: float = 700) -> None:
    """The sign-in of this browser was that long ago."""
    session = client.session
    session[WHEN] = (timezone.now() - timedelta(seconds=seconds)).isoformat()
    session.save()


@pytest.fixture
def fresh(milvus: FakeMilvus) -> Client:
    """An operator who signed in just now."""
    client = Client()
    come_in(client)
    return client


@pytest.fixture
def old(fresh: Client) -> Client:
    """An operator whose sign-in is too old by now."""
    grow_old(fresh)
    return fresh


def asks_again(page: Page) -> bool:
    """Whether the dialog leads to the door, and can't be sent."""
    leads = page.has_link("Sign in again")
    assert leads != bool(page.find("input", name="typed_name"))
    assert leads != bool(page.find("button", cls="submit"))
    return leads


def again(client: Client, page: Page, name: str = "operator") -> Page:
    """Sign in again the way the dialog shows, and come to where that leads."""
    door = page.link("Sign in again")
    form = Page(client.get(door))
    assert "After it you return to the same dialog." in form.text
    answer = come_in(client, name, door, next=form.value("next"))
    return Page(client.get(answer.headers["Location"]))


def intents() -> list[dict[str, Any]]:
    rows = AuditEvent.objects.filter(phase="intent").order_by("sequence")
    return [json.loads(row.record) for row in rows]


# --- when -----------------------------------------------------------------------------------------


def test_drop_with_a_fresh_sign_in_records_its_age(fresh: Client, milvus: FakeMilvus) -> None:
    grow_old(fresh, 599 - 60)
    page = Page(fresh.get(DIALOG))
    assert not asks_again(page)
    form = {"token": page.value("token"), "typed_name": "books"}
    assert fresh.post(DIALOG, form).status_code == 302
    assert milvus.sent == [("drop_collection", "default", "books")]
    (intent,) = intents()
    assert 539 <= intent["details"]["sign_in_age_seconds"] <= 545


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
@pytest.mark.parametrize(
    "url",
    [
        DIALOG,
        act_url("drop-partition", "books", "novels"),
    ],
)
def test_dialog_with_an_old_sign_in_leads_to_step_up(
    url: str, htmx: bool, old: Client, milvus: FakeMilvus
) -> None:
    page = Page(old.get(url, headers={"HX-Request": "true"} if htmx else {}))
    assert page.status == 200
    assert asks_again(page)
    assert "requires a sign-in that is at most 10 minutes old" in page.text
    assert "Yours is 11 minutes old." in page.text
    assert "Rows" in page.text, "what is there is shown all the same"
    assert page.link("Sign in again").startswith("/sign-in/?fresh=1&next=%2Fclusters%2Fmain%2Fdrop")


def test_dialog_with_an_unknown_sign_in_time_leads_to_step_up(
    milvus: FakeMilvus, signed_in: SignIn
) -> None:
    page = Page(signed_in("operator").get(DIALOG))
    assert asks_again(page)
    assert "The time of your sign-in is not known." in page.text


def test_reading_with_an_old_sign_in_is_allowed(old: Client) -> None:
    for path in ("/clusters/main/", "/clusters/main/collections/", "/access/"):
        assert old.get(path).status_code == 200


def test_cluster_without_step_up_takes_an_old_sign_in(
    old: Client, milvus: FakeMilvus, settings: Any
) -> None:
    settings.CLUSTERS = {"main": cluster_at("http://127.0.0.1:1")}
    page = Page(old.get(DIALOG))
    assert not asks_again(page)
    old.post(DIALOG, {"token": page.value("token"), "typed_name": "books"})
    assert milvus.sent
    assert intents()[0]["details"]["sign_in_age_seconds"] >= 700


def test_dialog_with_a_blocker_does_not_ask_for_step_up(old: Client, milvus: FakeMilvus) -> None:
    milvus.add("aliased", aliases=["front"])
    page = Page(old.get(act_url("drop-collection", "aliased")))
    assert not page.has_link("Sign in again")
    assert page.has_link("Drop alias…")


# --- there and back -------------------------------------------------------------------------------


def test_drop_after_step_up_goes_through(old: Client, milvus: FakeMilvus) -> None:
    page = again(old, Page(old.get(DIALOG)))
    assert not asks_again(page)
    assert milvus.sent == []
    form = {"token": page.value("token"), "typed_name": "books", "reason": "tidy"}
    assert old.post(DIALOG, form).status_code == 302
    assert milvus.sent == [("drop_collection", "default", "books")]
    (intent,) = intents()
    assert 0 <= intent["details"]["sign_in_age_seconds"] <= 5
    actions = AuditEvent.objects.order_by("sequence").values_list("action", flat=True)
    assert list(actions)[:2] == ["session.sign_in", "session.step_up"]


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
@pytest.mark.parametrize("typed", ["books", "Books", ""])
def test_dialog_expired_is_not_sent_and_keeps_its_reason(
    typed: str, htmx: bool, fresh: Client, milvus: FakeMilvus
) -> None:
    headers = {"HX-Request": "true"} if htmx else {}
    token = Page(fresh.get(DIALOG, headers=headers)).value("token")
    grow_old(fresh)
    form = {"token": token, "typed_name": typed, "reason": REASON}
    refused = Page(fresh.post(DIALOG, form, headers=headers))
    assert refused.status == 403
    (notice,) = refused.find("p", role="alert", cls="danger")
    assert notice.text == "Nothing was sent: this cluster requires a more recent sign-in."
    assert asks_again(refused)
    assert (milvus.sent, intents()) == ([], [])
    page = again(fresh, refused)
    assert page.status == 200
    assert page.value("token") != "" and page.value("reason") == REASON
    assert page.value("typed_name") == "", "the name has to be typed again"
    fresh.post(DIALOG, {"token": page.value("token"), "typed_name": "books", "reason": REASON})
    assert milvus.sent == [("drop_collection", "default", "books")]
    assert intents()[0]["details"]["reason"] == REASON


def test_dialog_after_step_up_keeps_its_token_and_drops_once(
    fresh: Client, milvus: FakeMilvus
) -> None:
    token = Page(fresh.get(DIALOG)).value("token")
    grow_old(fresh)
    refused = Page(fresh.post(DIALOG, {"token": token, "typed_name": "books"}))
    page = again(fresh, refused)
    for each in (page.value("token"), token):
        fresh.post(DIALOG, {"token": each, "typed_name": "books"})
    milvus.add("books")
    fresh.post(DIALOG, {"token": token, "typed_name": "books"})
    assert len(milvus.sent) == len(intents()) == 1


def test_dialog_after_step_up_for_a_namesake_is_refused(old: Client, milvus: FakeMilvus) -> None:
    page = Page(old.get(DIALOG))
    milvus.drop_collection("default", "books")
    milvus.sent.clear()
    milvus.add("books")
    back = again(old, page)
    assert back.status == 409
    assert "It changed since you opened this dialog" in back.text
    assert not back.find("form", action=DIALOG)
    anew = Page(old.get(back.link("Try again")))
    assert anew.status == 200
    assert not asks_again(anew)
    assert milvus.sent == []


def test_dialog_after_step_up_for_a_dropped_one_is_not_found(
    old: Client, milvus: FakeMilvus
) -> None:
    page = Page(old.get(DIALOG))
    milvus.drop_collection("default", "books")
    assert again(old, page).status == 404


def test_draft_is_restored_once_for_the_same_target_only(fresh: Client, milvus: FakeMilvus) -> None:
    token = Page(fresh.get(DIALOG)).value("token")
    grow_old(fresh)
    fresh.post(DIALOG, {"token": token, "typed_name": "books", "reason": REASON})
    come_in(fresh)
    other = Page(fresh.get(act_url("drop-collection", "films")))
    assert other.value("reason") == ""
    assert Page(fresh.get(DIALOG)).value("reason") == ""


def test_draft_of_another_user_in_this_browser_is_not_restored(
    fresh: Client, milvus: FakeMilvus
) -> None:
    token = Page(fresh.get(DIALOG)).value("token")
    grow_old(fresh)
    refused = Page(fresh.post(DIALOG, {"token": token, "typed_name": "books", "reason": REASON}))
    page = again(fresh, refused, "other")
    assert page.status == 200
    assert REASON not in page.text
    assert page.value("reason") == ""
    fresh.post(DIALOG, {"token": page.value("token"), "typed_name": "books"})
    assert intents()[0]["actor"]["subject"] == "other"


def test_sign_in_with_a_wrong_password_refreshes_nothing(old: Client, milvus: FakeMilvus) -> None:
    door = Page(old.get(DIALOG)).link("Sign in again")
    assert old.post(door, {"username": "operator", "password": "wrong"}).status_code == 200
    assert old.post(door, {"username": "nobody", "password": PASSWORD}).status_code == 200
    assert asks_again(Page(old.get(DIALOG)))


def test_sign_in_page_opened_refreshes_nothing(old: Client) -> None:
    old.get(Page(old.get(DIALOG)).link("Sign in again"))
    assert asks_again(Page(old.get(DIALOG)))


# --- whoever calls the protocol -------------------------------------------------------------------


@pytest.mark.parametrize("age", [700, None])
def test_act_without_a_dialog_needs_a_fresh_sign_in_too(
    age: int | None, milvus: FakeMilvus
) -> None:
    """The protocol itself checks the age of the sign-in, not only the dialog."""
    when = timezone.now() - timedelta(seconds=age or 0)
    who = replace(actor(), authenticated_at=when.isoformat() if age else "")
    action = Action.DROP_COLLECTION
    target = Target(
        cluster="main", database="default", kind=Kind.COLLECTION, collection="books", name="books"
    )
    look = OPERATIONS[action].read_state(clusters.get("main").gateway, target)
    consent = confirmation.confirm(action, target, look, who)
    with pytest.raises(protocol.OperationRejected, match="requires a recent sign-in"):
        protocol.perform(consent, caller(who))
    assert milvus.sent == []
    row = AuditEvent.objects.get()
    assert (row.phase, row.outcome) == ("rejected", "denied")


# --- a session that ended meanwhile ---------------------------------------------------------------


@pytest.mark.parametrize(("name", "reason"), [("operator", REASON), ("other", "")])
def test_dialog_after_the_session_ended_returns_to_its_person(
    name: str, reason: str, fresh: Client, milvus: FakeMilvus
) -> None:
    token = Page(fresh.get(DIALOG)).value("token")
    fresh.logout()
    sent = fresh.post(DIALOG, {"token": token, "typed_name": "books", "reason": REASON})
    assert sent.status_code == 302
    answer = come_in(fresh, name, "/sign-in/", next=DIALOG)
    page = Page(fresh.get(answer.headers["Location"]))
    assert page.status == 200
    assert page.value("reason") == reason
    assert milvus.sent == []
