"""docs/compatibility.md says what collections_app/milvus/versions.py does, and nothing else."""

import re

import pytest

from collections_app.milvus import versions
from collections_app.milvus.versions import Safety, Version
from tests.documents import read

PAGE = read("docs/compatibility.md")
ISSUE = re.compile(r"#\d{4,6}")


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    _, found, rest = PAGE.partition(f"\n## {heading}\n")
    assert found, heading
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    width = len(rows[0])
    assert all(len(row) == width for row in rows[:3])
    return [row for row in rows if len(row) == width]


STRICT = table("Strict mode")
RANGES = [row for row in STRICT if row[0][0].isdigit() and row[1]]
OTHERS = {row[0]: row for row in STRICT if row not in RANGES}


def test_verdicts_on_the_page_are_those_of_the_code() -> None:
    in_code = [
        (str(row.first), str(row.end), row.verdict.safety.value, row.verdict.issue)
        for row in versions.RENAME
    ]
    assert [(first, end, safety, issue) for first, end, safety, issue, *_ in RANGES] == in_code


def test_sources_on_the_page_name_the_issues_of_the_code() -> None:
    for cells, row in zip(RANGES, versions.RENAME, strict=True):
        on_page = set(ISSUE.findall(" ".join(cells)))
        assert on_page == set(ISSUE.findall(f"{row.source} {row.verdict.issue}")), cells[0]


def test_rows_without_a_range_agree_with_the_code() -> None:
    assert set(OTHERS) == {"2.6.12", "Milvus Lite", "no version"}
    for said, cells in OTHERS.items():
        verdict = versions.rename_verdict({"Milvus Lite": "milvus_lite-3.2.2"}.get(said, said))
        assert (verdict.safety.value, verdict.issue) == (cells[2], cells[3]), said


def test_safe_versions_begin_where_the_last_range_ends() -> None:
    assert RANGES[-1][1] == "2.6.12" == str(max(row.end for row in versions.RENAME))


def test_refused_versions_are_all_in_the_table() -> None:
    lines = {row[0]: row for row in table("Version by version")}
    for row in versions.RENAME:
        if row.verdict.safety is Safety.REFUSED:
            cells = lines[f"{row.first.major}.{row.first.minor}"]
            named = row.end if row.first.stage != versions.FINAL else row.first
            assert f"strict mode on {'pre-releases of ' * (named == row.end)}{named}" == cells[4]
    assert all("strict mode" in lines[name][4] for name in ("Milvus Lite", "Zilliz Cloud"))


def test_newest_versions_on_the_page_are_those_of_the_code() -> None:
    lines = {row[0]: row for row in table("Version by version")}
    for version in versions.NEWEST_OF_LINE.values():
        assert str(version) in " ".join(lines[f"{version.major}.{version.minor}"]), version
    newest = ", ".join(str(v) for v in versions.NEWEST_OF_LINE.values())
    assert f"release of its line ({newest})" in " ".join(PAGE.split())
    assert f"the newest known one, {versions.NEWEST_KNOWN}." in PAGE


def test_durable_drops_begin_where_the_code_says() -> None:
    _, _, section = PAGE.partition("\n## Drops that come late\n")
    (first,) = re.findall(r"From \*\*(\S+)\*\* on", section)
    version = Version.parse(first)
    assert version
    assert versions.has_durable_ddl(first)
    assert not versions.has_durable_ddl(f"{version.major}.{version.minor}.{version.patch - 1}")


@pytest.mark.parametrize("answer", ["v2.4.23", "pkg/v2.5.5", "2.5.14", "2.6.13"])
def test_version_strings_on_the_page_are_parsed(answer: str) -> None:
    assert f"`{answer}`" in PAGE
    assert Version.parse(answer)


def test_version_of_a_build_between_releases_is_not_parsed() -> None:
    assert "`2.6-20260601-0123456789`" in PAGE
    assert Version.parse("2.6-20260601-0123456789") is None


@pytest.mark.parametrize(
    "heading", ["Version by version", "What differs, and what Milvus Admin does"]
)
def test_rows_of_each_table_have_a_mark(heading: str) -> None:
    marks = ("run", "simulated", "read", "refused")
    for cells in table(heading):
        if heading.startswith("What"):
            assert any(mark in cells[3] for mark in marks), cells
        else:
            assert any(cell != "–" for cell in cells[1:]), cells
