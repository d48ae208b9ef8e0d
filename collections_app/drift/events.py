"""What a difference means, in the words of the log."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ..access.principals import Caller
from ..audit.events import Intent
from ..audit.log import Entry, Outcome, Phase
from .diff import CollectionEntry, Difference, Key

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
MARGIN = timedelta(minutes=1)  # by which the clocks of Milvus and Milvus Admin may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who records, on which cluster, and when each database was listed before and now."""

    cluster: str
    caller: Caller
    listed_at: datetime
    listed_before: dict[str, datetime]  # by database
    failed_drops: Mapping[Key, str] = field(default_factory=dict)  # operations
    in_bin: Mapping[str, Intent] = field(default_factory=dict)  # by name: attribution.in_bin


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Rows that leave the inventory and that enter it, and what the log says of it, together."""

    remove: tuple[CollectionEntry, ...] = ()
    add: tuple[CollectionEntry, ...] = ()
    entries: tuple[Entry, ...] = ()

    @property
    def databases(self) -> set[str]:
        return {collection.database for collection in (*self.remove, *self.add)}


def change(difference: Difference, watch: Watch) -> Change:
    """How the inventory and the log follow a difference that no operation explains."""
    before, after = difference.before, difference.after
    adds = difference.is_new or difference.is_renamed
    return Change(
        remove=(before,) if before else (),
        add=(after,) if after and adds else (),
        entries=_entries(difference, watch),
    )


def _entries(difference: Difference, watch: Watch) -> tuple[Entry, ...]:
    before, after = difference.before, difference.after
    if before and after:
        return (
            _renamed(before, after, watch)
            if difference.is_renamed
            else (_replaced(before, after, watch),)
        )
    if before:
        return (_gone(before, watch),)
    return (_appeared(after, watch),) if after else ()


def _appeared(after: CollectionEntry, watch: Watch) -> Entry:
    listed_before, created = watch.listed_before[after.database], after.identity.created
    text = f"It is there{_id_of(after)}. The list of {at(listed_before)} did not have it."
    if created and created < listed_before - MARGIN:
        text += " It was created before that, so until now it could not be seen."
    return _entry(
        "collection.appeared", after, text, watch, listed_before=listed_before.isoformat()
    )


def _gone(before: CollectionEntry, watch: Watch) -> Entry:
    text = (
        f"It is gone{_id_of(before)}: Milvus was asked for it, and does not know it. It was "
        f"{_last_listed(before, watch)}."
    )
    return _entry(
        "collection.gone",
        before,
        text,
        watch,
        **_window(before, watch),
        **_failed_drop(before, watch),
    )


def _replaced(before: CollectionEntry, after: CollectionEntry, watch: Watch) -> Entry:
    text = (
        f"Something else has this name now{_id_of(after)}. "
        f"What had it before{_id_of(before)} was {_last_listed(before, watch)}, and is gone."
    )
    more = {**_window(before, watch), **_failed_drop(before, watch), "before": _identity(before)}
    return _entry("collection.replaced", after, text, watch, **more)


def _renamed(before: CollectionEntry, after: CollectionEntry, watch: Watch) -> tuple[Entry, ...]:
    """Two events, one for each place: who may see only one of them learns nothing of the other."""
    more = _window(before, watch)
    away = f"It has another name or database now{_id_of(before)}. The next event says which."
    here = f"It came under this name{_id_of(after)}. The event before says which it had."
    return (
        _entry("collection.renamed", before, away, watch, **more, side="from"),
        _entry("collection.renamed", after, here, watch, **more, side="to"),
    )


def watch_began(
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
    listed = {"last_listed": watch.listed_before[database].isoformat()}
    return _of_database("database.gone", database, text, watch, Outcome.EXTERNAL, listed)


# --- pieces ---------------------------------------------------------------------------------------


def at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _id_of(collection: CollectionEntry) -> str:
    return f" (id {collection.identity.id})" if collection.identity.verifiable else ""


def _last_listed(before: CollectionEntry, watch: Watch) -> str:
    return f"listed last at {at(before.last_listed or watch.listed_before[before.database])}"


def _window(before: CollectionEntry, watch: Watch) -> dict[str, str]:
    return {"last_listed": (before.last_listed or watch.listed_before[before.database]).isoformat()}


def _failed_drop(before: CollectionEntry, watch: Watch) -> dict[str, str]:
    """The operation that may have done it after all."""
    operation = watch.failed_drops.get(before.key)
    return {"failed_drop": operation} if operation else {}


def _bin_origin(collection: CollectionEntry, watch: Watch) -> str:
    """That the recycle bin had it, in a sentence."""
    moved = watch.in_bin.get(collection.name)
    same = moved and moved.identity == collection.identity
    return WAS_IN_BIN.format(moved.target.name, moved.operation_id) if moved and same else ""


def _identity(collection: CollectionEntry) -> dict[str, Any]:
    return asdict(collection.identity)


def _entry(
    action: str, collection: CollectionEntry, text: str, watch: Watch, **details: Any
) -> Entry:
    verifiable, late = collection.identity.verifiable, details.get("failed_drop")
    more = (
        _bin_origin(collection, watch),
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
            "database": collection.database,
            "kind": "collection",
            "collection": collection.name,
            "name": collection.name,
        },
        message=" ".join(filter(None, (text, *more))),
        details={
            "identity": _identity(collection),
            "identity_verifiable": verifiable,
            "found": watch.listed_at.isoformat(),
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
        details={"found": watch.listed_at.isoformat(), **details},
    )
