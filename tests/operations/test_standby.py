"""The standby of a CDC pair refuses every change. Simulated: its words and its topology are read
in Milvus' source (internal/streamingcoord/server/broadcaster), and the relay says them.
"""

from collections.abc import Callable

import pytest
from django.test import Client
from pymilvus.grpc_gen import common_pb2
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.audit.log import Outcome
from collections_app.clusters import Milvus
from collections_app.milvus import connection
from collections_app.milvus.types import Kind
from collections_app.operations.protocol import OperationRejected
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.operations.conftest import Thing, carry_out, consent, told
from tests.web import Page, act_url, collection_url, list_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("faulty")]

NOT_PRIMARY = common_pb2.Status(
    code=65535,
    error_code=common_pb2.UnexpectedError,
    reason="cluster is not primary, cannot do any DDL/DCL",
)
BANNER = "This cluster is a standby."


def refuse_as_standby(chain: Chain, rpc: str) -> None:
    chain.relay.answer(rpc, lambda _: bytes(NOT_PRIMARY.SerializeToString()))


def answer_topology(chain: Chain, name: str, *, we_are: str) -> None:
    """As a 3.0 does that is the source or the target of a pair."""
    stub = chain.direct.client()._get_connection()._stub
    described = stub.DescribeCollection(pb.DescribeCollectionRequest(collection_name=name))
    prefix = described.physical_channel_names[0].rpartition("_")[0]
    ours, theirs = [f"{prefix}_{n}" for n in range(16)], ["other-dml_0"]  # dmlChannelNum is 16
    source, target = (ours, theirs) if we_are == "source" else (theirs, ours)
    reply = pb.GetReplicateConfigurationResponse(
        configuration={
            "clusters": [
                {"cluster_id": "source", "pchannels": source},
                {"cluster_id": "target", "pchannels": target},
            ],
            "cross_cluster_topology": [
                {"source_cluster_id": "source", "target_cluster_id": "target"}
            ],
        }
    )
    version = pb.GetVersionResponse(version="v3.0.1")
    chain.relay.answer("GetVersion", lambda _: bytes(version.SerializeToString()))
    chain.relay.answer("GetReplicateConfiguration", lambda _: bytes(reply.SerializeToString()))


def test_drop_refused_by_a_standby_is_refused_not_unknown(thing: Thing, chain: Chain) -> None:
    confirmation = consent(thing.target)
    refuse_as_standby(chain, thing.rpc)
    assert carry_out(confirmation) is Outcome.REFUSED
    assert told() == ["intent", "outcome refused"]
    assert thing.is_there()


def test_strict_drop_refused_by_a_standby_is_refused(
    make_collection: Seeds, chain: Chain, use_cluster: Callable[..., Milvus]
) -> None:
    use_cluster(chain.uri, chain.token, strict_drop=True)
    thing = Thing.make(make_collection, Kind.COLLECTION)
    confirmation = consent(thing.target)
    refuse_as_standby(chain, "RenameCollection")
    assert carry_out(confirmation) is Outcome.REFUSED
    assert chain.relay.count("DropCollection") == 0
    assert thing.is_there()


def pages_of(name: str, client: Client) -> list[Page]:
    return [Page(client.get(url)) for url in (list_url(), collection_url(name))]


@pytest.mark.parametrize("known_by", ["refusal", "topology"])
def test_standby_pages_say_so_and_offer_no_drop(
    known_by: str, make_collection: Seeds, chain: Chain, signed_in: Callable[..., Client]
) -> None:
    thing, client = Thing.make(make_collection, Kind.COLLECTION), signed_in("operator")
    if known_by == "topology":
        answer_topology(chain, thing.target.name, we_are="target")
    else:
        confirmation = consent(thing.target)
        refuse_as_standby(chain, thing.rpc)
        carry_out(confirmation)
    for page in pages_of(thing.target.name, client):
        assert BANNER in page.text
        assert "Drop…" not in page.text
        assert "Drop collection…" not in page.text
    dialog = Page(client.get(act_url("drop-collection", thing.target.name)))
    assert "Make the change on the primary cluster." in dialog.text
    assert not dialog.find("button", cls="danger")


@pytest.mark.parametrize("answer", ["source", "unimplemented"])
def test_primary_pages_show_no_standby_banner(
    answer: str, make_collection: Seeds, chain: Chain, signed_in: Callable[..., Client]
) -> None:
    name = make_collection()
    answer_topology(chain, name, we_are="source")
    if answer == "unimplemented":
        chain.relay.forward("GetReplicateConfiguration")  # 2.3.5 has no such call
    for page in pages_of(name, signed_in("operator")):
        assert BANNER not in page.text


def test_promoted_standby_drops_again(
    thing: Thing, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = consent(thing.target)
    refuse_as_standby(chain, thing.rpc)
    carry_out(refused)
    chain.relay.forward(thing.rpc)
    with pytest.raises(OperationRejected, match="primary cluster"):
        carry_out(consent(thing.target))
    monkeypatch.setattr(connection, "STANDBY_FOR", 0.0)  # a refusal counts for two minutes
    assert carry_out(consent(thing.target)) is Outcome.SUCCEEDED
