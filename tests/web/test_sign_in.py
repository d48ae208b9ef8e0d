"""Sign-in and sign-out with local accounts, and where they lead."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth import SESSION_KEY
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from collections_app.audit import log, quotas
from collections_app.models import AuditEvent
from milvusadmin.config.peers import Peers
from tests.fixtures import PASSWORD
from tests.web import Page, act_url, list_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("accounts")]
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


def test_sign_in_page_asks_for_password_and_says_what_is_kept() -> None:
    page = Page(Client().get(DOOR))
    assert page.status == 200
    assert "The audit log records what you do under your name." in page.text
    assert not page.has_link("Audit log")
    assert [tag.text for tag in page.find("button")][-1] == "Sign in"


def test_sign_in_with_the_right_password_leads_home() -> None:
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
    ids=lambda wrong: str(wrong)[:40],
)
def test_sign_in_with_anything_wrong_tells_not_which_part(
    wrong: dict[str, str],
) -> None:
    client = Client()
    page = Page(sign_in(client, **wrong))
    assert page.status == 200
    assert "don’t match an account" in page.text
    assert page.find("p", role="alert")
    assert PASSWORD not in page.html
    assert signed_in_as(client) is None


def test_account_switched_off_is_signed_out_at_once(people: Any, signed_in: SignIn) -> None:
    client = signed_in("viewer")
    people["viewer"].is_active = False
    people["viewer"].save()
    assert client.get("/").status_code == 302
    assert "don’t match" in Page(sign_in(Client())).text


def test_role_removed_counts_at_the_next_request(people: Any, signed_in: SignIn) -> None:
    client = signed_in("auditor")
    assert client.get("/audit/").status_code == 200
    people["auditor"].groups.clear()
    assert client.get("/audit/").status_code == 403


def test_sign_in_starts_a_new_session() -> None:
    """A session planted by an attacker must not become that of the user."""
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
def test_sign_in_returns_to_the_requested_address(address: str) -> None:
    client = Client()
    sent = client.get(address)
    assert sent.status_code == 302
    assert sent.headers["Location"].startswith(f"{DOOR}?next=/")
    page = Page(client.get(sent.headers["Location"]))
    assert page.value("next") == address
    assert "Sign in to return to the page you were on." in page.text
    assert sign_in(client, next=page.value("next")).headers["Location"] == address


@pytest.mark.parametrize(
    "evil",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "http:///evil.example"],
)
def test_sign_in_redirects_to_no_other_site(evil: str) -> None:
    client = Client()
    assert Page(client.get(DOOR, {"next": evil})).status == 200
    assert sign_in(client, next=evil).headers["Location"] == "/"


@pytest.mark.parametrize("address", ["/audit/export/", "/audit/verify/"])
def test_button_after_the_session_ended_leads_somewhere(
    address: str,
) -> None:
    """These addresses can't be opened by GET, so returning to them would show an error."""
    client = Client()
    sent = client.post(address)
    assert sent.status_code == 302
    page = Page(client.get(sent.headers["Location"]))
    landed = client.post(
        DOOR, {"username": "auditor", "password": PASSWORD, "next": page.value("next")}, follow=True
    )
    assert landed.status_code == 200


@pytest.mark.parametrize("method", ["get", "post"])
def test_htmx_signed_out_redirects_the_whole_page_to_sign_in(method: str) -> None:
    open_page = list_url(q="books")
    client = Client(
        headers={"HX-Request": "true", "HX-Current-URL": f"http://testserver{open_page}"}
    )
    address = list_url(details=1) if method == "get" else "/audit/verify/"
    answer = getattr(client, method)(address)
    assert (answer.status_code, answer.content) == (200, b"")
    door = answer.headers["HX-Redirect"]
    assert Page(Client().get(door)).value("next") == open_page


def test_dialog_under_htmx_signed_out_is_returned_to() -> None:
    dialog = act_url("drop-collection", "books")
    here = {"HX-Request": "true", "HX-Current-URL": f"http://testserver{list_url()}"}
    for answer in (Client(headers=here).get(dialog), Client(headers=here).post(dialog)):
        assert Page(Client().get(answer.headers["HX-Redirect"])).value("next") == dialog


def test_htmx_from_another_site_is_not_returned_to() -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "https://evil.example/phish"}
    answer = Client(headers=headers).get(list_url())
    assert "evil" not in answer.headers["HX-Redirect"]
    assert Page(Client().get(answer.headers["HX-Redirect"])).value("next") == list_url()


# --- out ------------------------------------------------------------------------------------------


def test_sign_out_ends_the_session(signed_in: SignIn) -> None:
    client = signed_in("viewer")
    assert "Sign out" in Page(client.get("/clusters/main/")).text
    answer = client.post("/sign-out/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/signed-out/")
    assert signed_in_as(client) is None
    assert client.get("/").status_code == 302


def test_sign_out_by_a_link_is_refused(signed_in: SignIn) -> None:
    client = signed_in("viewer")
    assert client.get("/sign-out/").status_code == 405
    assert signed_in_as(client)


