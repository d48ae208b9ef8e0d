"""All figures, one after the other: `python -m tests.benchmarks`.

Each is a process of its own. Ends with one tab-separated line for each figure; exit status 1 if
any is short, or could not be measured. With REPORT=FILE the lines are written there as a table.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .figures import Figure
from .places import target

FIGURES = (
    *(
        "listing",
        "drop",
        "plan",
        "plan_pages",
        "purge",
        "recycle_bin",
        "audit",
        "isolation",
        "throughput",
    ),
    *("chain", "wide", "memory", "browser", "lighthouse"),
)
HEAD = Figure("figure", "size", "value", "floor", "ratio", "limit", "verdict")
POSTGRESQL = ("pg_virtualenv", "-t")  # a fresh one; its own settings leave fsync off


def main() -> int:
    chosen = os.environ.get("FIGURES", ",".join(FIGURES)).split(",")
    found, broken = [], False
    for command in _commands(chosen):
        lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        found += [Figure.of_line(line) for line in lines.stdout.splitlines() if "\t" in line]
        broken |= bool(lines.returncode)
    for figure in found:
        print(figure.line)
    if report := os.environ.get("REPORT"):
        Path(report).write_text(table(found))
    return int(broken or any(figure.verdict == "short" for figure in found))


def _commands(chosen: list[str]) -> Iterator[list[str]]:
    """What writes to the log is measured on both databases."""
    for name in chosen:
        command = [sys.executable, "-m", f"{__package__}.{name}"]
        print(f"{name}, {target()}", file=sys.stderr, flush=True)
        yield command
        if name in {"drop", "plan", "purge", "chain"}:
            yield [*POSTGRESQL, *command]


def table(figures: list[Figure]) -> str:
    """The figures as Markdown."""
    rows = [HEAD, Figure(*("---",) * 7), *figures]
    return "".join(f"| {row.line.replace(chr(9), ' | ')} |\n" for row in rows)


if __name__ == "__main__":
    sys.exit(main())
