"""Links of the documentation lead somewhere, and every page is linked."""

from pathlib import Path

import pytest

from tests.documents import DOCS, ROOT, anchors, links, prose, read

PAGES = pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)


@PAGES
def test_links_lead_to_a_file(document: Path) -> None:
    targets = [target.partition("#")[0] for target in links(document)]
    assert [t for t in targets if t and not (document.parent / t).exists()] == []


@PAGES
def test_anchors_lead_to_a_heading(document: Path) -> None:
    missing = []
    for target in links(document):
        name, _, anchor = target.partition("#")
        there = document.parent / name if name else document
        if anchor and there.suffix == ".md" and anchor not in anchors(there):
            missing.append(target)
    assert missing == []


def test_links_and_anchors_exist() -> None:
    all_of_them = [target for page in DOCS for target in links(page)]
    assert len(all_of_them) > 50
    assert sum("#" in target for target in all_of_them) > 10


def test_readme_links_every_page_with_a_phrase() -> None:
    _, _, index = read("README.md").partition("## Read on\n")
    for page in DOCS:
        name = str(page.relative_to(ROOT))
        rows = [row for row in index.splitlines() if f"]({name})" in row]
        assert name == "README.md" or rows, f"README.md, Read on: {name} is not there"
        assert all(len(row.partition(f"]({name})")[2]) > 20 for row in rows), rows


@PAGES
def test_pages_have_one_title_and_no_todo(document: Path) -> None:
    lines = prose(document).splitlines()
    assert [line for line in lines if line.startswith("# ")] == lines[:1]
    assert [line for line in lines if "TODO" in line or "FIXME" in line] == []


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Local accounts, and break-glass", "local-accounts-and-break-glass"),
        ("nginx (auth_request) with oauth2-proxy", "nginx-auth_request-with-oauth2-proxy"),
        ("Why may I, or why not?", "why-may-i-or-why-not"),
        ("`make x` and [a link](there.md)", "make-x-and-a-link"),
        ("0.1.0 – unreleased", "010--unreleased"),
    ],
)
def test_anchors_are_those_of_github(tmp_path: Path, heading: str, anchor: str) -> None:
    (tmp_path / "page.md").write_text(f"# Page\n\n## {heading}\n\n## {heading}\n")
    assert anchors(tmp_path / "page.md") == {"page", anchor, f"{anchor}-1"}
