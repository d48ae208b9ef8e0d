"""Removing what a run created: only names that carry the id of that run."""

import time
import uuid
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from ..clusters import Milvus
from ..milvus.errors import Contradiction, Denied, MilvusError, MilvusRejected, NotFound
from ..milvus.scratch import Maker, root_of, run_of
from .scratch import BETWEEN, GONE_WITHIN, NAMES


class Cleaner:
    """Removes the things of one run. `removed` and `left` say what became of each, in words."""

    def __init__(self, milvus: Milvus, run: uuid.UUID) -> None:
        self.milvus, self.run, self.root = milvus, run, root_of(run)
        self.removed: list[str] = []
        self.left: list[str] = []

    def clean(self, databases: Iterable[str], aliases: Iterable[str] = ()) -> None:
        """Empty these databases of the run's things, and drop its own one if it is among them.

        Raises nothing. `aliases` are those that may point at nothing any more.
        """
        for database in databases:
            self._try(f"database {database}", partial(self._empty, database, aliases))
            if database == self.root:
                self._try(f"database {database}", self._drop_own_database)

    def has_own_database(self) -> bool:
        """Whether the run's own database is there, and may be read. Raises Unreachable."""
        try:
            self.milvus.gateway.identities(self.root)
        except (NotFound, Denied):
            return False
        return True

    def _empty(self, database: str, aliases: Iterable[str]) -> None:
        names = self._names(database)
        if names is None:
            return
        for name in names:
            self._try(f"collection {name}", partial(self._drop, database, name))
        for alias in aliases:
            self._try(f"alias {alias}", partial(self._drop_alias, database, alias))
        self.left += [f"collection {name} is still there" for name in self._remaining(database)]

    def _remaining(self, database: str) -> list[str]:
        """What is there after everything was dropped, and after the time that may take."""
        end = time.monotonic() + GONE_WITHIN
        while (names := self._names(database)) and time.monotonic() < end:
            time.sleep(BETWEEN)
        return names or []

    def _drop(self, database: str, name: str) -> None:
        for alias in self.milvus.gateway.aliases(database, name):
            if run_of(alias) == self.run:
                self.milvus.destroyer.drop_alias(database, alias)
        self.milvus.destroyer.drop_collection(database, name)
        self.removed.append(f"collection {name}")

    def _drop_alias(self, database: str, alias: str) -> None:
        """2.3.5 lets an alias of a dropped collection vanish by itself."""
        if run_of(alias) == self.run and self.milvus.gateway.alias_exists(database, alias):
            self.milvus.destroyer.drop_alias(database, alias)

    def _drop_own_database(self) -> None:
        """Only an empty one: what is in it now, this run did not create."""
        with suppress(NotFound):
            if names := self.milvus.gateway.identities(self.root):
                self.left.append(f"database {self.root} has {len(names)} collections in it")
                return
            Maker(self.milvus.gateway).drop_database(self.root)
            self.removed.append(f"database {self.root}")

    def _names(self, database: str) -> list[str] | None:
        """The collections of this run; None without such a database.

        A list may leave out what the account was not granted by name, so the others are asked for.
        """
        try:
            listed = self.milvus.gateway.identities(database)
        except NotFound:
            return None
        names = {name for name in listed if run_of(name) == self.run}
        others = {f"{self.root}_{name}" for name in NAMES} - names
        return sorted(names | {name for name in others if self._is_unlisted(database, name)})

    def _is_unlisted(self, database: str, name: str) -> bool:
        """Whether a describe finds what the list does not have."""
        try:
            return self.milvus.gateway.collection_identity(database, name) is not None
        except Contradiction:
            return True
        except (
            Denied,
            MilvusRejected,
        ):  # nothing says that it is there, and the list says that it is not
            return False

    def _try(self, what: str, step: Callable[[], None]) -> None:
        try:
            step()
        except MilvusError as exc:
            self.left.append(f"{what}: {exc.kind}, {exc}")
        except Exception as exc:  # a bug must not keep the other things from being removed
            self.left.append(f"{what}: {type(exc).__name__}")
