"""Sentences that are recorded in English and shown in the language of the reader.

The audit log, the log of the process and the commands take the text as it is: a `Sentence` is a
string, and the string is English. A template shows it translated, because Django asks a value
for `__html__` before it escapes it. No Django here: the service layer for Milvus writes
sentences, too. The app sets `translator` at its start.
"""

from collections.abc import Callable
from html import escape
from typing import Any, Self

CONTEXT = "record"  # of these sentences in the catalogue, to tell them from those of pages


class Translator:
    """How sentences are translated: not at all, until the app sets it."""

    translate: Callable[[str], str] = staticmethod(lambda template: template)
    templates: Callable[[], tuple[str, ...]] = staticmethod(tuple)


class Sentence(str):
    """English text that knows from which template and values it was made."""

    __slots__ = ("template", "values")
    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, values: dict[str, Any]) -> Self:
        made = super().__new__(cls, template % values if values else template)
        made.template, made.values = template, values
        return made

    def __str__(self) -> str:  # an exception's own str() keeps what it was made from
        return self

    def __html__(self) -> str:
        return escape(self.translated())

    def translated(self) -> str:
        """The text in the language that is active now."""
        template = Translator.translate(self.template)
        if not self.values:
            return template
        return template % {key: translated(value) for key, value in self.values.items()}


def say(template: str, /, **values: Any) -> Sentence:
    """A sentence for people: `say("%(name)s is gone", name=name)`. Its template is extracted."""
    return Sentence(template, values)


def translated(value: Any) -> Any:
    """A value for a page: sentences translated, everything else as it is."""
    return value.translated() if isinstance(value, Sentence) else value
