"""The six code forms hold the names they were given, in the grammar of each language.

Nothing here calls Milvus: a form is read back by an independent reader of its language, or run by
its own interpreter with a stand-in for the SDK, and the names must come out as they went in.
"""

import ast
import json
import re
import shlex
import shutil
import subprocess

import pytest

from collections_app.web.snippets import PLACEHOLDER, Snippet, drop_collection, drop_partition

ENDPOINT = "http://milvus.example:19530"
NAMES = (
    "book",
    "o'brien",
    'say "hi"',
    "back\\slash",
    "tail\\",
    "\\u0041",  # javac must not turn this into an A
    "\\\\u000a",
    "tail\\é",  # ... nor take the escape of é for an escaped backslash
    "\\\n",
    "line\nfeed\r\ttab",
    "$HOME `id` $(id) !! %s %d {0}",
    "<b></script><!-- & &amp;",
    "*/ // /* #",
    "#{x} ${y} {{z}}",
    "@/etc/passwd",
    "é中文",
    "😀 astral",
    "\u2028\u2029\u0085",
    "\u202eright to left\u200b\ufeff\u00a0",
    "\x00\x01\x1b[2J\x7f",
    "  leading and trailing  ",
    "trailing newline\n",
    "-c",
    "--yes",
    "x" * 255,
)
TYPEABLE = tuple(name for name in NAMES if name.isprintable())
by_name = pytest.mark.parametrize("name", NAMES, ids=ascii)


def form(key: str, name: str, **other: str) -> Snippet:
    """The partition form with the hostile name in both places, told apart by a suffix."""
    values = {"endpoint": ENDPOINT, "database": "db_1"} | other
    forms = drop_partition(**values, collection=name, partition=name + "p")
    return {snippet.key: snippet for snippet in forms}[key]


