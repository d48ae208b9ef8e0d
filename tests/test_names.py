"""Tests are called subject, condition, result: rule 12 of "How we write" in CONTRIBUTING.md."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
LONGEST = 60
NO_SUBJECT = {"a", "an", "it", "so", "the", "what", "where", "while", "who"}


def test_names_of_tests_begin_with_a_subject_and_are_short() -> None:
    names = {name for path in TESTS.rglob("*.py") for name in names_in(path.read_text())}
    assert len(names) > 1000
    assert sorted(name for name in names if not conforms(name)) == []


@pytest.mark.parametrize("name", ["test_it_works", "test_the_list_is_sorted", f"test_{'x' * 56}"])
def test_conforms_name_against_the_rule_is_false(name: str) -> None:
    assert not conforms(name)


def names_in(source: str) -> list[str]:
    """Return the names of all test functions of a module."""
    functions = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef)]
    return [n.name for n in functions if n.name.startswith("test_")]


def conforms(name: str) -> bool:
    """Return whether a name is short enough and begins with a subject."""
    return len(name) <= LONGEST and name.split("_")[1] not in NO_SUBJECT
