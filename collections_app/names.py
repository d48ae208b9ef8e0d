"""Names that people can read and type, whatever is in them."""

ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}


def escaped(char: str) -> str:
    """A character as it is written in code: `\\n`, `\\u200b`."""
    code = ord(char)
    if char in ESCAPES:
        return ESCAPES[char]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def is_server_name(name: str) -> bool:
    """Whether a Milvus server could have it: it takes white space at the ends, and letters else.

    Milvus Lite takes anything. Seen on 2.3.5.
    """
    return name.strip().isprintable()


def typable(name: str) -> str:
    """What to type to confirm a name: itself, unless it holds what no keyboard gives.

    Then it is the name with those characters (and backslashes) escaped, which stays unambiguous.
    A plain space is typed as it is.
    """
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() and c != "\\" else escaped(c) for c in name)


def readable(text: str) -> str:
    """Text that people chose, with everything escaped that can't be seen or turns the line around.

    For sentences: unlike `typable`, a backslash stays one.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else escaped(c) for c in text)


def pieces(name: str) -> list[tuple[str, str]]:
    """The name in runs of ("text" | "space" | "mark", content), to show what is invisible.

    Spaces at the ends and doubled inside are "space"; unprintable characters are escaped marks.
    """
    if name and " " not in name and name.isprintable():
        return [("text", name)]
    runs: list[tuple[str, str]] = []
    for index, char in enumerate(name):
        kind, shown = _piece(name, index, char)
        if runs and kind == "text" == runs[-1][0]:
            runs[-1] = ("text", runs[-1][1] + shown)
        else:
            runs.append((kind, shown))
    return runs


def _piece(name: str, index: int, char: str) -> tuple[str, str]:
    if not char.isprintable():
        return "mark", escaped(char)
    at_edge = index in {0, len(name) - 1} or not name[:index].strip() or not name[index:].strip()
    if char == " " and (at_edge or " " in {name[index - 1], name[index + 1]}):
        return "space", char
    return "text", char
