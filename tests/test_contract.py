"""The contract of the gateway: the same on the fake, on Milvus Lite and on Milvus.

Where the servers differ by nature (Lite has no ids and refuses less), the test says so. What each
version refuses, and how, is what this suite is about, so it is here in all its skins: each test
wears those of which a row answers one of its calls otherwise than 2.3.5. With a skin of which no
row does, Milvus Admin gets the very bytes that 2.3.5 sends, and the test would be the one of 2.3.5
once more. A test that wears such a skin fails. Whoever adds a row to a skin, or a call to the
gateway, runs `--every-skin`: it gives all skins to all tests.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import (
    Denied,
    MilvusError,
    MilvusRejected,
    NotFound,
)
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.types import Cluster, CollectionSummary, Load, Unread
from tests.conftest import require_difference
from tests.fakes import FakeMilvus
from tests.infra.chain import chain_to
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Relay
from tests.infra.seeds import Seeds, seeds_on, unique_name
from tests.infra.skins import NONE, SKINS, V30, V2518, V2620, Skin

LOADED, NOT_LOADED = Load(100), Load(None)
UNSAFE = ("..", ".", "", "a/b", "../a", "a\\b", "a\0b")
ODD = ("übersicht_日本", "<b>&amp;", 'o\'brien "x"', "%2F", "a&b;c", "with  spaces")
PADDED = (" book", "book ", "book\n", "\tbook")


@dataclass(frozen=True)
class Place:
    """A Milvus of one of the three kinds, with an empty database to work in."""

    kind: str
    database: str
    gateway: Any
    destroyer: Any
    add: Callable[..., str]
    forget: Callable[[str], None]  # takes a collection away behind the gateway's back
    skin: Skin = NONE

    @property
    def has_ids(self) -> bool:
        return self.kind != "lite"

    def names(self) -> list[str]:
        return [row.name for row in self.gateway.collections(self.database)]

    def partitions(self, name: str) -> list[str]:
        return [part.name for part in self.gateway.partitions(self.database, name)]


def fake_place() -> Place:
    fake = FakeMilvus()
    fake.add("elsewhere", database="db")
    fake.drop_collection("db", "elsewhere")
    fake.sent.clear()
    add = lambda name, **kwargs: fake.add(name, **{"database": "db", **kwargs})  # noqa: E731
    return Place("fake", "db", fake, fake, add, lambda name: fake.drop_collection("db", name))


def served_place(kind: str, server: MilvusServer, seeds: Seeds) -> Place:
    cluster = Cluster(key="t", label="T", uri=server.uri, token=server.token)
    connection, database = Connection(cluster), seeds.database()

    def add(name: str, **kwargs: Any) -> str:
        return seeds(name, **{"database": database, **kwargs})

    def forget(name: str) -> None:
        seeds.server.client(database).drop_collection(name, timeout=10)

    return Place(kind, database, Gateway(connection), Destroyer(connection), add, forget)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> Iterable[Place]:
    """Given by `on(...)`. What is made, and forgotten, is so past the skin."""
    if request.param == "fake":
        yield fake_place()
        return
    lite = request.param == "lite"
    server = request.getfixturevalue("lite_server" if lite else "milvus_server")
    with ExitStack() as stack:
        seeds = stack.enter_context(seeds_on(server))
        if lite or request.param is NONE:
            yield served_place("lite" if lite else "real", server, seeds)
            return
        chain = stack.enter_context(chain_to(server, request.param))
        yield replace(served_place("real", chain.server, seeds), skin=request.param)
        require_difference(request, chain.skin)


def on(*kinds: str | Skin) -> pytest.MarkDecorator:
    """The kinds of servers; "real" is Milvus as it is, and a skin is a newer one."""
    return pytest.mark.skins(*(NONE if kind == "real" else kind for kind in kinds))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("skins")
    if marker and "place" in metafunc.fixturenames:
        every = SKINS if metafunc.config.option.every_skin and NONE in marker.args else ()
        each = list(dict.fromkeys((*marker.args, *every)))
        ids = ["real" if place is NONE else str(place) for place in each]
        metafunc.parametrize("place", each, indirect=True, ids=ids)


NEWER = (V2518, V2620, V30)
everywhere = on("fake", "lite", "real")
everywhere_and_newer = on("fake", "lite", "real", *NEWER)


# --- looking --------------------------------------------------------------------------------------


@everywhere
def test_list_is_sorted_with_identity_and_load(place: Place) -> None:
    place.add("b", loaded=True)
    place.add("a", loaded=place.kind == "lite")  # which has everything loaded until released
    place.add("C")
    place.destroyer.release_collection(place.database, "a")
    rows = {row.name: row for row in place.gateway.collections(place.database)}
    assert list(rows) == ["C", "a", "b"]
    assert rows["b"].load == LOADED
    assert rows["a"].load == NOT_LOADED
    identities = {row.identity for row in rows.values()}
    assert len(identities) == (3 if place.has_ids else 1)
    for row in rows.values():
        assert row.identity.verifiable is place.has_ids
        assert (row.identity.created is not None) is place.has_ids


@everywhere
def test_identities_agree_with_the_list(place: Place) -> None:
    place.add("a")
    place.add("b", aliases=["tome"])
    found = place.gateway.identities(place.database)
    assert found == {row.name: row.identity for row in place.gateway.collections(place.database)}


@everywhere_and_newer
def test_identities_of_a_missing_database_are_not_found(place: Place) -> None:
    with pytest.raises(NotFound):
        place.gateway.identities("nowhere")
    assert place.gateway.collection_identity("nowhere", "a") is None


@everywhere
def test_each_keeps_the_order_and_goes_on_after_a_denial(place: Place) -> None:
    def read(name: str) -> str:
        if name == "b":
            raise Denied("b may not be read")
        return name.upper()

    assert place.gateway.each(read, ["a", "b", "c"]) == ["A", Unread.NOT_PERMITTED, "C"]


@everywhere
def test_empty_database_is_an_empty_list(place: Place) -> None:
    assert list(place.gateway.collections(place.database)) == []
    assert place.database in place.gateway.databases()


@everywhere
def test_collection_is_read_in_full(place: Place) -> None:
    place.add(
        "book",
        partitions=["novel", "essay"],
        aliases=["tome", "livre"],
        rows={"_default": 1, "novel": 2},
        loaded=True,
        description="what people read",
    )
    found = place.gateway.collection(place.database, "book")
    assert found.name == "book"
    assert [(f.name, f.type) for f in found.fields] == [("id", "INT64"), ("vector", "FLOAT_VECTOR")]
    assert [f.notes for f in found.fields] == [("primary key",), ("dim 4",)]
    assert found.aliases == ("livre", "tome")
    assert [p.name for p in found.partitions] == ["_default", "essay", "novel"]
    assert found.load == LOADED
    assert found.rows == 3
    assert found.partition_key == ""
    assert found.partition("novel") is not None
    assert found.partition("nowhere") is None
    (index,) = found.indexes
    assert (index.field, index.type, index.metric) == ("vector", "FLAT", "L2")
    assert found.snapshot["aliases"] == ["livre", "tome"]
    assert sorted(found.snapshot["partitions"]) == ["_default", "essay", "novel"]
    assert found.snapshot["rows"] == 3
    counts = place.gateway.partition_rows(place.database, "book", ["novel", "essay", "nowhere"])
    assert counts == {"novel": 2, "essay": 0}
    summaries = place.gateway.summaries(place.database, ["book"])
    assert summaries == {"book": CollectionSummary(rows=3, partitions=3, aliases=("livre", "tome"))}


@on("fake", "real")
def test_collection_description_is_read(place: Place) -> None:
    """Milvus Lite returns none."""
    place.add("book", description="what people read")
    found = place.gateway.collection(place.database, "book")
    assert found.description == "what people read"


@everywhere
def test_identity_of_a_collection_is_the_same_by_three_ways(place: Place) -> None:
    place.add("book")
    detail = place.gateway.collection(place.database, "book").identity
    assert place.gateway.collection_identity(place.database, "book") == detail
    if place.has_ids:
        (row,) = place.gateway.collections(place.database)
        assert row.identity == detail


@everywhere
def test_partitions_are_sorted_with_their_own_identity(place: Place) -> None:
    place.add("book", partitions=["novel", "essay"])
    found = place.gateway.partitions(place.database, "book")
    assert [p.name for p in found] == ["_default", "essay", "novel"]
    assert all(p.identity.verifiable is place.has_ids for p in found)
    assert len({p.identity for p in found}) == (3 if place.has_ids else 1)


@everywhere
def test_partition_key_is_named(place: Place) -> None:
    place.add("tenants", partition_key=True)
    assert place.gateway.collection(place.database, "tenants").partition_key == "tenant"


@everywhere
def test_reads_are_of_the_named_database_only(place: Place) -> None:
    """Two collections have the same name in two databases."""
    name, here, there = unique_name(), unique_name("here"), unique_name("there")
    place.add(name, aliases=[here], partitions=["p"])
    place.add(name, aliases=[there], database="default")
    inside = place.gateway.collection(place.database, name)
    outside = place.gateway.collection("default", name)
    assert (inside.aliases, outside.aliases) == ((here,), (there,))
    assert len(inside.partitions) == 2
    assert len(outside.partitions) == 1
    summaries = place.gateway.summaries(place.database, [name])
    assert (summaries[name].aliases, summaries[name].partitions) == ((here,), 2)
    place.destroyer.drop_alias(place.database, here)
    place.destroyer.drop_collection(place.database, name)
    assert place.gateway.collection("default", name).aliases == (there,)


# --- not found ------------------------------------------------------------------------------------


@everywhere_and_newer
def test_missing_collection_is_not_found(place: Place) -> None:
    gateway, database = place.gateway, place.database
    for read in (gateway.collection, gateway.partitions, gateway.load):
        with pytest.raises(NotFound):
            read(database, "nothing")
    assert gateway.collection_identity(database, "nothing") is None
    assert gateway.partition_rows(database, "nothing", ["p"]) == {}


@everywhere_and_newer
def test_missing_database_is_not_found(place: Place) -> None:
    with pytest.raises(NotFound):
        place.gateway.collections("nowhere")
    with pytest.raises(NotFound):
        place.gateway.collection("nowhere", "book")
    assert place.gateway.collection_identity("nowhere", "book") is None
    assert place.gateway.summaries("nowhere", ["book"]) == {}


@everywhere
def test_alias_is_not_a_collection(place: Place) -> None:
    place.add("book", aliases=["tome"])
    with pytest.raises(NotFound):
        place.gateway.collection(place.database, "tome")
    assert place.gateway.collection_identity(place.database, "tome") is None
    assert place.names() == ["book"]


@everywhere_and_newer
def test_summaries_leave_out_a_dropped_collection(place: Place) -> None:
    for name in ("a", "b", "c"):
        place.add(name)
    listed = place.names()
    place.forget("b")
    assert set(place.gateway.summaries(place.database, listed)) == {"a", "c"}


# --- destroying -----------------------------------------------------------------------------------


@everywhere_and_newer
def test_dropped_collection_is_gone_and_its_neighbour_is_not(place: Place) -> None:
    place.add("book")
    place.add("book_v2")
    place.destroyer.drop_collection(place.database, "book")
    assert place.gateway.collection_identity(place.database, "book") is None
    assert place.names() == ["book_v2"]


@everywhere
def test_dropped_partition_is_gone_and_its_neighbour_is_not(place: Place) -> None:
    place.add("book", partitions=["novel", "novel_2"])
    place.destroyer.drop_partition(place.database, "book", "novel")
    assert place.partitions("book") == ["_default", "novel_2"]


@everywhere
def test_dropped_alias_is_gone_and_its_collection_is_not(place: Place) -> None:
    place.add("book", aliases=["tome", "livre"])
    place.destroyer.drop_alias(place.database, "tome")
    assert place.gateway.aliases(place.database, "book") == ("livre",)


@everywhere
def test_release_ends_the_load_state(place: Place) -> None:
    place.add("book", loaded=True)
    assert place.gateway.load(place.database, "book") == LOADED
    place.destroyer.release_collection(place.database, "book")
    assert place.gateway.load(place.database, "book") == NOT_LOADED
    assert place.gateway.collection(place.database, "book").load == NOT_LOADED


@on("fake", "real", V2620, V30)
def test_loaded_partition_is_refused_until_it_is_released(place: Place) -> None:
    """Milvus Lite drops loaded partitions, too, and can't release them."""
    place.add("book", partitions=["novel", "essay"], loaded=True)
    with pytest.raises(MilvusRejected, match="partition is loaded"):
        place.destroyer.drop_partition(place.database, "book", "novel")
    assert "novel" in place.partitions("book")
    place.destroyer.release_partition(place.database, "book", "novel")
    found = place.gateway.collection(place.database, "book")
    assert {p.name: p.load for p in found.partitions} == {
        "_default": LOADED,
        "essay": LOADED,
        "novel": NOT_LOADED,
    }
    place.destroyer.drop_partition(place.database, "book", "novel")
    assert place.partitions("book") == ["_default", "essay"]


