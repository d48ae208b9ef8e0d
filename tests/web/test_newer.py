"""Collections with features newer than this client can be read and dropped.

The relay changes what the real Milvus says of a real collection, so that the drop is a real one.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pymilvus import DataType
from pymilvus.exceptions import MilvusException
from pymilvus.grpc_gen import milvus_pb2 as pb

from collections_app.models import AuditEvent
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.web import Page, act_url, collection_url, confirm

pytestmark = [pytest.mark.django_db]
SignIn = Callable[..., Client]
Change = Callable[[Any], object]
Describe = Callable[[Change], None]


@pytest.fixture
def describe(chain: Chain) -> Describe:
    """describe(change) lets `change` loose on the schema of every description from now on."""
    stub = chain.direct.client()._get_connection()._stub

    def begin(change: Change) -> None:
        def answer(request: bytes) -> bytes:
            asked = pb.DescribeCollectionRequest.FromString(request)
            reply = stub.DescribeCollection(asked, timeout=5)
            if not reply.status.code:
                change(reply)
            return bytes(reply.SerializeToString())

        chain.relay.answer("DescribeCollection", answer)

    return begin


def add_field(reply: Any, data_type: int, **params: str) -> None:
    field = reply.schema.fields.add(name="odd", data_type=data_type)
    for key, value in params.items():
        field.type_params.add(key=key, value=value)


def of_functions(reply: Any) -> None:
    add_field(reply, DataType.BINARY_VECTOR)
    reply.schema.functions.add(name="mol", type=5, output_field_names=["odd"])


def of_structs(reply: Any) -> None:
    struct = reply.schema.struct_array_fields.add(name="chunks")
    vector = struct.fields.add(
        name="chunks[vec]", data_type=106, element_type=DataType.FLOAT_VECTOR, nullable=True
    )
    vector.type_params.add(key="dim", value="768")


def of_sources(reply: Any) -> None:
    reply.schema.external_source = "s3://AKIA:hunter2@lake/books?sig=hunter2"
    reply.schema.external_spec = json.dumps(
        {"format": "parquet", "extfs": {"region": "eu", "access_key_value": "hunter2"}}
    )


NEWER: dict[str, tuple[Change, str]] = {
    "field type": (lambda reply: add_field(reply, 28), "odd type 28"),
    "function type": (of_functions, "Function mol (type 5)"),
    "consistency level": (
        lambda reply: setattr(reply, "consistency_level", 9),
        "Consistency level 9",
    ),
    "max_length": (
        lambda reply: add_field(reply, DataType.VARCHAR, max_length="null"),
        "odd VARCHAR max_length null",
    ),
    "struct": (of_structs, "chunks: vec FLOAT_VECTOR nullable · dim 768"),
    "external": (of_sources, "external collection"),
}
newer = pytest.mark.parametrize(("change", "shown"), NEWER.values(), ids=NEWER.keys())


def test_pymilvus_cannot_describe_a_newer_collection(
    describe: Describe, chain: Chain, make_collection: Seeds
) -> None:
    """The control: without it the other tests would prove nothing."""
    name = make_collection()
    describe(lambda reply: add_field(reply, 28))
    with pytest.raises(MilvusException, match="28 is not a valid DataType"):
        chain.server.client().describe_collection(name, timeout=5)


@newer
def test_newer_collection_is_shown_dropped_and_recorded(
    change: Change,
    shown: str,
    describe: Describe,
    faulty: Any,
    make_collection: Seeds,
    signed_in: SignIn,
) -> None:
    name, client = make_collection(), signed_in()
    describe(change)
    page = Page(client.get(collection_url(name)))
    assert (page.status, shown in page.text) == (200, True), page.text
    answer = confirm(client, act_url("drop-collection", name), name, reason="tidy")
    assert not make_collection.exists(name)
    story = Page(client.get(answer.headers["Location"]))
    assert story.status == 200
    intent, outcome = AuditEvent.objects.order_by("sequence")
    assert outcome.outcome == "succeeded"
    raw = json.loads(intent.record)["details"]["snapshot"]["raw"]
    assert raw["schema"]["name"] == name


def test_external_collection_is_named_and_its_data_stays(
    describe: Describe, faulty: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    name, client = make_collection(), signed_in()
    describe(of_sources)
    page = Page(client.get(collection_url(name)))
    assert "Data outside Milvus s3://•••@lake/books?•••" in page.text
    assert '"format": "parquet"' in page.text
    assert "The data outside Milvus stays" in page.text
    dialog = Page(client.get(act_url("drop-collection", name)))
    assert "This is an external collection" in dialog.text
    assert "It does not delete the data outside Milvus" in dialog.text
    assert "Data outside Milvus s3://•••@lake/books" in dialog.text
    assert "all its rows" not in page.text + dialog.text
    assert "hunter2" not in page.html + dialog.html


def test_ordinary_collection_is_not_called_external(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    name, client = make_collection(), signed_in()
    pages = [
        Page(client.get(url)) for url in (collection_url(name), act_url("drop-collection", name))
    ]
    assert not [page for page in pages if "xternal" in page.text or "outside" in page.text]
    assert "all its rows" in pages[1].text
