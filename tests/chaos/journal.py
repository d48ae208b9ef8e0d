"""The journal: every request that reaches Milvus, compared with the log at that moment."""

import threading
import time
from collections import Counter
from dataclasses import dataclass

from pymilvus.grpc_gen import milvus_pb2 as pb

from .log import Intent, Log

BIN, DROP = "_milvusadmin_bin_", "_milvusadmin_drop_"
THERE, BACK = "RenameCollection", "RenameCollection back"  # of strict mode, or of the bin
RESTORE, PURGE = "RenameCollection out of the bin", "DropCollection in the bin"
ACTIONS = {
    "DropCollection": "collection.drop",
    "DropPartition": "partition.drop",
    "ReleaseCollection": "collection.release",
    "ReleasePartitions": "partition.release",
    "RenameCollection": "",  # its private name says of what
}


@dataclass(frozen=True)
class Arrived:
    """A request that destroys, releases or renames. `collection` is its name as people know it."""

    method: str
    collection: str
    partition: str = ""
    old: str = ""  # the name by which the request means it
    new: str = ""  # the name it is to get

    @property
    def private(self) -> str:
        """The private name in it, if there is one."""
        return next((name for name in (self.new, self.old) if name.startswith((BIN, DROP))), "")

    @property
    def is_step(self) -> bool:
        """Whether it is what strict mode does before the act itself."""
        return self.method == THERE and self.private.startswith(DROP)


class Journal:
    """What bears a private name is known by its former one."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.sent: Counter[tuple[int, str]] = Counter()  # by the last intent then, and method
        self.items: Counter[tuple[int, int, str]] = Counter()  # by plan, item, and method
        self.without_intent = 0
        self.purged_early: list[str] = []
        self.restored_wrong: list[str] = []
        self.window: Counter[str] = Counter()  # by method: met what their intent did not name
        self.seen: dict[int, str] = {}  # intents that were in the log, with their seals
        self.renamed: dict[str, bool] = {}  # by operation: whether Milvus did its rename
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
        name = found.collection_name
        if method == "DropPartition":
            return Arrived(method, name, found.partition_name, old=name)
        if method == "ReleasePartitions":
            return Arrived(method, name, found.partition_names[0], old=name)
        if method == "DropCollection" and name.startswith(BIN):
            method = PURGE
        return Arrived(method, self.former(name), old=name)

    def _rename(self, old: str, new: str) -> Arrived:
        if new.startswith((BIN, DROP)):
            self._former[new] = old
            return Arrived(THERE, old, old=old, new=new)
        method = RESTORE if old.startswith(BIN) else BACK
        return Arrived(method, self.former(old), old=old, new=new)

    # --- the intent behind it ---------------------------------------------------------------------

    def intent_of(self, arrived: Arrived, number: int) -> Intent | None:
        """`number` is the id of what it will meet. What comes out of the bin may be a namesake
        that was caught: it gets its name back by the operation that caught it.
        """
        if arrived.method == PURGE:
            return self.log.last_intent("collection.purge", arrived.collection, arrived.old)
        if arrived.method == RESTORE:
            restore = self.log.last_intent("collection.restore", arrived.collection, arrived.old)
            moved = self.log.intent_under(arrived.old)
            return moved if moved and number not in {0, moved.identity} else restore
        if arrived.private:
            return self.log.intent_under(arrived.private)
        action = ACTIONS[arrived.method]
        return self.log.last_intent(action, arrived.collection, arrived.partition)

    def note(self, arrived: Arrived, number: int) -> Intent | None:
        """Returns the intent it belongs to, with what it did wrong counted."""
        intent = self.intent_of(arrived, number)
        with self._state:
            if intent is None:
                self.without_intent += 1
                return None
            self._count(arrived, intent)
            if arrived.method == PURGE:
                self._judge_purge(arrived, intent)
            if arrived.method == RESTORE and intent.action == "collection.restore":
                self._judge_restore(arrived, intent, number)
            is_drop = arrived.method.startswith("Drop")
            if is_drop and number not in {0, intent.identity}:
                self.window[arrived.method] += 1
                self.victims.add(number)
            return intent

    def _count(self, arrived: Arrived, intent: Intent) -> None:
        """Two for one intent: sent twice, or the second one has no intent yet."""
        given_back = arrived.method == RESTORE and intent.action != "collection.restore"
        method = BACK if given_back else arrived.method
        self.sent[intent.sequence, method] += 1
        self.seen[intent.sequence] = intent.seal
        if plan := intent.details.get("plan"):
            self.items[plan["plan"], plan["item"], method] += 1

    def _judge_purge(self, arrived: Arrived, intent: Intent) -> None:
        """By people: with a reason. By the bin: when it has been there for as long as was said."""
        moved = self.log.intent_under(arrived.old)
        if intent.interface != "bin":
            if not intent.details["reason"]:
                self.purged_early.append(f"{arrived.old} without a reason")
            return
        uptime = time.clock_gettime(time.CLOCK_BOOTTIME)
        been = uptime - moved.details["clock"]["uptime"] if moved else 0.0
        if not moved or been < moved.details["retention_seconds"]:
            self.purged_early.append(f"{arrived.old} {intent.sequence} after {been:.1f} s")

    def _judge_restore(self, arrived: Arrived, intent: Intent, number: int) -> None:
        wrong_name = arrived.new != intent.details["new_name"]
        if wrong_name or number not in {0, intent.identity}:
            self.restored_wrong.append(f"{arrived.old} to {arrived.new} met {number}")

    def note_renamed(self, intent: Intent, number: int, *, done: bool | None) -> None:
        """Whether Milvus renamed what was meant; None if nobody knows."""
        if intent.action in {"collection.bin", "collection.restore"}:
            with self._state:
                if done is None:
                    self.renamed.pop(intent.operation, None)
                else:
                    self.renamed[intent.operation] = done and number == intent.identity

    # --- what it comes to -------------------------------------------------------------------------

    @property
    def more_than_once(self) -> int:
        with self._state:
            sent = self.sent.items()
            return sum(count - 1 for (_, method), count in sent if method != BACK)

    @property
    def items_twice(self) -> int:
        with self._state:
            return sum(count - 1 for (*_, method), count in self.items.items() if method != BACK)

    @property
    def given_back_again(self) -> int:
        """Renames back that repeat one whose answer nobody got. Safe: the name is that drop's."""
        with self._state:
            return sum(count - 1 for (_, method), count in self.sent.items() if method == BACK)
