"""The version of the server: parsing it, and the verdicts that depend on it."""

import random

import pytest

from collections_app.milvus import versions
from collections_app.milvus.versions import FINAL, Safety, Version

ORDERED = (
    "0.10.6",
    "v2.2.16",
    "v2.3.5-lite",
    "v2.4.0-rc.1",
    "v2.4.0",
    "v2.5.0-beta",
    "v2.5.0",
    "v2.5.9",
    "v2.5.14",
    "v2.6.0-alpha",
    "v2.6.0-beta",
    "v2.6.0-rc1",
    "v2.6.0-rc2",
    "v2.6.0-rc10",
    "v2.6.0",
    "v2.6.20",
    "v2.10.0",
    "v3.0.0",
    "3.0.1",
)
NO_VERSION = (
    "",
    "milvus_lite-3.2.2",
    "Zilliz Cloud Vector Database(Compatible with Milvus 2.5)",
    "master-20250917-c1429748",
    "2.5-20250701-9d8edf94",
    "2.5",
    "2.5.14.1",
    "v2.5.x",
    "unknown",
    "9d8edf9497",
    "-2.5.14",
    "2.5.99999999999999999999",
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v2.5.14", Version(2, 5, 14)),
        ("2.5.14", Version(2, 5, 14)),
        (" V2.5.14\n", Version(2, 5, 14)),
        ("v2.3.5-lite", Version(2, 3, 5)),  # the real server, as PyPI has it
        ("v2.5.14-dev", Version(2, 5, 14)),  # built from changed files
        ("v2.5.14-12-g9d8edf9497", Version(2, 5, 14)),  # built 12 commits later
        ("v2.5.14-gpu", Version(2, 5, 14)),
        ("pkg/v2.5.5", Version(2, 5, 5)),  # what the image of 2.5.5 says
        ("2.6.0-rc.1", Version(2, 6, 0, "rc", 1)),  # what the source of those builds says
        ("2.6.0-rc1", Version(2, 6, 0, "rc", 1)),
        ("v2.4.0-rc.1", Version(2, 4, 0, "rc", 1)),
        ("v2.5.0-beta", Version(2, 5, 0, "beta")),
        ("v2.6.0rc2-dev", Version(2, 6, 0, "rc", 2)),
    ],
)
def test_parse_version_string_returns_version(text: str, version: Version) -> None:
    assert Version.parse(text) == version


@pytest.mark.parametrize("text", NO_VERSION)
def test_parse_text_without_version_is_none(text: str) -> None:
    assert Version.parse(text) is None


def test_versions_shuffled_sort_by_release() -> None:
    expected = [Version.parse(text) for text in ORDERED]
    shuffled = [version for version in expected if version]
    random.shuffle(shuffled)
    assert sorted(shuffled) == expected


def test_str_of_version_is_parsed_to_the_same_version() -> None:
    for version in filter(None, map(Version.parse, ORDERED)):
        assert Version.parse(str(version)) == version


@pytest.mark.parametrize(
    ("text", "safety", "issue"),
    [
        ("v2.3.5-lite", Safety.WARNING, "#47850, #47718"),
        ("v2.4.23", Safety.WARNING, "#47850, #47718"),
        ("v2.5.13", Safety.WARNING, "#47850, #47718"),
        ("v2.5.14", Safety.REFUSED, "#43407"),
        ("2.5.14-12-g9d8edf9497", Safety.REFUSED, "#43407"),
        ("v2.5.15", Safety.WARNING, "#47850, #47718"),
        ("v2.5.26", Safety.WARNING, "#47850, #47718"),
        ("v2.6.0-beta", Safety.REFUSED, "#43407"),
        ("v2.6.0-rc1", Safety.REFUSED, "#43407"),
        ("v2.6.0", Safety.WARNING, "#47850, #47718"),
        ("v2.6.10", Safety.WARNING, "#47850, #47718"),
        ("v2.6.11", Safety.WARNING, "#47850"),
        ("v2.6.12", Safety.SAFE, ""),
        ("v2.6.20", Safety.SAFE, ""),
        ("v3.0.0", Safety.SAFE, ""),
        ("v3.0.1", Safety.SAFE, ""),
        ("v4.2.0", Safety.SAFE, ""),  # as the newest known one
        ("milvus_lite-3.2.2", Safety.REFUSED, ""),
        ("Zilliz Cloud Vector Database(Compatible with Milvus 2.5)", Safety.REFUSED, "#43407"),
        ("", Safety.REFUSED, "#43407"),
    ],
)
def test_rename_verdict_of_version_is_that_of_the_table(
    text: str, safety: Safety, issue: str
) -> None:
    verdict = versions.rename_verdict(text)
    assert (verdict.safety, verdict.issue) == (safety, issue)


def test_rename_verdict_other_than_safe_says_why() -> None:
    verdicts = [row.verdict for row in versions.RENAME] + [versions.ON_LITE, versions.UNREADABLE]
    assert all(v.safety != Safety.SAFE and len(v.reason) > 20 for v in verdicts)
    assert not any(v.reason.endswith(".") for v in verdicts), "sentences are put together"


def test_rename_rows_have_a_source_and_a_range() -> None:
    for row in versions.RENAME:
        assert row.first < row.end
        assert all(issue in row.source for issue in row.verdict.issue.split(", "))


@pytest.mark.parametrize(
    ("text", "durable"),
    [
        ("v2.3.5-lite", False),
        ("v2.5.26", False),
        ("v2.6.0", False),
        ("v2.6.5", False),
        ("v2.6.6-rc1", True),
        ("v2.6.6", True),
        ("v2.6.20", True),
        ("v3.0.1", True),
        ("v9.0.0", True),
        ("milvus_lite-3.2.2", False),
        ("", True),
        ("Zilliz Cloud Vector Database(Compatible with Milvus 2.5)", True),
    ],
)
def test_has_durable_ddl_begins_with_2_6_6(text: str, durable: bool) -> None:
    assert versions.has_durable_ddl(text) is durable


@pytest.mark.parametrize(
    ("text", "newer"),
    [
        ("v2.3.5-lite", False),
        ("v2.4.99", False),
        ("v2.5.26", False),
        ("v2.5.27", True),
        ("v2.6.20", False),
        ("v2.6.21", True),
        ("v2.7.0", True),
        ("v3.0.0-rc1", False),
        ("v3.0.1", False),
        ("v3.0.2", True),
        ("v3.1.0-rc1", True),
        ("milvus_lite-3.2.2", False),
        ("", False),
    ],
)
def test_is_newer_than_known_compares_within_the_line(text: str, newer: bool) -> None:
    assert versions.is_newer_than_known(text) is newer


def test_newest_known_version_is_the_newest_of_all_lines() -> None:
    assert max(versions.NEWEST_OF_LINE.values()) == versions.NEWEST_KNOWN
    assert versions.NEWEST_KNOWN.stage == FINAL
