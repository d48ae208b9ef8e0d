"""The checker's questions about the recycle bin and about plans. No code of the application's."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from .journal import BIN
from .log import FINAL, Log, PlanItem, Row
from .planners import OVER, UNTAKEN, Planners
from .world import World

MOVE, RESTORE = "collection.bin", "collection.restore"
ON_COLLECTIONS = {MOVE, RESTORE, "collection.purge", "collection.drop"}
# By the last outcome of its operation.
ITEM_STATES = {
    "succeeded": {"done"},
    "refused": {"refused"},
    "failed": {"failed"},
    "not done so far": {"unknown"},
}


def told(rows: list[Row]) -> str:
    """What outcomes and later events say."""
    tell = {"outcome", "follow_up"}
    return "\n".join(row.record["message"] for row in rows if row.record["phase"] in tell)


class Operations:
    """What the log says of each operation: its intent, and its last final outcome."""

    def __init__(self, rows: list[Row]) -> None:
        self.intents: dict[str, dict[str, Any]] = {}
        self.outcomes: dict[str, str] = {}
        for record in (row.record for row in rows):
            operation = record["operation_id"]
            if record["phase"] == "intent":
                self.intents[operation] = record
            elif record["phase"] in {"outcome", "follow_up"} and record["outcome"] in FINAL:
                self.outcomes[operation] = record["outcome"]

    def succeeded(self) -> dict[int, list[dict[str, Any]]]:
        """By the id of a collection: what was done to it, in order."""
        found = defaultdict(list)
        for operation, record in self.intents.items():
            if self.outcomes.get(operation) == "succeeded" and record["action"] in ON_COLLECTIONS:
                found[int(record["details"]["identity"]["id"])].append(record)
        return found


class Bin:
    """What should be in the bin or have come out of it, beside what Milvus has."""

    def __init__(
        self,
        world: World,
        there: dict[int, str],
        rows: list[Row],
        index: dict[str, tuple[str, int]],
    ) -> None:
        self.world, self.there, self.index, self.told = world, there, index, told(rows)
        self.operations = Operations(rows)
        world.story += [*self.lost, *self.restored_wrong, *self.names_left]
        world.story += [*world.journal.purged_early, *world.journal.restored_wrong]

    @cached_property
    def lost(self) -> list[str]:
        """Went in, and nobody finds it there; or is said to be there, and is not."""
        said = [
            f"{private} of {number} is in the index, and called {self.there.get(number)}"
            for private, (_, number) in self.index.items()
            if self.there.get(number) != private
        ]
        gone = [
            f"{number} went into the bin, and is gone"
            for number, records in self._last().items()
            if records["action"] == MOVE and number not in self.there
        ]
        return [*said, *gone, *self._hidden(), *self._misjudged(MOVE)]

    def _hidden(self) -> list[str]:
        """The very collection that was to go in bears its private name, and the bin has it not."""
        moves = {record["details"]["private_name"]: record for record in self._of(MOVE).values()}
        return [
            f"{number} is called {name}, and is not in the index"
            for number, name in self.there.items()
            if name in moves
            and int(moves[name]["details"]["identity"]["id"]) == number
            and name not in self.index
        ]

    @cached_property
    def restored_wrong(self) -> list[str]:
        """Not what came back, or not under the name that the log says."""
        last = self._last().items()
        restored = {n: one["details"]["new_name"] for n, one in last if one["action"] == RESTORE}
        wrong = [
            f"{number} was restored as {name}, and is called {self.there.get(number)}"
            for number, name in restored.items()
            if self.there.get(number) != name
        ]
        return [*wrong, *self._misjudged(RESTORE)]

    @cached_property
    def names_left(self) -> list[str]:
        """Namesakes that were caught and not given back, and no outcome says so."""
        return [
            f"{number} is called {name}"
            for number, name in self.there.items()
            if name.startswith(BIN)
            and name not in self.index
            and self.world.made[number] != name  # somebody made it there on purpose
            and f"called {name} now" not in self.told
            and name not in "\n".join(self._hidden())
        ]

    def _last(self) -> dict[int, dict[str, Any]]:
        """What was done last to each collection that no stranger touched."""
        excused = self.world.behind | self.world.journal.victims
        done = self.operations.succeeded()
        return {number: records[-1] for number, records in done.items() if number not in excused}

    def _of(self, action: str) -> dict[str, dict[str, Any]]:
        intents = self.operations.intents.items()
        return {key: record for key, record in intents if record["action"] == action}

    def _misjudged(self, action: str) -> list[str]:
        """Operations whose outcome is not what Milvus answered to their rename."""
        done = self.world.journal.renamed
        return [
            f"{operation} {action}: Milvus renamed it: {done[operation]}, outcome {outcome}"
            for operation in self._of(action).keys() & done.keys()
            if ((outcome := self.operations.outcomes.get(operation)) == "succeeded")
            is not done[operation]
        ]


# --- plans ----------------------------------------------------------------------------------------


def of_plans(planners: Planners, log: Log, rows: list[Row], twice: int) -> dict[str, int]:
    """The counts about plans. `twice`: requests that arrived for an item that had one before."""
    operations = Operations(rows)
    lost = [text for number in planners.sizes for text in _lost(planners, log, operations, number)]
    ran = [*planners.ran_stopped, *_ran_after(planners, operations)]
    planners.world.story += [*lost, *ran]
    return {
        "plan_item_sent_twice": twice,
        "plan_items_lost": len(lost),
        "plan_ran_after_cancel": len(ran),
    }


def _lost(planners: Planners, log: Log, operations: Operations, number: int) -> Iterator[str]:
    """Items that are not carried out although the plan is over, or not told as the log has it."""
    plan = log.plan(number)
    if len(plan.items) != planners.sizes[number]:
        yield f"plan {number} has {len(plan.items)} items of {planners.sizes[number]}"
    for item in plan.items:
        where = f"plan {number}, item {item.position}, {item.operation}: {item.state}"
        if plan.state == "running" or (plan.state in OVER and item.state == "running"):
            yield f"{where}, plan {plan.state} for ever"
        if plan.state == "done" and item.state in UNTAKEN:
            yield f"{where} although the plan is done"
        if _is_told_wrong(item, operations):
            yield f"{where}, and the log says {operations.outcomes.get(item.operation)}"


def _is_told_wrong(item: PlanItem, operations: Operations) -> bool:
    """An item has the state that its operation's last outcome says; none without an operation."""
    outcome = operations.outcomes.get(item.operation, "")
    if outcome:
        return item.state not in ITEM_STATES[outcome]
    return item.state == "done"


def _ran_after(planners: Planners, operations: Operations) -> list[str]:
    """Items with an intent that nobody had taken yet when their plan was cancelled."""
    return [
        f"{operation} of plan {plan['plan']} ran although it was cancelled"
        for operation, record in operations.intents.items()
        if (plan := record["details"].get("plan"))
        and plan["plan"] in planners.cancelled
        and operation not in planners.cancelled[plan["plan"]]
    ]
