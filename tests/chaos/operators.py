"""People who drop collections while everything breaks: dialog, name, confirm, like anybody."""

import random
import re
import threading
import time
from collections import Counter
from urllib.parse import urlencode

import requests

from .world import ACTIONS, POINTS, Fault, World

PATIENCE = 20  # seconds for an answer
FIELD = r'name="{}" value="([^"]+)"'


class Operators:
    """Share the operations among them. What comes next depends on the seed alone."""

    def __init__(self, world: World, home: str, sessions: list[str], names: list[str]) -> None:
        self.world, self.home, self.sessions, self.names = world, home, sessions, names
        self.answers: Counter[str] = Counter()
        self.dropped_another = 0
        self._lock = threading.Lock()

    def work(self, operations: int, seed: int) -> None:
        """So many confirmed drops, each with its fault."""
        plan = list(_plan(operations, seed, self.names))
        threads = [
            threading.Thread(
                target=self._person, args=(session, plan[number :: len(self.sessions)])
            )
            for number, session in enumerate(self.sessions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _person(self, session: str, plan: list[tuple[str, Fault]]) -> None:
        browser = requests.Session()
        browser.cookies.set("session", session)
        for name, fault in plan:
            try:
                answer = self._drop(browser, name, fault)
            except requests.RequestException:
                answer = "no answer"
                time.sleep(0.2)
            with self._lock:
                self.answers[answer] += 1

    def _drop(self, browser: requests.Session, name: str, fault: Fault) -> str:
        self.world.create(name)
        query = urlencode({"database": "default", "collection": name})
        url = f"{self.home}/clusters/main/drop-collection/?{query}"
        form = self._dialog(browser, url)
        if form is None:
            return "no dialog"
        if fault == ("shown", "replaced"):
            self.world.replace(name)
        else:
            self.world.arm(name, fault)
        sent = browser.post(
            url, {**form, "typed_name": name}, timeout=PATIENCE, allow_redirects=False
        )
        there = sent.headers.get("Location", "")
        if "/collections/" in there:
            with self._lock:
                self.dropped_another += fault == ("shown", "replaced")
            return "dropped"
        return "open or failed" if "/operations/" in there else str(sent.status_code)

    def _dialog(self, browser: requests.Session, url: str) -> dict[str, str] | None:
        """Its hidden fields. A dialog that does not open is opened again, some times."""
        for _ in range(5):
            page = browser.get(url, timeout=PATIENCE).text
            found = {key: re.search(FIELD.format(key), page) for key in FIELDS}
            if all(found.values()):
                return {key: match[1] for key, match in found.items() if match}
            time.sleep(0.3)
        return None


FIELDS = ("csrfmiddlewaretoken", "token")
KILLS = 30  # one operation in so many: a worker needs seconds to be back


def _plan(operations: int, seed: int, names: list[str]) -> list[tuple[str, Fault]]:
    chance = random.Random(seed)
    usual = [(point, action) for point in POINTS for action in ACTIONS if action != "kill"]
    kills = [(point, "kill") for point in POINTS]

    def fault() -> Fault:
        if chance.randrange(KILLS) == 0:
            return chance.choice(kills)
        return chance.choice([*usual, ("shown", "replaced"), ("shown", "replaced")])

    return [(chance.choice(names), fault()) for _ in range(operations)]
