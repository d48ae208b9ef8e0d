"""Patterns of rules and locks: which names match, and that a lock overrides every permission."""

import re
import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collections_app.access.policy import (
    Action,
    Place,
    decide,
    matches,
    may,
    posix,
    protected_by,
    regex,
)
from collections_app.access.principals import Actor, Caller
from tests.fixtures import actor, cluster_at, rule

CYRILLIC_A = "\u0430"
BOOKS = Place(cluster="main", database="default", collection="books")
SHELL = Caller.shell().actor


# --- patterns -------------------------------------------------------------------------------------

FITTING = [
    ("*", ["", "a", "a b", "a/b", "..", "a\nb", "\n", "名前", "x" * 255]),
    ("?", ["a", "*", "?", "/", ".", "\n", "é", "🦉"]),
    ("??", ["ab", "a\n"]),
    ("team_*", ["team_", "team_a", "team_a/b", "team_\n", "team_*", "team_a_b"]),
    ("*_tmp", ["_tmp", "a_tmp", "a\nb_tmp", "_tmp_tmp"]),
    ("a*b*c", ["abc", "a-b-c", "abbc", "aabcabc"]),
    ("a?c", ["abc", "a?c", "a*c", "a.c", "a\nc"]),
    ("a.c", ["a.c"]),
    ("a+", ["a+"]),
    ("^a$", ["^a$"]),
    ("(a|b)", ["(a|b)"]),
    ("a#b c-d&e~f", ["a#b c-d&e~f"]),
    ("café", ["café"]),
    ("\n", ["\n"]),
]
NOT_FITTING = [
    ("?", ["", "ab", "e\u0301"]),
    ("??", ["a", "abc", ""]),
    ("*?", [""]),
    ("team_*", ["team", "Team_a", "TEAM_A", "xteam_a", " team_a", "\nteam_a", "teamXa", "team-a"]),
    ("*_tmp", ["_tmp\n", "a_tmp ", "a_TMP", "a_tmp_"]),
    ("books", ["Books", "books\n", "\nbooks", "books ", "book", "bookss", "books/", "bооks", ""]),
    ("a?c", ["ac", "abbc"]),
    ("a.c", ["abc", "a\nc"]),
    ("a+", ["aa", "a"]),
    ("^a$", ["a"]),
    ("(a|b)", ["a", "b"]),
    ("a|b", ["a", "b"]),
    ("a{2}", ["aa"]),
    (".*", ["a", "", "abc"]),
    ("\\w", ["a", "w"]),
    ("[ab]", ["a", "b"]),
    ("café", [unicodedata.normalize("NFD", "café"), "CAFÉ", "cafe"]),
    (f"t{CYRILLIC_A}g", ["tag"]),
    ("ｔag", ["tag"]),
    ("ß", ["ss", "SS", "ẞ"]),
    ("", ["a", "\n"]),
]


def pairs(table: list[tuple[str, list[str]]]) -> list[tuple[str, str]]:
    return [(pattern, name) for pattern, names in table for name in names]


@pytest.mark.parametrize(("pattern", "name"), pairs(FITTING), ids=repr)
def test_matches_name_that_fits_is_true(pattern: str, name: str) -> None:
    assert matches((pattern,), name)
    assert matches(("nothing", pattern), name)


@pytest.mark.parametrize(("pattern", "name"), pairs(NOT_FITTING), ids=repr)
def test_matches_name_that_does_not_fit_is_false(pattern: str, name: str) -> None:
    assert not matches((pattern,), name)
    assert not matches((), name)
    assert not matches(("nothing", pattern), name)


@pytest.mark.parametrize(("pattern", "name"), pairs(FITTING) + pairs(NOT_FITTING), ids=repr)
def test_regex_of_a_pattern_matches_the_same_names(pattern: str, name: str) -> None:
    r"""The audit log's queries use this form, between \A and \Z; see web/test_audit_scope.py."""
    found = re.search(rf"\A({regex(pattern)})\Z", name)
    assert bool(found) == matches((pattern,), name)


def test_matches_every_other_character_literally() -> None:
    """Covers all printable ASCII, and the unusual characters that Milvus Lite accepts."""
    odd = "\t\n\r\x0b\x1f\x7f\x85\xa0\u2028\ufeff\ud7ff🦉"
    for character in [chr(code) for code in range(32, 127)] + list(odd):
        if character in "*?":
            continue
        pattern = f"a{character}b"
        assert matches((pattern,), pattern), repr(character)
        for other in (
            "ab",
            "a",
            "b",
            f"a{character}{character}b",
            "aXb" if character != "X" else "",
        ):
            assert not matches((pattern,), other), repr((pattern, other))


