"""The documentation, parsed: links, headings, code blocks and the names in them."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")  # may be wrapped once
HEADING = re.compile(r"^#{1,6} (.+)$", re.M)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block, with the place to look for it."""

    path: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.path.name}:{self.line}"


def read(path: str | Path) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """All fenced blocks in one of these languages."""
    return [b for path in DOCS for b in _blocks_of(path) if b.language in languages]


def _blocks_of(path: Path) -> Iterator[Block]:
    text = read(path)
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Block(path, line, found[1], dedent(found[2]))


def prose(path: Path) -> str:
    """The text without its fenced blocks."""
    return FENCE.sub("", read(path))


def inline(path: Path) -> list[str]:
    """What is written between backticks, outside blocks, on one line."""
    return [" ".join(found.split()) for found in INLINE.findall(prose(path))]


def links(path: Path) -> list[str]:
    """Where links and pictures lead that stay in the repository."""
    found = LINK.findall(INLINE.sub("", prose(path)))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def anchors(path: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, spaces to dashes, no punctuation."""
    names: list[str] = []
    for heading in HEADING.findall(prose(path)):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        kept = "".join(c for c in text if c in " -_" or _is_word(c)).replace(" ", "-")
        again = names.count(kept)
        names += [kept, f"{kept}-{again}"] if again else [kept]
    return set(names)


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def commands(path: Path) -> Iterator[str]:
    """Each command of the shell blocks, without comments."""
    for block in _blocks_of(path):
        if block.language in {"sh", "bash"}:
            yield from statements(block.text)


def statements(text: str) -> list[str]:
    """A shell script cut at line breaks and operators, as far as those are not quoted."""
    found, quote, rest = [""], "", iter(text.replace("\\\n", " "))
    for character in rest:
        if not quote and character == "#" and found[-1][-1:] in {"", " "}:
            while next(rest, "\n") != "\n":
                pass
            found.append("")
        elif not quote and character in "\n;&|":
            found.append("")
        else:
            found[-1] += character
            if character in {quote, *(() if quote else "'\"")}:
                quote = "" if quote else character
    return [statement.strip() for statement in found if statement.strip()]


def in_code(path: Path) -> list[str]:
    """Everything that is written as code for a shell: lines of blocks, and between backticks."""
    return [*commands(path), *inline(path)]
