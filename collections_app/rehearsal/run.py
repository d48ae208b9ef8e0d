"""One rehearsal from its first event to its last. Start reading at `rehearse`."""

import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from ..actors import Actor, Origin
from ..audit import LogUnwritable, Outcome
from ..clusters import Milvus
from ..milvus.errors import MilvusError, Unreachable
from ..milvus.scratch import root_of
from . import dropping, reading, record
from .checks import Check, Result, State, carry_out
from .cleaning import Cleaner
from .record import Run
from .report import INTERRUPTED, Report
from .scratch import Deadline, Scratch

CHECKS: tuple[Check, ...] = (*reading.CHECKS, *dropping.CHECKS)
SECONDS = 40.0  # after which no further check begins
Progress = Callable[[Result], None]


def new_run(milvus: Milvus, database: str, version: str) -> Run:
    """A run that has not begun."""
    run = uuid.uuid4()
    return Run(
        id=run, cluster=milvus.cluster, root=root_of(run), database=database, version=version
    )


def rehearse(
    milvus: Milvus,
    run: Run,
    actor: Actor,
    origin: Origin,
    *,
    own_database: bool = True,
    progress: Progress = lambda _: None,
) -> Report:
    """Carry out every check, and remove what that created, whatever happens.

    Raises LogUnwritable before anything is created. A last event that can't be written is missing
    in `report.events`; the run counts as one that was killed then.
    """
    first = record.began(run, actor, origin)
    report, start = (
        Report(run=run, database=run.database, events=[first.sequence]),
        time.monotonic(),
    )
    scratch = Scratch(
        milvus=milvus,
        run=run.id,
        database=run.database,
        deadline=Deadline(SECONDS),
    )
    with Interruption() as interruption:
        try:
            _try_everything(scratch, report, progress, own_database=own_database)
            interruption.is_shielded = True
        except KeyboardInterrupt:
            report.is_interrupted = True
        _clean_up(scratch, report)
        report.seconds = round(time.monotonic() - start, 1)
        _ended(scratch, report, actor, origin)
    return report


class Interruption:
    """SIGINT and SIGTERM end the checks, once; from then on nothing interrupts the cleaning."""

    def __init__(self) -> None:
        self.is_shielded = False

    def __enter__(self) -> Self:
        signals = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._handle) for number in signals}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.is_shielded:
            self.is_shielded = True
            raise KeyboardInterrupt


def _try_everything(
    scratch: Scratch, report: Report, progress: Progress, *, own_database: bool
) -> None:
    try:
        if own_database:
            _own_database(scratch)
        report.database = scratch.database
    finally:  # also when interrupted, each check has a result
        report.results = [Result(check, State.NOT_RUN, INTERRUPTED) for check in CHECKS]
    for at, check in enumerate(CHECKS):
        report.results[at] = carry_out(check, scratch)
        progress(report.results[at])


def _own_database(scratch: Scratch) -> None:
    """Use a database of the run's own, if the account may create it and collections in it.

    Otherwise everything stays as it was; a database that was created is removed at the end.
    """
    try:
        scratch.maker.database(scratch.root)
        scratch.maker.collection(scratch.root, scratch.name("first"))
    except Unreachable:
        scratch.is_certain = False
        return
    except MilvusError:
        return
    scratch.database = scratch.root


def _clean_up(scratch: Scratch, report: Report) -> None:
    cleaner = Cleaner(scratch.milvus, scratch.run)
    cleaner.clean(report.run.database, scratch.aliases)
    report.left = cleaner.left


def _ended(scratch: Scratch, report: Report, actor: Actor, origin: Origin) -> None:
    """The last event. After an interruption something may come late, so the next run looks."""
    certain = scratch.is_certain and not report.is_interrupted
    details: dict[str, Any] = {
        "states": {result.check.name: str(result.state) for result in report.results},
        "saw": {result.check.name: result.saw for result in report.results},
        "promises": {promise: str(state) for promise, state, _ in report.promises()},
        "seconds": report.seconds,
        "left": report.left,
        "removed_everything": certain and not report.left,
    }
    outcome = Outcome.SUCCEEDED if report.holds else Outcome.FAILED
    with suppress(LogUnwritable):
        event = record.write(
            record.ENDED, report.run, actor, origin, report.summary(), outcome, details
        )
        report.events.append(event.sequence)


def sweep(milvus: Milvus, actor: Actor, origin: Origin) -> list[str]:
    """Remove what runs left that were killed or interrupted. What it did, in words.

    Raises LogUnwritable: then it is removed, and looked for again by the next run.
    """
    lines: list[str] = []
    for run in record.outstanding(milvus.cluster):
        cleaner = Cleaner(milvus, run.id)
        cleaner.clean(run.database)
        removed = (
            f"Removed: {', '.join(cleaner.removed)}." if cleaner.removed else "Nothing was left."
        )
        left = f" Left behind: {'; '.join(cleaner.left)}." if cleaner.left else ""
        text = f"The things of an earlier rehearsal that did not end by itself. {removed}{left}"
        details = {
            "removed": cleaner.removed,
            "left": cleaner.left,
            "removed_everything": not cleaner.left,
        }
        outcome = Outcome.FAILED if cleaner.left else Outcome.SUCCEEDED
        record.write(record.CLEANED, run, actor, origin, text, outcome, details)
        lines.append(f"{run.root}: {removed}{left}")
    return lines
