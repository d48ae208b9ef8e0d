"""The bar that shows how the rows of a collection are spread over its partitions."""

from collections.abc import Iterable
from dataclasses import dataclass

from ..milvus.types import Unread
from .tables import PartitionRow

WIDTH, GAP = 1000, 3  # of the drawing, in its own units
LARGEST = 5  # partitions with a segment of their own


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the bar. Without a name it is all other partitions together."""

    name: str
    rows: int
    percent: str
    x: int
    width: int
    shade: str  # a class of the style sheet


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedBar:
    """The largest partitions, and the rest. `others` is how many that are."""

    segments: list[Segment]
    others: int


def partition_bar(
    partitions: Iterable[PartitionRow], count: int, total: int | Unread
) -> StackedBar | None:
    """The bar of these partitions in a collection of `total` rows and `count` partitions.

    None where it would say nothing: no rows, one partition, or a count that could not be read.
    """
    sizes = [(row.rows, row.partition.name) for row in partitions]
    known = [(rows, name) for rows, name in sizes if isinstance(rows, int)]
    if len(known) < len(sizes) or count < 2 or isinstance(total, Unread):
        return None
    largest = [(rows, name) for rows, name in sorted(known, key=_largest_first) if rows][:LARGEST]
    whole = max(total, sum(rows for rows, _ in known))  # both are counted apart, while rows come in
    rest = whole - sum(rows for rows, _ in largest)
    if not largest:
        return None
    parts = largest + ([(rest, "")] if rest else [])
    return StackedBar(segments=_segments(parts, whole), others=count - len(largest))


def _largest_first(partition: tuple[int, str]) -> tuple[int, str]:
    return -partition[0], partition[1]


def _segments(parts: list[tuple[int, str]], whole: int) -> list[Segment]:
    """Side by side. What has rows is wide enough to be seen."""
    room = WIDTH - GAP * (len(parts) - 1)
    made, x = [], 0
    for place, (rows, name) in enumerate(parts, 1):
        width = max(round(room * rows / whole), GAP)
        shade = f"shade-{place}" if name else "shade-rest"
        made.append(
            Segment(
                name=name, rows=rows, percent=_percent(rows, whole), x=x, width=width, shade=shade
            )
        )
        x += width + GAP
    return made


def _percent(part: int, whole: int) -> str:
    """In whole percents, without calling something nothing, or a part all of it."""
    share = 100 * part / whole
    if 0 < share < 1:
        return "< 1 %"
    return "> 99 %" if 99 < share < 100 else f"{share:.0f} %"
