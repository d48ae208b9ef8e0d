"""Verify the audit log's chain, in the database or in an export."""

from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from ...audit import copy_check, integrity, verify
from ...audit.verify import Verdict
from ...health import heartbeat
from ...models import RemovedSegment
from ...operations.protection_check import protection_problems
from ...recycle_bin.check import log_problems
from ..shell import Error, ShellCommand

T = TypeVar("T")


class Command(ShellCommand):
    help = (
        "Check that no audit event was changed, removed or added. Names the first broken link. "
        "Exit codes: 0 intact; 1 not intact, or it can't be verified; 2 wrong usage."
    )
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--export",
            nargs="+",
            metavar="FILE",
            help="verify these JSON Lines exports and sealed segments, oldest first, as one chain, "
            "without the database",
        )
        parser.add_argument("--partial", action="store_true", help="the export was filtered")
        parser.add_argument("--head", help="the hash the last event must have")
        parser.add_argument(
            "--against",
            help="compare with this copy: each of its lines must be in the database unchanged",
        )
        parser.add_argument(
            "--lost",
            type=Path,
            help="with --against: write lines that are missing to this new file",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["export"]:
            return self._check(options)
        intact = False
        try:
            self._check(options)
            intact = True
        finally:
            heartbeat.try_record_run(heartbeat.VERIFY, ok=intact)

    def _check(self, options: dict[str, Any]) -> None:
        """Report every problem, not only the first."""
        files = options["export"]
        verdict = self._of_files(files, options["partial"]) if files else verify.verify()
        problems = list(self._of_chain(verdict, options))
        if not files and not verdict.broken:
            self._say_removed()
            beside = [*integrity.problems(), *log_problems(), *protection_problems()]
            problems += [f"Beside the chain: {text}." for text in beside]
        if options["against"]:
            problems += self._of_copy(options["against"], options["lost"])
        if problems:
            raise Error("\n".join(problems))

    def _of_chain(self, verdict: Verdict, options: dict[str, Any]) -> Iterator[str]:
        if verdict.broken:
            intact = f"{verdict.checked} events before it are intact."
            yield f"The chain is broken: {verdict.broken}. {intact}"
            return
        if options["export"] and not verdict.checked:
            yield f"{' '.join(options['export'])} holds no event. Was it cut off?"
            return
        if options["head"] and options["head"] != verdict.head:
            yield (
                f"The chain ends at event {verdict.last_sequence} with {verdict.head}, not with "
                "the given head: the end was cut off, or more was written since."
            )
        events = f"{verdict.checked} events, last {verdict.last_sequence}, head {verdict.head}"
        self.say(
            f"The chain is intact: {events}",
            events=verdict.checked,
            last=verdict.last_sequence,
            head=verdict.head,
        )

    def _say_removed(self) -> None:
        for row in RemovedSegment.objects.order_by("last"):
            self.say(f"Removed earlier: {row}, as event {row.event} says")

    def _of_copy(self, path: str, new: Path | None) -> Iterator[str]:
        missing: dict[int, str] = {}
        on_missing = missing.__setitem__ if new else lambda *_: None
        try:
            comparison = self._read(
                [path], lambda lines: copy_check.compare_with_copy(lines, on_missing)
            )
        except ValueError as exc:
            raise Error(f"A line of {path} can't be compared: {exc}") from exc
        if comparison.removed:
            self.say(f"Not compared: {comparison.removed} lines of removed segments")
        if new:
            _write(new, [missing[number] for number in sorted(missing)])
        if comparison.problem:
            yield (
                f"The log is not the one that was copied: {comparison.problem}; "
                f"{comparison.missing} lines are not in the log. Its end was cut off, an old "
                "backup was restored, or somebody who has the key rewrote it. "
                "Follow docs/operations.md, 'The chain is broken'."
            )
        elif not comparison.checked + comparison.removed:
            yield f"{path} holds no event. Was it cut off?"
        else:
            self.say(
                f"The log agrees with the copy: {comparison.checked} lines, up to event "
                f"{comparison.last_sequence}",
                compared=comparison.checked,
            )

    def _of_files(self, paths: list[str], partial: bool) -> Verdict:
        return self._read(
            paths,
            lambda lines: verify.verify_export(
                lines, partial=partial, removed=lambda: self._read(paths, verify.removed_in)
            ),
        )

    def _read(self, paths: list[str], check: Callable[[Iterable[str]], T]) -> T:
        try:
            return check(line for path in paths for line in _lines(path))
        except (OSError, UnicodeDecodeError) as exc:
            raise Error(f"{' '.join(paths)} can't be read: {exc}") from exc


def _write(path: Path, lines: list[str]) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:  # nothing is overwritten
            file.writelines(f"{line}\n" for line in lines)
    except OSError as exc:
        raise Error(f"{path} can't be written: {exc}") from exc


def _lines(path: str) -> Iterator[str]:
    with Path(path).open(encoding="utf-8") as lines:
        yield from lines
