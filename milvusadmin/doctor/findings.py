"""What the doctor says. Imports no settings: they may be what is wrong."""

import json
import textwrap
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. `about` is what was looked at; `remedy` what to do, if there is something."""

    about: str
    state: State
    text: str
    remedy: str = ""


def ok(about: str, text: str) -> Finding:
    return Finding(about, State.OK, text)


def warning(about: str, text: str, remedy: str) -> Finding:
    return Finding(about, State.WARNING, text, remedy)


def problem(about: str, text: str, remedy: str) -> Finding:
    return Finding(about, State.PROBLEM, text, remedy)


Check = Callable[[], Iterable[Finding]]


def within(seconds: float, about: str, check: Check, secrets: Iterable[str] = ()) -> list[Finding]:
    """What the check finds, or that it hangs or fails: the others get their turn in any case.

    What an error says is quoted without the secrets.
    """
    found: list[Finding] = []

    def run() -> None:
        try:
            for finding in check():
                found.append(finding)
        except Exception as exc:
            said = f"this check failed: {type(exc).__name__}: {without(secrets, str(exc))}"
            found.append(
                problem(about, said, "Fix the other findings first: one of them may be the cause.")
            )

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not thread.is_alive():
        return found
    text = f"no answer within {seconds:g} s"
    return [*found, problem(about, text, "Check whether a firewall or a proxy drops the requests.")]


def without(secrets: Iterable[str], text: str) -> str:
    """The text with none of the secrets in it."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, "•••")
    return text


def shown(findings: list[Finding], *, as_json: bool) -> str:
    """As lines for people, or as one JSON array."""
    return _json(findings) if as_json else "\n".join(map(_line, findings))


def _json(findings: list[Finding]) -> str:
    return json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False)


def _line(finding: Finding) -> str:
    text = " ".join(finding.text.split())
    lines = [f"{finding.state:8} {finding.about}: {text}"]
    if finding.remedy:
        mark = " " * 9 + "→ "
        lines += textwrap.wrap(
            finding.remedy,
            100,
            initial_indent=mark,
            subsequent_indent=" " * len(mark),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)
