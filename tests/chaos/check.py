"""The checker: the log in plain SQL, Milvus asked directly, the journal; no application code.

What it says of the recycle bin and of plans is in check_more.py.
"""

import json
from collections import Counter
from pathlib import Path

from . import check_more
from .attack import Attack
from .journal import DROP, PURGE, Journal
from .log import FINAL, Log, Row, broken_links
from .operators import Operators
from .steps import ACTIONS, POINTS, STRICT
from .world import World

ALL_POINTS_FROM = 1000  # operations from which each point and fault must have struck
DROPS = {"collection.drop", "partition.drop", "collection.purge"}
# What fails nothing: strict mode can't rename a partition.
REPORTED = {"given_back_again", "partition_window_hit"} | (set() if STRICT else {"window_hit"})


def counts(
    world: World, operators: Operators, log: Log, key: str, copies: list[Path]
) -> dict[str, int]:
    """What must be zero, but for REPORTED. To be asked when all that can settle has settled."""
    rows, there = log.rows(), world.there()
    world.loads.judge_all(there)
    bin_ = check_more.Bin(world, there, rows, log.binned())
    return {
        **_of_requests(world.journal, operators),
        "without_final_outcome": len(_intents(rows).keys() - _outcomes(rows).keys()),
        "outcomes_not_as_milvus_shows": _wrong(world, there, rows)
        + _boasted(rows)
        + len(world.loads.wrong),
        "private_names_left": _renamed(there, rows) + len(bin_.names_left),
        "purged_early": len(world.journal.purged_early),
        "restored_wrong": len(world.journal.restored_wrong) + len(bin_.restored_wrong),
        "lost_in_bin": len(bin_.lost),
        **check_more.of_plans(operators.planners, log, rows, world.journal.items_twice),
        "broken_links": broken_links(rows, key),
        "events_lost": _lost(rows, world.journal.seen, copies),
    }


def _of_requests(journal: Journal, operators: Operators) -> dict[str, int]:
    return {
        "sent_without_intent": journal.without_intent,
        "sent_more_than_once": journal.more_than_once,
        "dropped_another_than_shown": operators.dropped_another + journal.window[PURGE],
        "given_back_again": journal.given_back_again,
        "window_hit": journal.window["DropCollection"],
        "partition_window_hit": journal.window["DropPartition"],
    }


def never_struck(attack: Attack, operations: int) -> list[str]:
    """Points and faults that a long run has missed."""
    if operations < ALL_POINTS_FROM:
        return []
    struck = {part for fault in attack.struck for part in fault.split("/")}
    return sorted({*POINTS, *ACTIONS, "shown"} - struck)


def never_done(attack: Attack, operators: Operators, wanted: set[str]) -> dict[str, bool]:
    """Ways that never succeeded, or did (True) and never met a fault."""
    return {
        way: bool(operators.done[way])
        for way in sorted(wanted)
        if not (operators.done[way] and attack.ways[way])
    }


def _intents(rows: list[Row]) -> dict[str, int]:
    """Which id each operation is about."""
    records = [row.record for row in rows]
    return {
        record["operation_id"]: int(record["details"]["identity"]["id"])
        for record in records
        if record["phase"] == "intent"
    }


def _outcomes(rows: list[Row]) -> dict[str, str]:
    """The final outcome of each operation that has one; the last, if something followed it."""
    records = [row.record for row in rows]
    return {
        record["operation_id"]: record["outcome"]
        for record in records
        if record["phase"] in {"outcome", "follow_up"} and record["outcome"] in FINAL
    }


def _dropped(rows: list[Row]) -> Counter[int]:
    """How many operations say that they dropped that id."""
    intents, outcomes = _intents(rows), _outcomes(rows)
    drops = {row.record["operation_id"] for row in rows if row.record["action"] in DROPS}
    return Counter(
        intents[one] for one, outcome in outcomes.items() if outcome == "succeeded" and one in drops
    )


def _wrong(world: World, there: dict[int, str], rows: list[Row]) -> int:
    """Each id that was ever made is there, or exactly one operation dropped it."""
    dropped, wrong = _dropped(rows), []
    excused = world.behind | world.journal.victims  # somebody else may have been first
    for made in world.made:
        gone, times = made not in there, dropped[made]
        went_with_all = world.parts.get(made, made) not in there  # a partition, with its collection
        if made in excused or (made in world.parts and went_with_all):
            fine = times <= gone
        else:
            fine = times == gone
        wrong += [] if fine else [f"{made} {world.made[made]} gone: {gone}, dropped: {times}"]
    world.story += wrong + world.loads.wrong
    return len(wrong)


def _boasted(rows: list[Row]) -> int:
    """Operations that succeeded, and on their own record sent nothing: it went by another hand."""
    records, outcomes = [row.record for row in rows], _outcomes(rows)
    idle = {one["operation_id"] for one in records if one["details"].get("attempts") == 0}
    return sum(outcomes.get(one) == "succeeded" for one in idle)


def _renamed(there: dict[int, str], rows: list[Row]) -> int:
    """What strict mode left under another name, and no outcome says so: its own was taken then."""
    told = check_more.told(rows)
    left = [name for name in there.values() if name.startswith(DROP)]
    return sum(f"called {name.partition('/')[0]} now" not in told for name in left)


def _lost(rows: list[Row], seen: dict[int, str], copies: list[Path]) -> int:
    """Events that were in the log once, or in its copy, and are not there as they were."""
    known = {row.sequence: row.hash for row in rows}
    lines = [json.loads(line) for copy in copies for line in copy.read_text().splitlines()]
    copied = {line["record"]["sequence"]: line["hash"] for line in lines}
    return sum(known.get(number) != seal for number, seal in [*seen.items(), *copied.items()])
