"""The attack plan: what each operator does and which fault it meets; the seed decides it."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

STRICT = os.environ.get("CHAOS_STRICT") == "1"

# Where a fault strikes: at the relay, inside the application, inside the loop that settles.
RELAY = ("look", "call", "called", "verify", *(("rename", "renamed") if STRICT else ()))
INSIDE = ("begun", "claim", "intent", "intended", "sending", "answered", "outcome", "recorded")
SETTLER = ("settling", "settled")
POINTS = (*RELAY, *INSIDE, *SETTLER)

LOCKED = {"claim", "intent", "outcome", "settled"}  # in the transaction: everybody else waits

# How often each, among those that are possible at a point.
ANYWHERE = {"database": 4, "disk": 4, "kill": 1, "clock": 1, "stall": 4}
RARELY_HELD = {**ANYWHERE, "stall": 1}
ON_THE_WAY = {"cut": 6, "reset": 5}
LAST_INSTANT = "rename" if STRICT else "call"  # when nothing of ours looks any more
OPEN = ("called", "cut")  # leaves an operation without an answer, for the settler
FOCUS = os.environ.get("CHAOS_FOCUS", "")  # an action that comes far more often, there above all
MILVUS_KILLED = 400  # one operation in so many

Fault = tuple[str, str]


@dataclass(frozen=True)
class Step:
    """One confirmed act on one thing, and the faults it meets."""

    act: str  # as in the address of its dialog
    collection: str
    partition: str
    faults: tuple[Fault, ...]

    @property
    def name(self) -> str:
        """What has to be typed."""
        return self.partition or self.collection

    @property
    def query(self) -> dict[str, str]:
        named = {"name": self.partition} if self.partition else {}
        return {"database": "default", "collection": self.collection, **named}


PARTITION = "p"
DROPPING = {"drop-collection": 3, "drop-partition": 1}
RELEASING = {
    "release-partition": 4,
    "drop-partition": 2,
    "release-collection": 1,
    "drop-collection": 1,
}


def steps(
    seed: str, names: list[str], acts: dict[str, int], kills: Callable[[], bool]
) -> Iterator[Step]:
    """For ever. `kills`: whether Milvus itself may be killed, too."""
    chance = random.Random(seed)
    while True:
        act = _one_of(chance, acts)
        partition = PARTITION if act.endswith("partition") else ""
        milvus = chance.randrange(MILVUS_KILLED) == 0 and kills()
        faults = ((chance.choice(("call", "called")), "milvus"),) if milvus else _faults(chance)
        yield Step(act, chance.choice(names), partition, faults)


def _faults(chance: random.Random) -> tuple[Fault, ...]:
    last = (LAST_INSTANT,) * (20 if FOCUS else 1)
    point = chance.choice((*POINTS, "shown", *last))
    if point == "shown":
        return ((point, "replaced"),)
    possible = RARELY_HELD if point in LOCKED else ANYWHERE
    if point in SETTLER:
        return (OPEN, (point, _one_of(chance, possible)))
    if point in RELAY:
        possible = possible | ON_THE_WAY
    if point == LAST_INSTANT:
        possible = possible | {"replaced": 6} | ({"late": 4} if STRICT else {})
    return ((point, _one_of(chance, possible)),)


def _one_of(chance: random.Random, weights: dict[str, int]) -> str:
    weighed = [weight * (10 if it == FOCUS else 1) for it, weight in weights.items()]
    return chance.choices(list(weights), weighed)[0]
