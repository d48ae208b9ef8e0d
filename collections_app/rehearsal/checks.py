"""What a check is, and how it is carried out. One that fails never stops the others."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..milvus.errors import Denied, MilvusError, Unreachable
from .scratch import NotRun, Scratch

logger = logging.getLogger(__name__)

# The promises of docs/promises.md that depend on what a server does.
ONLY_SHOWN = "Only what was shown is dropped."
STRICT = "Strict mode drops no namesake, and gives one that it caught its name back."
TRUE_OUTCOME = "Every drop ends with a true outcome."
UNKNOWN = "What can't be read is called unknown, and what is missing is called missing."
USABLE = "The account can do what the pages offer."
PROMISES = (ONLY_SHOWN, STRICT, TRUE_OUTCOME, UNKNOWN, USABLE)


class State(StrEnum):
    """What a check came to."""

    HOLDS = "holds"
    FAILS = "does not hold"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the server did, in words, and whether the assumption holds."""

    holds: bool
    saw: str


@dataclass(frozen=True, slots=True)
class Check:
    """One assumption. `promise` is the one that would not hold without it."""

    name: str
    assumes: str
    run: Callable[[Scratch], Observed]
    promise: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one check."""

    check: Check
    state: State
    saw: str
    seconds: float = 0.0


def carry_out(check: Check, scratch: Scratch) -> Result:
    """Run one check. Whatever it raises is its result, except an interruption."""
    start = time.monotonic()
    state, saw = _observe(check, scratch)
    readable = saw.replace(scratch.root, "…")  # 55 letters, the same in every name
    return Result(check, state, readable[:300], round(time.monotonic() - start, 3))


def _observe(check: Check, scratch: Scratch) -> tuple[State, str]:
    if scratch.deadline.is_over:
        return State.NOT_RUN, "The time for this rehearsal was over."
    try:
        observed = check.run(scratch)
    except NotRun as exc:
        return State.NOT_RUN, str(exc)
    except Denied as exc:
        return State.NOT_RUN, f"The account is not permitted to: {exc}"
    except Unreachable as exc:
        return State.NOT_RUN, f"Milvus did not answer: {exc}"
    except MilvusError as exc:
        return State.FAILS, f"An answer that was not expected here: {answer(exc)}"
    except Exception as exc:
        logger.exception("the check %s failed", check.name)
        return State.NOT_RUN, f"The check itself failed: {type(exc).__name__}: {exc}"
    return (State.HOLDS if observed.holds else State.FAILS), observed.saw


def answer(exc: MilvusError) -> str:
    """How Milvus Admin understood an answer, with Milvus' own code and text."""
    return f"{exc.kind}, code {exc.code or 'none'} “{exc}”"