HOSTILE = [
    ("*_*_*_*_prod", "_" * 250),
    ("*a*a*a*a*a*a*b", "a" * 250),
    ("*" * 200 + "x", "a" * 250),
    ("*?*?*?*?*?*?x", "a" * 250),
    ("*?" * 100 + "x", "a" * 250),
    ("*_?_*_?_*_?_*prod", "_" * 250),
    ("*" + "ab" * 60 + "*" + "ab" * 60 + "c", "ab" * 127),
]


@pytest.mark.parametrize(("pattern", "name"), HOSTILE)
def test_matches_hostile_name_in_no_time(pattern: str, name: str) -> None:
    """`re` holds the interpreter lock while it matches: every thread waits, probes included."""
    began = time.perf_counter()
    assert not matches((pattern,), name)
    assert time.perf_counter() - began < 1


@given(
    st.text(alphabet="ab*?", max_size=12),
    st.text(alphabet="ab\n", max_size=12),
)
def test_matches_any_pattern_as_defined(pattern: str, name: str) -> None:
    assert matches((pattern,), name) == by_definition(pattern, name)
    assert bool(re.search(rf"\A({posix(pattern)})\Z", name, re.DOTALL)) == matches((pattern,), name)


def by_definition(pattern: str, name: str) -> bool:
    """Slow and plain: what `*` and `?` mean."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(by_definition(pattern[1:], name[at:]) for at in range(len(name) + 1))
    return bool(name) and pattern[0] in {"?", name[0]} and by_definition(pattern[1:], name[1:])


# --- locks ----------------------------------------------------------------------------------------


@pytest.fixture
def lock(settings: Any) -> Callable[..., None]:
    """lock("billing_*") locks these in the cluster main."""

    def do(*patterns: str) -> None:
        cluster = cluster_at("http://127.0.0.1:1", protected=patterns)
        settings.CLUSTERS = {"main": cluster, "free": replace(cluster, key="free", protected=())}

    return do


PROTECTED = [
    ("books", "default", "books", True),
    ("books", "other", "books", True),
    ("books", "default", "Books", False),
    ("books", "default", "books2", False),
    ("billing_*", "default", "billing_2026", True),
    ("billing_*", "default", "billing", False),
    ("default/books", "default", "books", True),
    ("default/books", "other", "books", False),
    ("d*/b*", "default", "books", True),
    ("d*/b*", "other", "books", False),
    ("default/*", "default", "anything", True),
    ("*", "default", "books", True),
    ("*/books", "other", "books", True),
    ("book?", "default", "books", True),
    ("books", "default", "books\n", False),
    ("default/books", "default/books", "x", False),
]


@pytest.mark.parametrize(("pattern", "database", "collection", "is_protected"), PROTECTED)
def test_protected_by_a_pattern_in_all_databases_or_one(
    pattern: str, database: str, collection: str, is_protected: bool, lock: Any
) -> None:
    lock("nothing", pattern)
    place = Place(cluster="main", database=database, collection=collection)
    assert protected_by(place) == (f"“{pattern}” in [clusters.main]" if is_protected else "")
    assert protected_by(replace(place, cluster="free")) == ""
    assert protected_by(replace(place, cluster="gone")) == ""


@pytest.mark.parametrize("action", sorted(Action))
@pytest.mark.parametrize("who", [actor(groups=("team",)), SHELL], ids=["everything", "shell"])
def test_lock_overrides_every_permission_even_at_the_shell(
    who: Actor, action: Action, lock: Any, settings: Any
) -> None:
    settings.ACCESS = (rule("team", "*"),)
    lock()
    assert may(who, action, BOOKS)
    lock("books")
    decision = decide(who, action, BOOKS)
    assert decision.allowed is (not action.is_mutating), "looking stays allowed"
    if action.is_mutating:
        assert decision.why == "It is protected by “books” in [clusters.main]"
    assert may(who, action, replace(BOOKS, collection="films"))
    assert may(who, action, replace(BOOKS, cluster="free"))


def test_decide_without_permission_looks_up_no_lock(lock: Any, settings: Any) -> None:
    """A user without the permission is not told what is protected."""
    settings.ACCESS = (rule("team", "drop", databases=("elsewhere",)),)
    lock("books")
    decision = decide(actor(groups=("team",)), Action.DROP_COLLECTION, BOOKS)
    assert decision.why == "No rule grants this to your groups"
