"""What the operators will do and which fault each will meet. Depends on the seed alone."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

STRICT = os.environ.get("CHAOS_STRICT") == "1"

# Where a fault strikes: at the relay, inside the application, inside its loops.
RELAY = ("look", "call", "called", "verify")
RENAMING = ("rename", "renamed")  # the rename of strict mode
INSIDE = ("begun", "claim", "intent", "intended", "sending", "answered", "outcome", "recorded")
SETTLER = ("settling", "settled")
IN_PLAN = ("handed", "taken", "noted")
COMMON = (*RELAY, *INSIDE, *SETTLER)

LOCKED = {"claim", "intent", "outcome", "settled"}  # in the transaction: everybody else waits

# How often each, among those that are possible at a point.
ANYWHERE = {"database": 4, "disk": 4, "kill": 1, "clock": 1, "stall": 4}
KILLED = {**ANYWHERE, "kill": 8}  # the process that carries out a plan: it must go on
RARELY_HELD = {**ANYWHERE, "stall": 1}
ON_THE_WAY = {"cut": 6, "reset": 5}
STRANGERS = {"dropped": 3, "renamed": 3}  # to what is in the recycle bin
OPEN = ("called", "cut")  # leaves an operation without an answer, for the settler
# What comes far more often: an action; or half of the time, an action at one point ("call/cut").
AT, _, FOCUS = os.environ.get("CHAOS_FOCUS", "").rpartition("/")
MILVUS_KILLED = 400  # one operation in so many


@dataclass(frozen=True)
class Way:
    """Something to do: with which points besides the common ones, and which faults there."""

    points: tuple[str, ...] = ()
    more: tuple[tuple[str, dict[str, int]], ...] = ()  # what else is possible at a point
    shown: tuple[str, ...] = ()  # what happens while the dialog is open
    slug: str = ""  # in the address of its dialog, if that is not the way's name

    def possible(self, point: str) -> dict[str, int]:
        """The faults at a point, with their weights."""
        found = RARELY_HELD if point in LOCKED else KILLED if point in IN_PLAN else ANYWHERE
        on_the_way = ON_THE_WAY if point in RELAY or point in {*RENAMING, "release"} else {}
        return found | on_the_way | dict(self.more).get(point, {})


_REPLACED, _LATE = {"replaced": 6}, {"late": 4}
_LAST = ("rename", _REPLACED | _LATE) if STRICT else ("call", _REPLACED)
_PLAIN = Way(more=(("call", _REPLACED),), shown=("replaced",))
_DROP = Way(RENAMING if STRICT else (), (_LAST,), ("replaced",))
_MOVE = Way(("release", "released"), (("call", _REPLACED | _LATE),), ("replaced",))
_BY_OTHERS = (("begun", STRANGERS | _REPLACED), ("call", STRANGERS))
_GONE = ("dropped", "renamed", "replaced")

# The one table of what is attacked, beside what goes for all: COMMON points, and ANYWHERE.
WAYS = {
    "drop-collection": _DROP,
    "drop-partition": _PLAIN,
    "release-collection": _PLAIN,
    "release-partition": _PLAIN,
    "move-to-bin": _MOVE,
    "restore": Way(more=(("call", {**STRANGERS, "taken": 6, **_LATE}), _BY_OTHERS[0]), shown=_GONE),
    "restore-as": Way(more=(("call", {"taken": 6}),), slug="restore"),
    "purge": Way(more=_BY_OTHERS, shown=_GONE),
    "purge-due": Way(("due",), (("due", STRANGERS | _REPLACED), _BY_OTHERS[1])),
    "plan-drop": Way((*IN_PLAN, *_DROP.points), _DROP.more, ("replaced",)),
    "plan-move": Way((*IN_PLAN, *_MOVE.points), _MOVE.more, ("replaced",)),
}
POINTS = tuple(dict.fromkeys([*COMMON, *(point for way in WAYS.values() for point in way.points)]))
ACTIONS = (*KILLED, *ON_THE_WAY, *_GONE, "taken", "late")
ON_BINNED = {"restore", "restore-as", "purge", "purge-due"}
LOADED = {"release", "released"}  # points that only a loaded collection comes by

DROPPING = {"drop-collection": 3, "drop-partition": 1}
RELEASING = {
    "release-partition": 4,
    "release-collection": 1,
    "drop-partition": 2,
    "drop-collection": 1,
}
BINNING = {"move-to-bin": 4, "restore": 3, "restore-as": 2, "purge": 2, "purge-due": 2}
PLANNING = {"plan-drop": 1, "plan-move": 1}
DECISIONS = ("", "", "pause", "cancel")  # what a person does while the plan runs
ITEMS = 4  # of a plan

Fault = tuple[str, str]
NO_FAULT: tuple[Fault, ...] = (("", ""),)


@dataclass(frozen=True)
class Step:
    """One confirmed act on one thing, and the faults it meets."""

    way: str
    collection: str
    partition: str
    faults: tuple[Fault, ...]
    other: str = ""  # the name that a restore gives it
    more: tuple[str, ...] = ()  # the other items of a plan
    decision: str = ""  # on a plan that runs
    private: str = ""  # what it is called in the recycle bin, once that is known

    @property
    def slug(self) -> str:
        """As in the address of its dialog."""
        return WAYS[self.way].slug or self.way

    @property
    def typed(self) -> dict[str, str]:
        """What is filled into the dialog."""
        new_name = {"new_name": self.other or self.collection}
        named = {"typed_name": self.partition or self.collection}
        return {"reason": "chaos", **(new_name if self.slug == "restore" else named)}

    @property
    def query(self) -> dict[str, str]:
        name = self.private or self.partition
        named = {"name": name} if name else {}
        return {"database": "default", "collection": self.collection, **named}

    @property
    def is_plan(self) -> bool:
        return self.way in PLANNING

    @property
    def needs_load(self) -> bool:
        return self.faults[-1][0] in LOADED


PARTITION = "p"


def steps(
    seed: str,
    names: list[str],
    ways: dict[str, int],
    kills: Callable[[], bool],
    undone: Callable[[], dict[str, bool]],
) -> Iterator[Step]:
    """For ever. `kills`: whether Milvus itself may be killed, too. `undone` comes first, so that a
    short run has all ways: without a fault until it was done once (False), and then with one.
    """
    chance = random.Random(seed)
    while True:
        first = {way: done for way, done in undone().items() if way in ways}
        way = _one_of(chance, {way: ways[way] for way in first or ways})
        milvus = chance.randrange(MILVUS_KILLED) == 0 and kills()
        killed = ((chance.choice(("call", "called")), "milvus"),)
        faults = killed if milvus else _faults(chance, way)
        yield _step(chance, names, way, faults if first.get(way, True) else NO_FAULT)


def _step(chance: random.Random, names: list[str], way: str, faults: tuple[Fault, ...]) -> Step:
    name, *others = chance.sample(names, min(ITEMS, len(names)))
    return Step(
        way,
        name,
        PARTITION if way.endswith("partition") else "",
        faults,
        other=others[0] if way == "restore-as" else "",
        more=tuple(others) if way in PLANNING else (),
        decision=chance.choice(DECISIONS) if way in PLANNING else "",
    )


def _faults(chance: random.Random, name: str) -> tuple[Fault, ...]:
    way = WAYS[name]
    if AT and chance.randrange(2):
        return ((AT, FOCUS),)
    focused = tuple(point for point, more in way.more if FOCUS in more) * 20
    own = way.points * 2 if name not in DROPPING else way.points
    point = chance.choice((*COMMON, *own, *way.shown[:1], *focused))
    if point in way.shown:
        return (("shown", _one_of(chance, dict.fromkeys(way.shown, 1))),)
    chosen = (point, _one_of(chance, way.possible(point)))
    return (OPEN, chosen) if point in SETTLER else (chosen,)


def _one_of(chance: random.Random, weights: dict[str, int]) -> str:
    weighed = [weight * (10 if it == FOCUS else 1) for it, weight in weights.items()]
    return chance.choices(list(weights), weighed)[0]
