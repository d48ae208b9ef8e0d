"""The pages of a plan of ROUNDS collections: its author's, and that of who may approve it.

The second requests a sheet for which every item is read afresh; its floor is the first reading.
"""

import gzip
import statistics
from dataclasses import replace
from functools import partial
from typing import Any

from .application import HOST, application, get, signed_in
from .figures import noted
from .measure import milliseconds, rounds
from .places import Place, places, target
from .plan import _confirm, _plan

ITEMS, TIMES = 1000, 5
APPROVER = "bea"


def main() -> None:
    count = rounds(ITEMS)
    size = 2 * count + 2 if target() == "stub" else 10
    with places([size], spare=count) as (plain,):
        place = replace(plain, more="approvals = 1")
        with application([place]):
            _measure(place, count)


def _measure(place: Place, count: int) -> None:
    from collections_app.plans import building

    plan = _plan(place, list(place.spare))
    reading = milliseconds(lambda: building.read_items(plan))
    _page("plan page, its author's", signed_in(), plan, count)
    _confirm(plan)
    plan.refresh_from_db()
    assert plan.state == "awaiting", plan.state
    _page("plan page, the approver's", _approver(), plan, count)
    _page("its sheet, which it requests", _approver(), plan, count, reading, "?read=1")


def _page(
    name: str, client: Any, plan: Any, count: int, floor: float | None = None, query: str = ""
) -> None:
    read = partial(get, client, f"/plans/{plan.pk}/{query}")
    html = read()
    assert html.count('<tr id="item-') == min(count, 50), html[-2000:]
    size = len(gzip.compress(html.encode()))
    noted(f"{name}, ms", count, statistics.median(milliseconds(read) for _ in range(TIMES)), floor)
    noted(f"{name}, kB compressed", count, size / 1000)


def _approver() -> Any:
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group
    from django.test import Client

    user, _ = get_user_model().objects.get_or_create(username=APPROVER)
    user.groups.set(Group.objects.filter(name="approver"))
    client = Client(headers=HOST)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


if __name__ == "__main__":
    main()
