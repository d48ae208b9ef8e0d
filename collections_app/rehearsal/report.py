"""What a rehearsal came to: for the record, for a terminal and for machines."""

import json
import shutil
import textwrap
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .checks import PROMISES, Result, State
from .record import Run

INTERRUPTED = "The rehearsal was interrupted."
HEADS = ("check", "Milvus Admin assumes", "this server", "result")


@dataclass(kw_only=True)
class Report:
    """What a rehearsal came to. `left` are things that could not be removed, in words."""

    run: Run
    database: str = ""
    results: list[Result] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    is_interrupted: bool = False
    seconds: float = 0.0
    events: list[int] = field(default_factory=list)

    def named(self, state: State) -> list[str]:
        return [result.check.name for result in self.results if result.state is state]

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against an assumption, and something was tried."""
        tried = bool(self.named(State.HOLDS)) and not self.is_interrupted
        return tried and not self.named(State.FAILS)

    def promises(self) -> list[tuple[str, State, list[str]]]:
        """Each promise, whether it holds here, and the checks that say otherwise."""
        return [(promise, *self._promise(promise)) for promise in PROMISES]

    def _promise(self, promise: str) -> tuple[State, list[str]]:
        for state in (State.FAILS, State.NOT_RUN):
            names = [r.check.name for r in self._of(promise) if r.state is state]
            if names:
                return state, names
        return State.HOLDS, []

    def _of(self, promise: str) -> list[Result]:
        return [result for result in self.results if result.check.promise == promise]

    def summary(self) -> str:
        """One sentence for each thing that a reader of the log wants to know."""
        count = Counter(result.state for result in self.results)
        text = f"{count[State.HOLDS]} of {len(self.results)} assumptions hold on Milvus "
        text += f"{self.run.version}."
        for state in (State.FAILS, State.NOT_RUN):
            if count[state]:
                words = "Does not hold" if state is State.FAILS else "Not run"
                text += f" {words}: {', '.join(self.named(state))}."
        text += f" {INTERRUPTED}" if self.is_interrupted else ""
        return f"{text} {self.remains()}"

    def remains(self) -> str:
        if not self.left:
            return "Everything that it created was removed."
        return f"Left behind: {'; '.join(self.left)}."


# --- shown ----------------------------------------------------------------------------------------


def as_json(report: Report) -> str:
    """One JSON object."""
    run = report.run
    data: dict[str, Any] = {
        "cluster": run.cluster.key,
        "endpoint": run.cluster.endpoint,
        "version": run.version,
        "run": str(run.id),
        "database": report.database,
        "seconds": report.seconds,
        "interrupted": report.is_interrupted,
        "checks": [_check(result) for result in report.results],
        "promises": [
            {"promise": promise, "state": state, "checks": names}
            for promise, state, names in report.promises()
        ],
        "left": report.left,
        "events": report.events,
    }
    return json.dumps(data, indent=2, ensure_ascii=False)


def _check(result: Result) -> dict[str, Any]:
    return {
        "check": result.check.name,
        "assumes": result.check.assumes,
        "promise": result.check.promise,
        "state": result.state,
        "saw": result.saw,
        "seconds": result.seconds,
    }


def as_table(report: Report, width: int | None = None) -> str:
    """The table, then the promises, then one sentence that sums it up."""
    width = width or shutil.get_terminal_size((100, 24)).columns
    rows = [
        (result.check.name, result.check.assumes, result.saw, str(result.state))
        for result in report.results
    ]
    return "\n".join([*_table(rows, max(width, 80)), "", *_promises(report), "", *_end(report)])


def _table(rows: list[tuple[str, str, str, str]], width: int) -> list[str]:
    """Aligned columns; the two in the middle are wrapped into what is left of the width."""
    first = max(len(row[0]) for row in (HEADS, *rows))
    last = max(len(row[3]) for row in (HEADS, *rows))
    room = width - first - last - 6
    widths = (first, room * 2 // 5, room - room * 2 // 5, last)
    lines = [line for row in (HEADS, *rows) for line in _lines(row, widths)]
    return [lines[0], "-" * width, *lines[1:]] if rows else lines


def _lines(row: tuple[str, str, str, str], widths: tuple[int, ...]) -> list[str]:
    cells = [textwrap.wrap(cell, size) or [""] for cell, size in zip(row, widths, strict=True)]
    high = max(map(len, cells))
    padded = [cell + [""] * (high - len(cell)) for cell in cells]
    return [
        "  ".join(f"{part:<{size}}" for part, size in zip(parts, widths, strict=True)).rstrip()
        for parts in zip(*padded, strict=True)
    ]


def _promises(report: Report) -> list[str]:
    words = {State.HOLDS: "holds", State.FAILS: "does not hold", State.NOT_RUN: "not shown"}
    lines = ["Promises on this server:"]
    for promise, state, names in report.promises():
        because = f" ({', '.join(names)})" if names else ""
        lines.append(f"  {words[state]:<13}  {promise}{because}")
    return lines


def _end(report: Report) -> list[str]:
    events = " and ".join(map(str, report.events))
    plural = "s" if len(report.events) > 1 else ""
    return [report.summary(), f"{report.seconds} s, in the audit log as event{plural} {events}."]
