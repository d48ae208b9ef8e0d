"""The page of a recycle bin with ten thousand collections beside that of one with a hundred."""

import statistics
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from .application import application, get, signed_in
from .figures import at_most, noted
from .measure import milliseconds, rounds
from .places import Place

SMALL, LARGE = 100, 10_000
NOBODY = Place(0, "http://127.0.0.1:1")  # the page asks Milvus nothing
PAGE = f"/clusters/{NOBODY.key}/recycle-bin/?database="
VIEWS = {"sorted by rows": "&sort=-rows", "searched": "&q=c_000"}


def main() -> None:
    with application([NOBODY]):
        for size in (SMALL, LARGE):
            _fill(size)
        client = signed_in()
        floor, value = (_median(client, f"{PAGE}d{size}") for size in (SMALL, LARGE))
        at_most("recycle bin, ms", LARGE, value, floor, 2 * floor, "2 × the floor")
        for words, query in VIEWS.items():
            floor, value = (_median(client, f"{PAGE}d{size}{query}") for size in (SMALL, LARGE))
            noted(f"recycle bin, {words}, ms", LARGE, value, floor)


def _median(client: Any, url: str) -> float:
    act = partial(get, client, url, rows=50)
    act()
    return statistics.median(milliseconds(act) for _ in range(rounds()))


def _fill(size: int) -> None:
    """A database of its own for each size."""
    from django.utils import timezone

    from collections_app.models import BinItem
    from collections_app.operations.private_names import BIN, private_name

    now = timezone.now()
    BinItem.objects.bulk_create(
        BinItem(
            operation_id=operation,
            cluster=NOBODY.key,
            database=f"d{size}",
            name=f"c_{number:05d}",
            private_name=private_name(BIN, operation),
            collection_id=number + 1,
            rows=number * 37 % 10_007,
            was_loaded=False,
            aliases=[],
            actor_display="Olga",
            reason="bench",
            moved_at=now,
            purge_at=now + timedelta(days=7, seconds=number),
        )
        for number in range(size)
        for operation in [UUID(int=size * 10**6 + number)]
    )


if __name__ == "__main__":
    main()
