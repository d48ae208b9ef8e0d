"""A figure: what was measured, beside its floor, and whether it keeps its limit."""

from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the result, as text: name, size, value, floor, ratio, limit, ok or short."""

    name: str
    size: str
    value: str
    floor: str
    ratio: str
    limit: str
    verdict: str

    @classmethod
    def of_line(cls, line: str) -> "Figure":
        return cls(*line.rstrip("\n").split("\t"))

    @property
    def line(self) -> str:
        return "\t".join(astuple(self))


def at_most(
    name: str, size: int | str, value: float, floor: float, highest: float, limit: str
) -> None:
    """Print a figure that must not be above `highest`, which `limit` says in words."""
    _print(name, size, value, floor, f"at most {limit}", value <= highest)


def at_least(
    name: str, size: int | str, value: float, floor: float, lowest: float, limit: str
) -> None:
    """Print a figure that must not be below `lowest`."""
    _print(name, size, value, floor, f"at least {limit}", value >= lowest)


def noted(name: str, size: int | str, value: float, floor: float | None = None) -> None:
    """Print a figure that has no limit."""
    _print(name, size, value, floor, "-", True)


def _print(
    name: str, size: int | str, value: float, floor: float | None, limit: str, kept: bool
) -> None:
    shown = f"{size:,}" if isinstance(size, int) else size
    beside = "-" if floor is None else f"{floor:.1f}"
    ratio = f"{value / floor:.2f}" if floor else "-"
    verdict = "ok" if kept else "short"
    print(Figure(name, shown, f"{value:.1f}", beside, ratio, limit, verdict).line, flush=True)
