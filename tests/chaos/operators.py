"""Operators who drop and release under attack: dialog, name, confirmation."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import requests

from tests.infra.seeds import FAILED

from .loads import Busy
from .plan import Step
from .world import World

PATIENCE = 40  # seconds for an answer
FIELD = re.compile(r'name="(csrfmiddlewaretoken|token)" value="([^"]+)"')


class Operators:
    """Each has a plan, and goes on until enough operations met their fault."""

    def __init__(self, world: World, homes: list[str]) -> None:
        self.world, self.homes = world, homes
        self.answers: Counter[str] = Counter()
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

    def _person(self, session: str, plan: Iterator[Step], enough: Callable[[], bool]) -> None:
        browser = requests.Session()
        browser.cookies.set("session", session)
        while not enough():
            answer = self._tried(browser, next(plan))
            with self._lock:
                self.answers[answer] += 1

    def _tried(self, browser: requests.Session, step: Step) -> str:
        try:
            self.world.prepare(step)
        except Busy:
            time.sleep(0.2)
            return "busy"
        except FAILED:
            time.sleep(0.2)
            return "not prepared"
        try:
            return self._carry_out(browser, step)
        except requests.RequestException:
            time.sleep(0.2)
            return "no answer"
        except FAILED:
            return "not replaced"  # it is loaded by now, or Milvus is not there

    def _carry_out(self, browser: requests.Session, step: Step) -> str:
        home = random.choice(self.homes)
        url = f"{home}/clusters/main/{step.act}/?{urlencode(step.query)}"
        form = self._dialog(browser, url)
        if not form:
            return "no dialog"
        replaced = step.faults[0] == ("shown", "replaced")
        if replaced:
            self.world.replace(step)
            self.world.attack.struck_itself(step.faults[0])
        else:
            self.world.attack.arm(step)
        typed = {**form, "typed_name": step.name}
        sent = browser.post(url, typed, timeout=PATIENCE, allow_redirects=False)
        there = sent.headers.get("Location", "")
        if "/operations/" in there:
            return "open or failed"
        if sent.status_code != 302:
            return str(sent.status_code)
        with self._lock:
            self.dropped_another += replaced
        return "done"

    def _dialog(self, browser: requests.Session, url: str) -> dict[str, str]:
        """Its hidden fields. A dialog that does not open is opened again, some times."""
        for _ in range(5):
            found = dict(FIELD.findall(browser.get(url, timeout=PATIENCE).text))
            if len(found) == 2:
                return found
            time.sleep(0.1)
        return {}
