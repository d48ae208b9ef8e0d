"""A database on the real Milvus, drift detection limited to it, and external changes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from collections_app import clusters
from collections_app.drift.scan import Report, scan
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.operations.conftest import Shell, shell_behind, target_in


@dataclass(frozen=True)
class Watched:
    """A database under watch. What is done through `seeds` and `client` is done behind our back."""

    seeds: Seeds
    database: str

    def look(self, *more: str) -> Report:
        """One round, of this database and perhaps others."""
        return scan(clusters.get("main"), (self.database, *more))

    @property
    def client(self) -> Any:
        return self.seeds.server.client(self.database)

    def add(self, name: str = "book") -> int:
        """A collection, and its id."""
        self.seeds(name, database=self.database)
        return self.id_of(name)

    def id_of(self, name: str) -> int:
        return int(self.client.describe_collection(name, timeout=10)["collection_id"])

    def drop(self, name: str = "book") -> None:
        self.client.drop_collection(name, timeout=10)

    def rename(self, old: str, new: str, database: str = "") -> None:
        self.client.rename_collection(old, new, target_db=database or None, timeout=10)

    def target(self, name: str = "book") -> Target:
        return replace(target_in(name, Kind.COLLECTION), database=self.database)


@pytest.fixture
def watched(make_collection: Seeds) -> Watched:
    """An empty database."""
    return Watched(make_collection, make_collection.database())


@pytest.fixture
def begun(watched: Watched, real: clusters.Milvus) -> Watched:
    """One that is watched already: with `book` in it."""
    watched.add("book")
    watched.look()
    return watched


@pytest.fixture
def shell(chain: Chain, transactional_db: None, tmp_path: Path) -> Shell:
    """manage.py in processes of their own, behind `chain`."""
    return shell_behind(chain, tmp_path)


def seen() -> list[str]:
    """What the watch recorded, oldest first: "gone book"."""
    events = AuditEvent.objects.filter(phase="observed").exclude(action="watch.began")
    actions = events.order_by("sequence").values_list("action", "name")
    return [f"{action.rpartition('.')[2]} {name}" for action, name in actions]
