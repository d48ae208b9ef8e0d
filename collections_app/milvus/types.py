"""What Milvus told us, as frozen dataclasses. Nothing here talks to anything."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One Milvus server as configured. Times are seconds."""

    key: str  # in addresses and in the audit log: never change it
    label: str
    uri: str = field(repr=False)  # may carry credentials; `endpoint` is the part to show
    color: str = "grey"
    token: str = field(default="", repr=False)
    ca_file: str = ""  # whom to trust; empty: the authorities that come with gRPC
    server_name: str = ""  # the name in the server's certificate, if it is not the one in `uri`
    client_cert_file: str = ""
    client_key_file: str = ""
    read_timeout: float = 5.0
    drop_timeout: float = 10.0
    unknown_timeout: float = 60.0  # an unanswered drop whose target still exists then has failed
    max_concurrent: int = 4  # requests of one process that may wait while it gives no answers
    breaker_cooldown: float = 10.0  # for so long it is not called after it did not answer in time
    protected: tuple[str, ...] = ()  # never dropped or released here: "name" or "database/name"
    reauth: float | None = None  # how old a sign-in may be when something is destroyed
    drops_per_hour: int | None = None  # that one person may begin; None is no limit
    approvals: int = 0  # people besides the requester who must approve: access/approval.py
    approvals_for: tuple[str, ...] = ()  # of what: "name" or "database/name"; empty: everything
    approval_expires: float = 24 * 3600.0  # for so long a request waits for its approval
    execution_expires: float = 30 * 60.0  # for so long the requester may run what was approved
    plan_items_at_most: int = 1000
    plan_at_once: int = 1  # items of a plan that are carried out side by side, up to 8
    strict_drop: bool = False  # a collection is renamed, compared and dropped: operations/strict.py
    recycle_bin: float | None = None  # for so long a collection waits there; None: there is no bin
    unprotect_delay: float = 900.0  # from the request to remove a protection until it ends

    @property
    def is_embedded(self) -> bool:
        """Whether it is the file of a Milvus Lite, which one process may open, and no server."""
        return "://" not in self.uri

    @property
    def endpoint(self) -> str:
        """The address without any credentials in it."""
        scheme, separator, rest = self.uri.partition("://")
        return f"{scheme}://{rest.rsplit('@', 1)[-1]}" if separator else self.uri

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every string that must never be shown, written or logged."""
        userinfo = self.uri.partition("://")[2].rpartition("@")[0]
        password = userinfo.partition(":")[2]
        return tuple(s for s in (self.token, self.token.partition(":")[2], password) if s)


class Unread(Enum):
    """Why a value is missing. Never shown as 0 or as an empty list."""

    NOT_PERMITTED = "not permitted"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What an operation can be aimed at."""

    COLLECTION = "collection"
    PARTITION = "partition"
    ALIAS = "alias"
    BINNED = "binned collection"  # `collection` is its name from before, `name` the one in the bin
    NEW = "new collection"  # `name` is the operation whose snapshot it is created from