def test_every_page_names_the_signed_in_user(signed_in: SignIn) -> None:
    page = Page(signed_in("auditor").get("/audit/"))
    [person] = page.find("a", cls="person")
    assert person.text == "auditor"
    assert person.attrs["href"] == "/access/"
    assert person.attrs["title"].endswith("Groups: auditor")


def test_every_page_marks_a_local_account(signed_in: SignIn) -> None:
    for client, path in ((signed_in("auditor"), "/audit/"), (signed_in("outsider"), "/access/")):
        assert "Local account, not the company’s sign-in." in Page(client.get(path)).text
    assert "not the company’s" not in Page(Client().get(DOOR)).text


# --- on the record --------------------------------------------------------------------------------


def recorded() -> list[dict[str, Any]]:
    """Every event, oldest first."""
    return [json.loads(row.record) for row in AuditEvent.objects.order_by("sequence")]


def short() -> list[tuple[str, str, str, str]]:
    return [(r["phase"], r["action"], r["outcome"], r["actor"]["subject"]) for r in recorded()]


def test_sign_in_and_sign_out_are_recorded() -> None:
    client = Client(headers={"User-Agent": "a browser"})
    sign_in(client)
    client.post("/sign-out/")
    assert short() == [
        ("session", "session.sign_in", "succeeded", "viewer"),
        ("session", "session.sign_out", "succeeded", "viewer"),
    ]
    came, _ = recorded()
    assert came["actor"]["method"] == "local"
    assert came["actor"]["groups"] == ["viewer"]
    moment = datetime.fromisoformat(came["actor"]["authenticated_at"])
    assert abs(timezone.now() - moment) < timedelta(seconds=10)
    assert (came["origin"]["ip"], came["origin"]["user_agent"]) == ("127.0.0.1", "a browser")
    assert came["target"] is None


def test_events_of_a_session_share_its_session_id() -> None:
    client = Client()
    sign_in(client)
    client.post("/audit/verify/")  # refused, and so on the record
    client.post("/sign-out/")
    sessions = [r["origin"]["session"] for r in recorded()]
    assert len(sessions) == 3
    assert len(set(sessions)) == 1
    assert sessions[0]


def test_step_up_is_recorded_only_for_a_signed_in_user() -> None:
    client = Client()
    client.post(f"{DOOR}?fresh=1", {"username": "viewer", "password": PASSWORD})
    client.post(f"{DOOR}?fresh=1", {"username": "viewer", "password": PASSWORD})
    assert [r["action"] for r in recorded()] == ["session.sign_in", "session.step_up"]


def test_sign_in_refused_is_recorded_by_the_account_tried() -> None:
    sign_in(Client(), password="wr0ng-pass")
    assert short() == [("session", "session.refused", "denied", "viewer")]
    assert "wr0ng-pass" not in AuditEvent.objects.get().record


@pytest.mark.parametrize(
    "typed", ["my-pass-w0rd", "VIEWER", "viewer|x", "local|viewer", "x" * 5000, "a\0b", ""]
)
def test_sign_in_with_an_unknown_name_does_not_keep_it(typed: str) -> None:
    """People type their password there."""
    sign_in(Client(), username=typed)
    assert short() == [("session", "session.refused", "denied", "")]
    if typed:
        assert json.dumps(typed)[1:-1] not in AuditEvent.objects.get().record
    assert recorded()[0]["actor"]["display"] == "somebody"


def test_sign_in_attempts_do_not_store_an_unknown_name() -> None:
    sign_in(Client(), username="my-pass-w0rd", password="0ther-w0rd")
    kept = str(list(AccessAttempt.objects.values()))
    assert {(one["get_data"], one["post_data"]) for one in AccessAttempt.objects.values()} == {
        ("", "")
    }, "neither the address nor the form, with its CSRF token"
    assert "my-pass-w0rd" not in kept
    assert "0ther-w0rd" not in kept


def test_sign_in_page_viewed_is_not_recorded() -> None:
    Client().get(DOOR)
    Client().get("/signed-out/")
    Client().get("/audit/")
    assert recorded() == []


def test_sign_in_refusals_recorded_per_minute_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    assert quotas.A_MINUTE == 10
    monkeypatch.setattr(quotas, "A_MINUTE", 3)
    for _ in range(5):
        assert Page(sign_in(Client(), username="nobody")).status in {200, 429}
    assert len(recorded()) == 3
    sign_in(Client())
    assert recorded()[-1]["action"] == "session.sign_in", "who comes in is recorded all the same"
    later = timezone.now() + timedelta(seconds=61)
    monkeypatch.setattr(timezone, "now", lambda: later)
    sign_in(Client(), username="nobody")
    more, refused = recorded()[-2:]
    assert more["message"].startswith("And 2 more events (session.refused) within a minute")
    assert refused["action"] == "session.refused"
    assert len(recorded()) == 6


