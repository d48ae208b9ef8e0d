"""The journal: every request that reaches Milvus, compared with the log at that moment."""

import threading
from collections import Counter
from dataclasses import dataclass

from pymilvus.grpc_gen import milvus_pb2 as pb

from .log import Log

THERE, BACK = "RenameCollection", "RenameCollection back"
ACTIONS = {
    "DropCollection": "collection.drop",
    "DropPartition": "partition.drop",
    "ReleaseCollection": "collection.release",
    "ReleasePartitions": "partition.release",
    "RenameCollection": "collection.drop",
}


@dataclass(frozen=True)
class Arrived:
    """A request that destroys, releases or renames. `collection` is its name as people know it."""

    method: str
    collection: str
    partition: str = ""
    renamed: str = ""  # the name it has now, or is to get

    @property
    def now(self) -> str:
        """The name by which the request means it."""
        return self.renamed if self.method in {"DropCollection", BACK} else self.collection


class Journal:
    """The strict kind of drop renames first: what bears a private name is known by its former."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.sent: Counter[tuple[int, str]] = Counter()  # by the last intent then, and method
        self.without_intent = 0
        self.window: Counter[str] = Counter()  # by method: met what their intent did not name
        self.seen: dict[int, str] = {}  # intents that were in the log, with their seals
        self.victims: set[int] = set()  # dropped in the window that Milvus leaves open
        self._former: dict[str, str] = {}
        self._state = threading.Lock()

    def former(self, name: str) -> str:
        """The name as people know it."""
        return self._former.get(name, name)

    def open(self, method: str, request: bytes) -> Arrived:
        """What a request is about."""
        found = getattr(pb, f"{method}Request").FromString(request)
        if method == "RenameCollection":
            return self._rename(found.oldName, found.newName)
        if method == "DropPartition":
            return Arrived(method, found.collection_name, found.partition_name)
        if method == "ReleasePartitions":
            return Arrived(method, found.collection_name, found.partition_names[0])
        name = found.collection_name
        return Arrived(method, self.former(name), renamed=name)

    def _rename(self, old: str, new: str) -> Arrived:
        if old in self._former:
            return Arrived(BACK, new, renamed=old)
        self._former[new] = old
        return Arrived(THERE, old, renamed=new)

    def note(self, arrived: Arrived, number: int) -> tuple[int, int] | None:
        """`number` is the id of what it will meet. Returns what its intent is about, and which."""
        action = ACTIONS[arrived.method.removesuffix(" back")]
        intent = self.log.last_intent(action, arrived.collection, arrived.partition)
        with self._state:
            if intent is None:
                self.without_intent += 1
                return None
            sequence, identity, seal = intent
            # Two for one intent: sent twice, or the second one has no intent yet.
            self.sent[sequence, arrived.method] += 1
            self.seen[sequence] = seal
            if arrived.method.startswith("Drop") and number not in {0, identity}:
                self.window[arrived.method] += 1
                self.victims.add(number)
            return identity, sequence

    @property
    def more_than_once(self) -> int:
        with self._state:
            sent = self.sent.items()
            return sum(count - 1 for (_, method), count in sent if method != BACK)

    @property
    def given_back_again(self) -> int:
        """Renames back that repeat one whose answer nobody got. Safe: the name is that drop's."""
        with self._state:
            return sum(count - 1 for (_, method), count in self.sent.items() if method == BACK)
