"""What is recorded and raised in English, shown in the language of the reader.

Below the pages everything is English: the audit log, the log of the process and the commands take
it as it is. A page finds the template that an English text was made from (recorded.py) and
translates that. A text without a template is shown as it is.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from django.utils.text import capfirst
from django.utils.translation import get_language, pgettext

from .languages import ENGLISH
from .recorded import CONTEXT, TEMPLATES

PLACEHOLDER = re.compile(r"%\((\w+)\)s")
OPTIONAL = "maybe"  # how the names begin of those that may stand for nothing
NESTED = {"why", "more"}  # placeholders that stand for a sentence of their own
WORDS = {"outcome", "state", "word", "what"}  # and those that stand for a word of a list


def shown(text: object) -> str:
    """An English text in the language of the reader."""
    return _shown(str(text), get_language() or ENGLISH)


def word(text: object) -> str:
    """A word of a list, such as an outcome, in the language of the reader."""
    return pgettext(CONTEXT, str(text)) if text else ""


def sentence(text: str) -> str:
    """The text with the full stop of the language."""
    return text + pgettext("end of a sentence", ".")


def sentences(*texts: object) -> str:
    """The texts that are not empty, one after another; Chinese puts no space between sentences."""
    space = "" if (get_language() or ENGLISH).startswith("zh") else " "
    return space.join(filter(None, map(str, texts)))


def listed(values: Iterable[object]) -> str:
    """Values in a row, with what the language puts between them."""
    return comma().join(map(str, values))


def comma() -> str:
    """What the language puts between the values of a list."""
    return pgettext("between values", ", ")


def shown_filters(text: str) -> str:
    """The filters of a list, which English joins with commas, in the language of the reader."""
    return _shown_filters(text, get_language() or ENGLISH)


@lru_cache(maxsize=512)
def _shown_filters(text: str, language: str) -> str:
    if language == ENGLISH:
        return text
    made, part = [], ""
    for piece in text.split(", "):  # what was searched for may have a comma itself
        part = f"{part}, {piece}" if part else piece
        if (found := _filter(part)) is not None:
            made.append(found)
            part = ""
    return listed([*made, part] if part else made)


def _filter(text: str) -> str | None:
    """A word that is an adjective here, and a participle in other sentences; or a template."""
    words = {"loaded": pgettext("filter", "loaded"), "protected": pgettext("filter", "protected")}
    return words.get(text) or _translated(text)


@lru_cache(maxsize=4096)
def _shown(text: str, language: str) -> str:
    if language == ENGLISH or not text:
        return text
    found = _translated(text)
    if found is None and text.endswith("."):
        found = _translated(text[:-1])
        found = None if found is None else sentence(found)
    return _sentence_by_sentence(text, language) if found is None else found


def _sentence_by_sentence(text: str, language: str) -> str:
    """The longest beginning that has a template, and then the rest."""
    for end in [match.end() for match in re.finditer(r"[.:] ", text)][::-1]:
        first = text[:end].rstrip()
        found = _translated(first)
        if found is None and (bare := _translated(first[:-1])) is not None:
            found = sentence(bare)
        if found is not None:
            return found + _shown(text[end:], language)
    return text


def _translated(text: str) -> str | None:
    """By the template that fits the whole text, the most literal one first."""
    for beginning, pattern, template in _patterns():
        if text.startswith(beginning) and (match := pattern.fullmatch(text)):
            values = match.groupdict()
            made = pgettext(CONTEXT, template)
            return made % {k: _value(k, v) for k, v in values.items()} if values else made
    return None


def _value(placeholder: str, value: str) -> str:
    if placeholder in NESTED:
        return shown(value)
    if placeholder == "filters":
        return shown_filters(value)
    if placeholder not in WORDS:
        return value
    found = word(value)
    return word(capfirst(value)) if found == value else found


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], str]]:
    """Each template as its literal beginning, the texts that it can make, and itself."""
    by_length = sorted(set(TEMPLATES), key=lambda t: -len(PLACEHOLDER.sub("", t)))
    return [(PLACEHOLDER.split(t)[0], _pattern(t), t) for t in by_length]


def _pattern(template: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(template)  # literal, name, literal, name, …
    texts = [
        f"(?P<{part}>{'.*' if part.startswith(OPTIONAL) else '.+'})"
        if at % 2
        else re.escape(part.replace("%%", "%"))
        for at, part in enumerate(parts)
    ]
    return re.compile("".join(texts), re.S)
