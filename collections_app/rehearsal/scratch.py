"""The things of one run: what it creates, where, and for how long."""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from ..clusters import Milvus
from ..milvus.errors import Contradiction, MilvusError, MilvusRejected, Unreachable
from ..milvus.scratch import Maker, root_of
from ..milvus.types import Identity, Kind, Target

GONE_WITHIN = 5.0  # seconds after an OK in which a thing has to be gone
BETWEEN = 0.05
# Every name that a run may create something under: what a list hides is looked for by these.
NAMES = (
    *("first", "list", "describe", "partitions", "by_id", "by_former_id", "aliased", "alias"),
    *("loaded", "loaded_partition", "default_partition", "through", "through_alias"),
    *("rename_one", "rename_other", "with_partition", "partition", "keeps", "drop_alias"),
    *("plain", "under_alias", "over", "recreated", "rename", "renamed"),
    *("strict", "strict_aside", "kept", "kept_aside", "nowhere", "nothing"),
)


class NotRun(Exception):
    """A check can't be carried out on this server. Says why."""


class Deadline:
    """When no further check begins."""

    def __init__(self, seconds: float) -> None:
        self._start = time.monotonic()
        self._end = self._start + seconds

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._start

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self._end


@dataclass(kw_only=True)
class Scratch:
    """Creates for one run, and remembers what a look at the lists can't tell.

    `database` is where its collections are; `databases` are all in which something may be.
    `is_certain` is False after a request to create something got no answer: it may come late.
    """

    milvus: Milvus
    run: uuid.UUID
    database: str
    deadline: Deadline
    databases: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    is_certain: bool = True
    _loaded: Target | Exception | None = None

    def __post_init__(self) -> None:
        self.root = root_of(self.run)
        self.databases.append(self.database)
        self.maker = Maker(self.milvus.gateway)
        self.gateway, self.destroyer = self.milvus.gateway, self.milvus.destroyer

    def name(self, purpose: str) -> str:
        """A name of this run: one of NAMES, or it would not be cleaned up. Raises ValueError."""
        if purpose not in NAMES:
            raise ValueError(f"{purpose} is not among the names of a rehearsal")
        return f"{self.root}_{purpose}"

    def collection(self, purpose: str) -> Target:
        """A new, empty collection. Raises NotRun, Denied or Unreachable, as do the next three."""
        name = self.name(purpose)
        self._create(lambda: self.maker.collection(self.database, name))
        return self.target(name)

    def partition(self, collection: Target, purpose: str) -> Target:
        name = self.name(purpose)
        self._create(lambda: self.maker.partition(self.database, collection.name, name))
        return self.target(collection.name, Kind.PARTITION, name)

    def alias(self, collection: Target, purpose: str) -> Target:
        alias = self.name(purpose)
        self.aliases.append(alias)
        self._create(lambda: self.maker.alias(self.database, collection.name, alias))
        return self.target(collection.name, Kind.ALIAS, alias)

    def loaded(self) -> Target:
        """A loaded partition: the same one each time, because loading takes seconds.

        Raises what the first attempt raised.
        """
        if isinstance(self._loaded, Exception):
            raise self._loaded
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def _load(self) -> Target:
        partition = self.partition(self.collection("loaded"), "loaded_partition")
        names = partition.collection, partition.name
        try:
            self._create(lambda: self.maker.load(self.database, *names))
        except (MilvusError, NotRun) as exc:
            self._loaded = exc
            raise
        return partition

    def target(
        self, collection: str, kind: Kind = Kind.COLLECTION, name: str | None = None
    ) -> Target:
        return Target(
            cluster=self.milvus.cluster.key,
            database=self.database,
            kind=kind,
            collection=collection,
            name=collection if name is None else name,
        )

    def identity_of(self, name: str) -> Identity | None:
        """Of what has this name now, as the product asks. Raises as the gateway does."""
        return self.gateway.collection_identity(self.database, name)

    def seconds_until(self, is_done: Callable[[], bool]) -> float | None:
        """How long it took until a look shows it; None if that takes too long.

        Raises Contradiction if Milvus' answers do not agree until then.
        """
        start = time.monotonic()
        while True:
            is_over = time.monotonic() - start > GONE_WITHIN
            try:
                if is_done():
                    return time.monotonic() - start
            except Contradiction:
                if is_over:
                    raise
            if is_over:
                return None
            time.sleep(BETWEEN)

    def use_own_database(self) -> None:
        """Go on in a new database, if it and collections in it may be created."""
        try:
            self._create(lambda: self.maker.database(self.root))
        except Unreachable:
            self.databases.append(self.root)  # it may be there all the same
            return
        except (MilvusError, NotRun):
            return
        self.databases.append(self.root)
        try:
            self._create(lambda: self.maker.collection(self.root, self.name("first")))
            self.database = self.root
        except (MilvusError, NotRun):
            self._drop_own_database()

    def _drop_own_database(self) -> None:
        """It is empty. What stays now is tried once more at the end, and named then."""
        with suppress(MilvusError):
            self.maker.drop_database(self.root)
            self.databases.remove(self.root)

    def _create(self, make: Callable[[], None]) -> None:
        try:
            make()
        except Unreachable:
            self.is_certain = False
            raise
        except MilvusRejected as exc:  # what was to be tried is not there: nothing was seen yet
            raise NotRun(f"Milvus refused to create what this needs: {exc}") from exc
