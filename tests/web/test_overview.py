"""The cards of the home page: one per cluster, and unknown is never zero."""

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from collections_app.audit import log
from collections_app.audit.activity import DAYS, drops_by_day, recent
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.health import heartbeat
from collections_app.models import Claim, TaskRun
from tests.fakes import FakeMilvus
from tests.fixtures import actor, caller, rule
from tests.infra.chain import Chain
from tests.web import Page

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
CARD = "/clusters/main/overview/"


def event(
    name: str = "books",
    *,
    action: str = "collection.drop",
    phase: Phase = Phase.OUTCOME,
    outcome: Outcome = Outcome.SUCCEEDED,
    database: str = "default",
    cluster: str = "main",
) -> uuid.UUID:
    """One event about a collection, of an operation of its own unless the watch saw it."""
    operation = uuid.uuid4()
    target = {"cluster": cluster, "database": database, "kind": "collection"}
    log.write(
        Entry(
            phase=phase,
            action=action,
            caller=caller(),
            outcome=outcome,
            operation_id=None if phase is Phase.OBSERVED else operation,
            target={**target, "collection": name, "name": name},
            details={"identity": {}},
        )
    )
    return operation


def gone(name: str = "films", **where: str) -> None:
    event(name, action="collection.gone", phase=Phase.OBSERVED, outcome=Outcome.EXTERNAL, **where)  # type: ignore[arg-type]


def figures(page: Page) -> dict[str, str]:
    """The numbers of a card by their labels."""
    labels, values = page.find("dt"), page.find("dd")
    return {label.text: value.text for label, value in zip(labels, values, strict=True)}


def card(client: Client) -> Page:
    page = Page(client.get(CARD, headers={"HX-Request": "true"}))
    assert page.status == 200
    return page


