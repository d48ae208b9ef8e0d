"""Lighthouse's scores of the pages in production settings, on a phone as it simulates one."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from . import stub
from .application import application, collection_url, cookie, list_url, signed_in
from .figures import at_least
from .places import places
from .serving import gunicorn

VERSION = "12.8.2"  # the last that runs on Node.js 20
FOLDER = Path(__file__).resolve().parents[2] / "var" / "bench" / f"lighthouse-{VERSION}"
CATEGORIES = ("performance", "accessibility", "best-practices")
COLLECTIONS = 1000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    _install()
    with places([COLLECTIONS]) as (place,), application([place]):
        name = min(stub.names(COLLECTIONS))
        pages = {
            "list": list_url(place, details=False),
            "collection": collection_url(place, name),
            "audit log": "/audit/",
        }
        session = cookie(signed_in())
        with gunicorn("milvusadmin.wsgi") as port:
            for page, path in pages.items():
                _print(page, _report(f"http://127.0.0.1:{port}{path}", session))


def _print(page: str, report: dict[str, Any]) -> None:
    assert not report.get("runtimeError"), report["runtimeError"]
    for category in CATEGORIES:
        score = round(report["categories"][category]["score"] * 100)
        name = f"Lighthouse {category}, {page}"
        at_least(name, COLLECTIONS, score, 100, 100, "100")


def _install() -> None:
    """Once; kept between runs."""
    if not (FOLDER / "node_modules").exists():
        package = f"lighthouse@{VERSION}"
        quiet = ("--no-fund", "--no-audit", "--silent")
        subprocess.run(["npm", "install", "--prefix", str(FOLDER), *quiet, package], check=True)


def _report(url: str, session: str) -> dict[str, Any]:
    program = FOLDER / "node_modules" / ".bin" / "lighthouse"
    command = [
        *(str(program), url, "--quiet", "--output=json", "--output-path=stdout"),
        f"--only-categories={','.join(CATEGORIES)}",
        f"--extra-headers={json.dumps({'Cookie': session})}",
        "--chrome-flags=--headless=new --no-sandbox --disable-dev-shm-usage",
    ]
    browser = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)))
    environment = os.environ | {"CHROME_PATH": browser}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


if __name__ == "__main__":
    main()
