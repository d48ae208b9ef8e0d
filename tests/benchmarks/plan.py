"""A plan of ROUNDS collections: to read it, and to carry it out, beside a bare loop of drops."""

import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from .application import OPERATOR, application
from .by_hand import AT_ONCE, ByHand
from .figures import at_most, noted
from .measure import milliseconds, rounds
from .places import Place, places, target

T = TypeVar("T")
ITEMS = 1000
WIDE = 4
SLICE, STEP = 1.0, 25  # seconds of a plan; items of the loop between them


def main() -> None:
    count = rounds(ITEMS)
    size = 6 * count if target() == "stub" else 10
    with places([size], spare=3 * count) as (place,), application([place]):
        from django.db import connection

        hand, names = ByHand(place), list(place.spare)
        floor_read, ours_read, plans = _reading(
            place, hand, names[:count], names[count : 2 * count]
        )
        taken = _in_turns(*map(_slices, plans), _loop(hand, names[2 * count :]))
        (one, cpu), (wide, _), (loop, loop_cpu) = ((ms / count, cpu / count) for ms, cpu in taken)
        for plan in plans:
            _assert_done(plan, count)
        on = connection.vendor
    limit = 1.5 * floor_read
    at_most("plan: read an item, ms", count, ours_read, floor_read, limit, "1.5 × the raw reads")
    at_most(f"plan: drop an item on {on}, ms", count, one, loop, 2 * loop, "2 × the loop")
    at_most(f"plan: the same, {WIDE} at once, ms", count, wide, loop, loop, "the loop")
    noted(f"plan: CPU of an item on {on}, ms", count, cpu, loop_cpu)
    noted("plan: memory of the process, MB", count, _peak_mb())


def _reading(
    place: Place, hand: ByHand, first: list[str], second: list[str]
) -> tuple[float, float, list[Any]]:
    """Milliseconds for an item by hand and by us; and the two plans, confirmed."""
    plans = [_plan(place, first), _plan(place, second, at_once=WIDE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        floor = milliseconds(lambda: list(pool.map(hand.inspect, first)))
    from collections_app.plans import building

    ours = milliseconds(lambda: building.read_items(plans[0]))
    building.read_items(plans[1])
    for plan in plans:
        _confirm(plan)
    return floor / len(first), ours / len(first), plans


def _caller() -> Any:
    from collections_app.access.principals import Actor, Caller, Origin

    actor = Actor(issuer="local", subject=OPERATOR, display=OPERATOR, groups=("operator",))
    return Caller(actor, Origin(interface="bench"))


def _plan(place: Place, names: list[str], at_once: int = 1) -> Any:
    from collections_app.access.policy import Action
    from collections_app.plans import building

    pairs = [(name, name) for name in names]
    plan = building.create(Action.DROP_COLLECTION, place.key, place.spare_in, pairs, _caller())
    plan.at_once = at_once
    plan.save(update_fields=["at_once"])
    return plan


def _confirm(plan: Any) -> None:
    from collections_app.plans import deciding
    from collections_app.plans.rows import digest_of, to_do

    plan.refresh_from_db()
    deciding.confirm(plan, deciding.sentence(plan), digest_of(plan, to_do(plan)), _caller())


def _in_turns(*works: Iterator[None]) -> list[tuple[float, float]]:
    """Milliseconds that pass for each, and those that this process computes for it. A step of one
    follows a step of the other, because the machine and Milvus are busier at some times.
    """
    totals, left = [(0.0, 0.0)] * len(works), set(range(len(works)))
    while left:
        for number in sorted(left):
            step = partial(next, works[number], True)
            ended, taken = _with_cpu(step)
            totals[number] = (totals[number][0] + taken[0], totals[number][1] + taken[1])
            left -= {number} if ended else set()
    return totals


def _slices(plan: Any) -> Iterator[None]:
    """Carry the plan out, in steps."""
    from collections_app.models import ItemState
    from collections_app.plans import running

    while plan.items.filter(state=ItemState.TODO).exists():
        yield running.work(plan, seconds=SLICE)


def _loop(hand: ByHand, names: list[str]) -> Iterator[None]:
    for first in range(0, len(names), STEP):
        yield _each(hand.drop, names[first : first + STEP])


def _assert_done(plan: Any, count: int) -> None:
    from collections_app.models import ItemState

    done = plan.items.filter(state=ItemState.DONE).count()
    plan.refresh_from_db()
    assert done == count, f"{done} of {count} dropped: {plan.state} {plan.why}"


def _with_cpu(act: Callable[[], T]) -> tuple[T, tuple[float, float]]:
    """What it gives; milliseconds by the clock, and of this process alone: others count less."""
    began, computed = time.perf_counter(), time.process_time()
    given = act()
    return given, (
        (time.perf_counter() - began) * 1000,
        (time.process_time() - computed) * 1000,
    )


def _each(act: Callable[[str], None], names: list[str]) -> None:
    for name in names:
        act(name)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
