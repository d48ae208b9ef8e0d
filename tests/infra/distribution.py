"""Which of two pytest processes runs a test: a module that starts a server stays in one piece.

pytest-xdist's own groups (`--dist loadgroup`) have no effect with pytest 9.2, which keeps the id of
a test elsewhere than they write it (seen: xdist 3.8.0).
"""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[2]
MARKS = ('scope="module"', "ONE_PROCESS")


class ByServer(LoadScopeScheduling):
    """Modules that share something go to one process; every other test to whoever is free."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if shares_something(module) else nodeid


@cache
def shares_something(module: str) -> bool:
    """Whether a module, or a conftest.py above it, has a fixture for all tests of a module.

    A module whose tests use fixed names on the server says ONE_PROCESS.
    """
    path = ROOT / module
    folders = [folder for folder in path.parents if folder.is_relative_to(ROOT / "tests")]
    files = [path, *(folder / "conftest.py" for folder in folders)]
    texts = [file.read_text() for file in files if file.exists()]
    return any(mark in text for text in texts for mark in MARKS)
