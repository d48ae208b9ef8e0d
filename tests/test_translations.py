"""Every string of the pages is marked, and translated; what is recorded has a template."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from collections_app.web import shown
from collections_app.web.recorded import TEMPLATES
from tests.documents import ROOT, read
from tests.infra import messages

PAGES = sorted((ROOT / "templates").rglob("*.html"))
VIEWS = [
    *sorted((ROOT / "collections_app/web").glob("*.py")),
    *sorted((ROOT / "milvusadmin/sso").glob("*.py")),
]
BLOCK = re.compile(r"{% blocktranslate.*?{% endblocktranslate %}", re.S)
CODE = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.S)
ARGUMENT = re.compile(r"""(?:\b\w+=|\bdefault:|\byesno:)"([^"]*)\"""")
READ = {"title", "aria-label", "placeholder", "alt", "data-unit"}
NAMES = {"Milvus Admin", "Milvus", "·", "Milvus Admin Milvus"}


# --- templates -----------------------------------------------------------------------------------


class Texts(HTMLParser):
    """What of a page can be read, text and attributes."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(source)

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for key, value in attrs if key in READ]


def unmarked(source: str) -> list[str]:
    """The strings of a template that stand outside of a mark."""
    rest = BLOCK.sub("", source)
    tags = [tag for tag in CODE.findall(rest) if not tag.startswith(("{% url", "{% translate"))]
    arguments = [text for tag in tags for text in ARGUMENT.findall(tag)]
    labels = [text for text in arguments if re.match(r"[A-Z][a-z]+\b", text)]
    plain = CODE.sub("", re.sub(r"<!DOCTYPE.*?>|<meta[^>]*>", "", rest))
    texts = [" ".join(text.split()) for text in Texts(plain).found]
    read_by_people = [text for text in texts if re.search(r"[A-Za-z]{2}", text)]
    return [text for text in [*labels, *read_by_people] if text.strip(" ·") not in NAMES]


@pytest.mark.parametrize("template", PAGES, ids=lambda template: template.name)
def test_template_strings_are_marked(template: Path) -> None:
    assert unmarked(template.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Drop it</p>",
        '<p title="Drop it"></p>',
        '<button aria-label="Close"></button>',
        '{% include "a.html" with text="Drop it" %}',
        "<p>{% if a %}Drop it{% endif %}</p>",
    ],
)
def test_template_string_without_a_mark_is_found(source: str) -> None:
    assert unmarked(source)
    assert unmarked("<p>{% translate 'Drop it' %} {{ name }}</p>") == []


# --- Python --------------------------------------------------------------------------------------

MARKS = {"gettext", "_", "gettext_lazy", "ngettext", "pgettext", "msg", "word", "shown"}
READ_ARGUMENTS = {"title", "text", "label", "note", "notice", "badge", "word", "link_text"}
SENTENCE = re.compile(r"[A-Z][a-z’']+ (?:[a-zA-Z’'{}“”]+[ ,.:;]?)+|[A-Z].+…$")
LANGUAGES = {"Python", "Java", "Node.js", "Go", "cURL", "CLI"}
# Not for people: code of snippets, formats, headers, and errors that only a bug can raise.
NOT_READ = re.compile(r"^(?:Cache-Control|Content-|attachment|Origin checking|Referer checking)")