@on("lite")
def test_release_of_a_partition_on_lite_is_refused(place: Place) -> None:
    place.add("book", partitions=["novel"], loaded=True)
    with pytest.raises(MilvusRejected):
        place.destroyer.release_partition(place.database, "book", "novel")


@on("fake", "lite", "real", V2620, V30)
def test_partitions_default_and_of_a_key_are_refused(place: Place) -> None:
    place.add("book")
    place.add("tenants", partition_key=True)
    before = place.partitions("tenants")
    with pytest.raises(MilvusRejected):
        place.destroyer.drop_partition(place.database, "book", "_default")
    with pytest.raises(MilvusRejected):
        place.destroyer.drop_partition(place.database, "tenants", before[-1])
    assert place.partitions("book") == ["_default"]
    assert place.partitions("tenants") == before


@on("fake", "real")
def test_drop_of_a_missing_object_is_ok_and_changes_nothing(place: Place) -> None:
    place.add("book")
    place.destroyer.drop_collection(place.database, "nothing")
    place.destroyer.drop_collection("nowhere", "book")
    place.destroyer.drop_partition(place.database, "book", "nothing")
    place.destroyer.drop_alias(place.database, "nothing")
    place.destroyer.drop_alias(place.database, "book")  # a collection is no alias
    assert place.names() == ["book"]
    assert place.partitions("book") == ["_default"]


