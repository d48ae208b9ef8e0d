"""A background task at the shell: one round, or rounds until SIGTERM."""

from abc import ABC, abstractmethod
from argparse import ArgumentParser
from typing import Any

from .background import until_sigterm
from .shell import ShellCommand


class RoundCommand(ShellCommand, ABC):
    """Exits with 0 after a complete round, else with 1; with --loop it goes on until SIGTERM."""

    every: float  # seconds between rounds
    is_looping = False
    ends_with = "Leave out --loop."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--loop", action="store_true", help="run until stopped")
        more = f"with --loop: seconds between rounds ({self.every:g})"
        parser.add_argument("--every", type=float, default=self.every, help=more)

    def is_loop(self, options: dict[str, Any]) -> bool:
        return bool(options["loop"])

    def handle(self, *args: Any, **options: Any) -> None:
        self.is_looping = self.is_loop(options)
        if not self.is_looping:
            raise SystemExit(0 if self.round() else 1)
        with until_sigterm() as stopped:
            while not stopped.is_set():
                self.round()
                stopped.wait(options["every"])

    @abstractmethod
    def round(self) -> bool:
        """Do what is due. Returns whether it is complete: nothing failed, nothing is left."""
