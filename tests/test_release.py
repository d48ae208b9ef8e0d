"""`make release` in its own repository."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WHO = {"NAME": "Ada Osei", "EMAIL": "ada@example.com"}
ALONE = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    **{
        f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()
    },
}
CHANGES = """\
# Changes

## 0.2.0 – unreleased

- A new thing.
## not a section, and no comment of git's either
- Another one: "quoted", `code`.

## 0.1.0 – 2026-01-02

- The first version.
"""
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a command in a fresh clone of a repository with our Makefile and script."""

    def command(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=tmp_path / "clone", env=ALONE, capture_output=True, text=True, check=check
        )

    (tmp_path / "clone" / "deploy").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "deploy/release.py"):
        shutil.copy(ROOT / name, tmp_path / "clone" / name)
    (tmp_path / "clone" / "CHANGELOG.md").write_text(CHANGES)
    command("git", "init", "--quiet", "--initial-branch=main")
    command("git", "add", ".")
    command("git", "commit", "--quiet", "--message=all")
    return command


def release(run: Run, version: str) -> subprocess.CompletedProcess[str]:
    return run("make", "release", f"VERSION={version}", f"PYTHON={sys.executable}", check=False)


def state(run: Run) -> str:
    tree = run("git", "status", "--porcelain").stdout + run("git", "tag").stdout
    return tree + run("git", "rev-parse", "HEAD").stdout


def test_release_dates_the_section_commits_and_tags(run: Run, tmp_path: Path) -> None:
    made = release(run, "0.2.0")
    assert made.returncode == 0, made.stderr
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    changes = (tmp_path / "clone" / "CHANGELOG.md").read_text()
    assert changes == CHANGES.replace("## 0.2.0 – unreleased", f"## 0.2.0 – {today}")
    project = tomllib.loads((tmp_path / "clone" / "pyproject.toml").read_text())
    assert project["project"]["version"] == "0.2.0"
    assert run("git", "status", "--porcelain").stdout == ""
    assert run("git", "log", "-1", "--format=%s").stdout == "Release 0.2.0\n"
    assert run("git", "rev-parse", "v0.2.0^{commit}").stdout == state(run).split("\n")[-2] + "\n"


def test_release_tag_is_annotated_with_the_printed_section(run: Run) -> None:
    printed = release(run, "0.2.0").stdout
    section = CHANGES.split("unreleased")[1].split("## 0.1.0", maxsplit=1)[0].strip()
    assert run("git", "cat-file", "-t", "v0.2.0").stdout == "tag\n"
    assert section in run("git", "tag", "-l", "--format=%(contents)", "v0.2.0").stdout
    assert section in printed
    assert "The first version" not in printed
    assert "git push --follow-tags origin main" in printed


def dirty(run: Run, clone: Path) -> None:
    (clone / "new.txt").write_text("not committed")


def changed(run: Run, clone: Path) -> None:
    (clone / "Makefile").write_text((clone / "Makefile").read_text() + "# more\n")


def commit(run: Run, clone: Path, changes: str) -> None:
    (clone / "CHANGELOG.md").write_text(changes)
    run("git", "commit", "--quiet", "--all", "--message=changes")


def without_section(run: Run, clone: Path) -> None:
    commit(run, clone, CHANGES.replace("0.2.0", "0.3.0"))


def not_first(run: Run, clone: Path) -> None:
    commit(run, clone, CHANGES.replace("## 0.2.0", "## 0.3.0 – unreleased\n\n- More.\n\n## 0.2.0"))


def empty(run: Run, clone: Path) -> None:
    commit(run, clone, "# Changes\n\n## 0.2.0 – unreleased\n\n## 0.1.0 – 2026-01-02\n\n- One.\n")


def dated(run: Run, clone: Path) -> None:
    commit(run, clone, CHANGES.replace("0.2.0 – unreleased", "0.2.0 – 2026-03-04"))


def tagged(run: Run, clone: Path) -> None:
    run("git", "tag", "v0.2.0")


def overtaken(run: Run, clone: Path) -> None:
    run("git", "tag", "v0.10.0")


def detached(run: Run, clone: Path) -> None:
    run("git", "checkout", "--quiet", "--detach")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (dirty, "The tree is not clean. Commit this first, or put it away:\n?? new.txt"),
        (changed, "The tree is not clean. Commit this first, or put it away:\n M Makefile"),
        (without_section, "CHANGELOG.md has no section for it. Write one: ## 0.2.0 – unreleased"),
        (not_first, "CHANGELOG.md begins with 0.3.0."),
        (empty, "CHANGELOG.md does not say what 0.2.0 changes."),
        (dated, "CHANGELOG.md says that 0.2.0 was released on 2026-03-04."),
        (tagged, "There is a tag v0.2.0 already."),
        (overtaken, "0.10.0 is released already, and it is newer."),
        (detached, "No branch is checked out"),
    ],
)
def test_release_in_a_wrong_state_is_refused(
    run: Run, tmp_path: Path, spoil: Callable[[Run, Path], None], said: str
) -> None:
    spoil(run, tmp_path / "clone")
    before = state(run)
    made = release(run, "0.2.0")
    assert made.returncode != 0
    assert f"No release. {said}" in made.stderr
    assert state(run) == before


@pytest.mark.parametrize("version", ["", "0.2", "v0.2.0", "0.2.0-rc1", "0.02.0", "; touch x"])
def test_release_without_a_version_is_refused(run: Run, version: str) -> None:
    before = state(run)
    made = release(run, version)
    assert made.returncode != 0
    assert "Say which version" in made.stderr or "is no version" in made.stderr
    assert state(run) == before
