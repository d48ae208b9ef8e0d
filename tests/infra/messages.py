"""The strings of the code and the templates, and the catalogues that translate them.

    make messages         # adds new strings to the .po files, and drops those that are gone

Babel reads Python. Of templates Django's own nodes are asked, so no xgettext is needed.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent.parent
LOCALE = ROOT / "collections_app" / "locale"
# Where the arguments that are messages stand. `msg` is for what is recorded in English.
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "msg": None,
}
LITERAL = re.compile(r"""\b_\("([^"]+)"\)""")
Message = tuple[str, str | tuple[str, str], str | None]  # file, msgid (with plural), context


def messages() -> Iterator[Message]:
    """Everything that is marked, with the file it is in."""
    for folder in ("collections_app", "milvusadmin"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from _of_python(path)
    for path in sorted((ROOT / "templates").rglob("*.html")):
        yield from of_template(path)


def _of_python(path: Path) -> Iterator[Message]:
    with path.open("rb") as source:
        for _, function, found, _ in extract_python(source, list(KEYWORDS), [], {}):
            yield from _message(path, function, found)


def _message(path: Path, function: str, found: object) -> Iterator[Message]:
    from collections_app.web.recorded import CONTEXT

    texts = list(found) if isinstance(found, list | tuple) else [found]
    context = CONTEXT if function == "msg" else None
    if function == "pgettext":
        context = texts.pop(0)
    if not texts or not texts[0]:
        return  # a variable
    plural = isinstance(KEYWORDS[function], tuple) and function != "pgettext"
    yield _name(path), (texts[0], texts[1]) if plural else texts[0], context


def of_template(path: Path) -> Iterator[Message]:
    from django.template import engines
    from django.templatetags.i18n import BlockTranslateNode, TranslateNode

    source, name = path.read_text(encoding="utf-8"), _name(path)
    nodes = engines["django"].from_string(source).template.nodelist
    for node in nodes.get_nodes_by_type(TranslateNode):
        context = node.message_context
        yield name, str(node.filter_expression.var.literal), context and context.resolve({})
    for node in nodes.get_nodes_by_type(BlockTranslateNode):
        singular = node.render_token_list(node.singular)[0]
        if node.plural:
            yield name, (singular, node.render_token_list(node.plural)[0]), None
        else:
            yield name, singular, None
    for text in LITERAL.findall(source):
        yield name, text, None


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def template() -> Catalog:
    """A catalogue of all messages, without translations."""
    made = Catalog(project="Milvus Admin", charset="utf-8")
    for name, msgid, context in messages():
        made.add(msgid, locations=[(name, 0)], context=context)
    return made


def catalogues() -> list[Path]:
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    with path.open("rb") as source:
        return read_po(source, locale=path.parent.parent.name)


def update(path: Path) -> list[str]:
    """Bring one catalogue up to date. Returns what waits for a translation."""
    catalogue = read(path)
    catalogue.update(template(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    save(catalogue, path)
    return [str(m.id) for m in catalogue if m.id and not is_translated(m.string)]


def is_translated(string: object) -> bool:
    return all(string) if isinstance(string, tuple) else bool(string)


def save(catalogue: Catalog, path: Path) -> None:
    with path.open("wb") as out:
        write_po(out, catalogue, width=100, sort_by_file=True, include_lineno=False)


def compile_stale() -> None:
    """Compile what is older than its source. Another process may do the same at this moment."""
    for path in catalogues():
        compiled = path.with_suffix(".mo")
        if compiled.exists() and compiled.stat().st_mtime >= path.stat().st_mtime:
            continue
        new = compiled.with_suffix(f".{os.getpid()}.mo")
        with new.open("wb") as out:
            write_mo(out, read(path))
        new.replace(compiled)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    for one in catalogues():
        waiting = update(one)
        print(f"{_name(one)}: {len(waiting)} to translate", *waiting[:20], sep="\n  ")
