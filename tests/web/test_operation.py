"""The page of one operation: its recorded story, and the status check of an open one."""

import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from django.core.management import call_command
from django.test import Client

from collections_app.audit import log as audit_log
from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, Claim
from tests.fakes import FakeMilvus
from tests.fixtures import caller, rule
from tests.infra.chain import Chain
from tests.infra.seeds import Seeds
from tests.operations.conftest import carry_out, consent, target_in
from tests.web import Page, act_url, confirm

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]


@pytest.fixture
def dropped(real: Any, make_collection: Seeds, signed_in: SignIn) -> tuple[str, str]:
    """A collection that an operator dropped: its name, and the operation's page."""
    name = make_collection(partitions=["novels"], description="All books")
    confirm(signed_in(), act_url("drop-collection", name), name, reason="<i>tidy</i>")
    return name, f"/operations/{AuditEvent.objects.latest('sequence').operation_id}/"


@pytest.fixture
def lost(chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn) -> tuple[str, Any]:
    """A drop whose request got lost: the name, and the answer the operator got."""
    name = make_collection()
    chain.relay.fail("DropCollection", grpc.StatusCode.UNAVAILABLE, "lost on the way")
    answer = confirm(signed_in(), act_url("drop-collection", name), name)
    chain.relay.forward("DropCollection")
    return name, answer


def outcomes() -> list[str]:
    events = AuditEvent.objects.filter(phase="outcome").order_by("sequence")
    return list(events.values_list("outcome", flat=True))


def steps(page: Page) -> list[str]:
    return [tag.text for tag in page.find("li", cls="step")]


# --- the story ------------------------------------------------------------------------------------


def test_operation_page_tells_who_why_and_the_outcome(
    dropped: tuple[str, str], signed_in: SignIn
) -> None:
    name, url = dropped
    page = Page(signed_in("viewer").get(url))
    assert page.status == 200
    assert page.find("h1")[0].text == f"Drop collection {name}"
    asked, matched, recorded, sent, verified, closed = steps(page)
    assert asked.startswith("Confirmed by name")
    assert "operator Local account, web, from 127.0.0.1 Reason: <i>tidy</i>" in asked
    assert [tag.text for tag in page.find("q", cls="user-text")] == ["<i>tidy</i>"]
    assert "Identity matched" in matched
    assert "Before anything was sent." in recorded
    assert "One request, sent once." in sent
    assert "Milvus answered OK" in sent
    assert "Verified: it no longer exists." in verified
    assert closed.startswith("Closed Succeeded")
    assert not page.find("form", cls="open"), "nothing is left to look for"


def test_reason_that_imitates_facts_is_set_apart_and_escaped(
    fake: FakeMilvus, people: dict[str, Any], signed_in: SignIn
) -> None:
    """Nor does a display name reverse the direction of the line."""
    fake.add("book")
    people["operator"].first_name = "Op\u202eerator"
    people["operator"].save()
    reason = "x\u202e · company sign-in, from 10.0.0.1\u200b"
    confirm(signed_in(), act_url("drop-collection", "book"), "book", reason=reason)
    page = Page(
        signed_in("viewer").get(
            f"/operations/{AuditEvent.objects.latest('sequence').operation_id}/"
        )
    )
    (quoted,) = page.find("q", cls="user-text")
    assert quoted.text == "x\\u202e · company sign-in, from 10.0.0.1\\u200b"
    assert "Op\\u202eerator" in page.text
    log = Page(signed_in("auditor").get("/audit/"))
    own = Page(signed_in("operator").get("/access/"))
    assert not any(mark in one.html for one in (page, log, own) for mark in "\u202e\u200b")


def test_operation_page_under_htmx_is_a_part(dropped: tuple[str, str], signed_in: SignIn) -> None:
    whole = signed_in("viewer").get(dropped[1])
    part = signed_in("viewer", htmx=True).get(dropped[1])
    assert (Page(whole).is_whole, Page(part).is_whole) == (True, False)
    assert all("HX-Request" in answer.headers["Vary"] for answer in (whole, part))


def test_snapshot_is_a_file_that_describes_the_collection(
    dropped: tuple[str, str], signed_in: SignIn
) -> None:
    name, url = dropped
    client = signed_in("auditor")
    link = Page(client.get(url)).link("Download the snapshot (JSON)")
    answer = client.get(link)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="snapshot-')
    found = json.loads(answer.content)
    assert found["describe"]["collection_name"] == name
    assert found["describe"]["description"] == "All books"
    assert sorted(found["partitions"]) == ["_default", "novels"]


@pytest.mark.parametrize("path", ["", "snapshot.json"])
@pytest.mark.parametrize(
    ("name", "status"), [("viewer", 200), ("operator", 200), ("auditor", 200), ("outsider", 403)]
)
def test_operation_page_is_for_viewers_and_auditors(
    name: str, status: int, path: str, dropped: tuple[str, str], signed_in: SignIn
) -> None:
    assert signed_in(name).get(dropped[1] + path).status_code == status


