"""What an empty list proves. Newer servers are simulated: the real 2.3.5 with other answers."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from collections_app.milvus import privileges, visibility
from collections_app.milvus.connection import Connection
from collections_app.milvus.grants import Grant
from collections_app.milvus.sdk import pb
from tests.fixtures import cluster_at
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Relay
from tests.web import milvus_user

EVERY = Grant("Collection", "*", "GetStatistics")
ONE = Grant("Collection", "books", "Query")


@pytest.mark.parametrize(
    ("granted", "opens"),
    [
        ([], False),
        ([ONE], False),
        ([ONE, EVERY], True),
        ([Grant("Global", "*", "All")], True),
        ([Grant("Global", "*", "*")], False),
        ([Grant("Global", "*", "ShowCollections")], False),
        ([Grant("Global", "*", "CollectionReadOnly")], True),
        ([Grant("Global", "books", "CollectionAdmin")], False),
        ([Grant("Global", "*", "DatabaseAdmin")], False),
        ([Grant("Global", "*", "made_by_somebody")], False),
    ],
)
def test_opens_all_is_true_for_grants_on_everything_only(granted: list[Grant], opens: bool) -> None:
    assert visibility.opens_all(granted) is opens


# --- on a server ----------------------------------------------------------------------------------


@pytest.fixture
def relay(milvus_server: MilvusServer) -> Iterator[Relay]:
    """The real Milvus, which says that it is 2.6.20."""
    visibility.forget()  # a port may come back
    with Relay(milvus_server.address) as made:
        made.answer("GetVersion", lambda _: reply(pb.GetVersionResponse(version="v2.6.20")))
        yield made


@pytest.fixture
def user(milvus_server: MilvusServer) -> Iterator[str]:
    """The token of an account without a role."""
    with milvus_user(milvus_server) as token:
        yield token


def reply(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def through(relay: Relay, token: str) -> Connection:
    return Connection(cluster_at(f"http://127.0.0.1:{relay.port}", token))


def has_role(relay: Relay, *granted: Grant, role: str = "mine") -> None:
    """From now on Milvus says that everybody has this role, with these grants."""
    users = {"user": {"name": "somebody"}, "roles": [{"name": role}]}
    entities = [
        {
            "role": {"name": role},
            "object": {"name": grant.kind},
            "object_name": grant.on,
            "db_name": "default",
            "grantor": {"privilege": {"name": grant.right}},
        }
        for grant in granted
    ]
    relay.answer("SelectUser", lambda _: reply(pb.SelectUserResponse(results=[users])))
    relay.answer("SelectGrant", lambda _: reply(pb.SelectGrantResponse(entities=entities)))


def test_lists_everything_before_2_4_is_true(milvus_server: MilvusServer, user: str) -> None:
    visibility.forget()
    assert visibility.lists_everything(Connection(cluster_at(milvus_server.uri, user)), "default")


def test_lists_everything_with_an_unreadable_version_is_false(relay: Relay, user: str) -> None:
    relay.answer("GetVersion", lambda _: reply(pb.GetVersionResponse(version="unreadable")))
    assert not visibility.lists_everything(through(relay, user), "default")


def test_lists_everything_without_a_role_is_false(relay: Relay, user: str) -> None:
    assert not visibility.lists_everything(through(relay, user), "default")


@pytest.mark.parametrize(
    ("arrange", "answer"),
    [
        (lambda relay: has_role(relay, EVERY), True),
        (lambda relay: has_role(relay, ONE), False),
        (lambda relay: has_role(relay, role="admin"), True),
        (lambda relay: has_role(relay, EVERY, role="public"), False),  # Milvus skips it
        (lambda relay: relay.fail("SelectUser", grpc.StatusCode.PERMISSION_DENIED), False),
        (lambda relay: relay.fail("SelectGrant", grpc.StatusCode.UNAVAILABLE), False),
    ],
    ids=["all", "one", "admin", "public", "denied", "silent"],
)
def test_lists_everything_follows_the_grants_of_the_roles(
    arrange: Callable[[Relay], None], answer: bool, relay: Relay, user: str
) -> None:
    arrange(relay)
    assert visibility.lists_everything(through(relay, user), "default") is answer


def test_lists_everything_ignores_grants_in_another_database(relay: Relay, user: str) -> None:
    has_role(relay, EVERY)
    assert not visibility.lists_everything(through(relay, user), "elsewhere")


def test_lists_everything_is_false_for_a_key_true_without_token(
    relay: Relay,
) -> None:
    relay.answer("Connect", lambda _: reply(pb.ConnectResponse()))
    assert not visibility.lists_everything(through(relay, "a-key"), "default")
    assert visibility.lists_everything(through(relay, ""), "default")


def test_lists_everything_asks_milvus_once_in_five_minutes(relay: Relay, user: str) -> None:
    connection = through(relay, user)
    for _ in range(3):
        visibility.lists_everything(connection, "default")
    assert relay.count("SelectUser") == 1


def test_lists_everything_does_not_keep_a_missing_answer(relay: Relay, user: str) -> None:
    connection = through(relay, user)
    relay.fail("SelectUser", grpc.StatusCode.UNAVAILABLE)
    assert not visibility.lists_everything(connection, "default")
    has_role(relay, EVERY)
    assert visibility.lists_everything(connection, "default")


# --- root -----------------------------------------------------------------------------------------


def held_to_its_roles(relay: Relay) -> None:
    """As with `common.security.rootShouldBindRole`: what no role gives is denied."""
    for rpc in ("GetCollectionStatistics", "ShowPartitions"):
        relay.fail(rpc, grpc.StatusCode.PERMISSION_DENIED, "permission deny to root")


def test_root_without_a_role_has_every_privilege(relay: Relay, milvus_server: MilvusServer) -> None:
    connection = through(relay, milvus_server.token)
    found = privileges.find(connection)
    assert (found.missing, found.unknown) == ([], "")
    assert visibility.lists_everything(connection, "default")


def test_root_held_to_its_roles_lacks_what_they_lack(
    relay: Relay, milvus_server: MilvusServer
) -> None:
    held_to_its_roles(relay)
    connection = through(relay, milvus_server.token)
    assert {"Collection GetStatistics", *privileges.ACTS} <= set(
        privileges.find(connection).missing
    )
    assert not visibility.lists_everything(connection, "default")


def test_root_with_the_admin_role_has_every_privilege(
    relay: Relay, milvus_server: MilvusServer
) -> None:
    has_role(relay, role="admin")
    found = privileges.find(through(relay, milvus_server.token))
    assert (found.missing, found.unknown) == ([], "")


@pytest.mark.parametrize(
    ("granted", "unknown"),
    [
        (("GetStatistics", "ShowPartitions"), "rootShouldBindRole"),
        (("CollectionAdmin",), "groups of rights"),
        (("made_by_somebody",), "groups of rights"),
    ],
)
def test_root_whose_roles_may_be_why_it_passes_is_unknown(
    granted: tuple[str, ...], unknown: str, relay: Relay, milvus_server: MilvusServer
) -> None:
    has_role(relay, *(Grant("Collection", "books", right) for right in granted))
    found = privileges.find(through(relay, milvus_server.token))
    assert unknown in found.unknown
    assert found.missing == []
