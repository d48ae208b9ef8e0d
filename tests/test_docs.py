"""The documentation is true: the variables, files, tests and versions it names exist."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.documents import DOCS, ROOT, read


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_files_named_in_docs_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:collections_app|milvusadmin|tests|deploy|docs)/[\w./-]+)`", document.read_text()
    )
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


@pytest.mark.parametrize(
    ("document", "many"), [("promises", 14), ("security", 30), ("field-cases", 29)]
)
def test_tests_that_hold_a_promise_exist(document: str, many: int) -> None:
    named = re.findall(r"`(tests/[\w/.]+)::(\w+)`", read(f"docs/{document}.md"))
    assert len(named) >= many
    missing = [f"{file}::{name}" for file, name in named if f"def {name}(" not in read(file)]
    assert missing == []


def test_change_log_begins_with_this_or_the_next_version() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    sections = re.findall(r"^## (\S+) – (.+)$", read("CHANGELOG.md"), re.M)
    following = [name for name, date in sections if date == "unreleased"]
    assert following in ([], [sections[0][0]])
    assert version in {sections[0][0], sections[len(following)][0] if sections[1:] else version}


def test_runbook_covers_every_alert() -> None:
    alerts = re.findall(r"alert: (\w+)", read("deploy/monitoring/rules.yaml"))
    assert len(alerts) > 10
    _, _, first = read("docs/operations.md").partition("\n| you see | go to |\n")
    table = first.partition("\n\n")[0]
    assert [alert for alert in alerts if f"`{alert}`" not in table] == []
