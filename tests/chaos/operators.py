"""Operators who drop, release, move, restore and purge under attack: dialog, name, confirmation.

Those who make plans are in planners.py.
"""

import contextlib
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import requests

from tests.infra.seeds import FAILED

from .loads import Busy
from .planners import Planners
from .steps import NO_FAULT, ON_BINNED, Step
from .world import World

PATIENCE = 40  # seconds for an answer
DUE = 25  # seconds until the bin has purged what it was to keep for some
TOKEN = re.compile(r'name="token" value="([^"]+)"')
CSRF = "c" * 32


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    browser: requests.Session
    homes: tuple[str, ...]

    @classmethod
    def with_session(cls, session: str, homes: list[str]) -> "Person":
        browser = requests.Session()
        browser.cookies.set("session", session)
        browser.cookies.set("csrf", CSRF)
        return cls(browser, tuple(homes))

    def get(self, path: str, query: dict[str, str] | None = None) -> requests.Response:
        url = f"{random.choice(self.homes)}{path}"
        return self.browser.get(url, params=query, timeout=PATIENCE)

    def post(
        self, path: str, form: dict[str, object], query: dict[str, str] | None = None
    ) -> requests.Response:
        url, sent = f"{random.choice(self.homes)}{path}", {**form, "csrfmiddlewaretoken": CSRF}
        return self.browser.post(url, sent, params=query, timeout=PATIENCE, allow_redirects=False)


class Operators:
    """Each has a plan, and goes on until enough operations met their fault."""

    def __init__(self, world: World, homes: list[str]) -> None:
        self.world, self.homes = world, homes
        self.planners = Planners(world)
        self.answers: Counter[str] = Counter()
        self.done: Counter[str] = Counter()  # ways
        self.dropped_another = 0
        self._lock = threading.Lock()

    def work(self, plans: dict[str, Iterator[Step]], enough: Callable[[], bool]) -> None:
        """`plans` by the session of whoever follows them."""
        people = [
            threading.Thread(target=self._person, args=(session, plan, enough), daemon=True)
            for session, plan in plans.items()
        ]
        for person in people:
            person.start()
        for person in people:
            person.join()

    def pause_purging(self, session: str) -> None:
        """By its switch, when all is to become quiet."""
        person, end = Person.with_session(session, self.homes), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            with contextlib.suppress(requests.RequestException):
                path = "/clusters/main/recycle-bin/pause/"
                if person.post(path, {"reason": "end of the run"}).status_code == 302:
                    return
            time.sleep(0.5)

    def _person(self, session: str, plan: Iterator[Step], enough: Callable[[], bool]) -> None:
        person = Person.with_session(session, self.homes)
        while not enough():
            step = next(plan)
            answer = self._tried(person, step)
            with self._lock:
                self.answers[answer] += 1
                self.done[step.way] += answer == "done"

    def _tried(self, person: Person, step: Step) -> str:
        try:
            step = self._prepared(person, step)
        except Busy:
            time.sleep(0.2)
            return "busy"
        except (*FAILED, requests.RequestException):
            time.sleep(0.2)
            return "not prepared"
        try:
            if step.is_plan:
                return self.planners.carry_out(person, step)
            return self._carry_out(person, step)
        except requests.RequestException:
            time.sleep(0.2)
            return "no answer"
        except FAILED:
            return "not replaced"  # it is loaded by now, or Milvus is not there

    def _prepared(self, person: Person, step: Step) -> Step:
        """Let there be what the step is about; in the recycle bin, by the ordinary way."""
        if step.way not in ON_BINNED:
            self.world.prepare(step)
            return step
        private = self.world.attack.log.binned_as(step.collection)
        if not private or step.way == "purge-due":
            move = Step("move-to-bin", step.collection, "", NO_FAULT)
            self.world.prepare(move)
            self._send(person, move)
            private = self.world.attack.log.binned_as(step.collection)
        if not private:
            raise Busy
        return replace(step, private=private)

    def _carry_out(self, person: Person, step: Step) -> str:
        if step.way == "purge-due":
            self.world.attack.arm(step)
            return self._wait_for_purge(step)
        replaced = step.faults[0][0] == "shown"
        return self._send(person, step, lambda: self._fault(step), wrong_if_done=replaced)

    def _fault(self, step: Step) -> None:
        """While the dialog is open."""
        if step.faults[0][0] == "shown":
            self.world.attack.strike_itself(step, step.faults[0][1])
        elif step.faults[0][0]:
            self.world.attack.arm(step)

    def _send(
        self,
        person: Person,
        step: Step,
        meanwhile: Callable[[], None] = lambda: None,
        *,
        wrong_if_done: bool = False,
    ) -> str:
        path = f"/clusters/main/{step.slug}/"
        token = self._token(person, path, step)
        if not token:
            return "no dialog"
        meanwhile()
        sent = person.post(path, {**step.typed, "token": token}, step.query)
        if sent.status_code != 302:
            return str(sent.status_code)
        # A restore that succeeded leads to its operation's page, too: with a message.
        went_well = "messages" in sent.cookies or "/operations/" not in sent.headers["Location"]
        if went_well:
            with self._lock:
                self.dropped_another += wrong_if_done
        return "done" if went_well else "open or failed"

    def _token(self, person: Person, path: str, step: Step) -> str:
        """What was shown, signed. A dialog that does not open is opened again, some times."""
        for _ in range(5):
            if found := TOKEN.search(person.get(path, step.query).text):
                return found[1]
            time.sleep(0.1)
        return ""

    def _wait_for_purge(self, step: Step) -> str:
        """Until the bin has done it by itself."""
        end = time.monotonic() + DUE
        while time.monotonic() < end and not self.world.over.is_set():
            if step.private not in self.world.attack.log.binned():
                return "done"
            time.sleep(0.3)
        return "still in the bin"