def sentences(path: Path) -> Iterator[str]:
    """The string constants of a module that read like something for people, and have no mark."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(node) for call in ast.walk(tree) if _is_marked(call) for node in ast.walk(call)}
    inside |= {id(body.value) for body in ast.walk(tree) if isinstance(body, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in inside:
            continue
        if isinstance(node, ast.keyword) and node.arg in READ_ARGUMENTS:
            text = _literal(node.value)
            if re.match(r"[A-Z]", text) and text not in LANGUAGES:
                yield text
        text = _literal(node)
        if SENTENCE.fullmatch(text) and not NOT_READ.match(text):
            yield text


def _is_marked(node: ast.AST) -> bool:
    """Whether it is a call of a mark, or one whose strings are not for pages."""
    if not isinstance(node, ast.Call):
        return False
    name = ast.unparse(node.func)
    return name in MARKS or name.startswith(("logger.", "events.", "re."))


def _literal(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(_literal(part) or "{}" for part in node.values)
    return ""


# Recorded in English, raised for the log only, or a language's own name.
RECORDED = {
    "client.py",
    "claims.py",
    "exchange.py",
    "session.py",
    "logout.py",
    "proxy.py",
    "events.py",
    "recorded.py",
}
ENGLISH = {
    "No rule grants this to these groups. Requested: {}",
    "Invalid confirmation: {}",
    "Sign-in refused: {}",
    "Signed in with a local account",
    "Locked after too many wrong passwords",
    "Wrong name or password",
}


@pytest.mark.parametrize(
    "path", [p for p in VIEWS if p.name not in RECORDED], ids=lambda path: path.name
)
def test_view_sentences_are_marked(path: Path) -> None:
    assert [text for text in sentences(path) if text not in ENGLISH] == []


# --- what is recorded ----------------------------------------------------------------------------

BELOW = [
    *sorted((ROOT / "collections_app/operations/kinds").glob("*.py")),
    *(
        ROOT / "collections_app" / name
        for name in (
            "access/approval.py",
            "access/policy.py",
            "operations/bin_moves.py",
            "operations/creation.py",
            "operations/late_drops.py",
            "operations/limits.py",
            "operations/protections.py",
            "operations/protocol.py",
            "operations/reconcile.py",
            "operations/sending.py",
            "operations/strict.py",
            "plans/approving.py",
            "plans/building.py",
            "plans/deciding.py",
            "plans/reading.py",
            "plans/running.py",
            "plans/validity.py",
            "recycle_bin/check.py",
            "recycle_bin/pause.py",
            "recycle_bin/purging.py",
            "drift/events.py",
        )
    ),
]
CONDITIONS = {"Milvus drops partitions like this one"}  # names of enum members, never shown
# Parts of sentences: the whole that they belong to has a template.
PARTS = re.compile(r"^(?:[^A-Z]|The (?:aliases|partitions|load state)$)")
SKELETON = re.compile(r"\{\w*\}|%\(\w+\)s")


@cache
def skeletons() -> set[str]:
    return {SKELETON.sub("{}", template).rstrip(". {}") for template in TEMPLATES}


def without_template(path: Path) -> list[str]:
    """The sentences of a module below the pages that no template can be found for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skip = {id(body.value) for body in ast.walk(tree) if isinstance(body, ast.Expr)}
    skip |= {id(n) for call in ast.walk(tree) if _is_marked(call) for n in ast.walk(call)}
    skip |= {
        id(n) for text in ast.walk(tree) if isinstance(text, ast.JoinedStr) for n in text.values
    }
    found = [_literal(node) for node in ast.walk(tree) if id(node) not in skip]
    said = [text for text in found if len(text.split()) > 3 and not PARTS.match(text)]
    return [text for text in said if text not in CONDITIONS and not _has_template(text)]


def _has_template(text: str) -> bool:
    """Whether it is a template, or begins one, or is made of several."""
    whole = SKELETON.sub("{}", text).rstrip(". {}")
    beginnings = any(one.startswith(whole) for one in skeletons())
    parts = [part for part in re.split(r"(?<=[.:]) ", whole) if part != "{}"]
    return beginnings or all(part.rstrip(".: {}") in skeletons() for part in parts)


@pytest.mark.parametrize("path", BELOW, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_recorded_sentences_have_a_template(path: Path) -> None:
    assert without_template(path) == [], "add it to collections_app/web/recorded.py"


@pytest.mark.parametrize("template", sorted(set(TEMPLATES)))
def test_recorded_template_is_found_by_its_text(template: str) -> None:
    """A template that hides another one would show the wrong sentence."""
    text = shown.PLACEHOLDER.sub("17", template).replace("%%", "%")
    fitting = [found for _, pattern, found in shown._patterns() if pattern.fullmatch(text)]
    assert fitting[0] == template or len(fitting[0]) >= len(template)


# --- the catalogues ------------------------------------------------------------------------------

PLACEHOLDER = re.compile(r"%\(\w+\)s|%%|\{\}|<[^>]+>")


@pytest.fixture(params=messages.catalogues(), ids=lambda path: path.parent.parent.name)
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    return messages.read(request.param)


def test_catalogue_has_the_strings_of_the_code_and_no_others(catalogue: Catalog) -> None:
    wanted = {(message.id, message.context) for message in messages.template() if message.id}
    assert wanted == {(message.id, message.context) for message in catalogue if message.id}, (
        "run: make messages, and translate"
    )
    assert not catalogue.obsolete


def test_catalogue_is_translated_with_the_same_placeholders(catalogue: Catalog) -> None:
    faults = []
    for message in catalogue:
        texts = message.string if isinstance(message.string, tuple) else (message.string,)
        source = message.id if isinstance(message.id, str) else message.id[-1]
        wanted = sorted(PLACEHOLDER.findall(source))
        is_whole = all(text and sorted(PLACEHOLDER.findall(text)) == wanted for text in texts)
        if message.id and (message.fuzzy or not is_whole):
            faults.append(message.id)
    assert faults == []


def chinese_terms() -> list[list[str]]:
    _, _, text = read("CONTRIBUTING.md").partition("\n## Chinese terms\n")
    lines = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


def test_chinese_terms_are_used_and_their_taboos_are_not() -> None:
    texts = "\n".join(
        str(message.string)
        for message in messages.read(messages.LOCALE / "zh_Hans/LC_MESSAGES/django.po")
    )
    terms = [term for row in chinese_terms() for term in row[1].split("、")]
    taboos = [word for row in chinese_terms() for word in row[2].split("、") if word]
    assert [term for term in terms if term not in texts] == []
    assert [word for word in taboos if word in texts] == []
