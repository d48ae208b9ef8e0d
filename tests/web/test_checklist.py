"""The checks of a dialog: what holds, what stands in the way, what can't be known."""

import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from collections_app.access.policy import Action
from collections_app.milvus.types import Cluster, Identity, Target
from collections_app.models import Claim
from collections_app.operations.kinds import OPERATIONS
from collections_app.operations.kinds.acts import ACTS
from collections_app.operations.kinds.base import Condition, TargetState
from collections_app.web.checklist import HOLDS, WORDS, Check, SignIn, checklist
from tests.fakes import FakeMilvus

pytestmark = pytest.mark.django_db
CLUSTER = Cluster(key="fake", label="Fake", uri="http://127.0.0.1:1", reauth=600)
DROP, DROP_PARTITION = Action.DROP_COLLECTION, Action.DROP_PARTITION
NONE_RUNS = "No other operation on it is in progress"
ID_KNOWN = "Its id is known, and is compared again before the request"
UNPROTECTED, NO_ALIAS = "Nobody has protected it", "No alias points to it"
AGE = "You signed in 1 minute ago; 10 minutes are permitted"
CLEAR = {NONE_RUNS, ID_KNOWN, UNPROTECTED, AGE}


def state_of(fake: FakeMilvus, action: Action, name: str = "book") -> TargetState:
    kind = ACTS[action].kind
    target = Target(cluster="fake", database="default", kind=kind, collection="book", name=name)
    return OPERATIONS[action].read_state(fake, target)  # type: ignore[arg-type]


def checks(action: Action, state: TargetState, claim: Claim | None = None) -> list[Check]:
    return checklist(ACTS[action], CLUSTER, state, claim, SignIn(age=60, url=""))


def by_mark(found: list[Check]) -> dict[str, set[str]]:
    return {str(mark): {check.text for check in found if check.mark == mark} for mark in WORDS}


@pytest.mark.parametrize(
    ("made", "action", "name", "passed", "blocked"),
    [
        ({}, DROP, "book", CLEAR | {NO_ALIAS}, set()),
        (
            {"aliases": ["live"]},
            DROP,
            "book",
            CLEAR - {AGE},
            {"The alias live points to this collection. Drop the alias first."},
        ),
        (
            {"partitions": ["p"]},
            DROP_PARTITION,
            "p",
            CLEAR | {"Milvus can drop this partition", "It is not loaded"},
            set(),
        ),
        (
            {"partitions": ["p"], "loaded": True},
            DROP_PARTITION,
            "p",
            CLEAR - {AGE} | {"Milvus can drop this partition"},
            {"It is loaded. Milvus refuses to drop it until it is released."},
        ),
        (
            {},
            DROP_PARTITION,
            "_default",
            CLEAR - {AGE},
            {"Every collection keeps its default partition. Milvus never drops it."},
        ),
        ({"loaded": True}, Action.RELEASE_COLLECTION, "book", CLEAR - {UNPROTECTED} | {
            "It is loaded"}, set()),
    ],
)  # fmt: skip
def test_checklist_names_what_holds_and_what_does_not(
    fake: FakeMilvus, made: Any, action: Action, name: str, passed: set[str], blocked: set[str]
) -> None:
    fake.add("book", **made)
    found = by_mark(checks(action, state_of(fake, action, name)))
    assert found == {"passed": passed, "blocked": blocked, "caution": set()}


def test_checklist_claims_nothing_about_unreadable_aliases(fake: FakeMilvus) -> None:
    fake.add("book")
    fake.denied("aliases")
    assert NO_ALIAS not in by_mark(checks(DROP, state_of(fake, DROP)))["passed"]


def test_checklist_remedy_is_the_dialog_that_removes_it(fake: FakeMilvus) -> None:
    fake.add("book", aliases=["live"])
    first = checks(DROP, state_of(fake, DROP))[0]
    assert (first.word, first.label, first.in_dialog) == ("Blocked", "Drop alias…", True)
    assert "/drop-alias/" in first.url
    assert "then=drop-collection" in first.url


def test_checklist_open_operation_is_a_blocker_with_its_page(fake: FakeMilvus) -> None:
    fake.add("book")
    claim = Claim(operation_id=uuid.uuid4(), actor_display="Ada", claimed_at=timezone.now())
    first = checks(DROP, state_of(fake, DROP), claim)[0]
    assert first.text == "Ada has an operation on it in progress."
    assert (first.url, first.in_dialog) == (f"/operations/{claim.operation_id}/", False)


def test_checklist_without_ids_is_a_caution_and_no_pass(fake: FakeMilvus) -> None:
    fake.add("book")
    state = replace(state_of(fake, DROP), identity=Identity(fingerprint="x"))
    found = by_mark(checks(DROP, state))
    assert len(found["caution"]) == 1
    assert ID_KNOWN not in found["passed"]


def test_checklist_has_words_for_every_condition() -> None:
    assert set(HOLDS) == set(Condition)
