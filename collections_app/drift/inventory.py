"""The inventory of one cluster in the database. It changes with the log, or not at all."""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.db.models import F, Min

from ..audit import log
from ..audit.log import Entry
from ..milvus.types import Cluster, Identity
from ..models import SeenCollection, WatchedDatabase
from .diff import CollectionEntry
from .events import Change
from .listing import Lists


def last_listed(cluster: str) -> datetime | None:
    """When the watch listed every database of a cluster last; None if it never did."""
    oldest: datetime | None
    oldest = WatchedDatabase.objects.filter(cluster=cluster).aggregate(at=Min("listed_at"))["at"]
    return oldest


Seen = tuple[str, str, str]  # cluster, database, name


def not_listed(seen: Mapping[Seen, datetime]) -> set[Seen]:
    """Those collections that the watch, which listed their database later, did not find there.

    `seen` says when somebody saw them. Where no watch runs, nothing is known, and none is returned.
    """
    databases = {(cluster, database) for cluster, database, _ in seen}
    rows = WatchedDatabase.objects.filter(cluster__in={cluster for cluster, _ in databases})
    watched = {(row.cluster, row.database): row for row in rows if _is_current(row)}
    listed = SeenCollection.objects.filter(
        watched__in=[row.pk for key, row in watched.items() if key in databases],
        name__in={name for _, _, name in seen},
    ).values_list("watched__cluster", "watched__database", "name")
    later = {
        key for key, at in seen.items() if key[:2] in watched and watched[key[:2]].listed_at > at
    }
    return later - set(listed) if later else set()


def _is_current(row: WatchedDatabase) -> bool:
    """Whether the watch listed it at the address that is configured now."""
    configured = settings.CLUSTERS.get(row.cluster)
    return configured is not None and configured.endpoint == row.endpoint


class ConcurrentScan(Exception):
    """Another watch changed the inventory meanwhile. What this one saw will be seen again."""


class Inventory:
    """What is known of a cluster's databases. `watched` holds their rows by name.

    Raises LogUnwritable or DatabaseError if it can't be written, and then nothing was.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        rows = WatchedDatabase.objects.filter(cluster=cluster.key)
        self.watched = {row.database: row for row in rows}

    def collections(self) -> list[CollectionEntry]:
        """Every collection in the inventory."""
        rows = SeenCollection.objects.filter(watched__cluster=self.cluster.key).values_list(
            "watched__database", "name", "collection_id", "created_ms", "pk", "last_listed_at"
        )
        return [
            CollectionEntry(
                database=database,
                name=name,
                identity=Identity(id=id_, created_ms=ms),
                row=pk,
                last_listed=last_listed,
            )
            for database, name, id_, ms, pk, last_listed in rows
        ]

    def listed_before(self) -> dict[str, datetime]:
        """When each database was listed last."""
        return {name: row.listed_at.astimezone(UTC) for name, row in self.watched.items()}

    def position(self, databases: Iterable[str]) -> int:
        """Where the log ended when the oldest of their last lists was begun."""
        return min((self.watched[name].position for name in databases), default=0)

    def databases_at_this_address(self) -> list[str]:
        """The databases whose inventory was taken at this address."""
        address = self.cluster.endpoint
        return [name for name, row in self.watched.items() if row.endpoint == address]

    def former_address(self, database: str) -> str | None:
        """The address at which the inventory of a database was taken; None if there is none."""
        row = self.watched.get(database)
        return row.endpoint if row else None

    def begin(self, database: str, lists: Lists, entry: Entry) -> None:
        """Fill the inventory of a database, and record only that. What moved here stays a move."""
        moved = self._ids_in_other_databases(database, lists)
        with log.appending():
            self._delete_former(database)
            row = WatchedDatabase.objects.create(
                cluster=self.cluster.key,
                database=database,
                endpoint=self.cluster.endpoint,
                listed_at=lists.at,
                position=lists.position,
            )
            names = lists.read[database].items()
            SeenCollection.objects.bulk_create(
                (_entry(row, name, i) for name, i in names if i.id not in moved), batch_size=1000
            )
            log.append(entry)
        self.watched[database] = row

    def _ids_in_other_databases(self, database: str, lists: Lists) -> set[int]:
        """Ids on its list that the inventory has in other databases."""
        listed = {identity.id for identity in lists.read[database].values()} - {0}
        if not listed:
            return set()
        elsewhere = SeenCollection.objects.filter(watched__cluster=self.cluster.key)
        elsewhere = elsewhere.exclude(watched__database=database)
        return listed & set(elsewhere.values_list("collection_id", flat=True))

    def _delete_former(self, database: str) -> None:
        if database in self.watched:
            self._next_version(database)
            self.watched[database].delete()
        elif WatchedDatabase.objects.filter(cluster=self.cluster.key, database=database).exists():
            raise ConcurrentScan(f"{self.cluster.key}/{database}: another watch has begun")

    def record(self, changes: Iterable[Change]) -> None:
        """Follow some changes, in one transaction. Raises ConcurrentScan if they are not news."""
        changes = list(changes)
        with log.appending():
            for database in set().union(*(change.databases for change in changes)):
                self._next_version(database)
            removed = [collection.row for change in changes for collection in change.remove]
            SeenCollection.objects.filter(pk__in=removed).delete()
            SeenCollection.objects.bulk_create(
                _entry(self.watched[new.database], new.name, new.identity)
                for change in changes
                for new in change.add
            )
            for change in changes:
                for entry in change.entries:
                    log.append(entry)

    def _next_version(self, database: str) -> None:
        """Whoever comes second finds another version. That holds even if two watches run."""
        row = self.watched[database]
        same = WatchedDatabase.objects.filter(pk=row.pk, version=row.version)
        if not same.update(version=F("version") + 1):
            raise ConcurrentScan(f"{row}: another watch is at work")
        row.version += 1

    def forget(self, database: str, entry: Entry) -> bool:
        """Record that a database is gone, unless something of it is not proved to be."""
        row = self.watched[database]
        if row.collections.exists():
            return False
        with log.appending():
            self._next_version(database)
            row.delete()
            log.append(entry)
        return True

    def end(
        self, lists: Lists, missing: Collection[CollectionEntry], back: Collection[CollectionEntry]
    ) -> None:
        """Nothing of these lists is left to record, but for what is `missing` without proof."""
        rows = [self.watched[name] for name in lists.read]
        entries = SeenCollection.objects
        for row in rows:
            of_row = [b.row for b in missing if b.database == row.database and not b.last_listed]
            entries.filter(pk__in=of_row).update(last_listed_at=row.listed_at)
        entries.filter(pk__in=[b.row for b in back]).update(last_listed_at=None)
        WatchedDatabase.objects.filter(pk__in=[row.pk for row in rows]).update(
            listed_at=lists.at, position=lists.position
        )


def _entry(row: WatchedDatabase, name: str, identity: Identity) -> SeenCollection:
    return SeenCollection(
        watched=row, name=name, collection_id=identity.id, created_ms=identity.created_ms
    )
