"""Reading the environment: typed, and loud about what it can't understand."""

import os
import re
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def flag(name: str, default: bool = False) -> bool:
    """A yes or no; anything else stops the start."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in TRUE | FALSE:
        return value.lower() in TRUE
    raise ImproperlyConfigured(f"{name} is {value!r}. Use 1 or 0.")


def listing(name: str) -> list[str]:
    """A comma-separated list, without empty items."""
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]


def secret(name: str) -> str | None:
    """The value of NAME, or the content of the file named by NAME_FILE; None if neither is set."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return os.environ.get(name) or None
    if os.environ.get(name):
        raise ImproperlyConfigured(f"Both {name} and {name}_FILE are set. Keep one of them.")
    return secret_file(path, f"{name}_FILE")


def secret_file(path: str, named_by: str) -> str:
    """The content of a secret's file, without the line break at its end."""
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ImproperlyConfigured(f"{named_by} can't be read: {exc.strerror}: {path}") from exc
    except UnicodeDecodeError:  # not chained: its traceback would hold the secret
        raise ImproperlyConfigured(f"{named_by} can't be read: not UTF-8: {path}") from None
    if not content:
        raise ImproperlyConfigured(f"{named_by} names an empty file: {path}")
    return content


def log_file(name: str) -> str:
    """The path of a file that lines can be added to; empty if the variable is not set."""
    path = os.environ.get(name, "")
    try:
        if path:
            Path(path).open("a").close()
    except OSError as exc:
        raise ImproperlyConfigured(f"{name} can't be written: {exc.strerror}: {path}") from exc
    return path


def header_bytes() -> int:
    """How long a header of a request may be. gunicorn's own limit is 8190: some 200 groups."""
    value = os.environ.get("HEADER_BYTES") or "32768"
    if value.isdecimal() and 4096 <= int(value) <= 1_000_000:
        return int(value)
    raise ImproperlyConfigured(f"HEADER_BYTES is {value!r}. Use a number from 4096 to 1000000.")


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str, named_by: str) -> float:
    """A duration such as 30s, 10m, 8h or 1d, in seconds."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found:
        raise ImproperlyConfigured(f"{named_by} is {text!r}. Use a duration such as 30s, 10m, 8h.")
    return float(found[1]) * UNITS[found[2]]


def duration(name: str, default: str) -> float:
    """The variable as a duration, in seconds."""
    return seconds(os.environ.get(name) or default, name)


def required(name: str, why: str) -> str:
    """The value of a variable (or of its file) that has to be there."""
    value = secret(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {why}")
    return value