INSIDE = {Kind.PARTITION, Kind.ALIAS}  # a collection; all others are collections


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The one thing an operation is aimed at, by name.

    For a partition or an alias, `collection` is the collection it belongs to.
    """

    cluster: str
    database: str
    kind: Kind
    collection: str
    name: str

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The way back from `as_dict`."""
        return cls(**{**data, "kind": Kind(data["kind"])})

    @property
    def place(self) -> tuple[str, str]:
        return self.database, self.name

    @property
    def shown_name(self) -> str:
        """What people call it, and type to confirm."""
        return self.name if self.kind in INSIDE else self.collection

    @property
    def noun(self) -> Kind:
        """What it is, in a sentence."""
        return self.kind if self.kind in INSIDE else Kind.COLLECTION

    def as_dict(self) -> dict[str, str]:
        """For a record or a token."""
        return {name: str(getattr(self, name)) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Tells a thing from a namesake created later.

    `id` and `created_ms` (Unix milliseconds) come from Milvus and are never reused. Milvus Lite
    has neither; there `fingerprint` stands in: a digest of what can be read, which a namesake
    with the same content shares.
    """

    id: int = 0
    created_ms: int | None = None
    fingerprint: str = ""
    collection_id: int = 0  # of a partition's collection, where somebody has to find it again

    @property
    def verifiable(self) -> bool:
        return self.id != 0

    @property
    def created(self) -> datetime | None:
        if not self.created_ms:
            return None
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Load:
    """Load state: `percent` in memory while loaded or loading, None when not loaded."""

    percent: int | None

    @property
    def held(self) -> bool:
        """Loaded or on the way to it: Milvus refuses to drop a partition in this state."""
        return self.percent is not None

    @property
    def word(self) -> str:
        if self.percent is None:
            return "Not loaded"
        return "Loaded" if self.percent >= 100 else f"Loading {self.percent} %"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What answers at a cluster's address."""

    version: str
    lite: bool  # Milvus Lite: embedded, one process, no ids


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionRow:
    """What a list tells about a collection without asking for it by name."""

    name: str
    identity: Identity
    load: Load | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Every collection of a database, as two ShowCollections tell it, in Milvus' order.

    Columns, not rows: a page shows fifty of ten thousand, and making an object for each of the
    others took longer than Milvus' answer.
    """

    names: list[str]
    ids: Sequence[int]  # empty on Milvus Lite, and so is the next
    created_ms: Sequence[int]
    held: dict[str, int] | Unread  # percent in memory, of those that are loaded or on the way

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[CollectionRow]:
        return map(self.row, sorted(range(len(self.names)), key=self.names.__getitem__))

    def row(self, at: int) -> CollectionRow:
        ms, id_ = self.age(at)
        identity = Identity(id=id_, created_ms=ms or None)
        return CollectionRow(name=self.names[at], identity=identity, load=self.load(at))

    def age(self, at: int) -> tuple[int, int]:
        """When it was created, and its id, which grows too; zeros if the server tells neither."""
        return self.created_ms[at] if self.created_ms else 0, self.ids[at] if self.ids else 0

    def load(self, at: int) -> Load | Unread:
        return self.held if isinstance(self.held, Unread) else Load(self.held.get(self.names[at]))


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSummary:
    """What a list page shows beyond that; read per row."""

    rows: int | Unread
    partitions: int | Unread
    aliases: tuple[str, ...] | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the schema. `type` is Milvus' name for it; `notes` the rest, in words.

    `fields` are what each struct of an array of structs has in it.
    """

    name: str
    type: str
    description: str
    notes: tuple[str, ...]
    fields: tuple["Field", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """Where the rows of an external collection are, and how Milvus reaches them.

    Milvus has no rows of its own then. Neither text has credentials in it.
    """

    source: str
    spec: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    name: str
    field: str
    type: str
    metric: str
    params: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    name: str
    identity: Identity
    load: Load | Unread


@dataclass(frozen=True, slots=True)
class Partitions:
    """The partitions of a collection as a table."""

    rows: Sequence[Partition]

    @property
    def names(self) -> list[str]:
        return [row.name for row in self.rows]

    def age(self, at: int) -> tuple[int, int]:
        """As that of a listing."""
        identity = self.rows[at].identity
        return identity.created_ms or 0, identity.id

    def load(self, at: int) -> Load | Unread:
        return self.rows[at].load


Table = Listing | Partitions  # what a page searches and orders


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDetail:
    """One collection in full. `rows` is what Milvus has stored: approximate on a real server."""

    name: str
    identity: Identity
    description: str
    fields: tuple[Field, ...]
    functions: tuple[str, ...]
    indexes: tuple[Index, ...] | Unread
    aliases: tuple[str, ...] | Unread
    partitions: tuple[Partition, ...] | Unread
    load: Load | Unread
    rows: int | Unread
    shards: int
    consistency: str
    dynamic_fields: bool
    partition_key: str  # name of the partition-key field, or ""
    properties: Mapping[str, str]
    snapshot: Mapping[str, Any] = field(repr=False)  # JSON: enough to re-create it empty
    external: External | None = None

    def partition(self, name: str) -> Partition | None:
        """The partition of that name; None if there is none, or none can be read."""
        if isinstance(self.partitions, Unread):
            return None
        return next((p for p in self.partitions if p.name == name), None)


UNSAFE = ("/", "\\", "\0")


def unsafe_name(name: str) -> bool:
    """True for a name that must never be sent to any server.

    No real Milvus can hold such a name; Milvus Lite takes it as a path, and dropping a partition
    called `..` deletes its collection's folder.
    """
    return name in {"", ".", ".."} or any(c in name for c in UNSAFE)
