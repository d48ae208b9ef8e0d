"""The filters of the audit log in the address: presets, and a chip for each that is active."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone
from django.utils.translation import gettext

from .. import clusters
from .display import words
from .forms import AuditFilterForm
from .shown import word


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A link to a view of the log that people often want."""

    label: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """An active filter, and the address without it."""

    label: str
    value: str
    url: str


def address(filters: dict[str, str]) -> str:
    """The log with these filters."""
    return "?" + urlencode(filters)


def presets(filters: dict[str, str]) -> list[Preset]:
    """Each replaces all filters."""
    return [
        Preset(label=label, url=address(wanted), is_current=wanted == filters)
        for label, wanted in _presets(timezone.localdate())
    ]


def _presets(today: date) -> Iterator[tuple[str, dict[str, str]]]:
    yield gettext("All"), {}
    yield gettext("Today"), {"since": f"{today}"}
    yield gettext("Last 7 days"), {"since": f"{today - timedelta(days=6)}"}
    yield gettext("In progress"), {"outcome": "open"}
    yield gettext("Failed"), {"outcome": "failed"}
    yield gettext("External"), {"outcome": "external"}
    yield gettext("Mine"), {"mine": "True"}


def chips(form: AuditFilterForm, filters: dict[str, str]) -> list[Chip]:
    """One for each active filter, in the order of the form."""
    return [
        Chip(
            label=str(form[name].label),
            value=_shown(name, filters[name]),
            url=address({key: value for key, value in filters.items() if key != name}),
        )
        for name in form.fields
        if name in filters
    ]


def _shown(name: str, value: str) -> str:
    if name == "action":
        return words(value)
    if name == "cluster":
        return clusters.label(value)
    if name == "mine":
        return gettext("me")
    if name == "outcome":
        return word({"open": "in progress"}.get(value, value))
    return value


def shown(filters: dict[str, Any]) -> dict[str, str]:
    """The filters that are set, as the address has them."""
    return {name: str(value) for name, value in filters.items() if value}
