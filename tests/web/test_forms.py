"""The forms: names are compared exactly, and an invalid filter says so."""

import pytest

from collections_app.web.forms import AuditFilterForm, ConfirmForm


def confirm(expected: str, typed: str, **more: str) -> ConfirmForm:
    form = ConfirmForm({"token": "t", "typed_name": typed, **more}, expected=expected)
    form.is_valid()
    return form


@pytest.mark.parametrize(
    "name", ["books", " both ends ", "a  b", "Ünï", "x" * 255, r"a\b", "é", "e\u0301"]
)
def test_confirm_form_with_the_exact_name_is_valid(name: str) -> None:
    form = confirm(name, name, reason=" why ")
    assert form.is_valid()
    assert form.cleaned_data["typed_name"] == name
    assert form.cleaned_data["reason"] == "why"


def test_name_with_a_line_break_is_confirmed_by_its_escape() -> None:
    assert confirm("a\n", r"a\n").is_valid()
    assert not confirm("a\n", "a\n").is_valid()
    assert not confirm("a\n", "a").is_valid()


def test_confirm_form_takes_the_longest_escaped_name() -> None:
    assert confirm("\U000e0001" * 255, r"\U000e0001" * 255).is_valid()


@pytest.mark.parametrize(
    ("expected", "typed", "words"),
    [
        ("books", "", "Type the name."),
        ("books", "book", "That is not the name."),
        ("books", "books2", "That is not the name."),
        ("books", "books\0", "Null characters are not allowed."),
        ("books", "\tbooks", "Spaces at the start or the end differ."),
        ("books", "books ", "Spaces at the start or the end differ."),
        (" books", "books", "Spaces at the start or the end differ."),
        ("books", " ", "That is not the name."),
        ("books", "Books", "Upper and lower case differ."),
        ("straße", "STRASSE", "Upper and lower case differ."),
        ("é", "e\u0301", "That is not the name."),
        ("a", "\u0430", "That is not the name."),
        ("ﬁle", "file", "Upper and lower case differ."),
        ("a b", "a  b", "That is not the name."),
        ("a", "a" * 3001, "at most 3000 characters"),
    ],
)
def test_confirm_form_with_any_difference_names_it(expected: str, typed: str, words: str) -> None:
    form = confirm(expected, typed)
    assert not form.is_valid()
    assert words in form.errors["typed_name"][0]


@pytest.mark.parametrize(
    ("field", "value"), [("reason", "x" * 501), ("reason", "a\0b"), ("token", "")]
)
def test_confirm_form_checks_its_other_fields(field: str, value: str) -> None:
    assert field in confirm("books", "books", **{field: value}).errors


def test_confirm_form_field_disables_autocorrection() -> None:
    html = str(ConfirmForm(expected="books")["typed_name"])
    for attribute in (
        'autocomplete="off"',
        'autocapitalize="off"',
        'autocorrect="off"',
        'spellcheck="false"',
    ):
        assert attribute in html
    assert "books" not in html, "the name is typed, not given"


def test_audit_filter_form_empty_is_valid() -> None:
    assert AuditFilterForm({}).is_valid()


def test_audit_filter_form_keeps_spaces_of_a_name() -> None:
    form = AuditFilterForm({"what": "books ", "who": " ada "})
    assert form.is_valid()
    assert (form.cleaned_data["what"], form.cleaned_data["who"]) == ("books ", "ada")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("since", "31.12.2026 12:00"),
        ("until", "9999-12-31"),
        ("since", "1999-12-31"),
        ("outcome", "perhaps"),
        ("what", "x" * 256),
        ("who", "\0"),
    ],
)
def test_audit_filter_form_invalid_value_errs_in_its_field(field: str, value: str) -> None:
    form = AuditFilterForm({field: value, "cluster": "main"})
    assert list(form.errors) == [field]
    assert form.cleaned_data["cluster"] == "main"


def test_audit_filter_form_offers_every_outcome() -> None:
    offered = dict(AuditFilterForm().fields["outcome"].choices)  # type: ignore[attr-defined]
    assert set(offered) == {
        "",
        "open",
        "succeeded",
        "failed",
        "incomplete",
        "not done so far",
        "refused",
        "unknown",
        "denied",
        "not found",
        "changed",
        "blocked",
        "busy",
        "external",
    }
