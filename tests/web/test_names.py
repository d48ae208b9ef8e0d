"""Names are shown in full, and the text to type identifies one name only."""

import pytest

from collections_app.names import escaped, pieces, typable

ORDINARY = ["books", "a b", "Bücher", "図書館", "🦉", "مكتبة", "it's", "<b>", "100%", r"back\slash"]


@pytest.mark.parametrize("name", ORDINARY)
def test_typable_name_of_keyboard_characters_is_itself(name: str) -> None:
    assert typable(name) == name


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("a\n", r"a\n"),
        ("a\r\t", r"a\r\t"),
        ("a\x00", r"a\x00"),
        ("a\x7f", r"a\x7f"),
        ("a\u00a0b", r"a\xa0b"),
        ("a\u200bb", r"a\u200bb"),
        ("gp\u202efdp", r"gp\u202efdp"),
        ("\ufeffa", r"\ufeffa"),
        ("a\U000e0001", r"a\U000e0001"),
        ("a\\\n", r"a\\\n"),
        (" a \n", r" a \n"),
    ],
)
def test_typable_name_of_other_characters_is_escaped(name: str, typed: str) -> None:
    assert typable(name) == typed
    assert typed.isprintable()


def test_typable_of_two_names_is_never_the_same() -> None:
    """Otherwise typing the name on the page would confirm another collection."""
    parts = ["a", "\n", "\\", "n", " ", "\u202e", "\\n"]
    names = {x + y + z for x in parts for y in parts for z in parts}
    odd = [name for name in names if typable(name) != name]
    assert len({typable(name) for name in odd}) == len(odd)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("books", [("text", "books")]),
        ("a b", [("text", "a b")]),
        (" a", [("space", " "), ("text", "a")]),
        ("a ", [("text", "a"), ("space", " ")]),
        ("  ", [("space", " "), ("space", " ")]),
        ("a  b", [("text", "a"), ("space", " "), ("space", " "), ("text", "b")]),
        ("a\nb", [("text", "a"), ("mark", r"\n"), ("text", "b")]),
        ("a \n", [("text", "a"), ("space", " "), ("mark", r"\n")]),
        ("\u200b", [("mark", r"\u200b")]),
        ("", []),
    ],
)
def test_pieces_mark_invisible_characters(name: str, expected: list[tuple[str, str]]) -> None:
    assert pieces(name) == expected


@pytest.mark.parametrize(
    ("char", "code"),
    [("\n", r"\n"), ("\\", r"\\"), ("\x01", r"\x01"), ("\u2028", r"\u2028"), ("🦉", r"\U0001f989")],
)
def test_escaped_character_is_a_python_escape(char: str, code: str) -> None:
    assert escaped(char) == code
    assert code.encode().decode("unicode_escape") == char
