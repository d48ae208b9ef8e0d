"""The documentation says what is true: variables, files, tests and versions it names exist."""

import re
import tomllib
from pathlib import Path

import pytest

from collections_app.milvus.types import Cluster
from milvusadmin.config import COLORS, SETTABLE
from tests.documents import DOCS, ROOT, read

READ = re.compile(
    r"""(?:environ(?:\.get\(|\[)|(?:flag|listing|secret|required|duration|peers|log_file)\()"""
    r"""\s*"([A-Z_]+)\""""
)
# DJANGO_SETTINGS_MODULE is Django's own, DEMO_PASSWORD is listed below the table.
ELSEWHERE = {
    "DJANGO_SETTINGS_MODULE",
    "DEMO_PASSWORD",
    "PYTHON_DOTENV_DISABLED",
    "PROMETHEUS_MULTIPROC_DIR",  # set by us, from METRICS_DIR
}


def variables_read() -> set[str]:
    sources = [*ROOT.glob("milvusadmin/*.py"), *ROOT.glob("collections_app/**/*.py")]
    found = {name for source in sources for name in READ.findall(source.read_text())}
    return found - ELSEWHERE


def test_every_variable_is_documented_and_every_documented_one_is_read() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", read("docs/configuration.md"), re.M))
    assert documented == variables_read()


def test_every_setting_and_colour_of_a_cluster_is_documented() -> None:
    text = read("docs/configuration.md")
    assert all(f"`{name}`" in text for name in SETTABLE)
    assert all(color in text for color in COLORS)


@pytest.mark.parametrize("name", ["read_timeout", "drop_timeout", "settle_after"])
def test_the_documented_example_shows_the_defaults(name: str) -> None:
    shown = re.search(rf"^{name} = (\d+)", read("docs/configuration.md"), re.M)
    assert shown is not None
    assert float(shown[1]) == getattr(Cluster(key="x", label="x", uri="x"), name)


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:collections_app|milvusadmin|tests|deploy|docs)/[\w./-]+)`", document.read_text()
    )
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize(("document", "many"), [("promises", 14), ("security", 30)])
def test_tests_that_hold_a_promise_exist(document: str, many: int) -> None:
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", read(f"docs/{document}.md"))
    assert len(named) >= many
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in read(file)]
    assert missing == []


def test_the_newest_section_of_the_change_log_is_this_version_or_the_next() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    sections = re.findall(r"^## (\S+) – (.+)$", read("CHANGELOG.md"), re.M)
    following = [name for name, date in sections if date == "unreleased"]
    assert following in ([], [sections[0][0]])
    assert version in {sections[0][0], sections[len(following)][0] if sections[1:] else version}
