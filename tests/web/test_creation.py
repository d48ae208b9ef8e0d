"""Re-creating a dropped collection by the pages: who may, what they show, what they refuse."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from pymilvus import DataType, MilvusClient

from collections_app.access.policy import Action
from collections_app.models import AuditEvent
from tests.fixtures import rule
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Failure
from tests.infra.seeds import Seeds
from tests.web import Page, act_url, confirm

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]


@pytest.fixture
def milvus(lite: Any, lite_server: MilvusServer) -> MilvusClient:
    return lite_server.client()


def make(milvus: MilvusClient, name: str = "books") -> None:
    schema = milvus.create_schema(enable_dynamic_field=True)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("title", DataType.VARCHAR, max_length=77)
    schema.add_field("v", DataType.FLOAT_VECTOR, dim=4)
    milvus.create_collection(name, schema=schema, properties={"collection.ttl.seconds": 60})
    milvus.create_partition(name, "novels")
    params = milvus.prepare_index_params()
    params.add_index("v", index_name="by_v", index_type="HNSW", metric_type="COSINE", M=16)
    milvus.create_index(name, params)


@pytest.fixture
def drop(milvus: MilvusClient, everyone: Client) -> str:
    """The address of the page of a drop of `books`."""
    make(milvus)
    milvus.create_alias("books", "shelf")
    confirm(everyone, act_url("drop-collection", "books"), "books")
    operation = AuditEvent.objects.filter(action=Action.DROP_COLLECTION, phase="intent").get()
    return reverse("operation", args=[operation.operation_id])


def dialog_url(client: Client, drop: str) -> str:
    return Page(client.get(drop)).link("Re-create collection books…")


def send(client: Client, url: str, name: str, **fields: str) -> Any:
    token = Page(client.get(url)).value("token")
    return client.post(url, {"token": token, "new_name": name, **fields})


def test_creation_dialog_shows_what_will_be_made(everyone: Client, drop: str) -> None:
    page = Page(everyone.get(dialog_url(everyone, drop)))
    facts = {dt.text: dd.text for dt, dd in zip(page.find("dt"), page.find("dd"), strict=False)}
    assert facts["Rows"] == "None. A snapshot has no rows."
    assert facts["Schema"] == "3 fields, and dynamic fields"
    assert facts["Partitions"] == "novels"
    assert facts["Indexes"] == "v on v"  # Milvus Lite names it after the field
    assert facts["Aliases"] == "Not set: shelf"
    assert facts["collection.ttl.seconds"] == "60"
    assert {row[0] for row in page.rows} == {"id", "title", "v", "index v"}
    assert page.value("new_name") == "books"
    assert "This server has no ids" not in page.text


def test_creation_by_the_pages_is_told_on_both_operations(
    everyone: Client, drop: str, milvus: MilvusClient
) -> None:
    answer = send(everyone, dialog_url(everyone, drop), "books", reason="a mistake")
    assert answer.status_code == 302
    assert milvus.list_partitions("books") == ["_default", "novels"]
    page = Page(everyone.get(answer["Location"]))
    assert "Verified: it exists, with all fields, partitions and indexes." in page.text
    assert page.has_link(drop.split("/")[-2])
    assert "After the operation" in page.text
    assert page.has_link("Set alias shelf…")
    dropped = Page(everyone.get(drop))
    assert "After: Re-create collection books" in dropped.text
    log = Page(everyone.get(reverse("audit"), {"action": "collection.create"}))
    assert "Re-create collection books" in log.text


def test_creation_under_a_taken_name_asks_for_another(
    everyone: Client, drop: str, milvus: MilvusClient
) -> None:
    make(milvus, "films")
    milvus.create_alias("films", "movies")
    url = dialog_url(everyone, drop)
    for taken in ("films", "movies"):
        refused = send(everyone, url, taken)
        assert (refused.status_code, "has this name" in refused.content.decode()) == (422, True)
    make(milvus, "books")
    page = Page(everyone.get(url))
    assert "A collection or an alias has this name. Type another one." in page.text
    assert send(everyone, url, "books").status_code == 422
    assert send(everyone, url, "books_again").status_code == 302
    assert milvus.has_collection("books_again")
    assert not AuditEvent.objects.filter(action=Action.CREATE, collection="books").exists()


def test_alias_and_load_come_back_after_a_creation(
    everyone: Client, drop: str, milvus: MilvusClient
) -> None:
    answer = send(everyone, dialog_url(everyone, drop), "books_again")
    page = Page(everyone.get(answer["Location"]))
    alias = page.link("Set alias shelf…")
    assert everyone.post(alias, {"token": Page(everyone.get(alias)).value("token")})
    assert milvus.list_aliases("books_again")["aliases"] == ["shelf"]


@pytest.mark.parametrize(("role", "offered"), [("operator", False), ("creator", True)])
def test_button_to_create_follows_the_right(
    role: str, offered: bool, drop: str, signed_in: SignIn, people: dict[str, Any]
) -> None:
    people["other"].groups.set([Group.objects.get(name=role)])
    client = signed_in("other")
    assert Page(client.get(drop)).has_link("Re-create collection books…") is offered
    url = act_url("re-create-collection", "books") + f"&name={drop.split('/')[-2]}"
    assert client.get(url).status_code == (200 if offered else 403)


def test_snapshot_of_what_one_may_not_see_is_not_found(
    drop: str, signed_in: SignIn, people: dict[str, Any], settings: Any
) -> None:
    """Whoever knows the number of an operation learns no schema by it."""
    settings.ACCESS = (rule("team", "create", collections=("team_*",)),)
    people["other"].groups.set([Group.objects.create(name="team")])
    url = act_url("re-create-collection", "team_books") + f"&name={drop.split('/')[-2]}"
    answer = signed_in("other").get(url)
    assert answer.status_code == 404
    assert "VARCHAR" not in answer.content.decode()


def test_creation_under_a_name_without_the_right_is_denied(
    drop: str,
    signed_in: SignIn,
    people: dict[str, Any],
    settings: Any,
    milvus: MilvusClient,
) -> None:
    settings.ACCESS = (
        rule("team", "create", collections=("books",)),
        rule("team", "view"),
    )
    people["other"].groups.set([Group.objects.create(name="team")])
    client = signed_in("other")
    answer = send(client, dialog_url(client, drop), "elsewhere")
    assert answer.status_code == 403
    assert not milvus.has_collection("elsewhere")
    event = AuditEvent.objects.filter(action=Action.CREATE).get()
    assert (event.outcome, event.collection) == ("denied", "elsewhere")


def refuse() -> None:
    raise Failure(grpc.StatusCode.PERMISSION_DENIED, "not any more")


def test_incomplete_creation_says_what_is_missing_and_goes_on(
    faulty: Any, chain: Chain, make_collection: Seeds, everyone: Client
) -> None:
    name = make_collection(partitions=["novels"], indexed=True)
    confirm(everyone, act_url("drop-collection", name), name)
    operation = AuditEvent.objects.filter(action=Action.DROP_COLLECTION, phase="intent").get()
    drop = Page(everyone.get(reverse("operation", args=[operation.operation_id])))
    chain.relay.before("CreatePartition", refuse)
    answer = send(everyone, drop.link(f"Re-create collection {name}…"), name)

    page = Page(everyone.get(answer["Location"]))
    assert "The collection was created in part." in page.text
    assert "Missing: partition novels, index vector on vector." in page.text
    assert page.has_link(f"Drop collection {name}…")
    again = page.link(f"Re-create collection {name}…")
    dialog = Page(everyone.get(again))
    assert "what is missing is added" in dialog.text
    assert not dialog.rows, "the fields are there"
    done = Page(everyone.get(send(everyone, again, name)["Location"]))
    assert "Verified: it exists, with all fields, partitions and indexes." in done.text