@everywhere
def test_acts_on_a_missing_collection_are_refused(place: Place) -> None:
    for act in ("drop_partition", "release_partition"):
        with pytest.raises(MilvusRejected):
            getattr(place.destroyer, act)(place.database, "nothing", "p")
    with pytest.raises(MilvusRejected):
        place.destroyer.release_collection(place.database, "nothing")


@on("fake", "real", V2620, V30)
def test_drop_by_alias_is_refused(place: Place) -> None:
    """Milvus Lite drops the collection: there only the read before the act prevents it."""
    place.add("book", aliases=["tome"])
    with pytest.raises(MilvusRejected):
        place.destroyer.drop_collection(place.database, "tome")
    assert place.names() == ["book"]


@on(V2518, V2620, V30)
def test_drop_of_an_aliased_collection_is_refused(place: Place) -> None:
    place.add("book", aliases=["tome"])
    with pytest.raises(MilvusRejected, match="associated aliases"):
        place.destroyer.drop_collection(place.database, "book")
    assert place.gateway.aliases(place.database, "book") == ("tome",)
    place.destroyer.drop_alias(place.database, "tome")
    place.destroyer.drop_collection(place.database, "book")
    assert place.names() == []


@on("fake", NONE)
def test_alias_left_behind_names_nothing_and_can_be_dropped(place: Place) -> None:
    place.add("book", aliases=["tome"])
    place.destroyer.drop_collection(place.database, "book")
    assert place.gateway.collection_identity(place.database, "tome") is None
    place.add("book")
    assert place.gateway.aliases(place.database, "book") == ()
    place.destroyer.drop_alias(place.database, "tome")
    place.add("tome")
    assert place.names() == ["book", "tome"]


