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
class Compared:
    """How many lines of the copy are in the log, and the highest number among all lines.

    `removed` are lines about events of removed segments: only their files can tell. `lost` are
    lines whose event is not in the log as it was; `problem` says what is wrong with the first.
    """

    checked: int = 0
    last_sequence: int = 0
    removed: int = 0
    lost: int = 0
    problem: str = ""


def compare(lines: Iterable[str], keep: Callable[[int, str], None] = lambda *_: None) -> Compared:
    """Every event of the copy must be in the log, with the seal it had.

    The lines may be in any order, twice, or a part of all: several processes wrote them.
    `keep` gets each line that is lost, with its number. Raises ValueError for a line that is no
    event: that says nothing about the log.
    """
    found, heads = Compared(), removed_from_database()
    gone = max(heads, default=0)
    for batch in _batches(line for line in lines if line.strip()):
        links = [_link(line) for line in batch]
        hashes = {**heads, **_hashes(links)}
        for line, link in zip(batch, links, strict=True):
            lost = found.lost
            found = _counted(found, link, hashes, gone)
            if found.lost > lost:
                keep(link.sequence, line.rstrip("\n"))
    return found


def _hashes(links: list[Link]) -> dict[int, str]:
    known = AuditEvent.objects.filter(sequence__in=[link.sequence for link in links])
    return dict(known.values_list("sequence", "hash"))


def _counted(found: Compared, link: Link, hashes: dict[int, str], gone: int) -> Compared:
    last = max(found.last_sequence, link.sequence)
    if link.sequence not in hashes and link.sequence <= gone:
        return replace(found, last_sequence=last, removed=found.removed + 1)
    if problem := _problem(link, hashes):
        first = found.problem or problem
        return replace(found, last_sequence=last, lost=found.lost + 1, problem=first)
    return replace(found, last_sequence=last, checked=found.checked + 1)


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
