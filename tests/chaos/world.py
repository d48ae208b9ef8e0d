"""Milvus under attack: a relay that injects the faults, and external changes."""

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import grpc
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import common_pb2
from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.relay import Relay
from tests.infra.seeds import FAILED, Seeds, unique_name
from tests.infra.skins import Skin, Worn

from .attack import Attack
from .journal import ACTIONS, RESTORE, THERE, Arrived, Journal
from .loads import Loads
from .log import Intent
from .milvus import Mortal
from .steps import PARTITION, Step

NOT_THERE = 100
PATIENCE = 30  # seconds for Milvus, when we ask it ourselves


class World(Relay):
    """Knows each id that was ever made, and each that others dropped or renamed."""

    def __init__(self, mortal: Mortal, attack: Attack, skin: Skin) -> None:
        server = mortal.server
        super().__init__(server.address, skin=Worn(skin) if skin.rows else None)
        self.direct, self.attack, self.seeds = server, attack, Seeds(server)
        self.up = mortal.up
        self.journal = Journal(attack.log)
        self.loads = Loads(server, attack.log)
        self.made: dict[int, str] = {}  # ids of collections and of partitions, with their names
        self.parts: dict[int, int] = {}  # partitions, with the collection they were made in
        self.behind: set[int] = set()  # those that others dropped or renamed
        self.over = threading.Event()  # set when nobody begins anything any more
        self.story: list[str] = []  # what arrived when, and what was answered
        self._sent: set[str] = set()
        self._asked: dict[str, Arrived] = {}  # the rename that was last asked for
        self._locks: dict[str, threading.RLock] = defaultdict(threading.RLock)
        self._join(attack)
        attack.kill_milvus, mortal.on_death = mortal.kill, self.loads.forget

    def _join(self, attack: Attack) -> None:
        attack.name_of = self.journal.former
        attack.rename_late = self._rename_late
        attack.by_others = {
            "replaced": self.replace,
            "dropped": self._drop_binned,
            "renamed": self._rename_binned,
            "taken": self._take_name,
        }

    # --- from the operators' side -------------------------------------------------------------

    def prepare(self, step: Step) -> None:
        """Let there be what the step is about."""
        self.up.wait(180)
        with self._locks[step.collection]:
            releases = step.way.startswith("release")
            collection = self._collection(step.collection, releases or step.needs_load)
            partition = 0
            if step.needs_load:
                self.direct.client().load_collection(step.collection, timeout=PATIENCE)
            if step.partition or releases:
                partition = self._partition(step.collection, collection)
            if releases:
                self.loads.load(step.collection, collection, partition)

    # --- what others do -----------------------------------------------------------------------

    def replace(self, step: Step) -> None:
        """Put a namesake in its place."""
        name = step.private or step.collection
        with self._locks[step.collection]:
            only = step.partition if step.way == "drop-partition" else ""
            found, client = self.id_of(name, only), self.direct.client()
            if found:
                self.behind.add(found)
            if found and only:
                client.drop_partition(name, only, timeout=PATIENCE)
            elif found:
                client.drop_collection(name, timeout=PATIENCE)
            collection = self._collection(name, False)
            if step.partition:
                self._partition(name, collection)

    def _drop_binned(self, step: Step) -> None:
        if found := self.id_of(step.private):
            self.behind.add(found)
            self.direct.client().drop_collection(step.private, timeout=PATIENCE)

    def _rename_binned(self, step: Step) -> None:
        """As somebody would who wants it back without asking."""
        if found := self.id_of(step.private):
            self.behind.add(found)
            new = self.seeds.renamed(unique_name("stolen"))
            self.direct.client().rename_collection(step.private, new, timeout=PATIENCE)
            self.made[found] = new

    def _take_name(self, step: Step) -> None:
        """Use the name that a restore is about to give."""
        name = step.other or step.collection
        with self._locks[name]:
            self._collection(name, False)

    # --- what there is ------------------------------------------------------------------------

    def _collection(self, name: str, indexed: bool) -> int:
        found = self.id_of(name)
        if not found:
            self.seeds(name, indexed=indexed)
            found = self.id_of(name)
        if found:  # not renamed at once by a drop that was on its way
            self.made[found] = name
        return found

    def _partition(self, name: str, collection: int) -> int:
        found = self.id_of(name, PARTITION)
        if not found:
            self.direct.client().create_partition(name, PARTITION, timeout=PATIENCE)
            found = self.id_of(name, PARTITION)
        self.made[found], self.parts[found] = f"{name}/{PARTITION}", collection
        return found

    def id_of(self, name: str, partition: str = "") -> int:
        """Who bears the name now; 0 if nobody does."""
        try:
            if partition:
                return self._partitions(name).get(partition, 0)
            found = self.direct.client().describe_collection(name, timeout=PATIENCE)
        except MilvusException as exc:
            if exc.code == NOT_THERE:
                return 0
            raise
        return int(found["collection_id"])

    def _partitions(self, name: str) -> dict[str, int]:
        request = pb.ShowPartitionsRequest(collection_name=name)
        reply = self._stub.ShowPartitions(request, timeout=PATIENCE)
        return dict(zip(reply.partition_names, reply.partitionIDs, strict=True))

    def there(self) -> dict[int, str]:
        """All that Milvus has now of what was made here, by id."""
        reply = self._stub.ShowCollections(pb.ShowCollectionsRequest(), timeout=PATIENCE)
        found = dict(zip(reply.collection_ids, reply.collection_names, strict=True))
        ours = {number: name for number, name in found.items() if number in self.made}
        parts = {
            number: f"{name}/{part}"
            for name in ours.values()
            for part, number in self._partitions(name).items()
            if number in self.made
        }
        return ours | parts

    @property
    def _stub(self) -> Any:
        return self.direct.client()._get_connection()._stub

    # --- one call -----------------------------------------------------------------------------

    def _reply(
        self, method: str, path: str, request: bytes, context: grpc.ServicerContext
    ) -> bytes:
        def answer() -> bytes:
            return Relay._reply(self, method, path, request, context)

        if method == "DescribeCollection":
            name = self.journal.former(
                pb.DescribeCollectionRequest.FromString(request).collection_name
            )
            self.attack.strike(name, self._kind_of_look(name))
        if method not in ACTIONS:
            return answer()
        return self._act(self.journal.open(method, request), answer)

    def _kind_of_look(self, name: str) -> str:
        if name not in self._sent:
            return "look"
        self._sent.discard(name)
        return "verify"

    def _act(self, arrived: Arrived, answer: Callable[[], bytes]) -> bytes:
        before, after = _points(arrived)
        if arrived.method in {THERE, RESTORE}:
            self._asked[arrived.collection] = arrived
        self.attack.strike(arrived.collection, before)
        meets = self._meets(arrived)
        intent = self.journal.note(arrived, meets)
        self._tell(arrived, f"meets {meets}, intent {intent and intent.sequence}")
        if intent and arrived.method.startswith("Release"):
            self.loads.note(intent.identity, intent.sequence)
        reply = self._answered(arrived, intent, meets, answer)
        self._sent.add(arrived.collection)
        self.attack.strike(arrived.collection, after)
        return reply

    def _answered(
        self, arrived: Arrived, intent: Intent | None, meets: int, answer: Callable[[], bytes]
    ) -> bytes:
        """Milvus' answer; it tells whether a rename was done."""
        renames = intent and arrived.method in {THERE, RESTORE}
        if renames:
            self.journal.note_renamed(intent, meets, done=None)
        reply = answer()
        said = common_pb2.Status.FromString(reply)
        self._tell(arrived, f"answered {said.reason or 'OK'}")
        if renames:
            self.journal.note_renamed(intent, meets, done=not (said.code or said.error_code))
        return reply

    def _rename_late(self, collection: str) -> Callable[[], None]:
        arrived = self._asked[collection]

        def rename() -> None:
            with contextlib.suppress(*FAILED):
                self.up.wait(PATIENCE)
                meets = self._meets(arrived)
                intent = self.journal.intent_of(arrived, meets)
                self.direct.client().rename_collection(arrived.old, arrived.new, timeout=PATIENCE)
                self._tell(arrived, f"done late, met {meets}")
                if intent:
                    self.journal.note_renamed(intent, meets, done=True)

        return rename

    def _tell(self, arrived: Arrived, what: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        place = f"{arrived.collection}/{arrived.partition} {arrived.old} {arrived.new}"
        self.story.append(f"{now} {arrived.method} {place} {what}")

    def _meets(self, arrived: Arrived) -> int:
        """The id of what the request will hit; 0 if that can't be told."""
        try:
            return self.id_of(arrived.old, arrived.partition)
        except FAILED:
            return 0


def _points(arrived: Arrived) -> tuple[str, str]:
    """Before and after it: the act itself, or a step on the way to it."""
    if arrived.is_step:
        return "rename", "renamed"
    if arrived.method == "ReleaseCollection" and arrived.old != arrived.collection:
        return "release", "released"
    return "call", "called"