# --- namesakes ------------------------------------------------------------------------------------


@on("fake", "real")
def test_namesake_has_another_identity(place: Place) -> None:
    place.add("book", partitions=["novel"])
    before = place.gateway.collection(place.database, "book")
    place.forget("book")
    place.add("book", partitions=["novel"])
    after = place.gateway.collection(place.database, "book")
    assert before.identity.verifiable
    assert after.identity != before.identity
    assert place.gateway.collection_identity(place.database, "book") == after.identity
    assert after.partition("novel").identity != before.partition("novel").identity


@on("lite")
def test_namesake_on_lite_differs_only_by_content(place: Place) -> None:
    place.add("book")
    before = place.gateway.collection_identity(place.database, "book")
    place.forget("book")
    place.add("book")
    twin = place.gateway.collection_identity(place.database, "book")
    assert not before.verifiable
    assert twin == before, "this is why the page says that identity can't be verified"
    place.forget("book")
    place.add("book", partitions=["novel"])
    with_partition = place.gateway.collection_identity(place.database, "book")
    place.forget("book")
    place.add("book", rows=1)
    with_row = place.gateway.collection_identity(place.database, "book")
    place.forget("book")
    place.add("book", partition_key=True)
    with_field = place.gateway.collection_identity(place.database, "book")
    assert len({before, with_partition, with_row, with_field}) == 4


