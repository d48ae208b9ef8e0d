"""What a timeline is made of."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext_lazy


class State(StrEnum):
    """How a step ended."""

    DONE = "done"
    STOPPED = "stopped"
    UNCLEAR = "unclear"
    WAITING = "waiting"
    SKIPPED = "skipped"
    NOTED = "noted"  # an end that is not a success, or something beside the steps


WORDS = {
    State.DONE: gettext_lazy("Done"),
    State.STOPPED: gettext_lazy("Stopped here"),
    State.UNCLEAR: gettext_lazy("No clear answer"),
    State.WAITING: gettext_lazy("Waiting"),
    State.SKIPPED: gettext_lazy("Not reached"),
    State.NOTED: gettext_lazy("Recorded"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Where more can be read."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of it. `reason` is what a person wrote, and stands apart from the sentences."""

    title: str
    state: State = State.DONE
    at: datetime | None = None
    elapsed: str = ""  # since the step before
    lines: tuple[str, ...] = ()
    who: str = ""
    subject: str = ""
    outcome: str = ""
    reason: str = ""
    links: tuple[Link, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the state needs no word to be seen, beside the title and the mark."""
        return self.state in {State.DONE, State.NOTED}

    @property
    def word(self) -> str:
        """The state, for the page."""
        return str(WORDS[self.state])
