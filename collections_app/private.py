"""Files that nobody else on this machine may open, whatever the umask is."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

MODE = 0o600


def open_private(path: str | Path) -> int:
    """A descriptor of the file, made if it is not there. Raises OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE)
    with suppress(OSError):  # not ours: whoever made it decides
        if os.fstat(file).st_mode & 0o077:
            os.fchmod(file, MODE)
    return file


def keep_database_private(database: dict[str, Any]) -> None:
    """Make the file of SQLite before SQLite does, which leaves its mode to the umask.

    The files beside it (`-wal`, `-shm`) get the mode that it has.
    """
    name = str(database["NAME"])
    if not database["ENGINE"].endswith("sqlite3") or ":memory:" in name or "mode=memory" in name:
        return
    for path in (name, f"{name}-wal", f"{name}-shm"):
        if path == name or Path(path).exists():
            with suppress(OSError):  # no such folder, or not ours: SQLite says what is wrong
                os.close(open_private(path))
