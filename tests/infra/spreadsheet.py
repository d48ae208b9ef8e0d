"""What a spreadsheet shows of a CSV: opened by SheetJS, as Excel would, not by a CSV parser."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parent / "sheetjs"


def opened(text: bytes) -> list[dict[str, Any]]:
    """The rows by the cells of the first one. Numbers have lost what a spreadsheet loses."""
    folder = _installed()
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".csv") as file:
        file.write(text)
        file.flush()
        command = ["node", "read.cjs", file.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def _installed() -> Path:
    """A folder in which Node.js finds the library. Installed once, and then kept."""
    digest = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"milvusadmin-spreadsheet-{os.getuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for each in SOURCE.iterdir():
            shutil.copy(each, folder)
        if not (folder / "node_modules" / "xlsx").exists():
            command = ["npm", "ci", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return folder
