"""The log beside the copy of its lines that left the machine: what the chain alone can't prove.

Whoever can write to the database can cut the end off or restore an old backup, and whoever has
the key can seal a whole chain anew. Both verify; the copy tells.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from ..models import AuditEvent
from .verify import Link, link_of_line, removed_from_database

BATCH = 1000


@dataclass(frozen=True, slots=True)
class CopyComparison:
    """How many lines of the copy are in the log, and the highest number among all lines.

    `removed` are lines about events of removed segments: only their files can tell. `missing`
    are lines whose event is not in the log as it was; `problem` says what is wrong with the first.
    """

    checked: int = 0
    last_sequence: int = 0
    removed: int = 0
    missing: int = 0
    problem: str = ""


def compare_with_copy(
    lines: Iterable[str], on_missing: Callable[[int, str], None] = lambda *_: None
) -> CopyComparison:
    """Every event of the copy must be in the log, with the seal it had.

    The lines may be in any order, twice, or a part of all: several processes wrote them.
    `on_missing` gets each missing line with its number. Raises ValueError for a line that is no
    event: that says nothing about the log.
    """
    comparison, heads = CopyComparison(), removed_from_database()
    removed_until = max(heads, default=0)
    for batch in _batches(line for line in lines if line.strip()):
        links = [_link(line) for line in batch]
        hashes = {**heads, **_hashes(links)}
        for line, link in zip(batch, links, strict=True):
            missing = comparison.missing
            comparison = _counted(comparison, link, hashes, removed_until)
            if comparison.missing > missing:
                on_missing(link.sequence, line.rstrip("\n"))
    return comparison


def _hashes(links: list[Link]) -> dict[int, str]:
    events = AuditEvent.objects.filter(sequence__in=[link.sequence for link in links])
    return dict(events.values_list("sequence", "hash"))


def _counted(
    comparison: CopyComparison, link: Link, hashes: dict[int, str], removed_until: int
) -> CopyComparison:
    last = max(comparison.last_sequence, link.sequence)
    if link.sequence not in hashes and link.sequence <= removed_until:
        return replace(comparison, last_sequence=last, removed=comparison.removed + 1)
    if problem := _problem(link, hashes):
        first = comparison.problem or problem
        return replace(
            comparison, last_sequence=last, missing=comparison.missing + 1, problem=first
        )
    return replace(comparison, last_sequence=last, checked=comparison.checked + 1)


def _link(line: str) -> Link:
    link = link_of_line(line)
    if isinstance(link, str):
        raise ValueError(link)
    return link


def _problem(link: Link, hashes: dict[int, str]) -> str:
    if link.sequence not in hashes:
        return f"event {link.sequence} is in the copy and not in the log"
    if hashes[link.sequence] != link.hash:
        return f"event {link.sequence} of the log is not the one in the copy"
    return ""


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    source = iter(lines)
    while batch := list(islice(source, BATCH)):
        yield batch