# --- names ----------------------------------------------------------------------------------------


@on("lite", "real")
@pytest.mark.parametrize("name", PADDED, ids=ascii)
def test_name_with_outer_space_is_kept_exactly(place: Place, name: str) -> None:
    twin = name.strip()
    place.add(name, partitions=[" novel"])
    place.add(twin)
    assert place.names() == sorted([name, twin])
    assert place.gateway.collection(place.database, name).name == name
    assert place.partitions(name) == [" novel", "_default"]
    place.destroyer.drop_partition(place.database, name, " novel")
    assert place.partitions(name) == ["_default"]
    place.destroyer.drop_collection(place.database, name)
    assert place.names() == [twin]


@on("fake", "lite")
@pytest.mark.parametrize("name", ODD, ids=ascii)
def test_name_that_is_odd_passes_unchanged(place: Place, name: str) -> None:
    """The real Milvus accepts none of these names."""
    place.add(name, partitions=[name], aliases=[name + "!"])
    place.add("book")
    assert place.names() == sorted(["book", name])
    found = place.gateway.collection(place.database, name)
    assert (found.name, found.aliases) == (name, (name + "!",))
    assert place.gateway.partition_rows(place.database, name, [name]) == {name: 0}
    place.destroyer.drop_alias(place.database, name + "!")
    place.destroyer.drop_partition(place.database, name, name)
    assert place.gateway.aliases(place.database, name) == ()
    assert place.partitions(name) == ["_default"]
    place.destroyer.drop_collection(place.database, name)
    assert place.names() == ["book"]


@on("real")
@pytest.mark.parametrize("name", ["日本", "<b>", " "], ids=ascii)
def test_name_that_milvus_cannot_hold_is_an_error(place: Place, name: str) -> None:
    for call in (place.gateway.collection, place.destroyer.release_collection):
        with pytest.raises(MilvusError):
            call(place.database, name)


def reads_of(place: Place, name: str) -> None:
    """Every read, with an unsafe name in each of its places."""
    gateway, database = place.gateway, place.database
    for read in (gateway.collection, gateway.partitions, gateway.aliases, gateway.load):
        with pytest.raises(NotFound):
            read(database, name)
        with pytest.raises(NotFound):
            read(name, "book")
    with pytest.raises(NotFound):
        gateway.collections(name)
    assert gateway.collection_identity(database, name) is None
    assert gateway.collection_identity(name, "book") is None
    assert gateway.summaries(database, [name]) == {}
    assert gateway.summaries(name, ["book"]) == {}
    assert gateway.partition_rows(name, "book", ["novel"]) == {}
    assert gateway.partition_rows(database, "book", [name]) == {}
    assert gateway.partition_rows(database, name, ["novel"]) == {}


def acts_on(place: Place, name: str) -> None:
    """Every act, with an unsafe name in each of its places."""
    destroyer, database = place.destroyer, place.database
    for act in (destroyer.drop_collection, destroyer.release_collection, destroyer.drop_alias):
        with pytest.raises(MilvusRejected):
            act(database, name)
        with pytest.raises(MilvusError):
            act(name, "book")
    for act in (destroyer.drop_partition, destroyer.release_partition):
        for names in ((database, "book", name), (database, name, "novel")):
            with pytest.raises(MilvusRejected):
                act(*names)
        with pytest.raises(MilvusError):
            act(name, "book", "novel")


