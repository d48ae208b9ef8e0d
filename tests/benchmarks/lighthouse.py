"""Lighthouse's scores of the pages in production settings, on a phone as it simulates one."""

import contextlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from playwright.sync_api import sync_playwright

from tests.infra.milvus_server import free_port

from . import stub
from .application import application, collection_url, list_url, signed_in
from .figures import at_least
from .measure import rounds
from .places import places
from .serving import gunicorn

VERSION = "12.8.2"  # the last that runs on Node.js 20
FOLDER = Path(__file__).resolve().parents[2] / "var" / "bench" / f"lighthouse-{VERSION}"
CATEGORIES = ("performance", "accessibility", "best-practices")
COLLECTIONS, EVENTS = 1000, 60
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    _install()
    with places([COLLECTIONS]) as (place,), application([place]):
        _write_events()
        name = min(stub.names(COLLECTIONS))
        pages = {
            "list": list_url(place, details=False),
            "collection": collection_url(place, name),
            "audit log": "/audit/",
        }
        session = signed_in().cookies["session"].value
        with gunicorn("milvusadmin.wsgi") as port, _browser(session) as debugging:
            for page, path in pages.items():
                url = f"http://127.0.0.1:{port}{path}"
                _print(page, [_report(url, debugging) for _ in range(rounds(3))])


def _write_events() -> None:
    """A page of them, so that the audit log is not measured empty."""
    from collections_app.access.principals import Actor, Caller, Origin
    from collections_app.audit import log

    for number in range(EVENTS):
        person = Actor(issuer="bench", subject=f"p{number}", display=f"Person {number}")
        entry = log.Entry(
            phase=log.Phase.REJECTED,
            action="collection.drop",
            caller=Caller(person, Origin(interface="web")),
            outcome=log.Outcome.DENIED,
            operation_id=uuid.uuid4(),
            target={"cluster": f"c{COLLECTIONS}", "database": "default", "kind": "collection"}
            | dict.fromkeys(("collection", "name"), f"orders_{number:05d}"),
        )
        log.write(entry)


def _print(page: str, reports: list[dict[str, Any]]) -> None:
    """The middle one of several: a simulated phone is as fast as this machine was just then."""
    for category in CATEGORIES:
        score = median(round(one["categories"][category]["score"] * 100) for one in reports)
        name = f"Lighthouse {category}, {page}"
        at_least(name, COLLECTIONS, score, 100, 100, "100")


def _install() -> None:
    """Once; kept between runs."""
    if not (FOLDER / "node_modules").exists():
        package = f"lighthouse@{VERSION}"
        quiet = ("--no-fund", "--no-audit", "--silent")
        subprocess.run(["npm", "install", "--prefix", str(FOLDER), *quiet, package], check=True)


@contextlib.contextmanager
def _browser(session: str) -> Iterator[int]:
    """A browser that is signed in; Lighthouse drops a Cookie header. Gives its debugging port."""
    port = free_port()
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)))
    flags = [f"--remote-debugging-port={port}", "--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright, TemporaryDirectory() as profile:
        browser = playwright.chromium.launch_persistent_context(
            profile, executable_path=program, args=flags
        )
        browser.add_cookies([{"name": "session", "value": session, "url": "http://127.0.0.1"}])
        yield port
        browser.close()


def _report(url: str, debugging: int) -> dict[str, Any]:
    program = FOLDER / "node_modules" / ".bin" / "lighthouse"
    command = [
        *(str(program), url, "--quiet", "--output=json", "--output-path=stdout"),
        f"--only-categories={','.join(CATEGORIES)}",
        *(f"--port={debugging}", "--disable-storage-reset"),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    assert not report.get("runtimeError"), report["runtimeError"]
    assert report["finalDisplayedUrl"] == url, f"{url} led to {report['finalDisplayedUrl']}"
    return report


if __name__ == "__main__":
    main()