def test_operation_page_of_a_refused_attempt_has_no_snapshot(real: Any, signed_in: SignIn) -> None:
    signed_in("viewer").post(act_url("drop-collection", "<b>books</b>"))
    url = f"/operations/{AuditEvent.objects.get().operation_id}/"
    client = signed_in("auditor")
    page = Page(client.get(url))
    assert page.status == 200
    assert page.find("h1")[0].text == "Drop collection <b>books</b>"
    assert "Permission denied Stopped here" in page.text
    assert "Nothing was sent." in page.text
    assert steps(page)[-1] == "Verified Not reached"
    assert not page.has_link("Download the snapshot (JSON)")
    missing = Page(client.get(f"{url}snapshot.json"))
    assert missing.status == 404
    assert "has no snapshot" in missing.text


@pytest.mark.parametrize("path", ["", "snapshot.json"])
def test_operation_page_of_an_unknown_id_is_not_found(
    path: str, real: Any, signed_in: SignIn
) -> None:
    page = Page(signed_in("viewer").get(f"/operations/{uuid.uuid4()}/{path}"))
    assert page.status == 404
    assert "No such operation" in page.text


def test_operation_page_of_an_invalid_id_is_not_found(real: Any, signed_in: SignIn) -> None:
    assert signed_in("viewer").get("/operations/1/").status_code == 404


