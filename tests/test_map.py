"""The map of the code in CONTRIBUTING.md: its entries exist, and it has every module."""

import re
from pathlib import Path

from tests.documents import ROOT, read

ROW = re.compile(r"^\| (`.+?) \|", re.M)
PACKAGES = ("collections_app", "milvusadmin")


def rows() -> list[list[str]]:
    """The paths of each row; a name without a folder is in that of the one before it."""
    _, _, table = read("CONTRIBUTING.md").partition("## Map of the code\n")
    return [_paths(re.findall(r"`([^`]+)`", cell)) for cell in ROW.findall(table)]


def _paths(names: list[str]) -> list[str]:
    folder, paths = "", []
    for name in names:
        folder = name.rpartition("/")[0] if "/" in name else folder
        paths.append(name if "/" in name else f"{folder}/{name}")
    return paths


def covered(path: str) -> set[Path]:
    """The modules that a path of the map stands for: itself, a pattern, or all below a folder."""
    return set(ROOT.glob(f"{path}**/*.py" if path.endswith("/") else path))


def modules() -> set[Path]:
    found = {module for package in PACKAGES for module in (ROOT / package).glob("**/*.py")}
    return {m for m in found if m.read_text(encoding="utf-8").strip()}


def test_map_entries_exist() -> None:
    paths = [path for row in rows() for path in row]
    assert len(paths) > 15
    assert [path for path in paths if not list(ROOT.glob(path.rstrip("/")))] == []


def test_map_has_every_module() -> None:
    on_it = {module for row in rows() for path in row for module in covered(path)}
    missing = sorted(str(module.relative_to(ROOT)) for module in modules() - on_it)
    assert missing == []
