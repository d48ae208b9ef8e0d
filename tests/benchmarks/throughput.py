"""List pages per second under load, beside a bare view that does the same raw calls."""

import os
import statistics

from . import bare
from .application import application, cookie, list_url, signed_in
from .figures import at_least
from .load import per_second
from .measure import rounds
from .places import places, sizes
from .serving import gunicorn

SECONDS = 5.0
WARM_UP = 2.0


def main() -> None:
    with places(sizes()[:1]) as (place,), application([place]):
        os.environ.update(bare.settings(place))
        path, session = list_url(place), cookie(signed_in())
        ours: list[float] = []
        floors: list[float] = []
        with gunicorn("milvusadmin.wsgi") as us, gunicorn("tests.benchmarks.bare") as them:
            servers = ((us, path, session, ours), (them, "/", "", floors))
            for port, asked, known, _ in servers:
                per_second(port, asked, known, WARM_UP)
            for _ in range(rounds(4)):
                for port, asked, known, found in servers:
                    found.append(per_second(port, asked, known, SECONDS))
    value, floor = statistics.median(ours), statistics.median(floors)
    name = "list pages per second"
    at_least(name, place.size, value, floor, 0.6 * floor, "0.6 × the floor")


if __name__ == "__main__":
    main()
