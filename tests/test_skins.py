"""The skins of the relay: each row changes only what it says, in the documented form.

Every question below is put to the real 2.3.5 and to the same server in a skin.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.chain import chain_to
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Call
from tests.infra.seeds import Seeds, seeds_on, unique_name
from tests.infra.skins import NONE, SKINS, V30, V2518, V2620, Skin, Worn, acts, reads
from tests.infra.skins.worn import status_of

DRESSED = SKINS[1:]
ROWS = {row.name: row for skin in DRESSED for row in skin.rows}


@dataclass(frozen=True)
class Scene:
    """A database with something for each question."""

    database: str
    book: str
    id: int
    alias: str
    film: str
    keyed: str
    small: str  # a database with one collection: lists have no order

    def ask(self, server: "Through", rpc: str, fields: dict[str, Any]) -> Any:
        """In its database, unless the fields name another one."""
        message = getattr(pb, f"{rpc}Request")
        has_database = "db_name" in message.DESCRIPTOR.fields_by_name
        return server(rpc, message(**({"db_name": self.database} if has_database else {}) | fields))


@pytest.fixture(scope="module")
def scene(milvus_server: MilvusServer) -> Iterator[Scene]:
    with seeds_on(milvus_server) as seeds:
        database, alias = seeds.database(), unique_name("alias")
        book = seeds(database=database, partitions=["p"], aliases=[alias], loaded=True)
        film, keyed = seeds(database=database), seeds(database=database, partition_key=True)
        found = milvus_server.client(database).describe_collection(book)
        small = seeds.database()
        seeds(database=small)
        yield Scene(database, book, found["collection_id"], alias, film, keyed, small)


@dataclass(frozen=True)
class Through:
    """One server, in a skin."""

    stub: Any
    skin: Worn

    def __call__(self, rpc: str, request: Any, **options: Any) -> Any:
        return getattr(self.stub, rpc)(request, timeout=10, **options)


@pytest.fixture
def through(milvus_server: MilvusServer) -> Iterator[Callable[[Skin], Through]]:
    """through(skin) is the server in it."""
    with ExitStack() as stack:

        def put_on(skin: Skin) -> Through:
            chain = stack.enter_context(chain_to(milvus_server, skin))
            return Through(chain.server.client()._get_connection()._stub, chain.skin)

        yield put_on


NOWHERE = {"db_name": "nowhere"}
MISSING = {"collection_name": "nothing"}
GONE = {**NOWHERE, **MISSING}
P, Q = {"partition_name": "p"}, {"partition_name": "q"}
DEFAULT, KEYED = {"partition_name": "_default"}, {"partition_name": "_default_3"}
BAD = {"partition_name": "a b"}


def questions(at: Scene) -> dict[str, tuple[str, dict[str, Any]]]:
    """Name → RPC and fields. None of them changes anything, on 2.3.5 or in a skin."""
    book, alias = {"collection_name": at.book}, {"collection_name": at.alias}
    keyed = {"collection_name": at.keyed}

    def rename(old: str, new: str, database: str = at.database) -> dict[str, Any]:
        return {"db_name": database, "oldName": old, "newName": new, "newDBName": database}

    return {
        "version": ("GetVersion", {}),
        "describe": ("DescribeCollection", book),
        "describe alias": ("DescribeCollection", alias),
        "describe id": ("DescribeCollection", {"collectionID": at.id}),
        "describe missing": ("DescribeCollection", MISSING),
        "describe missing id": ("DescribeCollection", {"collectionID": 7}),
        "describe nowhere": ("DescribeCollection", GONE),
        "describe bad name": ("DescribeCollection", {"collection_name": "a b"}),
        "list": ("ShowCollections", {"db_name": at.small}),
        "list nowhere": ("ShowCollections", NOWHERE),
        "partitions": ("ShowPartitions", book),
        "partitions missing": ("ShowPartitions", MISSING),
        "partitions nowhere": ("ShowPartitions", GONE),
        "rows missing": ("GetCollectionStatistics", MISSING),
        "rows nowhere": ("GetCollectionStatistics", GONE),
        "aliases": ("ListAliases", book),
        "aliases missing": ("ListAliases", MISSING),
        "alias missing": ("DescribeAlias", {"alias": "nothing"}),
        "drop missing": ("DropCollection", MISSING),
        "drop nowhere": ("DropCollection", GONE),
        "drop via alias": ("DropCollection", alias),
        "drop partition": ("DropPartition", book | P),
        "drop default": ("DropPartition", book | DEFAULT),
        "drop keyed": ("DropPartition", keyed | KEYED),
        "drop no partition": ("DropPartition", book | Q),
        "drop bad partition": ("DropPartition", book | BAD),
        "drop partition missing": ("DropPartition", MISSING | P),
        "drop partition nowhere": ("DropPartition", GONE | P),
        "release missing": ("ReleaseCollection", MISSING),
        "drop alias missing": ("DropAlias", {"alias": "nothing"}),
        "drop alias nowhere": ("DropAlias", {"alias": "nothing", **NOWHERE}),
        "drop database": ("DropDatabase", {}),
        "rename missing": ("RenameCollection", rename("nothing", "anything")),
        "rename nowhere": ("RenameCollection", rename("nothing", "anything", "nowhere")),
        "rename onto another": ("RenameCollection", rename(at.film, at.book)),
        "rename onto alias": ("RenameCollection", rename(at.film, at.alias)),
        "rename onto itself": ("RenameCollection", rename(at.film, at.film)),
        "rename an alias": ("RenameCollection", rename(at.alias, "anything")),
    }


def answers(server: Through, at: Scene) -> dict[str, Any]:
    return {name: at.ask(server, rpc, fields) for name, (rpc, fields) in questions(at).items()}


def changed(skin: Skin, through: Callable[[Skin], Through], at: Scene) -> dict[str, Any]:
    """What the skin answers otherwise than 2.3.5."""
    plain, dressed = answers(through(NONE), at), answers(through(skin), at)
    return {name: dressed[name] for name in plain if _plain(dressed[name]) != _plain(plain[name])}


def _plain(answer: Any) -> str:
    return re.sub(r"timestamp = \d+", "timestamp", str(answer))


# --- rows -----------------------------------------------------------------------------------------

NO_DATABASE = {"describe nowhere", "partitions nowhere", "rows nowhere", "drop alias nowhere"}
NO_DATABASE |= {"drop partition nowhere"}
NO_COLLECTION = {"describe missing", "describe nowhere", "describe missing id"}
PARAMETER = {"drop via alias", "drop partition", "drop default", "drop keyed", "drop bad partition"}
PARAMETER |= {"drop database", "rename onto another", "rename onto alias", "rename an alias"}
PARAMETER |= {"rename onto itself"}  # 2.3.5 says that the name is taken
CHANGED_BY = {
    reads.VERSION: {"version"},
    reads.MISSING_WITHOUT_CODE: NO_COLLECTION,
    reads.MISSING_WITH_CODE: NO_COLLECTION,
    reads.DATABASE_FIRST: NO_DATABASE,
    reads.NAME_BY_ID: {"describe id"},
    acts.PARAMETER: PARAMETER,
    acts.TO_AN_ALIAS_25: {"rename onto alias"},
    acts.RENAME_26: {"rename onto alias", "rename onto itself", "rename nowhere"},
}
ON_COMMAND = {
    reads.FROM_MEMORY,
    reads.BY_ID_THEN_NAME,
    reads.ONLY_GRANTED,
    reads.RIGHTS_BY_REQUEST,  # for other accounts than root
    acts.STANDBY,
    acts.LATE,
    acts.ALIASES_UNSORTED,  # what 2.3.5 does
    acts.ALIASES_INVALID,
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row_changes_only_what_it_says(
    row: Any, through: Callable[[Skin], Through], scene: Scene
) -> None:
    skin = Skin("one row", "v9", (row,))
    assert set(changed(skin, through, scene)) == CHANGED_BY.get(row, set())


def test_rows_are_all_tested_and_name_their_source() -> None:
    assert set(ROWS.values()) == CHANGED_BY.keys() | ON_COMMAND
    for row in ROWS.values():
        assert re.search(r"internal/\w+/.*\.go", row.source), row.name


# --- skins ----------------------------------------------------------------------------------------

SAME = "collection name or database name should be different: invalid parameter"
NOT_PRIMARY = "cluster is not primary, cannot do any DDL/DCL"
TEXTS = {
    "describe missing": "can't find collection[database=",
    "describe missing id": "can't find collection[database=",
    **dict.fromkeys(NO_DATABASE, "database not found[database=nowhere]"),
}
FORMS: dict[Skin, dict[str, tuple[int, int]]] = {
    V2518: {
        "describe missing": (0, 4),
        "describe missing id": (0, 4),
        **dict.fromkeys(NO_DATABASE, (800, 1)),
        "rename onto alias": (65535, 1),
    },
    V2620: {
        "describe missing": (0, 4),
        "describe missing id": (0, 4),
        **dict.fromkeys(NO_DATABASE | {"rename nowhere"}, (800, 1)),
        **dict.fromkeys(PARAMETER, (1100, 5)),
        "rename onto alias": (1601, 1),
    },
    V30: {
        "describe missing": (100, 4),
        "describe missing id": (100, 4),
        **dict.fromkeys(NO_DATABASE | {"rename nowhere"}, (800, 1)),
        **dict.fromkeys(PARAMETER, (1100, 5)),
        "rename onto alias": (1601, 1),
    },
}


@pytest.mark.parametrize("skin", DRESSED, ids=str)
def test_skin_refuses_in_the_forms_of_its_version(
    skin: Skin, through: Callable[[Skin], Through], scene: Scene
) -> None:
    found = changed(skin, through, scene)
    status = {name: status_of(answer) for name, answer in found.items()}
    forms = {name: (one.code, one.error_code) for name, one in status.items() if one.reason}
    assert forms == FORMS[skin]
    assert set(found) - set(forms) == {"version"} | ({"describe id"} if skin is V30 else set())
    assert found["version"].version == skin.version
    for name, text in TEXTS.items():
        assert status[name].reason.startswith(text)
    if skin is not V2518:
        assert status["rename onto itself"].reason == SAME
        assert "duplicated" in status["rename onto another"].reason


@pytest.mark.parametrize(
    ("skin", "code"), [(NONE, 0), (V2518, 65535), (V2620, 1100), (V30, 1100)], ids=str
)
def test_aliased_collection_is_dropped_by_2_3_5_only(
    skin: Skin, code: int, through: Callable[[Skin], Through], make_collection: Seeds
) -> None:
    alias, server = unique_name("alias"), through(skin)
    name = make_collection(aliases=[alias])
    said = server("DropCollection", pb.DropCollectionRequest(collection_name=name))
    assert said.code == code
    assert make_collection.exists(name) is bool(code)
    if code:
        assert f"[{name}] because it has associated aliases [{alias}]" in said.reason
        server("DropAlias", pb.DropAliasRequest(alias=alias))
        assert server("DropCollection", pb.DropCollectionRequest(collection_name=name)).code == 0
        assert not make_collection.exists(name)


# --- on command -----------------------------------------------------------------------------------


def described(server: Through, **asked: Any) -> tuple[int, int]:
    """Code of the old enum, and id."""
    answer = server("DescribeCollection", pb.DescribeCollectionRequest(**asked))
    return answer.status.error_code, answer.collectionID


@pytest.mark.parametrize("skin", DRESSED, ids=str)
def test_stale_proxy_answers_once_with_the_old_state(
    skin: Skin, through: Callable[[Skin], Through], make_collection: Seeds
) -> None:
    server, name = through(skin), make_collection()
    before = described(server, collection_name=name)
    make_collection.server.client().drop_collection(name)
    server.skin.go_stale()
    assert described(server, collection_name=name) == before
    assert described(server, collection_name=name) == (4, 0)
    server.skin.go_stale()
    assert described(server, collection_name=name) == before, "what it remembers is the last find"


@pytest.mark.parametrize("skin", [V2518, V2620], ids=str)
def test_id_is_forgotten_on_the_way_to_the_answer(
    skin: Skin, through: Callable[[Skin], Through], make_collection: Seeds
) -> None:
    server, name = through(skin), make_collection()
    id_ = described(server, collection_name=name)[1]
    assert described(server, collectionID=id_) == (0, id_)

    def replace_it() -> None:
        make_collection.server.client().drop_collection(name)
        make_collection(name)

    server.skin.between_lookups(replace_it)
    assert described(server, collectionID=id_)[1] not in {0, id_}
    assert described(server, collectionID=id_) == (4, 0)


def test_id_in_3_0_is_not_forgotten(through: Callable[[Skin], Through]) -> None:
    with pytest.raises(ValueError, match="v30 has no row by id"):
        through(V30).skin.between_lookups(lambda: None)


@pytest.mark.parametrize("skin", DRESSED, ids=str)
def test_list_without_grants_is_empty_and_ok(
    skin: Skin, through: Callable[[Skin], Through], scene: Scene
) -> None:
    server = through(skin)
    for nothing in (True, False):
        server.skin.list_nothing(on=nothing)
        listed = scene.ask(server, "ShowCollections", {})
        assert (listed.status.code, bool(listed.collection_names)) == (0, not nothing)
    server.skin.list_nothing()
    assert scene.ask(server, "ShowCollections", NOWHERE).status.code == 800


@pytest.mark.parametrize(
    ("skin", "asked", "judged"),
    [(V2620, "a", "here"), (V30, "a", "a"), (V30, "", "here")],
    ids=str,
)
def test_rights_follow_the_connection_and_in_3_0_the_request(
    skin: Skin, asked: str, judged: str
) -> None:
    """By the metadata that 2.3.5 receives; tests/milvus/test_tls.py shows that they decide."""
    sent: list[Call] = []

    @dataclass(frozen=True)
    class Kept(Call):
        def send(self) -> bytes:
            sent.append(self)
            return b""

    request = pb.ListAliasesRequest(db_name=asked, collection_name="book").SerializeToString()
    metadata = (("authorization", "x"), ("dbname", "here"))
    path = "/milvus.proto.milvus.MilvusService/ListAliases"
    Worn(skin)(Kept(path, request, metadata, None, grpc.insecure_channel("-"), lambda _: None))
    assert [call.metadata for call in sent] == [(("authorization", "x"), ("dbname", judged))]
    assert sent[0].request == request


@pytest.mark.parametrize("skin", [V2620, V30], ids=str)
def test_standby_refuses_changes_and_answers_the_rest(
    skin: Skin, through: Callable[[Skin], Through], scene: Scene
) -> None:
    server = through(skin)
    server.skin.be_standby()
    found = answers(server, scene)
    for name, (rpc, _) in questions(scene).items():
        assert ("is not primary" in str(found[name])) is (rpc in acts.CHANGES), name
    status = found["drop missing"]
    assert (status.code, status.reason) == (65535, NOT_PRIMARY)
    server.skin.be_standby(on=False)
    assert status_of(answers(server, scene)["drop missing"]).code == 0


def test_skin_of_2_5_has_no_standby_and_no_late_execution(
    through: Callable[[Skin], Through],
) -> None:
    worn = through(V2518).skin
    with pytest.raises(ValueError, match="v2518 has no row standby"):
        worn.be_standby()
    with pytest.raises(ValueError, match="v2518 has no row late execution"):
        worn.swallow("DropCollection")


@pytest.mark.parametrize("skin", [V2620, V30], ids=str)
def test_swallowed_request_is_carried_out_after_its_caller_left(
    skin: Skin, through: Callable[[Skin], Through], make_collection: Seeds
) -> None:
    server, name = through(skin), make_collection(partitions=["p"])
    client, other = make_collection.server.client(), make_collection.renamed(unique_name())
    late = {
        "DropPartition": pb.DropPartitionRequest(collection_name=name, partition_name="p"),
        "RenameCollection": pb.RenameCollectionRequest(oldName=name, newName=other),
        "DropCollection": pb.DropCollectionRequest(collection_name=other),
    }
    there = {
        "DropPartition": lambda: client.has_partition(name, "p"),
        "RenameCollection": lambda: make_collection.exists(name),
        "DropCollection": lambda: make_collection.exists(other),
    }
    for rpc, request in late.items():
        server.skin.swallow(rpc)
        with pytest.raises(grpc.RpcError) as caught:
            server(rpc, request)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert there[rpc]()
        assert [status.code for status in server.skin.carry_out_late()] == [0]
        assert not there[rpc]()
        assert server.skin.carry_out_late() == []


def test_swallowed_request_is_never_carried_out_on_a_namesake(
    through: Callable[[Skin], Through], make_collection: Seeds
) -> None:
    """Milvus drops the id that it looked up, and keeps the name locked until then."""
    server, name = through(V2620), make_collection()
    server.skin.swallow("DropCollection")
    with pytest.raises(grpc.RpcError):
        server("DropCollection", pb.DropCollectionRequest(collection_name=name))
    make_collection.server.client().drop_collection(name)
    make_collection(name)
    with pytest.raises(AssertionError, match="while the task waits"):
        server.skin.carry_out_late()
    assert make_collection.exists(name)


@pytest.mark.parametrize("skin", DRESSED, ids=str)
def test_skin_says_the_version_that_a_test_wants(
    skin: Skin, through: Callable[[Skin], Through]
) -> None:
    server = through(skin)
    assert server("GetVersion", pb.GetVersionRequest()).version == skin.version
    server.skin.version = "v2.5.14"
    assert server("GetVersion", pb.GetVersionRequest()).version == "v2.5.14"
    assert server("Connect", pb.ConnectRequest()).server_info.build_tags == "v2.5.14"
