"""Mark a version: date its section in the change log and create the tag. Publish nothing.

`make release VERSION=0.2.0` runs it. It needs Python and git, nothing else.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

CHANGES, PROJECT = Path("CHANGELOG.md"), Path("pyproject.toml")
FORM = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
HEADING = re.compile(r"^## (?P<version>\S+) – (?P<date>.+)$", re.M)
VERSION_LINE = re.compile(r'^version = ".*"$', re.M)


class CanNot(Exception):
    """The reason why no release was made, and the remedy. Nothing was changed."""


def release(version: str) -> str:
    """Commit and tag. Returns the notes. Raises CanNot before anything is changed."""
    _check_version(version)
    changes, project = _read(CHANGES), _read(PROJECT)
    notes = _notes(changes, version)
    if not VERSION_LINE.search(project):
        raise CanNot(f'{PROJECT} has no line version = "…".')
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    heading = f"## {version} – "
    _write(CHANGES, changes.replace(f"{heading}unreleased\n", f"{heading}{today}\n", 1))
    _write(PROJECT, VERSION_LINE.sub(f'version = "{version}"', project, count=1))
    text = f"Milvus Admin {version}, {today}\n\n{notes}\n"
    git("commit", "--quiet", "--message", f"Release {version}", str(CHANGES), str(PROJECT))
    # Verbatim, because git treats lines that begin with # as comments.
    git("tag", "--annotate", "--cleanup=verbatim", "--file=-", f"v{version}", text=text)
    return text


def _check_version(version: str) -> None:
    if not version:
        raise CanNot("Say which version: make release VERSION=0.2.0")
    if not FORM.fullmatch(version):
        raise CanNot(f"{version!r} is no version. Use three numbers, such as 0.2.0.")
    if changed := git("status", "--porcelain"):
        raise CanNot(f"The tree is not clean. Commit this first, or put it away:\n{changed}")
    if not git("branch", "--show-current"):
        raise CanNot("No branch is checked out, so the commit would be lost. git switch main")
    tags = [tag.removeprefix("v") for tag in git("tag", "--list", "v*").split()]
    if version in tags:
        raise CanNot(f"There is a tag v{version} already. A version is released once.")
    newer = [tag for tag in tags if FORM.fullmatch(tag) and _order(tag) > _order(version)]
    if newer:
        raise CanNot(f"{max(newer, key=_order)} is released already, and it is newer.")


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _notes(changes: str, version: str) -> str:
    """What the change log says of this version, which has to be its first."""
    headings = list(HEADING.finditer(changes))
    if version not in {found["version"] for found in headings}:
        raise CanNot(f"{CHANGES} has no section for it. Write one: ## {version} – unreleased")
    first = headings[0]
    if first["version"] != version:
        raise CanNot(f"{CHANGES} begins with {first['version']}. A release is its first section.")
    if first["date"] != "unreleased":
        raise CanNot(f"{CHANGES} says that {version} was released on {first['date']}.")
    end = headings[1].start() if len(headings) > 1 else len(changes)
    notes = changes[first.end() : end].strip()
    if "- " not in notes:
        raise CanNot(f"{CHANGES} does not say what {version} changes.")
    return notes


def git(*command: str, text: str | None = None) -> str:
    """What git says. It tells itself why it can't."""
    done = subprocess.run(
        ["git", *command], input=text, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.rstrip()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def main() -> None:
    version = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        print(release(version))
    except CanNot as exc:
        sys.exit(f"No release. {exc}")
    except subprocess.CalledProcessError as exc:
        sys.exit(f"No release: {' '.join(exc.cmd[:2])} failed. git status says what is left.")
    branch = git("branch", "--show-current")
    print("Committed and tagged here, and nowhere else.")
    print(f"To publish: git push --follow-tags origin {branch}")


if __name__ == "__main__":
    main()