def test_card_counts_what_the_cluster_has(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.add("a", loaded=True)
    fake.add("b")
    page = card(signed_in("viewer"))
    assert figures(page) == {
        "Databases": "1",
        "Collections": "2",
        "Loaded": "1",
        "Open operations": "0",
    }
    assert [tag.text for tag in page.find("span", cls="badge")] == ["Up"]
    assert "v2.3.5-fake" in page.text


def test_card_is_a_page_of_its_own_without_javascript(signed_in: SignIn, fake: FakeMilvus) -> None:
    client = signed_in("viewer")
    home = Page(client.get("/"))
    assert home.link("Show the state of Milvus") == CARD
    page = Page(client.get(CARD))
    assert page.is_whole
    assert page.find("h1")


def test_card_of_a_silent_cluster_has_no_zeros_for_milvus(
    signed_in: SignIn, fake: FakeMilvus
) -> None:
    fake.unreachable = True
    page = card(signed_in("viewer"))
    shown = figures(page)
    assert {shown[key] for key in ("Databases", "Collections", "Loaded")} == {"unknown"}
    assert [tag.text for tag in page.find("span", cls="badge")] == ["No answer"]


@pytest.mark.parametrize(
    ("denied", "expected"),
    [
        ("databases", ("not permitted", "at least 1")),
        ("collections", ("1", "not permitted")),
    ],
)
def test_card_with_something_not_permitted_says_so(
    denied: str, expected: tuple[str, str], signed_in: SignIn, fake: FakeMilvus
) -> None:
    fake.add("a")
    fake.denied(denied)
    shown = figures(card(signed_in("viewer")))
    assert (shown["Databases"], shown["Collections"]) == expected


def test_card_of_an_incomplete_empty_list_is_unknown(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.all_listed = False
    assert figures(card(signed_in("viewer")))["Collections"] == "unknown"


def test_card_counts_only_what_the_user_may_see(
    signed_in: SignIn, fake: FakeMilvus, settings: Any
) -> None:
    for name in ("mine_a", "mine_b", "secret"):
        fake.add(name, loaded=True)
        event(name)
        gone(name)
    opened = event("secret", phase=Phase.INTENT, outcome=Outcome.NONE)
    Claim.objects.create(
        target="x" * 64,
        operation_id=opened,
        cluster="main",
        actor_display="Ada",
        claimed_at=timezone.now(),
    )
    settings.ACCESS = (rule("viewer", "view", collections=("mine_*",)),)
    page = card(signed_in("viewer"))
    shown = figures(page)
    assert (shown["Collections"], shown["Loaded"], shown["Open operations"]) == ("2", "2", "0")
    assert "secret" not in page.text
    assert "2 by Milvus Admin" in page.text


def test_card_of_a_hidden_cluster_is_not_found(
    signed_in: SignIn, fake: FakeMilvus, settings: Any
) -> None:
    settings.ACCESS = (rule("viewer", "view", clusters=("other",)),)
    assert signed_in("viewer").get(CARD).status_code == 404


def test_home_with_a_stalled_cluster_answers_without_asking_it(
    signed_in: SignIn, chain: Chain, use_cluster: Any
) -> None:
    use_cluster(chain.uri, chain.token, read_timeout=30.0)
    chain.proxy.stall()
    began = time.monotonic()
    assert signed_in("viewer").get("/").status_code == 200
    assert time.monotonic() - began < 20


def test_card_of_a_paused_cluster_sends_no_request(
    signed_in: SignIn, chain: Chain, use_cluster: Any
) -> None:
    use_cluster(chain.uri, chain.token, read_timeout=1.5, breaker_cooldown=7.0)
    chain.proxy.stall()
    client = signed_in("viewer")
    assert [tag.text for tag in card(client).find("span", cls="badge")] == ["No answer"]
    began = time.monotonic()
    page = card(client)
    assert time.monotonic() - began < 1.2
    assert [tag.text for tag in page.find("span", cls="badge")] == ["Paused"]
    assert "is asked again in" in page.text


def test_recent_has_one_line_for_each_operation(db: None) -> None:
    first = event("a", phase=Phase.INTENT, outcome=Outcome.NONE)
    event("b", outcome=Outcome.DENIED)
    event("c", cluster="elsewhere")
    gone("d")
    found = recent("main", actor(groups=("viewer",)))
    assert [one.row.operation_id for one in found.here] == [first]
    assert [one.row.name for one in found.outside] == ["d"]


def test_drops_are_counted_by_day_and_origin(db: None) -> None:
    event("a")
    event("b", outcome=Outcome.FAILED)
    event("c", action="collection.release")
    gone()
    days = drops_by_day("main", actor(groups=("viewer",)))
    assert len(days) == DAYS
    assert days[-1].day == timezone.localdate()
    assert [(day.here, day.outside) for day in days[-2:]] == [(0, 0), (1, 1)]


def test_drops_of_days_that_were_archived_are_unknown(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    event("a")
    event("b")
    monkeypatch.setattr("collections_app.audit.activity.removed_until", lambda: 1)
    assert {day.here for day in drops_by_day("main", actor(groups=("viewer",)))} == {None}


def test_drops_outside_are_unknown_without_a_watch(signed_in: SignIn, fake: FakeMilvus) -> None:
    page = card(signed_in("viewer"))
    assert "0 by Milvus Admin" in page.text
    assert "unknown external" in page.text
    assert "manage.py watch" in page.text


def test_home_shows_last_task_runs_and_the_command_to_run(
    signed_in: SignIn, fake: FakeMilvus
) -> None:
    heartbeat.record_run(heartbeat.RECONCILE)
    TaskRun.objects.update(at=timezone.now() - timedelta(minutes=6))
    heartbeat.record_run(heartbeat.VERIFY, ok=False)
    page = Page(signed_in("viewer").get("/"))
    badges = [tag.text for tag in page.find("span", cls="badge")]
    assert badges == ["Late", "Never ran", "Failed"]
    assert "6 minutes ago" in page.text
    assert "manage.py work" in page.text


def test_home_has_one_card_that_loads_itself_for_each_cluster(
    signed_in: SignIn, fake: FakeMilvus
) -> None:
    page = Page(signed_in("viewer").get("/"))
    loading = page.find("div", hx_trigger="load")
    assert [urlsplit(tag.attrs["hx-get"]).path for tag in loading] == [CARD]


def test_copy_buttons_hold_what_they_copy(signed_in: SignIn, fake: FakeMilvus) -> None:
    fake.add("books ")
    page = Page(signed_in("viewer").get("/clusters/main/collection/?database=default&name=books+"))
    copied = [tag.attrs["data-copy"] for tag in page.find("button", cls="copy")]
    assert copied[:2] == ["books ", "1001"]
