"""Load states, and whether the outcomes of releases agree with Milvus."""

from collections import defaultdict

from tests.infra.milvus_server import MilvusServer

from .log import Log
from .steps import PARTITION

PATIENCE = 60  # seconds: loading takes two or three


class Busy(Exception):
    """An operation on it is open: loading it now would make its look afterwards mean nothing."""


class Loads:
    """From being loaded to being released is a life. Only we load; things go by their ids."""

    def __init__(self, server: MilvusServer, log: Log) -> None:
        self.direct, self.log = server, log
        self.wrong: list[str] = []
        self._loaded: set[int] = set()
        self._asked: dict[int, set[int]] = defaultdict(set)  # intents of releases in this life

    def load(self, name: str, collection: int, partition: int) -> None:
        """Load the collection and its partition, after judging how a life ended. Raises Busy."""
        if self.log.open_claims(name):
            raise Busy
        client = self.direct.client()
        if not self._judge(name, "", collection):
            self._over(partition)
            client.load_collection(name, timeout=PATIENCE)
        elif not self._judge(name, PARTITION, partition):
            client.load_partitions(name, [PARTITION], timeout=PATIENCE)
        self._loaded |= {collection, partition}

    def note(self, identity: int, intent: int) -> None:
        """A release arrived."""
        self._asked[identity].add(intent)

    def judge_all(self, there: dict[int, str]) -> None:
        """At the end, with nothing open. `there` are names by id: COLLECTION or COLLECTION/PART."""
        for number in self._loaded & there.keys():
            name, _, partition = there[number].partition("/")
            if not partition or self._held(name, ""):
                self._judge(name, partition, number)

    def forget(self) -> None:
        """Milvus was killed: what is loaded now is its own affair."""
        self._loaded.clear()
        self._asked.clear()

    def _judge(self, name: str, partition: str, number: int) -> bool:
        """Whether it is loaded. Then no release of it succeeded; else one did, if any was asked.

        Raises Busy if an operation came in between: then the two do not belong together.
        """
        outcomes = self._outcomes(number)
        held = self._held(name, partition)
        if self.log.open_claims(name) or self._outcomes(number) != outcomes:
            raise Busy
        if number in self._loaded and outcomes and ("succeeded" in outcomes) is held:
            self.wrong.append(f"{name}/{partition} {number} loaded: {held}, releases: {outcomes}")
        if not held or "succeeded" in outcomes:
            self._over(number)
        return held

    def _outcomes(self, number: int) -> set[str]:
        return self.log.outcomes(list(self._asked[number]))

    def _over(self, number: int) -> None:
        self._loaded.discard(number)
        self._asked.pop(number, None)

    def _held(self, collection: str, partition: str) -> bool:
        client = self.direct.client()
        state = client.get_load_state(collection, partition, timeout=PATIENCE)["state"]
        return str(state.name) in {"Loaded", "Loading"}