# --- renaming -------------------------------------------------------------------------------------

with_ids = on("fake", "real")


@on("fake", "real", V30)
def test_rename_keeps_the_identity_and_name_of_follows(place: Place) -> None:
    place.add("book", rows=2)
    before = place.gateway.collection(place.database, "book").identity
    place.destroyer.rename_collection(place.database, "book", "tome")
    assert place.names() == ["tome"]
    assert place.gateway.collection_identity(place.database, "tome") == before
    assert place.gateway.name_of(place.database, before.id) == "tome"


@on("fake", "real", *NEWER)
def test_name_of_a_dropped_id_is_none(place: Place) -> None:
    place.add("book")
    identity = place.gateway.collection(place.database, "book").identity
    place.forget("book")
    place.add("book")
    assert place.gateway.name_of(place.database, identity.id) is None


# What tells it: until 2.6.19 a text only. It may as well be the answer to a second copy: whoever
# sends a rename reads back what bears the names.
TAKEN = {
    NONE: "duplicated",
    V2518: "duplicated|to an existing alias",
    V2620: "duplicated|name conflict",
    V30: "duplicated|name conflict",
}


@on("fake", "real", *NEWER)
def test_rename_to_a_taken_name_is_refused(place: Place) -> None:
    place.add("book", aliases=["tome"])
    place.add("paper")
    for taken in ("paper", "tome"):
        with pytest.raises(MilvusRejected, match=TAKEN[place.skin]):
            place.destroyer.rename_collection(place.database, "book", taken)
    assert place.names() == ["book", "paper"]


@with_ids
def test_rename_of_a_missing_collection_is_refused(place: Place) -> None:
    with pytest.raises(MilvusRejected):
        place.destroyer.rename_collection(place.database, "nothing", "tome")


every_unsafe_name = pytest.mark.parametrize("name", UNSAFE, ids=ascii)


@every_unsafe_name
def test_unsafe_name_never_reaches_milvus(milvus_server: MilvusServer, name: str) -> None:
    with Relay(milvus_server.address) as relay, seeds_on(milvus_server) as seeds:
        through = MilvusServer(f"http://127.0.0.1:{relay.port}", milvus_server.token)
        place = served_place("real", through, seeds)
        place.add("book", partitions=["novel"])
        place.gateway.collection(place.database, "book")
        before = relay.calls
        assert before, "the relay is in the way"
        reads_of(place, name)
        acts_on(place, name)
        assert relay.calls == before


@every_unsafe_name
@on("lite")
def test_unsafe_name_never_leaves_its_folder(
    place: Place, name: str, lite_server: MilvusServer
) -> None:
    """Milvus Lite takes names as paths: dropping a partition `..` drops its whole collection."""
    place.add("book", partitions=["novel"], rows={"novel": 2})
    place.add("a", rows=1)
    with suppress(MilvusException):  # it makes nearly all of them: then they can be dropped too
        lite_server.client(place.database).create_partition("book", name, timeout=5)
    before = files_in(lite_server.uri)
    reads_of(place, name)
    acts_on(place, name)
    assert files_in(lite_server.uri) == before
    assert place.names() == ["a", "book"]


@every_unsafe_name
def test_unsafe_name_never_reaches_the_fake(name: str) -> None:
    place = fake_place()
    place.add("book", partitions=["novel"])
    reads_of(place, name)
    acts_on(place, name)
    assert place.destroyer.sent == []


def files_in(folder: str) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


@on("lite")
def test_milvus_lite_takes_names_as_paths(place: Place, lite_server: MilvusServer) -> None:
    """The reason why unsafe names are refused here: this deletes the rows of a neighbour."""
    place.add("book")
    place.add("neighbour", rows=1)
    before = files_in(lite_server.uri)
    client: MilvusClient = lite_server.client(place.database)
    client.create_partition("book", "../../neighbour", timeout=5)
    client.drop_partition("book", "../../neighbour", timeout=5)
    lost = set(before) - set(files_in(lite_server.uri))
    assert any("/collections/neighbour/" in path for path in lost)
