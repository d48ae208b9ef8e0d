"""People who make a plan, read it, confirm it, and pause, resume or cancel it while it runs."""

import html
import re
import threading
import time
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from .log import PlanRow
from .steps import NO_FAULT, Step
from .world import World

if TYPE_CHECKING:
    from .operators import Person

READ, ENDED = 40, 90  # seconds until its items are read; until it is over
DIGEST = re.compile(r'name="digest" value="(\w+)"')
SENTENCE = re.compile(r'class="name to-type">([^<]+)<')
OVER = {"done", "cancelled", "expired"}
UNTAKEN = {"unread", "todo"}


class Planners:
    """What they saw of their plans; the checker holds it against the log."""

    def __init__(self, world: World) -> None:
        self.world, self.log = world, world.attack.log
        self.sizes: dict[int, int] = {}  # how many items each plan was made of
        self.ran_stopped: list[str] = []  # in words
        self.cancelled: dict[int, set[str]] = {}  # by plan: which operations may have an intent
        self.decided: dict[str, int] = defaultdict(int)
        self._lock = threading.Lock()

    def carry_out(self, person: "Person", step: Step) -> str:
        number = self._made(person, step)
        form = self._read(person, number) if number else None
        if not form:
            return "no plan"
        if step.faults[0][0] == "shown":
            self.world.attack.strike_itself(step, step.faults[0][1])
        else:
            self.world.attack.arm(step)
        person.post(f"/plans/{number}/confirm/", {**form, "reason": "chaos"})
        return self._followed(person, number, step.decision)

    def _made(self, person: "Person", step: Step) -> int:
        """Its number; 0 if it was not made."""
        for name in step.more:
            self.world.prepare(replace(step, collection=name, faults=NO_FAULT))
        names = [step.collection, *step.more]
        permanently = {"permanently": "1"} if step.way == "plan-drop" else {}
        form = {"database": "default", "name": names, **permanently}
        sent = person.post("/clusters/main/plans/new/", form)
        found = re.search(r"/plans/(\d+)/", sent.headers.get("Location", ""))
        if not found:
            return 0
        with self._lock:
            self.sizes[int(found[1])] = len(names)
        return int(found[1])

    def _read(self, person: "Person", number: int) -> dict[str, object] | None:
        """What has to be sent to confirm it, once its items are read."""
        end = time.monotonic() + READ
        while time.monotonic() < end and not self.world.over.is_set():
            if self.log.plan(number).state == "draft":
                page = person.get(f"/plans/{number}/").text
                digest, sentence = DIGEST.search(page), SENTENCE.search(page)
                if digest and sentence:
                    return {"digest": digest[1], "typed": html.unescape(sentence[1])}
            time.sleep(0.3)
        return None

    # --- while it runs ----------------------------------------------------------------------------

    def _followed(self, person: "Person", number: int, decision: str) -> str:
        """Until it is over. What is paused is resumed, by whoever paused it."""
        end, begun = time.monotonic() + ENDED, False
        while time.monotonic() < end and not self.world.over.is_set():
            plan = self.log.plan(number)
            if plan.state in OVER:
                return "done" if plan.state == "done" or decision == "cancel" else "no plan"
            if plan.state == "draft":
                return "not confirmed"
            begun = begun or any(item.state not in UNTAKEN for item in plan.items)
            if decision and begun and plan.state == "running":
                self._decide(person, number, decision)
                decision = "" if decision == "pause" else decision
            elif plan.state == "paused":
                self._resumed(person, number)
            time.sleep(0.2)
        return "plan not over"

    def _decide(self, person: "Person", number: int, decision: str) -> None:
        person.post(f"/plans/{number}/{decision}/", {})
        plan = self.log.plan(number)
        if plan.state != {"pause": "paused", "cancel": "cancelled"}[decision]:
            return
        with self._lock:
            self.decided[decision] += 1
            if decision == "cancel":
                self.cancelled[number] = _taken(plan)
        if decision == "pause":
            time.sleep(1)
            self._compare(number, _taken(plan))

    def _compare(self, number: int, before: set[str]) -> None:
        """Nothing was begun while it was paused."""
        after = self.log.plan(number)
        if after.state == "paused" and (more := _taken(after) - before):
            self.ran_stopped.append(f"plan {number} took {more} while it was paused")

    def _resumed(self, person: "Person", number: int) -> None:
        """By its author. It is refused while an outcome is unknown."""
        answer = person.post(f"/plans/{number}/resume/", {})
        with self._lock:
            self.decided["resume"] += answer.status_code == 302
        time.sleep(0.5)


def _taken(plan: PlanRow) -> set[str]:
    """The operations of items that a process has, or had."""
    return {item.operation for item in plan.items if item.state not in UNTAKEN}
