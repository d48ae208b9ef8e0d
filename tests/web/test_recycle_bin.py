"""The pages of the recycle bin: their content, permissions and forms."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from collections_app.models import AuditEvent, BinItem, PurgePause
from collections_app.operations.private_names import BIN
from collections_app.web.forms import NameForm, PurgeForm
from tests.fixtures import rule
from tests.infra.seeds import Seeds
from tests.web import Page, act_url, confirm

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
WEEK = 7 * 86400.0


def item(number: int, name: str, **changes: Any) -> BinItem:
    now = timezone.now()
    values = {
        "operation_id": f"00000000-0000-4000-8000-{number:012}",
        "cluster": "main",
        "database": "default",
        "name": name,
        "private_name": f"{BIN}{number:032}",
        "collection_id": number,
        "rows": number,
        "was_loaded": False,
        "aliases": [],
        "actor": "ada",
        "actor_display": "Ada",
        "reason": "stale",
        "moved_at": now,
        "purge_at": now + timedelta(days=number),
        "problem": "",
        **changes,
    }
    return BinItem.objects.create(**values)


@pytest.fixture
def with_bin(use_cluster: Callable[..., Any]) -> None:
    """A cluster with a bin that does not answer: these pages ask it nothing."""
    use_cluster("http://127.0.0.1:1", read_timeout=0.5, recycle_bin=WEEK)


def bin_url(**view: str) -> str:
    query = "&".join(f"{key}={value}" for key, value in {"database": "default", **view}.items())
    return f"{reverse('recycle-bin', args=['main'])}?{query}"


def names(page: Page) -> list[str]:
    return [row[0].split()[0] for row in page.rows]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["b", "a", "c"]),
        ("-purge", ["c", "a", "b"]),
        ("name", ["a", "b", "c"]),
        ("-rows", ["c", "a", "b"]),
        ("nosuch", ["b", "a", "c"]),
    ],
)
def test_bin_is_sorted_by_its_columns(
    with_bin: None, signed_in: SignIn, sort: str, expected: list[str]
) -> None:
    for number, name in ((2, "a"), (1, "b"), (3, "c")):
        item(number, name)
    assert names(Page(signed_in().get(bin_url(sort=sort)))) == expected


def test_bin_search_finds_a_part_of_the_name(with_bin: None, signed_in: SignIn) -> None:
    item(1, "books_2024")
    item(2, "films")
    page = Page(signed_in().get(bin_url(q="ook")))
    assert names(page) == ["books_2024"]
    assert "1 of 2 in the recycle bin" in page.text


def test_bin_shows_only_what_a_rule_permits(
    with_bin: None, signed_in: SignIn, settings: Any
) -> None:
    settings.ACCESS = (rule("viewer", "view", collections=("team_*",)),)
    item(1, "team_books")
    item(2, "secret")
    page = Page(signed_in("viewer").get(bin_url()))
    assert names(page) == ["team_books"]
    assert "secret" not in page.text
    other = Page(signed_in("viewer").get(bin_url(q="nosuch")))
    assert "0 of 1 in the recycle bin" in other.text
    BinItem.objects.filter(name="team_books").delete()
    empty = Page(signed_in("viewer").get(bin_url(q="nosuch")))
    assert "0 of 0 in the recycle bin" in empty.text
    assert "Nothing in the recycle bin" in empty.text


def test_bin_acts_follow_the_rights(with_bin: None, signed_in: SignIn) -> None:
    item(1, "books")
    offered = {
        who: Page(signed_in(who).get(bin_url())).text for who in ("viewer", "operator", "purger")
    }
    assert "Restore…" not in offered["viewer"]
    assert ("Restore…" in offered["operator"], "Purge now…" in offered["operator"]) == (True, False)
    assert ("Restore…" in offered["purger"], "Purge now…" in offered["purger"]) == (False, True)


def test_bin_page_of_many_items_needs_no_more_queries(with_bin: None, signed_in: SignIn) -> None:
    client = signed_in()
    for number in range(1, 60):
        item(number, f"c{number}")
    with CaptureQueriesContext(connection) as few:
        client.get(bin_url())
    first = BinItem.objects.values().first() or {}
    BinItem.objects.bulk_create(
        BinItem(**{**first, "operation_id": UUID(int=10**6 + n), "name": f"d{n}"})
        for n in range(2_000)
    )
    with CaptureQueriesContext(connection) as many:
        client.get(bin_url())
    assert len(many) == len(few) < 20, "and no row has a query of its own"


def test_pause_is_on_every_page_of_the_cluster(with_bin: None, signed_in: SignIn) -> None:
    client = signed_in()
    pause = f"{reverse('bin-pause', args=['main'])}?database=default"
    client.post(pause, {"switch": "pause", "reason": "incident 7"})
    assert PurgePause.objects.get().reason == "incident 7"
    page = Page(client.get(bin_url()))
    assert "Purging is paused on Test" in page.text
    assert "incident 7" in page.text
    assert AuditEvent.objects.filter(action="bin.pause").count() == 1


def test_pause_works_while_requests_hang_at_milvus(
    use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    milvus = use_cluster("http://127.0.0.1:1", max_concurrent=1, recycle_bin=WEEK)
    client = signed_in()
    with milvus.bulkhead.slot(), milvus.bulkhead.write():
        page = Page(client.get(bin_url()))
        client.post(page.find("form", method="post")[-1].attrs["action"], {"switch": "pause"})
    assert page.status == 200
    assert PurgePause.objects.exists()


def test_resume_needs_the_right_to_purge(with_bin: None, signed_in: SignIn) -> None:
    url = f"{reverse('bin-pause', args=['main'])}?database=default"
    signed_in().post(url, {"switch": "pause"})
    assert signed_in().post(url, {"switch": "resume"}).status_code == 403
    assert PurgePause.objects.exists()
    assert signed_in("purger").post(url, {"switch": "resume"}).status_code == 302
    assert not PurgePause.objects.exists()


def test_pause_by_a_viewer_is_refused(with_bin: None, signed_in: SignIn) -> None:
    url = f"{reverse('bin-pause', args=['main'])}?database=default"
    assert signed_in("viewer").post(url, {"switch": "pause"}).status_code == 403
    assert not PurgePause.objects.exists()


# --- on the real Milvus ---------------------------------------------------------------------------


@pytest.fixture
def real_with_bin(use_cluster: Callable[..., Any], milvus_server: Any) -> None:
    use_cluster(milvus_server.uri, milvus_server.token, recycle_bin=WEEK)


def test_pages_move_and_restore_a_collection(
    real_with_bin: None, make_collection: Seeds, signed_in: SignIn
) -> None:
    name = make_collection()
    client = signed_in()
    page = Page(client.get(act_url("move-to-bin", name)))
    assert "every request that uses its name fails" in page.text
    confirm(client, act_url("move-to-bin", name), name)
    found = BinItem.objects.get(name=name)
    make_collection.renamed(found.private_name)
    listed = Page(client.get(f"{reverse('collections', args=['main'])}?database=default&q={name}"))
    assert "1 in the recycle bin" in listed.text
    assert found.private_name not in listed.text
    private = f"{reverse('collection', args=['main'])}?database=default&name={found.private_name}"
    assert client.get(private).status_code == 302

    restore = Page(client.get(bin_url())).link("Restore…")
    taken = make_collection()
    token = Page(client.get(restore)).value("token")
    refused = client.post(restore, {"token": token, "new_name": taken})
    assert (refused.status_code, "has this name" in refused.content.decode()) == (422, True)
    answer = client.post(restore, {"token": token, "new_name": name})
    assert answer.status_code == 302
    assert make_collection.exists(name)
    assert not BinItem.objects.exists()


@pytest.mark.parametrize("wrong", ["", "1st", "a b", "a/b", f"{BIN}{'0' * 32}"])
def test_restore_under_an_invalid_name_is_refused(wrong: str) -> None:
    form = NameForm({"token": "x", "new_name": wrong}, expected="books")
    assert not form.is_valid()
    assert "Nothing was sent." in form.errors["new_name"][0]


def test_purge_without_a_reason_is_not_sent() -> None:
    form = PurgeForm({"token": "x", "typed_name": "books"}, expected="books")
    assert form.errors == {"reason": ["Say why. Nothing was sent."]}
