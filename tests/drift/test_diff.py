"""The comparison of an inventory with lists of collections."""

import pytest

from collections_app.drift.diff import CollectionEntry, differences
from collections_app.milvus.types import Identity

A, B = "a", "b"  # databases


def a_collection(database: str, name: str, id_: int) -> CollectionEntry:
    return CollectionEntry(database=database, name=name, identity=Identity(id=id_), row=1)


def told(known: list[tuple[str, str, int]], lists: dict[str, dict[str, int]]) -> list[str]:
    """Each difference as "was > now", with a plus if `now` is new."""
    identities = {
        database: {name: Identity(id=id_) for name, id_ in names.items()}
        for database, names in lists.items()
    }
    found = differences([a_collection(*each) for each in known], identities)
    return sorted(f"{_side(d.before)} > {_side(d.after)}{'+' if d.is_new else ''}" for d in found)


def _side(side: CollectionEntry | None) -> str:
    return f"{side.database}.{side.name}.{side.identity.id}" if side else "-"


@pytest.mark.parametrize(
    ("known", "lists", "expected"),
    [
        ([(A, "x", 1)], {A: {"x": 1}}, []),
        ([], {A: {"x": 1}}, ["- > a.x.1+"]),
        ([(A, "x", 1)], {A: {}}, ["a.x.1 > -"]),
        ([(A, "x", 1)], {}, []),
        ([(A, "x", 1)], {B: {}}, []),
        ([(A, "x", 1)], {A: {"x": 2}}, ["a.x.1 > a.x.2+"]),
        ([(A, "x", 1)], {A: {"y": 1}}, ["a.x.1 > a.y.1"]),
        ([(A, "x", 1)], {A: {}, B: {"x": 1}}, ["a.x.1 > b.x.1"]),
        ([(A, "x", 1)], {B: {"x": 1}}, ["a.x.1 > b.x.1"]),
        ([(A, "x", 1), (A, "y", 2)], {A: {"x": 2, "y": 1}}, ["a.x.1 > a.y.1", "a.y.2 > a.x.2"]),
        ([(A, "x", 1), (A, "y", 2)], {A: {"y": 1}}, ["a.x.1 > a.y.1", "a.y.2 > a.y.1"]),
        # Two that had the same name, one after the other: a namesake is new only once.
        ([(A, "x", 1), (A, "x", 2)], {A: {"x": 3}}, ["a.x.1 > a.x.3+", "a.x.2 > a.x.3"]),
        ([(A, "x", 1), (A, "x", 2)], {A: {"x": 2}}, ["a.x.1 > a.x.2"]),
        # Without ids a name is all there is.
        ([(A, "x", 0)], {A: {"x": 0}}, []),
        ([(A, "x", 0)], {A: {"y": 0}}, ["- > a.y.0+", "a.x.0 > -"]),
        ([(A, "x", 0), (B, "x", 0)], {A: {}, B: {"x": 0}}, ["a.x.0 > -"]),
    ],
)
def test_diff_finds_the_differences(
    known: list[tuple[str, str, int]], lists: dict[str, dict[str, int]], expected: list[str]
) -> None:
    assert told(known, lists) == expected
