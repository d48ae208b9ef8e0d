"""The rehearsal line on the page of a cluster: when it ran last, and whether it still counts."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app import clusters
from collections_app.access.principals import Caller
from collections_app.audit.log import Outcome
from collections_app.milvus.scratch import root_of
from collections_app.rehearsal import record
from collections_app.rehearsal.record import Run
from tests.fakes import FakeMilvus
from tests.fixtures import rule
from tests.web import Page

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
CLUSTER = "/clusters/main/"
HOLDING = {"list": "holds", "alias": "holds", "rename": "holds"}


def a_run(version: str = "", **changes: Any) -> Run:
    milvus = clusters.get("main")
    run = uuid.uuid4()
    version = version or milvus.gateway.server().version
    known = {"cluster": milvus.cluster, "root": root_of(run), "database": "default"} | changes
    return Run(id=run, version=version, **known)


def ended(run: Run, states: dict[str, str]) -> None:
    record.began(run, Caller.shell())
    details = {"states": states, "removed_everything": True}
    record.write(record.ENDED, run, Caller.shell(), "It ended.", Outcome.SUCCEEDED, details)


def line(signed_in: SignIn, name: str = "viewer", **options: Any) -> str:
    (text,) = Page(signed_in(name, **options).get(CLUSTER)).find("p", cls="rehearsal")
    return text.text


def test_rehearsal_line_never_rehearsed_names_the_command(
    fake: FakeMilvus, signed_in: SignIn
) -> None:
    assert line(signed_in) == "Never rehearsed: run manage.py rehearse --cluster main"


@pytest.mark.parametrize("htmx", [False, True], ids=["page", "card of the home page"])
def test_rehearsal_line_all_assumptions_hold_says_so(
    htmx: bool, fake: FakeMilvus, signed_in: SignIn
) -> None:
    run = a_run()
    ended(run, HOLDING)
    text = line(signed_in, htmx=htmx)
    assert text.startswith("Last rehearsed")
    assert f"on Milvus {run.version}: all 3 assumptions hold." in text
    assert "Out of date" not in text


@pytest.mark.parametrize(
    ("states", "says"),
    [
        ({"alias": "does not hold"}, "1 of 3 assumptions does not hold (alias)."),
        (
            {"alias": "does not hold", "list": "does not hold"},
            "2 of 3 assumptions do not hold (alias, list).",
        ),
        ({"rename": "not run"}, "2 of 3 assumptions hold. Not run: rename."),
    ],
)
def test_rehearsal_line_names_the_assumption_that_fails(
    states: dict[str, str], says: str, fake: FakeMilvus, signed_in: SignIn
) -> None:
    ended(a_run(), HOLDING | states)
    assert says in line(signed_in)


def test_rehearsal_line_after_a_version_change_is_out_of_date(
    fake: FakeMilvus, signed_in: SignIn
) -> None:
    ended(a_run("v2.2.16"), HOLDING)
    now = clusters.get("main").gateway.server().version
    assert f"Out of date: this server is {now} now." in line(signed_in)


def test_rehearsal_line_at_another_address_is_out_of_date(
    fake: FakeMilvus, signed_in: SignIn
) -> None:
    from dataclasses import replace

    elsewhere = replace(clusters.get("main").cluster, uri="http://elsewhere:19530")
    ended(a_run(cluster=elsewhere), HOLDING)
    assert "Out of date: this cluster has another address now." in line(signed_in)


def test_rehearsal_line_of_a_run_that_never_ended_says_so(
    fake: FakeMilvus, signed_in: SignIn
) -> None:
    ended(a_run(), HOLDING)
    record.began(a_run(), Caller.shell())
    assert "it did not end." in line(signed_in)


def test_rehearsal_line_with_milvus_down_stays(fake: FakeMilvus, signed_in: SignIn) -> None:
    ended(a_run(), HOLDING)
    fake.unreachable = True
    assert "all 3 assumptions hold." in line(signed_in)


def test_rehearsal_line_links_to_the_log_for_auditors(
    fake: FakeMilvus, signed_in: SignIn, people: dict[str, Any]
) -> None:
    run = a_run()
    ended(run, HOLDING)
    assert not Page(signed_in("viewer").get(CLUSTER)).has_link("In the audit log")
    people["auditor"].groups.add(Group.objects.get(name="viewer"))
    browser = signed_in("auditor")
    leads_to = Page(browser.get(CLUSTER)).link("In the audit log")
    rows = Page(browser.get(leads_to)).rows
    assert [row[3] for row in rows] == [
        f"Rehearsal ended: {run.root}",
        f"Rehearsal began: {run.root}",
    ]
    assert rows[0][4] == "Milvus It ended."
    assert [row[5] for row in rows] == ["succeeded", "rehearsal"]


def test_rehearsal_events_are_hidden_from_a_partial_auditor(
    fake: FakeMilvus, signed_in: SignIn, people: dict[str, Any], settings: Any
) -> None:
    ended(a_run(), HOLDING)
    people["outsider"].groups.add(Group.objects.create(name="some"))
    settings.ACCESS = (rule("some", "audit", clusters=("main",), databases=("default",)),)
    assert Page(signed_in("outsider").get("/audit/")).rows == []
    settings.ACCESS = (rule("some", "audit", clusters=("main",)),)
    assert len(Page(signed_in("outsider").get("/audit/")).rows) == 2
