"""The bar of partitions: its segments without HTML."""

from typing import Any

import pytest

from collections_app.milvus.types import Identity, Load, Partition, Unread
from collections_app.web.bars import GAP, WIDTH, partition_bar
from collections_app.web.tables import PartitionRow, RowAct


def row(name: str, rows: int | Unread | None) -> PartitionRow:
    partition = Partition(name=name, identity=Identity(id=1), load=Load(None))
    return PartitionRow(partition=partition, rows=rows, act=RowAct())


@pytest.mark.parametrize(
    ("rows", "count", "total", "segments", "others"),
    [
        ({"a": 1, "b": 3}, 2, 4, [("b", "75 %"), ("a", "25 %")], 0),
        ({"a": 0, "b": 3}, 2, 3, [("b", "100 %")], 1),
        ({"a": 5, "b": 5}, 60, 20, [("a", "25 %"), ("b", "25 %"), ("", "50 %")], 58),
        ({"a": 1, "b": 999}, 2, 1000, [("b", "> 99 %"), ("a", "< 1 %")], 0),
        ({"a": 6, "b": 4}, 2, 8, [("a", "60 %"), ("b", "40 %")], 0),  # rows came in meanwhile
        (
            dict.fromkeys("abcdefgh", 10),
            8,
            80,
            [(name, "12 %") for name in "abcde"] + [("", "38 %")],
            3,
        ),
    ],
)
def test_bar_shows_the_largest_partitions_and_the_rest(
    rows: dict[str, int], count: int, total: int, segments: list[Any], others: int
) -> None:
    bar = partition_bar([row(*item) for item in rows.items()], count, total)
    assert bar
    assert [(part.name, part.percent) for part in bar.segments] == segments
    assert bar.others == others
    ends = [part.x + part.width for part in bar.segments]
    assert [part.x for part in bar.segments] == [0, *(end + GAP for end in ends[:-1])]
    assert abs(ends[-1] - WIDTH) <= GAP * len(ends)


@pytest.mark.parametrize(
    ("rows", "count", "total"),
    [
        ({"a": 5}, 1, 5),
        ({}, 0, 0),
        ({"a": 0, "b": 0}, 2, 0),
        ({"a": 1, "b": Unread.UNKNOWN}, 2, 4),
        ({"a": 1, "b": None}, 2, 4),
        ({"a": 1, "b": 3}, 2, Unread.UNKNOWN),
    ],
)
def test_bar_that_would_say_nothing_is_not_drawn(
    rows: dict[str, Any], count: int, total: int | Unread
) -> None:
    assert partition_bar([row(*item) for item in rows.items()], count, total) is None
