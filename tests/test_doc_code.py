"""Code in the documentation works: commands, settings, and blocks in each language."""

import argparse
import ast
import io
import json
import re
import shlex
import subprocess
import tomllib
import uuid
from contextlib import redirect_stderr
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError

from milvusadmin.config.clusters import config_from
from tests.documents import DOCS, ROOT, Block, blocks, commands, in_code, inline, read, statements
from tests.infra.certificates import Authority

PAGES = pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
EXAMPLE_ID = str(uuid.uuid4())

# --- make ----------------------------------------------------------------------------------------


def made(page: Path) -> list[list[str]]:
    found = [re.search(r"(?:^|\s)make ([a-z].*)", code) for code in in_code(page)]
    return [match[1].split() for match in found if match]


@PAGES
def test_make_targets_in_docs_exist_with_their_variables(document: Path) -> None:
    makefile = read("Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for target, *words in made(document):
        assert target in targets, f"make {target}"
        variables = [word.partition("=")[0] for word in words if re.match(r"[A-Z_]+=", word)]
        unread = [name for name in variables if not knows(makefile, name)]
        assert unread == [], f"make {target}"


def knows(makefile: str, name: str) -> bool:
    """Whether the Makefile, or what it starts, reads the variable."""
    benchmarks = "".join(path.read_text() for path in (ROOT / "tests/benchmarks").glob("*.py"))
    return f"$({name})" in makefile or f"{name} ?=" in makefile or f'"{name}"' in benchmarks


# --- manage.py -----------------------------------------------------------------------------------


def parser_of(name: str) -> argparse.ArgumentParser:
    known = get_commands()
    assert name in known, f"manage.py {name}"
    app: Any = known[name]
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    return command.create_parser("manage.py", name)


def options_of(parser: argparse.ArgumentParser, words: list[str]) -> set[str]:
    """Its options; of a command with commands below it, those of the one that is named."""
    below: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            below |= action.choices
    named = below[words[0]] if words and words[0] in below else parser
    return set(named._option_string_actions)


def managed(code: str) -> list[str]:
    """The words after manage.py, without what the shell does with its output."""
    _, found, rest = code.partition("manage.py ")
    if not found or not re.match(r"[a-z]", rest):
        return []
    return list(takewhile(lambda word: not re.match(r"\d?[<>]", word), shlex.split(rest)))


@PAGES
def test_commands_in_docs_exist_with_their_options(document: Path) -> None:
    for words in filter(None, map(managed, in_code(document))):
        options = options_of(parser_of(words[0]), words[1:])
        named = [word.partition("=")[0] for word in words[1:] if word.startswith("-")]
        assert [option for option in named if option not in options] == [], words


@PAGES
def test_commands_in_shell_blocks_are_parsed(document: Path) -> None:
    """The commands of shell blocks. ID stands for the id of an operation."""
    for words in filter(None, map(managed, commands(document))):
        given = [EXAMPLE_ID if word == "ID" else word for word in words[1:]]
        said = io.StringIO()
        try:
            with redirect_stderr(said):
                parser_of(words[0]).parse_args(given)
        except (CommandError, SystemExit) as exc:
            pytest.fail(f"manage.py {' '.join(words)}: {exc} {said.getvalue()}")


@PAGES
def test_shell_commands_in_docs_are_python(document: Path) -> None:
    for words in map(managed, in_code(document)):
        if words[:1] == ["shell"]:
            ast.parse(words[words.index("-c") + 1])


def test_commands_are_all_in_docs() -> None:
    named = {words[0] for page in DOCS for words in map(managed, in_code(page)) if words}
    places = ("collections_app", "milvusadmin/doctor")
    ours = {p.stem for place in places for p in ROOT.glob(f"{place}/management/commands/[a-z]*.py")}
    assert ours - named == {"seed_demo"}  # `make demo` runs it


# --- variables -----------------------------------------------------------------------------------

# Read by tests, benchmarks and the Makefile; by Django; and by libraries.
ELSEWHERE = {
    *("MILVUS_TEST_URI", "TEST_DATABASE", "CHROMIUM", "PGHOST", "PGPASSWORD"),
    *("DJANGO_SETTINGS_MODULE", "REQUESTS_CA_BUNDLE"),
    *("BASE", "REQUIRE_DIGEST"),  # arguments of the build, in the Containerfile
}


def variables(page: Path) -> set[str]:
    """What is set in a shell block, or looks like one of our variables in the text."""
    lines = [line for block in blocks("sh", "bash") if block.path == page for line in [block.text]]
    set_there = {
        name for text in lines for name in re.findall(r"(?:^|\s)([A-Z][A-Z_]+)=", text, re.M)
    }
    written = {re.split(r"[=:]", code)[0] for code in inline(page)}
    families = {f"{name.partition('_')[0]}_" for name in documented() if "_" in name}
    looks = {
        name
        for name in written
        if re.fullmatch(r"[A-Z][A-Z]*(_[A-Z]+)+", name) and name.startswith(tuple(families))
    }
    return set_there | looks


def documented() -> set[str]:
    """Variables with a row of their own, and those of the Makefile, which are listed below it."""
    text = read("docs/configuration.md")
    rows = re.findall(r"^\| `([A-Z_]+)` \|", text, re.M)
    assert len(rows) > 30
    return {*rows, *re.findall(r"`([A-Z_]+)`", text.partition("For the Makefile only")[2][:300])}


@PAGES
def test_variables_in_docs_are_on_the_configuration_page(document: Path) -> None:
    known = documented() | ELSEWHERE
    makefile = read("Makefile")
    unknown = {
        name
        for name in variables(document)
        if name.removesuffix("_FILE") not in known
        and name not in known
        and not knows(makefile, name)
        and f'"${name}"' not in document.read_text()  # set in an example and used there
    }
    assert unknown == set()


# --- blocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("sh", "bash"), ids=str)
def test_shell_blocks_parse(block: Block) -> None:
    checked = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_blocks_parse(block: Block) -> None:
    ast.parse(block.text)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_blocks_parse(block: Block) -> None:
    json.loads(block.text)


def whole(text: str) -> bool:
    """Whether it is our file, and not a piece of it or somebody else's."""
    return bool(re.search(r"^\[(clusters\.|\[access)", text, re.M))


def with_files(text: str, folder: Path) -> str:
    """Files that are named become real ones, because they are read at the start."""
    authority = Authority(folder)
    pair = authority.issue("client")
    real = {"ca_file": authority.ca, "client_cert_file": pair.cert, "client_key_file": pair.key}
    (folder / "secret").write_text("a secret")

    def file(found: re.Match[str]) -> str:
        return f'{found[1]} = "{real.get(found[1], folder / "secret")}"'

    return re.sub(r'^(\w+_file) = ".*?"', file, text, flags=re.M)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_blocks_parse_and_load(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILVUS_URI", "http://127.0.0.1:19530")
    text = with_files(block.text, tmp_path)
    document = tomllib.loads(text)
    if whole(text):
        loaded = config_from(document)
        assert set(loaded.clusters) == set(document.get("clusters") or ["main"])
        assert len(loaded.access) == len(document.get("access", []))


def test_statements_split_a_script_into_commands() -> None:
    script = "a 'b;\nc' \"d # e\" # it's f\n# g\nh \\\n i && j | k > l; m\n"
    assert statements(script) == ["a 'b;\nc' \"d # e\"", "h   i", "j", "k > l", "m"]


def test_blocks_of_each_language_exist() -> None:
    assert len(blocks("sh")) > 10
    assert len([block for block in blocks("toml") if whole(block.text)]) >= 2
    assert len(blocks("python")) >= 1
