"""Personal settings: what is stored, for whom, for how long, and what can't be understood."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.utils import timezone

from collections_app.access.policy import Place
from collections_app.models import PersonalSettings
from collections_app.personal import store

pytestmark = pytest.mark.django_db
NOW = timezone.now().isoformat()


@pytest.fixture
def ada() -> int:
    return User.objects.create(username="ada").pk


@pytest.fixture
def bob() -> int:
    return User.objects.create(username="bob").pk


def place(name: str | None = None, database: str | None = "default") -> Place:
    return Place(cluster="main", database=database, collection=name)


def visit(user: int, name: str) -> None:
    store.note_visit(user, store.settings_of(user), place(name))


def names(visits: tuple[store.Visit, ...]) -> list[str | None]:
    return [visit.place.collection for visit in visits]


def test_settings_of_one_person_are_of_no_other(ada: int, bob: int) -> None:
    store.choose_view(ada, table="collections", hidden=frozenset({"rows"}), density=store.COMPACT)
    store.pin(ada, place("films"))
    visit(ada, "books")
    mine = store.settings_of(ada)
    assert (mine.density, mine.hidden["collections"]) == (store.COMPACT, {"rows"})
    assert (names(mine.pinned), names(mine.recent)) == (["films"], ["books"])
    assert store.settings_of(bob) == store.NOTHING
    store.unpin(bob, place("films"))
    assert names(store.settings_of(ada).pinned) == ["films"]


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        ("density", "huge"),
        ("hidden", ["rows"]),
        ("hidden", {"collections": "rows"}),
        ("pinned", {"place": []}),
        ("pinned", [{"place": ["main"], "at": NOW}]),
        ("pinned", [{"place": ["main", None, None]}, None, 3]),
        ("pinned", [{"place": ["main", 3, None], "at": NOW}]),
        ("pinned", [{"place": ["main", None, None], "at": "2026-01-01T00:00:00"}]),
        ("recent", [{"place": ["main", None, None], "at": "yesterday"}]),
    ],
)
def test_stored_settings_unknown_to_this_version_fall_back(
    column: str, stored: Any, ada: int
) -> None:
    made = PersonalSettings.objects.create(user_id=ada, used_at=timezone.now())
    setattr(made, column, stored)
    made.save()
    found = store.settings_of(ada)
    assert (found.density, dict(found.hidden)) == (store.COMFORTABLE, {})
    assert (found.pinned, found.recent) == ((), ())


def test_recent_places_are_the_last_ten_each_once(ada: int) -> None:
    for number in [*range(12), 5]:
        visit(ada, f"c{number}")
    wanted = ["c5", *(f"c{number}" for number in (11, 10, 9, 8, 7, 6, 4, 3, 2))]
    assert names(store.settings_of(ada).recent) == wanted
    store.forget_places(ada)
    assert store.settings_of(ada).recent == ()


def test_visits_to_and_fro_write_nothing(ada: int, django_assert_num_queries: Any) -> None:
    visit(ada, "books")
    visit(ada, "films")
    known = store.settings_of(ada)
    with django_assert_num_queries(0):
        store.note_visit(ada, known, place("films"))
        store.note_visit(ada, known, place("books"))


def test_visit_that_can_not_be_written_is_no_error(ada: int) -> None:
    def read_only(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("INSERT"):
            raise OperationalError("attempt to write a readonly database")
        return execute(sql, *rest)

    with connection.execute_wrapper(read_only):
        visit(ada, "books")
    assert store.settings_of(ada).recent == ()


def test_gone_place_stays_pinned_and_is_no_recent_one(ada: int) -> None:
    store.pin(ada, place("films"))
    visit(ada, "films")
    store.note_gone(ada, store.settings_of(ada), place("films"))
    gone = store.settings_of(ada)
    assert ([v.is_gone for v in gone.pinned], gone.recent) == ([True], ())
    visit(ada, "films")
    assert [v.is_gone for v in store.settings_of(ada).pinned] == [False], "it is there again"


def test_pins_are_bounded_and_the_oldest_goes(ada: int) -> None:
    for number in range(store.PINNED + 2):
        store.pin(ada, place(f"c{number}"))
    pinned = names(store.settings_of(ada).pinned)
    assert (len(pinned), pinned[0], pinned[-1]) == (store.PINNED, "c2", f"c{store.PINNED + 1}")


def test_settings_go_with_the_user_and_after_half_a_year(ada: int, bob: int) -> None:
    for user in (ada, bob):
        visit(user, "books")
    User.objects.get(pk=ada).delete()
    assert store.settings_of(ada) == store.NOTHING
    assert store.forget_unused() == 0
    long_ago = timezone.now() - store.KEPT - timedelta(hours=1)
    PersonalSettings.objects.filter(user_id=bob).update(used_at=long_ago)
    assert store.forget_unused() == 1
