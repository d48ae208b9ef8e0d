"""What a difference means, in the words of the log."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..access.principals import Caller
from ..audit.events import Intent
from ..audit.log import Entry, Outcome, Phase
from .diff import Bearer, Difference, Key

NOBODY = "No operation here did that, so who did it is not known."
MAYBE_LATE = (
    "But operation {} asked Milvus to drop it, and was closed as failed while it was still there: "
    "Milvus may have done it later."
)
WAS_IN_BIN = "This was collection {} in the recycle bin: operation {} had moved it there."
NO_IDS = "This server has no ids: things are told apart by name only."
GRANTED_ONLY = (
    "Milvus lists only what the account of Milvus Admin was granted; there may be others."
)
MARGIN = timedelta(minutes=1)  # by which Milvus' clock and ours may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who records, on which cluster, and when each database was listed before and now."""

    cluster: str
    caller: Caller
    now: datetime
    before: dict[str, datetime]  # by database
    in_vain: Mapping[Key, str] = field(default_factory=dict)  # operations: ours.in_vain
    in_bin: Mapping[str, Intent] = field(default_factory=dict)  # by name: attribution.in_bin


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Rows that leave the inventory and that enter it, and what the log says of it, together."""

    remove: tuple[Bearer, ...] = ()
    add: tuple[Bearer, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def databases(self) -> set[str]:
        return {bearer.database for bearer in (*self.remove, *self.add)}


def change(difference: Difference, watch: Watch) -> Change:
    """How the inventory and the log follow a difference that nothing of ours explains."""
    was, now = difference.was, difference.now
    adds = difference.new or difference.renamed
    return Change(
        remove=(was,) if was else (),
        add=(now,) if now and adds else (),
        entries=_entries(difference, watch),
    )


def _entries(difference: Difference, watch: Watch) -> tuple[Entry, ...]:
    was, now = difference.was, difference.now
    if was and now:
        return _renamed(was, now, watch) if difference.renamed else (_replaced(was, now, watch),)
    if was:
        return (_gone(was, watch),)
    return (_appeared(now, watch),) if now else ()


def _appeared(now: Bearer, watch: Watch) -> Entry:
    before, created = watch.before[now.database], now.identity.created
    text = f"It is there{_called(now)}. The list of {at(before)} did not have it."
    if created and created < before - MARGIN:
        text += " It was created before that, so until now it could not be seen."
    return _entry("collection.appeared", now, text, watch, listed_before=before.isoformat())


def _gone(was: Bearer, watch: Watch) -> Entry:
    text = (
        f"It is gone{_called(was)}: Milvus was asked for it, and does not know it. It was "
        f"{_listed(was, watch)}."
    )
    return _entry("collection.gone", was, text, watch, **_window(was, watch), **_late(was, watch))


def _replaced(was: Bearer, now: Bearer, watch: Watch) -> Entry:
    text = (
        f"Something else has this name now{_called(now)}. What had it before{_called(was)} was "
        f"{_listed(was, watch)}, and is gone."
    )
    more = {**_window(was, watch), **_late(was, watch), "was": _identity(was)}
    return _entry("collection.replaced", now, text, watch, **more)


def _renamed(was: Bearer, now: Bearer, watch: Watch) -> tuple[Entry, ...]:
    """Two events, one for each place: who may see only one of them learns nothing of the other."""
    more = _window(was, watch)
    away = f"It has another name or database now{_called(was)}. The next event says which."
    here = f"It came under this name{_called(now)}. The event before says which it had."
    return (
        _entry("collection.renamed", was, away, watch, **more, side="from"),
        _entry("collection.renamed", now, here, watch, **more, side="to"),
    )


def began(
    database: str, count: int, lite: bool, former: str | None, watch: Watch, *, short: bool = False
) -> Entry:
    """The watch has no list of before: from here on, differences are events."""
    text = f"The watch begins here, with {count} collection{'' if count == 1 else 's'}."
    if former is not None:
        text = f"The cluster's address was {former}, and is another one now. {text}"
    text += " What comes and goes from now on is recorded."
    text += f" {NO_IDS}" if lite else ""
    text += f" {GRANTED_ONLY}" if short else ""
    details = {"collections": count, "identity_verifiable": not lite}
    return _of_database("watch.began", database, text, watch, Outcome.NONE, details)


def database_gone(database: str, watch: Watch) -> Entry:
    text = f"Milvus knows no database of this name any more. {NOBODY}"
    listed = {"last_listed": watch.before[database].isoformat()}
    return _of_database("database.gone", database, text, watch, Outcome.EXTERNAL, listed)


# --- pieces ---------------------------------------------------------------------------------------


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _called(bearer: Bearer) -> str:
    return f" (id {bearer.identity.id})" if bearer.identity.verifiable else ""


def _listed(was: Bearer, watch: Watch) -> str:
    return f"listed last at {at(was.last_listed or watch.before[was.database])}"


def _window(was: Bearer, watch: Watch) -> dict[str, str]:
    return {"last_listed": (was.last_listed or watch.before[was.database]).isoformat()}


def _late(was: Bearer, watch: Watch) -> dict[str, str]:
    """The operation that may have done it after all."""
    operation = watch.in_vain.get(was.key)
    return {"asked_in_vain": operation} if operation else {}


def _binned(bearer: Bearer, watch: Watch) -> str:
    """That the recycle bin had it, in a sentence."""
    moved = watch.in_bin.get(bearer.name)
    same = moved and moved.identity == bearer.identity
    return WAS_IN_BIN.format(moved.target.name, moved.operation_id) if moved and same else ""


def _identity(bearer: Bearer) -> dict[str, Any]:
    return asdict(bearer.identity)


def _entry(action: str, bearer: Bearer, text: str, watch: Watch, **details: Any) -> Entry:
    verifiable, late = bearer.identity.verifiable, details.get("asked_in_vain")
    more = (
        _binned(bearer, watch),
        "" if verifiable else NO_IDS,
        NOBODY,
        MAYBE_LATE.format(late) if late else "",
    )
    return Entry(
        phase=Phase.OBSERVED,
        action=action,
        outcome=Outcome.EXTERNAL,
        caller=watch.caller,
        target={
            "cluster": watch.cluster,
            "database": bearer.database,
            "kind": "collection",
            "collection": bearer.name,
            "name": bearer.name,
        },
        message=" ".join(filter(None, (text, *more))),
        details={
            "identity": _identity(bearer),
            "identity_verifiable": verifiable,
            "found": watch.now.isoformat(),
            **details,
        },
    )


def _of_database(
    action: str, database: str, text: str, watch: Watch, outcome: Outcome, details: dict[str, Any]
) -> Entry:
    place = {"cluster": watch.cluster, "database": database, "kind": "database"}
    return Entry(
        phase=Phase.OBSERVED,
        action=action,
        outcome=outcome,
        caller=watch.caller,
        target={**place, "collection": "", "name": database},
        message=text,
        details={"found": watch.now.isoformat(), **details},
    )
