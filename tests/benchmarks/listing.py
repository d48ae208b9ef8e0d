"""The list page: server time of one request with details, and how it grows."""

from functools import partial

from .application import application, get, list_url, signed_in
from .by_hand import PAGE, ByHand
from .figures import at_most, noted
from .measure import in_turns, rounds
from .places import Place, places, sizes

UP_TO = 10_000  # collections; beyond that the time is only noted


def main() -> None:
    with places(sizes()) as found, application(found):
        client = signed_in()
        hands = [ByHand(place) for place in found]
        pages = [partial(get, client, list_url(p), rows=min(PAGE, p.size)) for p in found]
        acts = [*pages, *(hand.page for hand in hands), *(hand.list_twice for hand in hands)]
        times = in_turns(*acts, times=rounds(100))
    count = len(found)
    ours, floors, shows = times[:count], times[count : 2 * count], times[2 * count :]
    for place, value, floor in zip(found, ours, floors, strict=True):
        _print_page(place, value, floor)
    _print_growth(found, ours, shows)


def _print_page(place: Place, value: float, floor: float) -> None:
    if place.size > UP_TO:
        noted("list page, ms", place.size, value, floor)
    else:
        limit = "1.5 × the floor + 10 ms"
        at_most("list page, ms", place.size, value, floor, 1.5 * floor + 10, limit)


def _print_growth(found: list[Place], ours: list[float], shows: list[float]) -> None:
    """From the smallest to the largest size that has a limit."""
    last = sum(place.size <= UP_TO for place in found) - 1
    if last < 1:
        return
    value, floor = ours[last] - ours[0], shows[last] - shows[0]
    size = f"{found[0].size:,} → {found[last].size:,}"
    at_most("growth of the list page, ms", size, value, floor, floor + 5, "the floor + 5 ms")


if __name__ == "__main__":
    main()
