"""Dropping a collection: from the confirmed dialog to the answer that says it is gone."""

from typing import Any
from urllib.parse import urlencode

from .application import application, drop_url, get, signed_in, token_in
from .by_hand import ByHand
from .figures import at_most
from .measure import WARM_UP, in_turns, rounds
from .places import Place, places, sizes


def main() -> None:
    each = rounds() + WARM_UP
    with places(sizes()[:1], spare=2 * each) as (place,), application([place]):
        from django.db import connection

        client, hand = signed_in(), ByHand(place)
        by_us, by_hand = list(place.spare[:each]), list(place.spare[each:])
        dialogs = [_open(client, place, name) for name in by_us]
        ours, floor = in_turns(
            lambda: _confirm(client, *dialogs.pop()),
            lambda: hand.drop(by_hand.pop()),
            times=rounds(),
        )
        name = f"drop on {connection.vendor}, ms"
    at_most(name, place.size, ours, floor, floor + 10, "the floor + 10 ms")


def _open(client: Any, place: Place, name: str) -> tuple[str, dict[str, str]]:
    """The dialog with the name typed into it, ready to be sent."""
    url = drop_url(place, name)
    return url, {"token": token_in(get(client, url)), "typed_name": name, "reason": "bench"}


def _confirm(client: Any, url: str, form: dict[str, str]) -> None:
    """As a browser sends it; the test client would make a file upload of it."""
    response = client.post(url, urlencode(form), "application/x-www-form-urlencoded")
    there = response.headers.get("Location", "")
    assert "/collections/" in there, f"not dropped: {there} {response.content[-2000:]}"


if __name__ == "__main__":
    main()
