"""The glossary in CONTRIBUTING.md has each label of the pages; its taboos appear nowhere."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from collections_app.audit.log import Outcome
from collections_app.operations.kinds.acts import ACTS
from tests.documents import DOCS, INLINE, ROOT, prose, read

TEMPLATES = sorted((ROOT / "templates").glob("**/*.html"))
# CONTRIBUTING.md quotes what not to write; the change log names what old versions said.
PAGES = [page for page in DOCS if page.name not in {"CONTRIBUTING.md", "CHANGELOG.md"}]

TEMPLATE_CODE = re.compile(r"{%.*?%}|{#.*?#}", re.S)
VARIABLE = re.compile(r"{{.*?}}", re.S)
ELEMENT = re.compile(r"<[^>]*>")
LABEL = re.compile(r"<(th|dt)\b[^>]*>(.*?)</\1>", re.S)
BUTTON = re.compile(
    r"<button\b[^>]*>(.*?)</button>|<a\b[^>]*\bclass=\"(?:button|drop)\b[^>]*>(.*?)</a>", re.S
)
BADGE = re.compile(r"<span\b[^>]*\bclass=\"(?:outcome|badge|state)\b[^>]*>(.*?)</span>", re.S)
READ_ALOUD = re.compile(r"\b(?:title|aria-label|placeholder)=\"([^\"]*)\"")
LINK_TARGET = re.compile(r"\]\([^)]*\)")


# --- the glossary --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its terms, and what the thing is not to be called."""

    terms: tuple[str, ...]
    taboos: tuple[str, ...]


def glossary() -> list[Row]:
    _, _, text = read("CONTRIBUTING.md").partition("\n### Glossary\n")
    section = text.partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert {len(row) for row in cells} == {3}, [row for row in cells if len(row) != 3]
    return [Row(_words(terms), _words(taboos)) for terms, _, taboos in cells if terms != "term"]


def _words(cell: str) -> tuple[str, ...]:
    """The terms between commas, without what is in parentheses."""
    plain = re.sub(r"\([^)]*\)", "", cell)
    return tuple(filter(None, map(normalised, plain.split(","))))


def normalised(text: str) -> str:
    """Lower case and straight apostrophes; without punctuation around it."""
    return " ".join(text.replace("’", "'").lower().split()).strip(" …?!.:,*()↑↓")


GLOSSARY = glossary()
TERMS = {form for row in GLOSSARY for term in row.terms for form in (term, f"{term}s", f"{term}es")}
TABOOS = [taboo for row in GLOSSARY for taboo in row.taboos]


# --- the pages -----------------------------------------------------------------------------------


MARKED = re.compile(r'{% translate "([^"]*)"[^%]*%}|\b_\("([^"]*)"\)')


def source(template: Path) -> str:
    """With the text of what is marked for translation."""
    text = MARKED.sub(lambda m: m[1] or m[2], template.read_text(encoding="utf-8"))
    return TEMPLATE_CODE.sub(" ", text)


def text_of(markup: str) -> str:
    """What is written in it; a variable of the template is left out."""
    return normalised(VARIABLE.sub(" ", ELEMENT.sub(" ", markup)))


def labels(template: Path) -> set[str]:
    """Headings of columns, names of facts, and words in badges."""
    text = source(template)
    markup = [inner for _, inner in LABEL.findall(text)] + BADGE.findall(text)
    return set(map(text_of, markup)) - {""}


def buttons(template: Path) -> set[str]:
    found = ["".join(groups) for groups in BUTTON.findall(source(template))]
    return {text_of(markup) for markup in found if not markup.lstrip().startswith("{{")} - {""}


def readable(template: Path) -> str:
    """All that a person sees or hears of it."""
    text = source(template)
    return f"{text_of(text)} {' '.join(map(text_of, READ_ALOUD.findall(text)))}"


def begins_with_a_term(text: str) -> bool:
    words = text.split()
    return any(" ".join(words[:count]) in TERMS for count in range(1, len(words) + 1))


# --- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_labels_of_a_template_are_in_the_glossary(template: Path) -> None:
    assert sorted(labels(template) - TERMS) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_buttons_of_a_template_begin_with_a_term(template: Path) -> None:
    assert [text for text in sorted(buttons(template)) if not begins_with_a_term(text)] == []


def test_outcomes_and_verbs_of_operations_are_in_the_glossary() -> None:
    words = {str(outcome) for outcome in Outcome if outcome}
    words |= {act.verb for act in ACTS.values()}
    assert sorted(words - TERMS) == []


@pytest.mark.parametrize("taboo", TABOOS)
def test_taboos_of_the_glossary_are_written_nowhere(taboo: str) -> None:
    pattern = re.compile(rf"\b{re.escape(taboo)}\b")
    pages = {page: LINK_TARGET.sub("]", INLINE.sub("", prose(page))) for page in PAGES}
    texts = {page: normalised(text) for page, text in pages.items()}
    texts |= {template: readable(template) for template in TEMPLATES}
    assert [
        str(path.relative_to(ROOT)) for path, text in texts.items() if pattern.search(text)
    ] == []


def test_terms_are_listed_once_and_are_no_taboos() -> None:
    terms = [term for row in GLOSSARY for term in row.terms]
    assert sorted({term for term in terms if terms.count(term) > 1}) == []
    assert sorted(set(terms) & set(TABOOS)) == []


def test_reader_of_templates_reads_all_forms(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<th scope="col"><span class="hidden">Rows</span> ↑</th><dt>Known as</dt>'
        '<span class="outcome {{ a }}">{{ a }}{% if b %}, being looked at{% endif %}</span>'
        '<button class="button">Look now</button><a class="drop" href="">Drop…</a>'
        '<button>{{ operation.verb }} it</button><i title="Ada is at it"></i>'
    )
    assert labels(page) == {"rows", "known as", "being looked at"}
    assert buttons(page) == {"look now", "drop"}
    assert "ada is at it" in readable(page)
    assert not begins_with_a_term("look now")
