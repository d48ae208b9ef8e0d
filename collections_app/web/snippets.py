"""The drop an operator is about to confirm, as code, in the six forms of the Milvus documentation.

Names are quoted for each language whatever they contain, because Milvus lets through names one
would not expect (a trailing space or newline), and one wrong character drops something else.
No form holds a token: each reads the environment variable MILVUS_TOKEN. Their text is in
snippets/*.txt; what is put into it here is quoted already.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.template import Engine
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..access.policy import Action
from ..milvus.types import Target
from .shown import sentences

PLACEHOLDER = "http://localhost:19530"  # the address used throughout the documentation

NEEDS_SERVER = _(
    "This form needs the address of a Milvus server, and this connection has none: "
    "%(address)s stands in for it."
)
ONE_PROCESS = _("A local file is open in one process at a time: stop this application first.")
RETRIES = _("%(client)s sends a drop again by itself if the connection breaks.")
NODE_MODULE = _("Save as a .mjs file. An error is printed in the result, not thrown.")
REST_ANSWERS = _("REST answers 200 even for an error: read the code in its answer.")
REST_V1 = _("This server has REST v1 only.")
NO_REST_PARTITION = _(
    "This server has no REST call to drop a partition: this is the form of Milvus 2.4 and later."
)
CLI_STEPS = _(
    "The first line is for the shell, the others for the prompt it opens. milvus_cli keeps the "
    "token readable in ~/.milvus_cli_connections.json, and sends a drop again by itself if the "
    "connection breaks."
)
CLI_ASKS = _("It asks before it deletes.")
CLI_INVISIBLE = _(
    "milvus_cli cannot be given this name: it has a character that cannot be seen, and the prompt "
    "has no way to write it as an escape."
)
CLI_DATABASE = _(
    "milvus_cli cannot be given this database: only letters, digits and _ are safe in it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """One form. `code` is empty where the form cannot express the names; `note` then says why."""

    key: str
    label: str
    code: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drop:
    """What to drop, and where. `partition` is None when the whole collection goes."""

    uri: str  # for Python, which alone opens a local file
    server: str  # for the others
    is_file: bool
    database: str
    collection: str
    partition: str | None
    only_rest_v1: bool

    @property
    def kind(self) -> str:
        return "Collection" if self.partition is None else "Partition"


def of_act(
    action: Action, target: Target, endpoint: str, server_version: str
) -> tuple[Snippet, ...]:
    """The six forms of a drop; none for other acts."""
    where = {
        "endpoint": endpoint,
        "database": target.database,
        "collection": target.collection,
        "server_version": server_version,
    }
    if action is Action.DROP_COLLECTION:
        return drop_collection(**where)
    if action is Action.DROP_PARTITION:
        return drop_partition(partition=target.name, **where)
    return ()


def drop_collection(
    *, endpoint: str, database: str, collection: str, server_version: str = ""
) -> tuple[Snippet, ...]:
    """The six forms of dropping a collection, in the order of the documentation's tabs."""
    return _forms(_drop(endpoint, database, collection, None, server_version))


def drop_partition(
    *, endpoint: str, database: str, collection: str, partition: str, server_version: str = ""
) -> tuple[Snippet, ...]:
    """The six forms of dropping a partition, in the order of the documentation's tabs."""
    return _forms(_drop(endpoint, database, collection, partition, server_version))


def _drop(
    endpoint: str, database: str, collection: str, partition: str | None, server_version: str
) -> _Drop:
    server = server_of(endpoint)
    return _Drop(
        uri=server or endpoint,
        server=server or PLACEHOLDER,
        is_file=server is None,
        database=database,
        collection=collection,
        partition=partition,
        only_rest_v1=bool(re.match(r"v?2\.[23](?!\d)", server_version)),
    )


