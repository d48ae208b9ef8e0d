"""Protection on pages: the panel, the dialogs, the list and its filter, the code for Milvus."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from collections_app.access.principals import Caller
from collections_app.models import AuditEvent, Protection
from collections_app.operations.protections import record_ended
from collections_app.web import wall
from tests.fakes import FakeMilvus
from tests.fixtures import cluster_at
from tests.web import Page, act_url, collection_url, confirm, list_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]


@pytest.fixture
def milvus(fake: FakeMilvus, settings: Any) -> FakeMilvus:
    main = cluster_at("http://127.0.0.1:1", protected=("billing_*",))
    settings.CLUSTERS = {"main": main}
    for name in ("books", "films", "billing_1"):
        fake.add(name, partitions=["may"])
    return fake


def protect(client: Client, name: str = "books", **form: str) -> Page:
    sent = confirm(client, act_url("protect", name), "", **{"reason": "closing", **form})
    return Page(sent)


def page_of(client: Client, name: str = "books") -> Page:
    return Page(client.get(collection_url(name)))


def test_protect_dialog_leads_back_to_a_page_that_says_so(
    milvus: FakeMilvus, signed_in: SignIn
) -> None:
    client = signed_in("operator")
    page = page_of(client)
    assert "Nobody has protected it." in page.text
    assert page.has_link("Protect collection…")
    sent = confirm(
        client, act_url("protect", "books"), "", reason="closing", until="2990-01-02T10:00"
    )
    assert (sent.status_code, sent.url) == (302, collection_url("books"))
    page = page_of(client)
    assert "Collection books was protected." in page.text
    assert "By operator closing just now, ends on 2 Jan 2990 10:00:00 UTC" in page.text
    assert milvus.sent == []


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"reason": ""}, "Say why."),
        ({"until": "2001-01-01T00:00"}, "That time is over."),
        ({"until": "tomorrow"}, "Type a date and a time."),
        ({"until": "9999-12-31T23:59"}, "That is too far away."),
    ],
)
def test_protect_dialog_with_a_wrong_field_says_so(
    form: dict[str, str], error: str, milvus: FakeMilvus, signed_in: SignIn
) -> None:
    page = protect(signed_in("operator"), **form)
    assert (page.status, error in page.text) == (422, True)
    assert not Protection.objects.exists()


def test_protected_collection_has_no_button_that_drops(
    milvus: FakeMilvus, signed_in: SignIn
) -> None:
    client = signed_in("operator")
    protect(client)
    page = page_of(client)
    assert not page.has_link("Drop collection…")
    assert not page.has_link("Drop partition may…")
    assert "The collection is protected, so it can’t be removed." in page.text
    dialog = Page(client.get(act_url("drop-collection", "books")))
    assert "operator protected it on" in dialog.text
    assert not dialog.find("input", name="typed_name")


def test_unprotect_is_offered_to_who_has_the_right(milvus: FakeMilvus, signed_in: SignIn) -> None:
    protect(signed_in("operator"))
    offered = {
        who: page_of(signed_in(who)).has_link("Unprotect collection…")
        for who in ("viewer", "operator", "unprotector")
    }
    assert offered == {"viewer": False, "operator": False, "unprotector": True}


def test_removal_is_announced_and_can_be_cancelled(milvus: FakeMilvus, signed_in: SignIn) -> None:
    operator, other = signed_in("operator"), signed_in("unprotector")
    protect(operator)
    url = act_url("unprotect", "books")
    assert "Say why." in Page(confirm(other, url, "books")).text
    assert "That is not the name." in Page(confirm(other, url, "films", reason="moved")).text
    assert confirm(other, url, "books", reason="moved").status_code == 302
    page = page_of(operator)
    assert "The protection ends on" in page.text
    assert "unprotector requested that: moved" in page.text
    assert not page_of(other).has_link("Unprotect collection…")
    confirm(operator, page.link("Keep protected…"), "", reason="no")
    assert "The protection ends on" not in page_of(operator).text


def test_removal_where_approvals_are_needed_waits_for_one(
    milvus: FakeMilvus, signed_in: SignIn, settings: Any
) -> None:
    protect(signed_in("operator"))
    main = cluster_at("http://127.0.0.1:1", approvals=1)
    settings.CLUSTERS = {"main": main}
    client = signed_in("unprotector")
    sent = confirm(client, act_url("unprotect", "books"), "books", reason="moved")
    assert sent.url.startswith("/plans/")
    assert Page(client.get(sent.url)).status == 200
    assert Protection.objects.get().removal_at is None


def test_list_has_a_word_and_a_filter_for_protection(milvus: FakeMilvus, signed_in: SignIn) -> None:
    client = signed_in("operator")
    protect(client)
    page = Page(client.get(list_url()))
    assert [cell.split()[0] for cell in page.column(-1)] == ["Protected", "Protected", "Drop…"]
    assert Page(client.get(list_url(protected="yes"))).column(0) == ["billing_1", "books"]
    assert Page(client.get(list_url(protected="no"))).column(0) == ["films"]
    viewer = Page(signed_in("viewer").get(list_url(protected="yes")))
    assert all("protected" in cell for cell in viewer.column(1))


def test_list_of_a_namesake_is_protected_by_its_name(milvus: FakeMilvus, signed_in: SignIn) -> None:
    client = signed_in("operator")
    protect(client)
    milvus.rename_collection("default", "books", "old_books")
    milvus.add("books")
    assert Page(client.get(list_url(protected="yes"))).column(0) == [
        "billing_1",
        "books",
        "old_books",
    ]
    assert "It was set on another collection of this name" in page_of(client).text
    assert "Its name was books then" in page_of(client, "old_books").text


def test_plan_of_all_that_match_follows_the_filter(milvus: FakeMilvus, signed_in: SignIn) -> None:
    client = signed_in("operator")
    protect(client)
    data = {"database": "default", "all": "1", "protected": "no"}
    client.post("/clusters/main/plans/new/", data)
    event = AuditEvent.objects.get(action="plan.create")
    assert "created with 1 items (all that matched: not protected)" in event.record


def test_pattern_of_the_configuration_stands_above(milvus: FakeMilvus, signed_in: SignIn) -> None:
    page = page_of(signed_in("operator"), "billing_1")
    assert "drops and releases nothing in it: “billing_*” in [clusters.main]" in page.text
    assert not page.has_link("Protect collection…")
    assert signed_in("operator").get(act_url("protect", "billing_1")).status_code == 403


def test_end_of_a_protection_is_found_in_the_log(milvus: FakeMilvus, everyone: Client) -> None:
    protect(everyone)
    Protection.objects.update(until=timezone.now() - timedelta(hours=1))
    record_ended(Caller.shell())
    page = Page(everyone.get("/audit/?action=protection.ended"))
    assert "Protection ended: books" in page.text
    assert "The protection of books by operator ended, as set from the start" in page.text


def test_wall_quotes_the_names_and_leaves_out_a_local_file() -> None:
    forms = wall.wall("http://milvus:19530", 'd"b', "bo\noks")
    assert [form.key for form in forms] == ["wall", "deny"]
    assert 'db_name="d\\"b"' in forms[0].code and '"bo\\noks"' in forms[0].code
    assert wall.wall("/data/milvus.db", "default", "books") == ()


def test_wall_is_shown_to_who_may_protect(milvus: FakeMilvus, signed_in: SignIn) -> None:
    text = "Protect it from Milvus accounts, too"
    assert text in page_of(signed_in("operator")).text
    assert text not in page_of(signed_in("viewer")).text
