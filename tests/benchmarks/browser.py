"""What a person waits for, in a browser that knows nothing yet: names, whole rows, and a drop.

Each beside a static page of the same server, in turns. A round has a browser context of its own,
so nothing is cached.
"""

import os
import re
import shutil
from collections.abc import Callable
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from .application import application, list_url, signed_in
from .figures import at_most
from .measure import milliseconds, rounds
from .places import Place, places, sizes
from .serving import gunicorn

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
EACH_FRAME = """([selector, text, gone]) => new Promise((resolve) => {
  const look = () => {
    const found = [...document.querySelectorAll(selector)].some((e) => e.textContent.includes(text))
    found !== gone ? resolve() : requestAnimationFrame(look)
  }
  look()
})"""


def main() -> None:
    count = rounds(20)
    with places(sizes()[-1:], spare=count + 1) as (place,), application([place]):
        session = signed_in().cookies["session"].value
        program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)))
        with gunicorn("milvusadmin.wsgi") as port, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            _measure(place, Person(browser, f"http://127.0.0.1:{port}", session), count)


class Person:
    """Opens pages, each in a context of its own."""

    def __init__(self, browser: Browser, server: str, session: str) -> None:
        self.browser, self.server, self.session = browser, server, session
        self.static = re.findall(r'href="([^"]+\.css)"', self._text("/sign-in/"))[0]

    def _text(self, path: str) -> str:
        page = self.page()
        page.goto(self.server + path)
        return page.content()

    def page(self) -> Page:
        context = self.browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "session", "value": self.session, "url": self.server}])
        return context.new_page()

    def waits(self, path: str, shown: Callable[[Page], None]) -> float:
        """Milliseconds from the address to what is shown."""
        page = self.page()

        def look() -> None:
            page.goto(self.server + path, wait_until="commit")
            shown(page)

        taken = milliseconds(look)
        page.context.close()
        return taken


def _measure(place: Place, person: Person, count: int) -> None:
    path, spare, size = list_url(place, details=False), list(place.spare), place.size
    for shown in (_names, _rows):  # a first time
        person.waits(path, shown)
    _drop(person, place, spare.pop())
    looks = {_body: person.static, _names: path, _rows: path}
    taken = [
        {shown: person.waits(where, shown) for shown, where in looks.items()}
        | {_drop: _drop(person, place, spare.pop())}
        for _ in range(count)
    ]
    middle = {act: median(turn[act] for turn in taken) for act in taken[0]}
    for act, (name, limit) in WANTED.items():
        at_most(f"browser: {name}, ms", size, middle[act], middle[_body], limit, f"{limit:.0f} ms")


def _body(page: Page) -> None:
    _until(page, "body")


def _names(page: Page) -> None:
    _until(page, "td.title a")


def _rows(page: Page) -> None:
    _names(page)
    _until(page, ".skeleton", gone=True)


def _until(page: Page, selector: str, text: str = "", gone: bool = False) -> None:
    """Look at each frame: Playwright's own waiting looks every 500 ms after the first tries."""
    page.evaluate(EACH_FRAME, [selector, text, gone])


def _drop(person: Person, place: Place, name: str) -> float:
    page = person.page()
    where = f"?database={place.spare_in}&q={name}"
    page.goto(f"{person.server}/clusters/{place.key}/collections/{where}")
    page.locator("td a[href*='drop-collection']").first.click()
    page.locator("dialog input[name=typed_name]").fill(name)
    button = page.locator("dialog button[type=submit]").last

    def act() -> None:
        with page.expect_navigation(wait_until="commit"):
            button.click()
        _until(page, "[role=status]", "Verified")

    taken = milliseconds(act)
    page.context.close()
    return taken


WANTED: dict[Any, tuple[str, float]] = {
    _names: ("names of the list", 300.0),
    _rows: ("all rows of the list", 600.0),
    _drop: ("from the click on the button to the verified answer", 250.0),
}

if __name__ == "__main__":
    main()
