"""The test instruments themselves: a proxy that does not cut would make every fault test pass."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import grpc
import pytest
from django.db import DatabaseError, connection, transaction
from playwright.sync_api import Error, Page
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2 as pb
from pymilvus.grpc_gen import milvus_pb2_grpc

from tests.infra.chain import Chain
from tests.infra.faultproxy import FaultProxy
from tests.infra.milvus_server import MilvusServer, NoMilvus, require_free, wait_until_it_answers
from tests.infra.seeds import Seeds, seeds_on, unique_name

# --- fault proxy --------------------------------------------------------------------------------


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends everything back."""

    def serve(connected: socket.socket) -> None:
        with connected:
            try:
                while data := connected.recv(1000):
                    connected.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connected,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: int) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", echo) as made:
        yield made


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=2)


def said(client: socket.socket, word: bytes) -> bytes:
    client.sendall(word)
    return client.recv(1000)


def test_proxy_forwards_both_ways(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        assert said(client, b"one") == b"one"
        assert said(client, b"two") == b"two"


def test_proxy_cut_resets_open_and_serves_new_connections(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        assert said(client, b"before") == b"before"
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(proxy) as client:
        assert said(client, b"after") == b"after"


def test_proxy_refusing_resets_and_returns_on_its_port(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        assert said(client, b"before") == b"before"
        proxy.refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.ok()
    with connect(proxy) as client:
        assert said(client, b"after") == b"after"


def test_proxy_stall_freezes_connections_and_then_delivers(proxy: FaultProxy) -> None:
    with connect(proxy) as old:
        assert said(old, b"before") == b"before"
        proxy.stall()
        with connect(proxy) as new:
            for client in (old, new):
                client.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    said(client, b"held")
            proxy.ok()
            for client in (old, new):
                client.settimeout(2)
                assert client.recv(1000) == b"held"


def test_proxy_delay_slows_both_ways(proxy: FaultProxy) -> None:
    proxy.delay = 0.2
    with connect(proxy) as client:
        start = time.monotonic()
        assert said(client, b"slow") == b"slow"
        assert time.monotonic() - start >= 0.4


# --- relay --------------------------------------------------------------------------------------


def show_collections(chain: Chain, **options: object) -> pb.ShowCollectionsResponse:
    stub = chain.server.client()._get_connection()._stub
    return stub.ShowCollections(pb.ShowCollectionsRequest(), timeout=5, **options)


def test_relay_forwards_and_counts(chain: Chain, make_collection: Seeds) -> None:
    name = make_collection(rows=2)
    assert name in show_collections(chain).collection_names
    assert name in show_collections(chain).collection_names
    assert chain.relay.count("ShowCollections") == 2
    assert chain.relay.count("DropCollection") == 0


def test_relay_passes_errors_back_unchanged(chain: Chain) -> None:
    stranger = MilvusServer(chain.uri, "nobody:Nothing1")
    with pytest.raises(MilvusException) as caught:
        stranger.client()
    cause = caught.value.__cause__
    assert isinstance(cause, grpc.RpcError)
    assert cause.code() == grpc.StatusCode.UNAUTHENTICATED
    assert "auth check failure" in cause.details()


def test_relay_answers_for_milvus_until_told_to_forward(chain: Chain) -> None:
    canned = pb.ShowCollectionsResponse(collection_names=["canned"])
    chain.relay.answer("ShowCollections", lambda request: canned.SerializeToString())
    assert list(show_collections(chain).collection_names) == ["canned"]
    chain.relay.fail("ShowCollections", grpc.StatusCode.PERMISSION_DENIED, "no")
    with pytest.raises(grpc.RpcError) as caught:
        show_collections(chain)
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.PERMISSION_DENIED,
        "no",
    )
    chain.relay.forward("ShowCollections")
    assert "canned" not in show_collections(chain).collection_names


def test_relay_hooks_run_once_around_the_real_call(chain: Chain, make_collection: Seeds) -> None:
    name = make_collection()
    seen: list[bool] = []
    look = lambda: seen.append(make_collection.exists(name))  # noqa: E731
    chain.relay.before("DropCollection", look)
    chain.relay.after("DropCollection", look)
    for _ in range(2):
        chain.server.client().drop_collection(name, timeout=5)
    assert seen == [True, False]
    assert chain.relay.count("DropCollection") == 2


def test_relay_forwards_nothing_after_the_deadline(chain: Chain, make_collection: Seeds) -> None:
    name = make_collection()
    stub = chain.server.client()._get_connection()._stub
    passed = threading.Event()
    chain.relay.before("DropCollection", lambda: (time.sleep(1), passed.set()))
    with pytest.raises(grpc.RpcError):
        stub.DropCollection(pb.DropCollectionRequest(collection_name=name), timeout=0.5)
    assert passed.wait(5)
    time.sleep(0.5)
    assert make_collection.exists(name)


# --- Milvus -------------------------------------------------------------------------------------


def test_seeds_make_their_objects_and_remove_them(milvus_server: MilvusServer) -> None:
    with seeds_on(milvus_server) as seeds:
        database = seeds.database()
        name = seeds(
            database=database,
            partitions=["p"],
            aliases=[alias := unique_name("alias")],
            rows={"_default": 1, "p": 2},
            loaded=True,
            description="three rows",
        )
        client = milvus_server.client(database)
        assert client.get_collection_stats(name)["row_count"] == 3
        assert client.describe_collection(name)["aliases"] == [alias]
        keyed = seeds(partition_key=True, rows=2)
        assert len(milvus_server.client().list_partitions(keyed)) > 2
    assert database not in milvus_server.client().list_databases()
    assert not milvus_server.client().has_collection(keyed)


def test_milvus_of_the_tests_requires_authorization(milvus_server: MilvusServer) -> None:
    """Without it, tests of denied calls would prove nothing."""
    with grpc.insecure_channel(milvus_server.address) as channel:
        stub = milvus_pb2_grpc.MilvusServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ShowCollections(pb.ShowCollectionsRequest(), timeout=5)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_require_free_names_a_taken_port(echo: int) -> None:
    with pytest.raises(NoMilvus, match=f"Port {echo} is taken.*MILVUS_TEST_URI"):
        require_free(echo)


def test_wait_until_it_answers_ends_with_the_reason() -> None:
    problem = wait_until_it_answers(MilvusServer("http://127.0.0.1:1"), 0.5)
    assert "UNAVAILABLE" in problem


def test_lite_server_is_fresh_and_takes_seeds(
    lite_server: MilvusServer, collections_on: Callable[[MilvusServer], Seeds]
) -> None:
    assert lite_server.client().list_collections() == []
    name = collections_on(lite_server)(partitions=["p"], rows=2)
    assert lite_server.client().list_collections() == [name]


def test_lite_uri_is_new_for_each_test(lite_uri: str, unique: Callable[..., str]) -> None:
    assert MilvusServer(lite_uri, "").client().list_collections() == []
    assert unique("x") != unique("x")


# --- databases ----------------------------------------------------------------------------------


@pytest.mark.both_databases
@pytest.mark.django_db
def test_test_database_is_the_one_asked_for() -> None:
    wanted = os.environ.get("TEST_DATABASE") or (
        "postgresql" if os.environ.get("PGHOST") else "sqlite"
    )
    assert connection.vendor == wanted


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("turn", [1, 2])
def test_audit_triggers_guard_each_test_and_permit_emptying(turn: int) -> None:
    """The second run finds the event of the first gone and the triggers in place."""
    from django.utils import timezone

    from collections_app.models import AuditEvent

    assert not AuditEvent.objects.exists()
    AuditEvent.objects.create(sequence=1, recorded_at=timezone.now(), hash="h")
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
        AuditEvent.objects.all().delete()
    assert AuditEvent.objects.count() == 1


# --- browser ------------------------------------------------------------------------------------


def test_browser_reaches_this_machine_only(page: Page) -> None:
    page.goto("data:text/html,<title>here</title>")
    assert page.title() == "here"
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://example.com/")