def test_operation_page_with_milvus_down_is_readable(
    dropped: tuple[str, str], use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    use_cluster("http://127.0.0.1:1")
    assert Page(signed_in("auditor").get(dropped[1])).status == 200


# --- not known yet --------------------------------------------------------------------------------


def test_unknown_outcome_leads_to_a_page_that_keeps_checking(
    lost: tuple[str, Any], signed_in: SignIn
) -> None:
    _, answer = lost
    url = f"/operations/{AuditEvent.objects.latest('sequence').operation_id}/"
    assert (answer.status_code, answer.headers["Location"]) == (302, url)
    page = Page(signed_in("viewer").get(url))
    assert "Milvus has not confirmed this operation." in page.text
    assert "It will not be sent again." in page.text
    assert "lost on the way" in page.text
    [form] = page.find("form", cls="open")
    assert form.attrs["hx-post"] == form.attrs["action"] == f"{url}look/"
    assert "every 3s" in form.attrs["hx-trigger"]
    assert "This page asks every 3 s while it is open." in page.text
    assert "at the latest, if Milvus answers then." in page.text


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_status_check_settles_a_finished_drop_and_sends_nothing(
    htmx: bool, lost: tuple[str, Any], chain: Chain, signed_in: SignIn
) -> None:
    name, answer = lost
    chain.direct.client().drop_collection(name, timeout=10)
    client = signed_in("auditor", htmx=htmx)
    looked = client.post(f"{answer.headers['Location']}look/")
    if htmx:
        page = Page(looked)
        assert not page.is_whole
    else:
        assert (looked.status_code, looked.headers["Location"]) == (302, answer.headers["Location"])
        page = Page(client.get(looked.headers["Location"]))
    assert page.find("span", role="status")[0].text == "Succeeded"
    assert "Checked by auditor" in page.text
    assert "Milvus has not confirmed" not in page.text
    assert (outcomes(), Claim.objects.count()) == (["unknown", "succeeded"], 0)
    assert chain.relay.count("DropCollection") == 1


def test_status_check_too_early_leaves_it_open(
    lost: tuple[str, Any], make_collection: Seeds, signed_in: SignIn
) -> None:
    name, answer = lost
    page = Page(signed_in(htmx=True).post(f"{answer.headers['Location']}look/"))
    assert "Milvus has not confirmed this operation." in page.text
    assert (outcomes(), Claim.objects.count()) == (["unknown"], 1)
    assert make_collection.exists(name)
    looked = signed_in(htmx=True).post(f"{answer.headers['Location']}look/")
    assert looked.headers["HX-Retarget"] == looked.headers["HX-Reselect"] == "#live"


def test_status_check_after_the_deadline_records_failed(
    lost: tuple[str, Any], chain: Chain, use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    name, answer = lost
    use_cluster(chain.uri, chain.token, drop_timeout=0.0, unknown_timeout=0.0)
    page = Page(signed_in(htmx=True).post(f"{answer.headers['Location']}look/"))
    assert page.find("span", role="status")[0].text == "Failed"
    assert "still exists after the drop deadline" in page.text
    assert (outcomes(), Claim.objects.count()) == (["unknown", "failed"], 0)
    assert chain.direct.client().has_collection(name, timeout=10)


@pytest.mark.django_db(transaction=True)  # the command closes its connection
def test_follow_up_ends_the_story_of_the_operation(
    chain: Chain,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    signed_in: SignIn,
) -> None:
    """A rename of strict mode that Milvus carries out after the operation closed."""
    use_cluster(chain.uri, chain.token, strict_drop=True, drop_timeout=0.5, unknown_timeout=0.0)
    name = make_collection()
    chain.relay.fail("RenameCollection", grpc.StatusCode.UNAVAILABLE, "lost on the way")
    url = confirm(signed_in(), act_url("drop-collection", name), name).headers["Location"]
    chain.relay.forward("RenameCollection")
    time.sleep(1)  # twice the deadline
    signed_in().post(f"{url}look/")
    private = f"_milvusadmin_drop_{url.split('/')[2].replace('-', '')}"
    chain.direct.client().rename_collection(name, private, timeout=10)
    with pytest.raises(SystemExit):
        call_command("reconcile_operations")
    page = Page(signed_in("viewer").get(url))
    last = steps(page)[-1]
    assert last.startswith("Follow-up Failed")
    assert "A late rename completed after the operation closed." in last
    assert "original name was restored" in last
    assert page.find("span", role="status")[0].text == "Failed"


def test_status_check_with_milvus_down_leaves_it_open(
    lost: tuple[str, Any], chain: Chain, signed_in: SignIn
) -> None:
    chain.proxy.refuse()
    page = Page(signed_in(htmx=True).post(f"{lost[1].headers['Location']}look/"))
    assert page.status == 200
    assert "Milvus has not confirmed this operation." in page.text
    assert (outcomes(), Claim.objects.count()) == (["unknown"], 1)


def test_operation_on_a_changed_address_does_not_claim_to_poll(
    lost: tuple[str, Any], chain: Chain, use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    url = lost[1].headers["Location"]
    use_cluster("http://127.0.0.1:1")
    page = Page(signed_in("viewer").get(url))
    assert f"received it, {chain.uri}, is no longer in the configuration" in page.text
    assert "This page asks Milvus" not in page.text


def test_drop_with_reply_and_read_back_lost_is_settled_later(
    chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    """Milvus dropped it, but neither the reply nor the read-back arrived."""
    name, client = make_collection(), signed_in()
    chain.relay.after("DropCollection", chain.proxy.refuse)
    answer = confirm(client, act_url("drop-collection", name), name)
    assert outcomes() == ["unknown"]
    chain.proxy.ok()
    end = time.monotonic() + 15
    while outcomes() == ["unknown"] and time.monotonic() < end:
        client.post(f"{answer.headers['Location']}look/")
        chain.relay.ended.wait(0.1)  # gRPC takes its time before it connects again
    assert outcomes() == ["unknown", "succeeded"]
    assert chain.relay.count("DropCollection") == 1


def test_status_check_of_a_settled_operation_records_nothing(
    dropped: tuple[str, str], signed_in: SignIn
) -> None:
    before = AuditEvent.objects.count()
    assert signed_in(htmx=True).post(f"{dropped[1]}look/").status_code == 200
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize(("name", "status"), [("auditor", 302), ("outsider", 403)])
def test_status_check_is_for_readers_of_the_operation(
    name: str, status: int, dropped: tuple[str, str], signed_in: SignIn
) -> None:
    assert signed_in(name).post(f"{dropped[1]}look/").status_code == status


@pytest.mark.parametrize(
    ("method", "path"),
    [("post", ""), ("delete", ""), ("post", "snapshot.json"), ("get", "look/"), ("put", "look/")],
)
def test_operation_addresses_with_another_method_are_refused(
    method: str, path: str, dropped: tuple[str, str], signed_in: SignIn
) -> None:
    assert getattr(signed_in(), method)(dropped[1] + path).status_code == 405


def test_event_without_an_operation_has_no_page(real: Any, signed_in: SignIn) -> None:
    entry = audit_log.Entry(phase=audit_log.Phase.ACCESS, action="audit.export", caller=caller())
    event = audit_log.write(entry)
    page = Page(signed_in("auditor").get("/audit/"))
    assert event.operation_id is None
    assert page.rows[0][3] == "Export audit"
    assert not [tag for tag in page.find("a") if "/operations/" in tag.attrs["href"]]


def long_drop(fake: FakeMilvus) -> tuple[str, str]:
    """A drop of what has two spaces after 255 characters, which no column of the log holds."""
    name = fake.add("x" * 253 + "_a" + "  ")
    confirmation = consent(target_in(name, Kind.COLLECTION))
    carry_out(confirmation)
    return name, f"/operations/{confirmation.operation_id}/"


def test_operation_page_shows_a_name_longer_than_the_column(
    fake: FakeMilvus, signed_in: SignIn
) -> None:
    """The snippet with a truncated name would drop another collection."""
    name, url = long_drop(fake)
    answer = signed_in("viewer").get(url)
    assert answer.context["target"].name == name
    assert name in answer.context["snippets"][0].code


def test_operation_of_a_cut_off_name_needs_a_rule_for_all_of_it(
    fake: FakeMilvus, signed_in: SignIn, settings: Any
) -> None:
    name, url = long_drop(fake)
    settings.ACCESS = (rule("viewer", "view", collections=(name[:255],)),)
    assert signed_in("viewer").get(url).status_code == 404
    settings.ACCESS = (rule("viewer", "view", collections=(name,)),)
    assert signed_in("viewer").get(url).status_code == 200