@pytest.fixture
def log_broken(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on no event can be written."""

    def broken(entry: log.Entry) -> None:
        raise DatabaseError("disk full")

    return lambda: monkeypatch.setattr(log, "append", broken)


@pytest.mark.parametrize("again", ["", "?fresh=1"])
def test_sign_in_with_an_unwritable_log_is_refused(
    again: str, log_broken: Callable[[], None]
) -> None:
    log_broken()
    client = Client()
    answer = client.post(f"{DOOR}{again}", {"username": "viewer", "password": PASSWORD})
    assert answer.status_code == 503
    assert "The audit log can’t be written" in Page(answer).text.replace("'", "’")
    assert signed_in_as(client) is None
    assert client.get("/clusters/main/").status_code == 302


def test_sign_out_with_an_unwritable_log_still_ends_the_session(
    log_broken: Callable[[], None],
) -> None:
    client = Client()
    sign_in(client)
    log_broken()
    assert client.post("/sign-out/").status_code == 503
    assert signed_in_as(client) is None


def test_wrong_password_with_an_unwritable_log_is_refused(
    log_broken: Callable[[], None],
) -> None:
    log_broken()
    assert "don’t match an account" in Page(sign_in(Client(), password="wrong")).text


# --- too many attempts ----------------------------------------------------------------------------

HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"


def attempt(where: str, **form: str) -> Any:
    client = Client(REMOTE_ADDR=where)
    answer = client.post(DOOR, {"username": "viewer", "password": PASSWORD, **form})
    return answer.status_code


def test_five_wrong_passwords_lock_the_name_for_that_address() -> None:
    assert [attempt(HERE, password="wrong") for _ in range(4)] == [200] * 4
    assert attempt(HERE, password="wrong") == 429
    client = Client(REMOTE_ADDR=HERE)
    page = Page(sign_in(client))
    assert page.status == 429, "the right password too"
    assert "Too many attempts" in page.text
    assert page.link("Back to sign-in") == DOOR
    assert not page.find("input", type="password")
    assert signed_in_as(client) is None
    assert {event[1:] for event in short()} == {("session.refused", "denied", "viewer")}
    assert [r["message"].split()[0] for r in recorded()] == ["Wrong"] * 4 + ["Locked"] * 2


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "said",
    ["203.0.113.7:4000{}", "[2001:db8::7]:4000{}", "2001:db8::{}", "unknown{}", "203.0.113.7"],
)
def test_forwarded_client_by_port_or_ipv6_network_is_locked(said: str, settings: Any) -> None:
    """Azure's gateways send a port, a new one each time; a client may own 2**64 IPv6 addresses."""
    settings.TRUST_PROXY = Peers(networks=(ip_network(HERE),))
    found = []
    for number in range(7):
        client = Client(headers={"X-Forwarded-For": said.format(number)}, REMOTE_ADDR=HERE)
        found.append(client.post(DOOR, {"username": "viewer", "password": "wrong"}).status_code)
    assert found == [200] * 4 + [429] * 3
    assert not any("4000" in record["origin"]["ip"] for record in recorded())


@pytest.mark.both_databases
def test_unix_socket_client_without_forwarded_address_is_locked(settings: Any) -> None:
    settings.TRUST_PROXY = Peers(unix=True)
    assert [attempt("", password="wrong") for _ in range(6)] == [200] * 4 + [429] * 2


def test_lockout_is_for_that_name_and_address_only() -> None:
    for _ in range(6):
        attempt(HERE, password="wrong")
    assert attempt(HERE) == 429
    assert attempt(ELSEWHERE) == 302, "a stranger locks nobody out"
    assert attempt(HERE, username="auditor") == 302
    assert attempt(HERE) == 429, "and their coming in opens nothing"


@pytest.mark.parametrize("spelt", ["ｖｉｅｗｅｒ", " viewer ", "viewer"])
def test_lockout_counts_other_spellings_of_the_name(spelt: str) -> None:
    for _ in range(5):
        attempt(HERE, password="wrong")
    assert attempt(HERE, username=spelt) == 429


def test_lockout_ignores_a_forged_client_address() -> None:
    for number in range(5):
        forwarded = {"X-Forwarded-For": f"198.51.100.{number}", "X-Real-IP": f"10.0.0.{number}"}
        Client(headers=forwarded).post(DOOR, {"username": "viewer", "password": "wrong"})
    assert attempt(HERE) == 429


def test_lockout_counter_is_reset_by_a_sign_in() -> None:
    for _ in range(3):
        assert [attempt(HERE, password="wrong") for _ in range(4)] == [200] * 4
        assert attempt(HERE) == 302


def test_lockout_is_not_extended_by_further_attempts() -> None:
    def minutes_pass(minutes: int) -> None:
        for row in AccessAttempt.objects.all():
            row.attempt_time -= timedelta(minutes=minutes)
            row.save()

    for _ in range(5):
        attempt(HERE, password="wrong")
    for minutes in (7, 7):
        minutes_pass(minutes)
        assert attempt(HERE) == attempt(HERE, password="wrong") == 429
    minutes_pass(2)
    assert attempt(HERE) == 302