def server_of(endpoint: str) -> str | None:
    """`scheme://host:port` as every SDK and curl understand it; None for a local file."""
    scheme, separator, rest = endpoint.partition("://")
    if not separator or scheme.lower() not in {"http", "https", "tcp"}:
        return None
    # A path is a database name to the SDKs, and in Java it wins over the one in dbName.
    host = re.split(r"[/?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    if scheme.lower() == "https":
        return f"https://{host}"
    # pymilvus assumes this port when none is given, curl would assume 80.
    return f"http://{host}" if re.search(r":\d+$", host) else f"http://{host}:19530"


def _forms(drop: _Drop) -> tuple[Snippet, ...]:
    sdk = RETRIES % {"client": gettext("The SDK")}
    python = _joined(ONE_PROCESS if drop.is_file else "", RETRIES % {"client": "pymilvus"})
    node = _joined(sdk, NODE_MODULE)
    return (
        Snippet(key="python", label="Python", code=_code("python", drop), note=python),
        _server_form(drop, "java", "Java", sdk),
        _server_form(drop, "nodejs", "Node.js", node),
        _server_form(drop, "go", "Go", sdk),
        _server_form(drop, "curl", "cURL", _curl_note(drop)),
        _cli_form(drop),
    )


def _joined(*texts: object) -> str:
    return sentences(*texts)


def _server_form(drop: _Drop, key: str, label: str, note: str) -> Snippet:
    """A form that cannot open a local file, and says so where the connection is one."""
    if drop.is_file:
        note = _joined(NEEDS_SERVER % {"address": PLACEHOLDER}, note)
    return Snippet(key=key, label=label, code=_code(key, drop), note=note)


# Literals ------------------------------------------------------------------------------------

NAMED = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def code_point_literal(text: str) -> str:
    """A double-quoted literal that means `text` in Python and in Go alike.

    Visible characters stay as they are: the source of both is UTF-8 by definition. The rest,
    from control characters to text that reverses the line, is written as an escape.
    """
    return '"' + "".join(_code_point(char) for char in text) + '"'


def _code_point(char: str) -> str:
    if char in NAMED:
        return NAMED[char]
    if char.isprintable():
        return char
    # Not \xNN: in Go that is a byte, in Python a character.
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def utf16_literal(text: str) -> str:
    """A double-quoted ASCII literal that means `text` in Java and in JavaScript alike.

    javac reads a source in the encoding of the machine, and replaces \\uXXXX before it looks for
    the end of the string: so everything beyond ASCII is escaped, and quotes and line ends, which
    would end it, are not written as \\uXXXX.
    """
    return '"' + "".join(_utf16(char) for char in text) + '"'


def _utf16(char: str) -> str:
    if char in NAMED:
        return NAMED[char]
    if " " <= char <= "~":
        return char
    return "".join(f"\\u{unit:04x}" for unit in _utf16_units(char))


def _utf16_units(char: str) -> Iterator[int]:
    raw = char.encode("utf-16-be", "surrogatepass")
    return (int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))


def shell_word(text: str) -> str:
    """One word for a POSIX shell, always in single quotes."""
    return "'" + text.replace("'", r"'\''") + "'"


# Forms ---------------------------------------------------------------------------------------

TEXTS = Engine(dirs=[str(Path(__file__).with_name("snippets"))], autoescape=False)
QUOTES: dict[str, Callable[[str], str]] = {
    "python": code_point_literal,
    "java": utf16_literal,
    "nodejs": utf16_literal,
    "go": code_point_literal,
    "curl": shell_word,
    "cli": shlex.quote,
}


def _code(key: str, drop: _Drop) -> str:
    """The text of a form, with every value quoted for its language."""
    values = {
        "uri": drop.uri,
        "server": drop.server,
        # For milvus_cli. `use database` would be the documented way, but when that line fails (as
        # it does with Milvus 2.3) the next one deletes in the database before it.
        "address": f"{drop.server}/{drop.database}",
        "database": drop.database,
        "collection": drop.collection,
        "partition": drop.partition,
        "rest_url": _rest_url(drop),
        "rest_body": json.dumps(_rest_body(drop)),
    }
    quoted = {name: QUOTES[key](value) for name, value in values.items() if value is not None}
    text: str = TEXTS.render_to_string(f"{key}.txt", quoted | {"kind": drop.kind})
    return text.removesuffix("\n")


def _rest_url(drop: _Drop) -> str:
    old = drop.only_rest_v1 and drop.partition is None
    return f"{drop.server}{'/v1/vector' if old else '/v2/vectordb'}/{drop.kind.lower()}s/drop"


def _rest_body(drop: _Drop) -> dict[str, str]:
    body = {"dbName": drop.database, "collectionName": drop.collection}
    return body if drop.partition is None else body | {"partitionName": drop.partition}


def _curl_note(drop: _Drop) -> str:
    if not drop.only_rest_v1:
        return str(REST_ANSWERS)
    return _joined(REST_V1, REST_ANSWERS) if drop.partition is None else str(NO_REST_PARTITION)


def _cli_form(drop: _Drop) -> Snippet:
    problem = _cli_problem(drop)
    if problem:
        return Snippet(key="cli", label="CLI", code="", note=problem)
    note = _joined(CLI_STEPS, CLI_ASKS if drop.partition is None else "")
    return _server_form(drop, "cli", "CLI", note)


def _cli_problem(drop: _Drop) -> str:
    """Why milvus_cli cannot be given these names, or nothing.

    Its prompt knows quotes but no escapes. A newline would send half the command, a tab would
    complete, and a no-break space may be copied from the page as a common one: another name.
    """
    names = (drop.server, drop.collection, drop.partition or "")
    if not all(name.isprintable() for name in names):
        return str(CLI_INVISIBLE)
    return "" if re.fullmatch(r"[A-Za-z0-9_]*", drop.database) else str(CLI_DATABASE)
