"""Protected collections can be read but not dropped: by page, crafted request, or shell."""

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from collections_app.access.policy import Action
from collections_app.models import AuditEvent
from tests.fakes import FakeMilvus
from tests.fixtures import cluster_at
from tests.web import Page, act_url, collection_url, confirm, list_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
ACTS = {
    act_url("drop-collection", "billing_1"): Action.DROP_COLLECTION,
    act_url("release-collection", "billing_1"): Action.RELEASE_COLLECTION,
    act_url("drop-partition", "billing_1", "may"): Action.DROP_PARTITION,
    act_url("release-partition", "billing_1", "may"): Action.RELEASE_PARTITION,
    act_url("drop-alias", "billing_1", "bills"): Action.DROP_ALIAS,
}
REASON = "It is protected by “billing_*” in [clusters.main]"


@pytest.fixture
def milvus(fake: FakeMilvus, settings: Any) -> FakeMilvus:
    main = cluster_at("http://127.0.0.1:1", protected=("billing_*", "archive/books"))
    settings.CLUSTERS = {"main": main}
    fake.add("billing_1", partitions=["may"], aliases=["bills"], loaded=True)
    fake.add("books")
    fake.add("books", database="archive")
    return fake


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(("url", "action"), ACTS.items(), ids=[str(a) for a in ACTS.values()])
def test_locked_collection_refuses_dialog_and_request(
    url: str, action: Action, method: str, milvus: FakeMilvus, signed_in: SignIn
) -> None:
    page = Page(getattr(signed_in("operator"), method)(url))
    assert page.status == 403
    assert REASON in page.text
    assert ("the attempt was recorded in the audit log" in page.text) == (method == "post")
    assert milvus.sent == []
    if method == "get":
        assert not AuditEvent.objects.exists()
        return
    row = AuditEvent.objects.get()
    assert (row.phase, row.action, row.outcome) == ("rejected", action, "denied")


def test_lock_set_during_an_open_dialog_counts(
    milvus: FakeMilvus, signed_in: SignIn, settings: Any
) -> None:
    client, url = signed_in("operator"), act_url("drop-collection", "books")
    token = Page(client.get(url)).value("token")
    settings.CLUSTERS = {"main": replace(settings.CLUSTERS["main"], protected=("books",))}
    assert client.post(url, {"token": token, "typed_name": "books"}).status_code == 403
    assert milvus.sent == []


def test_list_row_of_a_locked_collection_names_the_lock(
    milvus: FakeMilvus, signed_in: SignIn
) -> None:
    page = Page(signed_in("operator").get(list_url()))
    assert {row[0]: row[-1] for row in page.rows} == {
        "billing_1": "Protected by “billing_*” in [clusters.main]",
        "books": "Drop…",
    }
    archive = Page(signed_in("operator").get(list_url("archive")))
    assert archive.column(-1) == ["Protected by “archive/books” in [clusters.main]"]


@pytest.mark.parametrize("name", ["operator", "viewer"])
def test_locked_collection_page_says_so_without_a_button(
    name: str, milvus: FakeMilvus, signed_in: SignIn
) -> None:
    page = Page(signed_in(name).get(collection_url("billing_1")))
    assert page.status == 200
    assert "Milvus Admin drops and releases nothing in it: “billing_*”" in page.text
    assert not page.find("section", cls="danger-zone")
    assert not page.find("a", cls="drop")


def test_lock_on_one_database_spares_its_namesakes(milvus: FakeMilvus, signed_in: SignIn) -> None:
    confirm(signed_in("operator"), act_url("drop-collection", "books"), "books")
    assert milvus.sent == [("drop_collection", "default", "books")]
    archived = act_url("drop-collection", "books").replace("database=default", "database=archive")
    assert signed_in("operator").get(archived).status_code == 403


@pytest.mark.parametrize(
    "command",
    [
        ["drop_collection", "billing_1", "--confirm", "billing_1"],
        ["drop_partition", "may", "--collection", "billing_1", "--confirm", "may"],
    ],
    ids=lambda command: command[0],
)
def test_locked_collection_at_the_shell_is_refused(command: list[str], milvus: FakeMilvus) -> None:
    """A shell user can change the configuration first, deliberately."""
    for partition in milvus._databases["default"].collections["billing_1"].partitions.values():
        partition.loaded = False
    with pytest.raises(CommandError, match="protected by") as caught:
        call_command(*command, stdout=StringIO())
    assert caught.value.returncode == 3
    assert milvus.sent == []
    row = AuditEvent.objects.get()
    assert (row.phase, row.outcome) == ("rejected", "denied")
