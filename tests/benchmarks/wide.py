"""What is wide, not long: a collection of a thousand partitions, a cluster of a hundred databases.

The floor is the same page of a collection with one partition: the calls are the same, but for
the rows of fifty partitions. Lists of databases have no other size; theirs is only noted.
"""

from functools import partial

from . import stub
from .application import application, collection_url, get, signed_in
from .figures import noted
from .measure import in_turns, rounds
from .places import places, target

COLLECTIONS = 1000


def main() -> None:
    if target() != "stub":
        return
    with places([COLLECTIONS]) as (place,), application([place]):
        client = signed_in()
        parted, plain = sorted(stub.names(COLLECTIONS))[:2]
        wide, narrow, databases = in_turns(
            partial(get, client, collection_url(place, parted), rows=50),
            partial(get, client, collection_url(place, plain)),
            partial(get, client, f"/clusters/{place.key}/"),
            times=rounds(),
        )
    noted("collection page, partitions, ms", stub.PARTITIONS, wide, narrow)
    noted("databases page, databases, ms", stub.DATABASES, databases)


if __name__ == "__main__":
    main()
