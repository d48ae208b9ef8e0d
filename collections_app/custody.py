"""The log beside the copy of its lines that left the machine: what the chain alone can't prove.

Whoever can write to the database can cut the end off or restore an old backup, and whoever has
the key can seal a whole chain anew. Both verify; the copy tells.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from .models import AuditEvent
from .verification import Link, link_of_line

BATCH = 1000


@dataclass(frozen=True, slots=True)
class Compared:
    """How many lines of the copy are in the log, and the highest number among them.

    `problem` says what is wrong first, or is empty.
    """

    checked: int
    last_sequence: int
    problem: str = ""


def compare(lines: Iterable[str]) -> Compared:
    """Every event of the copy must be in the log, with the seal it had.

    The lines may be in any order, twice, or a part of all: several processes wrote them.
    Raises ValueError for a line that is no event: that says nothing about the log.
    """
    checked = last = 0
    for batch in _batches(line for line in lines if line.strip()):
        links = [_link(line) for line in batch]
        numbers = [link.sequence for link in links]
        known = AuditEvent.objects.filter(sequence__in=numbers)
        hashes = dict(known.values_list("sequence", "hash"))
        for link in links:
            if problem := _problem(link, hashes):
                return Compared(checked, last, problem)
            checked += 1
        last = max([last, *numbers])
    return Compared(checked, last)


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