def executable(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is needed to run the tests of the code forms; install it.")
    return path


# Readers of Java and Go, written from the two language specifications -------------------------


def java_strings(source: str) -> list[str]:
    """The string literals of a Java source: section 3.3 first, then 3.10.5."""
    assert source.isascii(), "javac reads other characters in the encoding of the machine"
    translated = re.sub(
        r"\\(\\)|\\u+([0-9a-fA-F]{4})",
        lambda m: m[0] if m[1] else chr(int(m[2], 16)),
        source,
    )
    escapes = {
        "n": "\n",
        "r": "\r",
        "t": "\t",
        "b": "\b",
        "f": "\f",
        "s": " ",
        '"': '"',
        "\\": "\\",
    }
    return [_joined(text) for text in _quoted_strings(translated, escapes)]


def _joined(text: str) -> str:
    """Two surrogates are one character, as in any UTF-16 string."""
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be")


def go_strings(source: str) -> list[str]:
    """The interpreted string literals of a Go source."""
    escapes = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
    return _quoted_strings(source, escapes, unicode_escapes=True)


def _quoted_strings(
    source: str, escapes: dict[str, str], *, unicode_escapes: bool = False
) -> list[str]:
    found, at = [], 0
    while (at := source.find('"', at)) >= 0:
        text, at = _one_string(source, at + 1, escapes, unicode_escapes)
        found.append(text)
    return found


def _one_string(source: str, at: int, escapes: dict[str, str], wide: bool) -> tuple[str, int]:
    text = ""
    while source[at] != '"':
        assert source[at] not in "\n\r", "a string literal must end on its line"
        if source[at] != "\\":
            text, at = text + source[at], at + 1
        elif wide and source[at + 1] in "uU":
            end = at + (6 if source[at + 1] == "u" else 10)
            text, at = text + chr(int(source[at + 2 : end], 16)), end
        else:
            text, at = text + escapes[source[at + 1]], at + 2
    return text, at + 1


# Names survive -------------------------------------------------------------------------------


@by_name
def test_python_form_has_the_names_as_given(name: str) -> None:
    tree = ast.parse(form("python", name).code)
    keywords = [n for n in ast.walk(tree) if isinstance(n, ast.keyword)]
    strings = {k.arg: k.value.value for k in keywords if isinstance(k.value, ast.Constant)}
    assert strings == {
        "uri": ENDPOINT,
        "db_name": "db_1",
        "collection_name": name,
        "partition_name": name + "p",
    }


@by_name
def test_java_form_has_the_names_as_given(name: str) -> None:
    strings = java_strings(form("java", name).code)
    assert strings == [ENDPOINT, "MILVUS_TOKEN", "db_1", name, name + "p"]


@by_name
def test_go_form_has_the_names_as_given(name: str) -> None:
    imports, call = ["context", "log", "os"], [ENDPOINT, "MILVUS_TOKEN", "db_1", name, name + "p"]
    module = "github.com/milvus-io/milvus/client/v2/milvusclient"
    assert go_strings(form("go", name).code) == [*imports, module, *call]


NODE_STAND_IN = """
class MilvusClient {
  constructor(config) { this.config = config; }
  async dropPartition(names) { return JSON.stringify({ ...this.config, ...names }); }
  async closeConnection() {}
}
"""


@by_name
def test_node_form_has_the_names_as_given(name: str) -> None:
    imported, _, rest = form("nodejs", name).code.partition("\n")
    assert imported == 'import { MilvusClient } from "@zilliz/milvus2-sdk-node";'
    node = [executable("node"), "--input-type=module", "-e", NODE_STAND_IN + rest]
    env = {"MILVUS_TOKEN": "t:p"}
    answer = subprocess.run(node, capture_output=True, text=True, check=True, env=env).stdout
    assert json.loads(answer) == {
        "address": ENDPOINT,
        "token": "t:p",
        "database": "db_1",
        "collection_name": name,
        "partition_name": name + "p",
    }


def curl_words(code: str) -> list[str]:
    """What curl would get as arguments, from bash itself."""
    script = 'curl() { printf "%s\\0" "$@"; }\n' + code
    env = {"MILVUS_TOKEN": "t:p $x"}
    shell = [executable("bash"), "-c", script]
    answer = subprocess.run(shell, capture_output=True, text=True, check=True, env=env).stdout
    return answer.split("\0")[:-1]


@by_name
def test_curl_form_has_the_names_as_given(name: str) -> None:
    code = form("curl", name).code
    assert code.isascii()
    assert "\x7f" not in code  # a terminal would take it for a backspace
    method, verb, url_word, *headers, data, body = curl_words(code)
    assert (method, verb, data) == ("--request", "POST", "--data")
    assert url_word == f"{ENDPOINT}/v2/vectordb/partitions/drop"
    assert headers[1] == "Authorization: Bearer t:p $x"
    names = {"dbName": "db_1", "collectionName": name, "partitionName": name + "p"}
    assert json.loads(body) == names


@pytest.mark.parametrize("name", TYPEABLE, ids=ascii)
def test_cli_form_has_the_names_as_given(name: str) -> None:
    shell, connect, delete = form("cli", name).code.split("\n")
    assert shell == 'ZILLIZ_TOKEN="$MILVUS_TOKEN" milvus_cli'
    assert shlex.split(connect) == ["connect", "-uri", f"{ENDPOINT}/db_1"]
    assert shlex.split(delete) == ["delete", "partition", "-c", name, "-p", name + "p"]


@pytest.mark.parametrize("name", [n for n in NAMES if n not in TYPEABLE], ids=ascii)
def test_cli_form_for_a_name_its_prompt_cannot_take_has_no_code(name: str) -> None:
    snippet = form("cli", name)
    assert snippet.code == ""
    assert "cannot be given this name" in snippet.note


@pytest.mark.parametrize("database", ["a/b", "a?b", "a b", "é", "a%41"])
def test_cli_form_for_a_database_an_address_would_alter_is_empty(database: str) -> None:
    snippet = form("cli", "book", database=database)
    assert snippet.code == ""
    assert "this database" in snippet.note


# The rest of a form --------------------------------------------------------------------------


def test_forms_with_plain_names_read_as_in_the_documentation() -> None:
    forms = drop_collection(endpoint=ENDPOINT, database="default", collection="book")
    code = {snippet.key: snippet.code for snippet in forms}
    assert 'client.drop_collection(collection_name="book")' in code["python"]
    assert '.collectionName("book")' in code["java"]
    assert 'collection_name: "book"' in code["nodejs"]
    assert 'milvusclient.NewDropCollectionOption("book")' in code["go"]
    assert '"collectionName": "book"' in code["curl"]
    assert code["cli"].endswith("\ndelete collection -c book")


def test_collection_forms_never_mention_partitions() -> None:
    for snippet in drop_collection(endpoint=ENDPOINT, database="default", collection="book"):
        assert "artition" not in snippet.code, snippet.label


def test_forms_take_the_token_from_the_environment() -> None:
    endpoint = "http://root:Secret/1@milvus.example:19530"  # credentials here are a caller's slip
    for snippet in drop_collection(endpoint=endpoint, database="default", collection="book"):
        assert "MILVUS_TOKEN" in snippet.code, snippet.label
        assert "Secret" not in snippet.code, snippet.label


@pytest.mark.parametrize(
    ("version", "path"),
    [
        ("v2.2.16", "/v1/vector/collections/drop"),
        ("v2.3.5-lite", "/v1/vector/collections/drop"),
        ("2.3", "/v1/vector/collections/drop"),
        ("v2.4.0", "/v2/vectordb/collections/drop"),
        ("2.30.1", "/v2/vectordb/collections/drop"),
        ("v12.3.0", "/v2/vectordb/collections/drop"),
        ("", "/v2/vectordb/collections/drop"),
    ],
)
def test_curl_form_uses_the_rest_api_of_the_server(version: str, path: str) -> None:
    forms = drop_collection(
        endpoint=ENDPOINT, database="db_1", collection="book", server_version=version
    )
    words = curl_words(forms[4].code)
    assert words[2] == ENDPOINT + path
    assert json.loads(words[-1]) == {"dbName": "db_1", "collectionName": "book"}


def test_curl_form_without_partition_rest_api_says_so() -> None:
    old = form("curl", "book", server_version="v2.3.5")
    new = form("curl", "book", server_version="v2.4.1")
    assert old.code == new.code
    assert "no REST call to drop a partition" in old.note
    assert "no REST call" not in new.note


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        ("http://h:19530", "http://h:19530"),
        ("http://h:19530/", "http://h:19530"),
        ("http://h", "http://h:19530"),
        ("tcp://h:1234", "http://h:1234"),
        ("https://cloud.example", "https://cloud.example"),
        ("HTTPS://cloud.example:443/", "https://cloud.example:443"),
        ("http://h:19530/other_db", "http://h:19530"),  # in Java it would win over dbName
        ("http://[::1]", "http://[::1]:19530"),
    ],
)
def test_forms_share_an_address_that_each_understands(endpoint: str, address: str) -> None:
    assert java_strings(form("java", "book", endpoint=endpoint).code)[0] == address
    assert curl_words(form("curl", "book", endpoint=endpoint).code)[2].startswith(f"{address}/v2/")
    cli = form("cli", "book", endpoint=endpoint).code.split("\n")[1]
    assert shlex.split(cli)[2] == f"{address}/db_1"


def test_forms_of_a_local_file_are_for_python_alone() -> None:
    python, *others = drop_collection(endpoint="/x/it's.db", database="default", collection="book")
    assert '"/x/it\'s.db"' in python.code
    assert PLACEHOLDER not in python.code
    assert "one process at a time" in python.note
    for snippet in others:
        assert PLACEHOLDER in snippet.code, snippet.label
        assert "address of a Milvus server" in snippet.note, snippet.label


def test_forms_of_sdks_say_that_they_resend_a_drop() -> None:
    forms = drop_collection(endpoint=ENDPOINT, database="default", collection="book")
    resending = {s.key for s in forms if "sends a drop again" in s.note}
    assert resending == {"python", "java", "nodejs", "go", "cli"}  # curl tries once


def test_forms_come_in_the_order_of_the_documentation() -> None:
    forms = drop_collection(endpoint=ENDPOINT, database="default", collection="book")
    labels = [(snippet.key, snippet.label) for snippet in forms]
    assert labels == [
        ("python", "Python"),
        ("java", "Java"),
        ("nodejs", "Node.js"),
        ("go", "Go"),
        ("curl", "cURL"),
        ("cli", "CLI"),
    ]
