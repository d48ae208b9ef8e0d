"""A recycle bin of ROUNDS collections whose day has come; and one collection into it and back."""

import statistics
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from .application import OPERATOR, application
from .by_hand import ByHand
from .figures import noted
from .measure import milliseconds, rounds
from .places import Place, places, target

ITEMS, MOVED = 1000, 40


def main() -> None:
    count = rounds(ITEMS)
    spare = 2 * count + MOVED
    with places([2 * spare if target() == "stub" else 10], spare=spare) as (plain,):
        place = replace(plain, more='recycle_bin = "7d"')
        with application([place]):
            _measure(place, ByHand(place), count)


def _measure(place: Place, hand: ByHand, count: int) -> None:
    from django.db import connection

    due, others, moved = place.spare[:count], place.spare[count:-MOVED], place.spare[-MOVED:]
    _fill(place, due)
    taken, on = milliseconds(lambda: _purge(count)), connection.vendor
    loop = milliseconds(lambda: [hand.drop(name) for name in others])
    noted(f"purge: an item on {on}, ms", count, taken / count, loop / len(others))
    noted(f"purge: all of them on {on}, s", count, taken / 1000, loop / 1000)
    into, out, by_hand = _in_and_out(place, hand, moved)
    noted(f"recycle bin: move one to it on {on}, ms", MOVED, into, by_hand)
    noted(f"recycle bin: restore one on {on}, ms", MOVED, out, by_hand)


def _fill(place: Place, names: tuple[str, ...]) -> None:
    """As they lie there when their day has come, under names that nobody else uses."""
    from django.utils import timezone

    from collections_app import clusters
    from collections_app.models import BinItem

    identities, ended = clusters.get(place.key).gateway.identities(place.spare_in), timezone.now()
    BinItem.objects.bulk_create(
        BinItem(
            operation_id=uuid4(),
            cluster=place.key,
            database=place.spare_in,
            name=f"was_{name}",
            private_name=name,
            collection_id=identities[name].id,
            created_ms=identities[name].created_ms,
            rows=None,
            was_loaded=False,
            aliases=[],
            actor_display="Olga",
            reason="bench",
            moved_at=ended - timedelta(days=7),
            purge_at=ended,
        )
        for name in names
    )


def _purge(count: int) -> None:
    from collections_app.recycle_bin import purging

    said = [text for _, text in purging.purge_due()]
    purged = sum(text.startswith("Purged") for text in said)
    assert purged == count, f"{purged} of {count} purged: {said[-1:]}"


def _in_and_out(place: Place, hand: ByHand, names: tuple[str, ...]) -> tuple[float, float, float]:
    """Milliseconds from the confirmed dialog to the outcome, and those of a rename by hand."""
    from collections_app.access.policy import Action
    from collections_app.milvus.types import Kind, Target
    from collections_app.models import BinItem
    from collections_app.operations.kinds.binned import target_of

    into, out, by_hand = [], [], []
    for name in names:
        where = {"cluster": place.key, "database": place.spare_in, "collection": name}
        collection = Target(**where, kind=Kind.COLLECTION, name=name)
        into.append(_act(Action.MOVE_TO_BIN, collection))
        item = BinItem.objects.get(name=name)
        out.append(_act(Action.RESTORE, target_of(item), name))
        by_hand.append(milliseconds(lambda name=name: hand.rename(name, f"{name}_renamed")))
        hand.rename(f"{name}_renamed", name)
    return statistics.median(into), statistics.median(out), statistics.median(by_hand)


def _act(action: Any, target: Any, new_name: str = "") -> float:
    from collections_app import clusters
    from collections_app.access.principals import Actor, Caller, Origin
    from collections_app.audit.log import Outcome
    from collections_app.operations import confirmation, protocol
    from collections_app.operations.kinds import OPERATIONS

    actor = Actor(issuer="local", subject=OPERATOR, display=OPERATOR, groups=("operator",))
    state = OPERATIONS[action].read_state(clusters.get(target.cluster).gateway, target)
    consent = confirmation.confirm(action, target, state, actor)
    consent = replace(consent, new_name=new_name)
    outcomes: list[Any] = []
    caller = Caller(actor, Origin(interface="bench"))
    taken = milliseconds(lambda: outcomes.append(protocol.perform(consent, caller)))
    assert outcomes == [Outcome.SUCCEEDED], outcomes
    return taken


if __name__ == "__main__":
    main()
