"""One rehearsal from its first event to its last. Start reading at `rehearse`."""

import logging
import signal
import uuid
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from ..access.principals import Caller
from ..audit.log import LogUnwritable, Outcome
from ..clusters import Milvus
from ..milvus.scratch import root_of
from . import dropping, reading, record
from .checks import Check, Result, State, carry_out
from .cleaning import Cleaner
from .record import Run
from .report import Report
from .scratch import Deadline, Scratch

CHECKS: tuple[Check, ...] = (*reading.CHECKS, *dropping.CHECKS)
SECONDS = 40.0  # after which no further check begins
NOT_REACHED = "The rehearsal ended before this check."

logger = logging.getLogger(__name__)


def new_run(milvus: Milvus, database: str, version: str) -> Run:
    """A run that has not begun."""
    run = uuid.uuid4()
    return Run(
        id=run, cluster=milvus.cluster, root=root_of(run), database=database, version=version
    )


def rehearse(
    milvus: Milvus,
    run: Run,
    caller: Caller,
    *,
    own_database: bool = True,
) -> Report:
    """Carry out every check, and remove what that created, whatever happens.

    Raises LogUnwritable before anything is created. A last event that can't be written is missing
    in `report.events`; the run counts as one that was killed then.
    """
    first = record.began(run, caller)
    report = Report(run=run, database=run.database, events=[first.sequence])
    scratch = Scratch(milvus=milvus, run=run.id, database=run.database, deadline=Deadline(SECONDS))
    with Interruption() as interruption:
        try:
            _try_everything(scratch, report, own_database=own_database)
            interruption.is_shielded = True
        except KeyboardInterrupt:
            report.is_interrupted = True
        interruption.is_shielded = True
        _clean_up(scratch, report)
        _ended(scratch, report, caller)
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


def _try_everything(scratch: Scratch, report: Report, *, own_database: bool) -> None:
    """Fill the report, check by check. Raises KeyboardInterrupt only."""
    report.results = [Result(check, State.NOT_RUN, NOT_REACHED) for check in CHECKS]
    try:
        if own_database:
            scratch.use_own_database()
        report.database = scratch.database
        for at, check in enumerate(CHECKS):
            report.results[at] = carry_out(check, scratch)
    except Exception:  # a bug: what was created has to be removed all the same
        logger.exception("the rehearsal failed")


def _clean_up(scratch: Scratch, report: Report) -> None:
    cleaner = Cleaner(scratch.milvus, scratch.run)
    own = [scratch.root] if report.is_interrupted else []  # it may just have been created
    cleaner.clean(dict.fromkeys([*own, *scratch.databases]), scratch.aliases)
    report.left = cleaner.left


def _ended(scratch: Scratch, report: Report, caller: Caller) -> None:
    """The last event. After an interruption something may come late, so the next run looks."""
    report.seconds = round(scratch.deadline.elapsed, 1)
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
        event = record.write(record.ENDED, report.run, caller, report.summary(), outcome, details)
        report.events.append(event.sequence)


def sweep(milvus: Milvus, caller: Caller) -> list[str]:
    """Remove what runs left that were killed or interrupted. What it did, in words.

    Raises LogUnwritable: then it is removed, and looked for again by the next run.
    """
    lines: list[str] = []
    for run in record.outstanding(milvus.cluster):
        cleaner = Cleaner(milvus, run.id)
        own = [run.root] if cleaner.has_own_database() else []
        cleaner.clean([*own, run.database])
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
        record.write(record.CLEANED, run, caller, text, outcome, details)
        lines.append(f"{run.root}: {removed}{left}")
    return lines
