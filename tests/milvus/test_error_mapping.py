"""Kinds of Milvus errors. The relay gives the reply, which travels through real gRPC.

What matters most: an act is called refused only where Milvus is sure not to have done it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from pymilvus.grpc_gen import common_pb2
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.milvus.connection import Connection
from collections_app.milvus.destroy import Destroyer
from collections_app.milvus.errors import (
    Denied,
    MilvusError,
    MilvusRejected,
    NotFound,
    OutcomeUnknown,
    Standby,
    Unreachable,
)
from collections_app.milvus.gateway import Gateway
from collections_app.milvus.types import Cluster
from tests.infra.chain import Chain, chain_to
from tests.infra.milvus_server import MilvusServer

TOKEN = "root:Milvus"


@dataclass(frozen=True)
class Wire:
    """A connected gateway and destroyer, and the relay that answers them."""

    chain: Chain
    gateway: Gateway
    destroyer: Destroyer

    def read(self) -> object:
        return self.gateway.collections("default")

    def act(self) -> object:
        return self.destroyer.drop_collection("default", "no_such_collection")


@pytest.fixture(scope="module")
def shared(milvus_server: MilvusServer) -> Any:
    with chain_to(milvus_server) as chain:
        cluster = Cluster(key="t", label="T", uri=chain.uri, token=chain.token, read_timeout=2)
        connection = Connection(cluster)
        connection.lite("default")
        yield Wire(chain, Gateway(connection), Destroyer(connection))


@pytest.fixture
def wire(shared: Wire) -> Any:
    yield shared
    for method in ("ShowCollections", "DropCollection"):
        shared.chain.relay.forward(method)


def kind_of(call: Callable[[], object]) -> MilvusError:
    with pytest.raises(MilvusError) as caught:
        call()
    return caught.value


def status(code: int, reason: str = "said by the server") -> common_pb2.Status:
    return common_pb2.Status(code=code, reason=reason)


# --- whose words they are -------------------------------------------------------------------------


def test_status_of_a_reply_is_quoted_as_milvus(wire: Wire) -> None:
    reply = pb.ShowCollectionsResponse(status=status(65535)).SerializeToString()
    wire.chain.relay.answer("ShowCollections", lambda _: reply)
    assert (kind_of(wire.read).speaker, str(kind_of(wire.read))) == ("Milvus", "said by the server")


def test_unreadable_reply_is_quoted_as_grpc(wire: Wire) -> None:
    wire.chain.relay.answer("ShowCollections", lambda _: b"\xff\xff")
    assert kind_of(wire.read).speaker == "gRPC"


@pytest.mark.parametrize(
    ("uri", "speaker"),
    [
        ("http://127.0.0.1:1", "pymilvus"),
        ("ftp://127.0.0.1:1", "pymilvus"),
        ("/no/such/folder/x.db", "pymilvus"),
    ],
)
def test_pymilvus_exception_is_not_quoted_as_milvus(uri: str, speaker: str) -> None:
    cluster = Cluster(key="t", label="T", uri=uri, read_timeout=0.3)
    found = kind_of(Gateway(Connection(cluster)).databases)
    assert found.speaker == speaker


@pytest.mark.parametrize("uri", ["http://h:99999", "http://h:port", "tcp://[::1"])
def test_address_that_pymilvus_cannot_parse_is_unreachable(uri: str) -> None:
    cluster = Cluster(key="t", label="T", uri=uri, read_timeout=0.3)
    assert isinstance(kind_of(Gateway(Connection(cluster)).databases), Unreachable)


def test_credentials_in_a_milvus_message_are_redacted(wire: Wire) -> None:
    said = status(65535, 'bad spec {"access_key_value": "hunter2"}')
    reply = pb.ShowCollectionsResponse(status=said).SerializeToString()
    wire.chain.relay.answer("ShowCollections", lambda _: reply)
    assert str(kind_of(wire.read)) == 'bad spec {"access_key_value": •••}'


# --- codes of Milvus ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, MilvusRejected),
        (2, Unreachable),
        (4, MilvusRejected),
        (8, MilvusRejected),
        (100, NotFound),
        (200, NotFound),
        (800, NotFound),
        (1100, MilvusRejected),
        (1401, Denied),
        (1600, NotFound),
        (10001, Unreachable),
        (65535, MilvusRejected),
    ],
)
def test_read_error_code_has_its_kind(wire: Wire, code: int, kind: type[MilvusError]) -> None:
    reply = pb.ShowCollectionsResponse(status=status(code))
    wire.chain.relay.answer("ShowCollections", lambda _: reply.SerializeToString())
    exc = kind_of(wire.read)
    assert (type(exc), exc.code, str(exc)) == (kind, str(code), "said by the server")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1, OutcomeUnknown),
        (2, OutcomeUnknown),
        (5, OutcomeUnknown),
        (8, MilvusRejected),  # rate limit
        (9, MilvusRejected),  # quota
        (10, MilvusRejected),  # not implemented
        (100, MilvusRejected),
        (108, MilvusRejected),  # replicated from elsewhere
        (200, MilvusRejected),
        (800, MilvusRejected),
        (1100, MilvusRejected),
        (1101, MilvusRejected),
        (1102, MilvusRejected),
        (1401, Denied),
        (1600, MilvusRejected),
        (1601, MilvusRejected),
        (1602, MilvusRejected),
        (10000, OutcomeUnknown),  # cancelled
        (10001, OutcomeUnknown),  # time-out inside Milvus
        (4242, OutcomeUnknown),  # a code of tomorrow
        (65535, OutcomeUnknown),
    ],
)
def test_drop_error_code_has_its_kind(wire: Wire, code: int, kind: type[MilvusError]) -> None:
    wire.chain.relay.answer("DropCollection", lambda _: status(code).SerializeToString())
    exc = kind_of(wire.act)
    assert (type(exc), exc.code, str(exc)) == (kind, str(code), "said by the server")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "partition cannot be dropped, partition is loaded, please release it first",
            MilvusRejected,
        ),
        ("cannot drop the collection via alias = a", MilvusRejected),
        ("default partition cannot be deleted", MilvusRejected),
        ("disable drop partition if partition key mode is used", MilvusRejected),
        (
            "unable to drop the collection [X] because it has associated aliases [a], please "
            "remove all aliases before dropping the collection",
            MilvusRejected,
        ),
        ("proxy TaskCondition context Done", OutcomeUnknown),
        ("context deadline exceeded", OutcomeUnknown),
        ("", OutcomeUnknown),
    ],
)
def test_unspecific_error_code_is_classified_by_its_text(
    wire: Wire, text: str, kind: type[MilvusError]
) -> None:
    wire.chain.relay.answer("DropCollection", lambda _: status(65535, text).SerializeToString())
    assert type(kind_of(wire.act)) is kind


def test_old_status_without_a_code_is_no_success(wire: Wire) -> None:
    """Before Milvus 2.3 there was only `error_code`."""
    old = common_pb2.Status(error_code=common_pb2.UnexpectedError, reason="old words")
    wire.chain.relay.answer("DropCollection", lambda _: old.SerializeToString())
    assert type(kind_of(wire.act)) is OutcomeUnknown
    reply = pb.ShowCollectionsResponse(status=old)
    wire.chain.relay.answer("ShowCollections", lambda _: reply.SerializeToString())
    assert type(kind_of(wire.read)) is MilvusRejected


MISSING_SINCE_2518 = common_pb2.Status(
    error_code=common_pb2.CollectionNotExists, reason="can't find collection[database=d]"
)
TOO_MANY = common_pb2.Status(code=4, error_code=common_pb2.UnexpectedError, reason="limit=1024")
NOT_PRIMARY = common_pb2.Status(code=65535, reason="cluster is not primary, cannot do any DDL/DCL")


@pytest.mark.parametrize(
    ("said", "read", "act", "code"),
    [
        (MISSING_SINCE_2518, NotFound, MilvusRejected, "error_code 4"),
        (TOO_MANY, MilvusRejected, OutcomeUnknown, "4"),
        (NOT_PRIMARY, MilvusRejected, Standby, "65535"),
    ],
    ids=["missing since 2.5.18", "too many requests", "standby"],
)
def test_newer_status_code_has_its_kind(
    wire: Wire, said: Any, read: type[MilvusError], act: type[MilvusError], code: str
) -> None:
    reply = pb.ShowCollectionsResponse(status=said)
    wire.chain.relay.answer("ShowCollections", lambda _: reply.SerializeToString())
    found = kind_of(wire.read)
    assert (type(found), found.code) == (read, code)
    wire.chain.relay.answer("DropCollection", lambda _: said.SerializeToString())
    found = kind_of(wire.act)
    assert (type(found), found.code) == (act, code)


# --- statuses of gRPC -----------------------------------------------------------------------------

S = grpc.StatusCode
READS = {
    S.PERMISSION_DENIED: Denied,
    S.UNAUTHENTICATED: Denied,
    S.DEADLINE_EXCEEDED: Unreachable,
    S.UNAVAILABLE: Unreachable,
}
ACTS = {S.PERMISSION_DENIED: Denied, S.UNAUTHENTICATED: Denied, S.UNIMPLEMENTED: MilvusRejected}
every_status = pytest.mark.parametrize("code", [s for s in S if s is not S.OK], ids=str)


@every_status
def test_grpc_status_of_a_read_has_its_kind(wire: Wire, code: grpc.StatusCode) -> None:
    wire.chain.relay.fail("ShowCollections", code, "said by gRPC")
    exc = kind_of(wire.read)
    assert (type(exc), str(exc)) == (READS.get(code, MilvusRejected), "said by gRPC")


@every_status
def test_grpc_status_of_a_drop_has_its_kind(wire: Wire, code: grpc.StatusCode) -> None:
    """Everything but a certain refusal is unknown: the server may have carried it out."""
    wire.chain.relay.fail("DropCollection", code, "said by gRPC")
    exc = kind_of(wire.act)
    assert (type(exc), str(exc)) == (ACTS.get(code, OutcomeUnknown), "said by gRPC")


def test_unreadable_reply_to_a_drop_is_unknown(wire: Wire) -> None:
    wire.chain.relay.answer("DropCollection", lambda _: b"\xff\xff")
    assert type(kind_of(wire.act)) is OutcomeUnknown


@pytest.mark.parametrize("name", ["PermissionDenied", "database_x_does_not_exist"])
def test_name_that_reads_like_an_error_does_not_decide(wire: Wire, name: str) -> None:
    """The code decides, and the text only where Milvus has no code for it."""
    said = f"collection not found[collection={name}]"
    reply = pb.ShowCollectionsResponse(status=status(100, said))
    wire.chain.relay.answer("ShowCollections", lambda _: reply.SerializeToString())
    assert type(kind_of(wire.read)) is NotFound
    wire.chain.relay.answer("DropCollection", lambda _: status(2000, said).SerializeToString())
    assert type(kind_of(wire.act)) is OutcomeUnknown


# --- the message ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("one\ntwo\r\n\tthree\x1b[31m", "one two three [31m"),
        (f"login {TOKEN} failed", "login ••• failed"),
        ("password Milvus is wrong", "password ••• is wrong"),
        ("x" * 5000, "x" * 500),
        ("x" * 495 + TOKEN, "x" * 495 + "•••"),
    ],
    ids=["one line", "token", "password", "short", "no half secret"],
)
def test_message_is_one_short_line_without_secrets(wire: Wire, said: str, shown: str) -> None:
    assert wire.chain.token == TOKEN
    reply = pb.ShowCollectionsResponse(status=status(1100, said))
    wire.chain.relay.answer("ShowCollections", lambda _: reply.SerializeToString())
    assert str(kind_of(wire.read)) == shown
    wire.chain.relay.answer("DropCollection", lambda _: status(1100, said).SerializeToString())
    assert str(kind_of(wire.act)) == shown
