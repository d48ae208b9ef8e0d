"""The dialog before a drop: nothing is sent without the exact name of what was shown."""

import json
import re
from collections.abc import Callable
from ipaddress import ip_network
from itertools import product
from typing import Any

import grpc
import pytest
from django.test import Client

from collections_app.milvus.types import Kind
from collections_app.models import AuditEvent, Claim
from milvusadmin.config.peers import Peers
from tests.fakes import FakeMilvus
from tests.fixtures import rule
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, unique_name
from tests.operations.conftest import Thing
from tests.web import Page, act_url, collection_url, confirm, list_url, milvus_user

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
Collections = Callable[[MilvusServer], Seeds]
DESTROYING = {
    "DropCollection",
    "DropPartition",
    "DropAlias",
    "ReleaseCollection",
    "ReleasePartitions",
}


class Asked(Thing):
    """Something that can be dropped, with the address of its dialog."""

    @property
    def kind(self) -> str:
        return str(self.target.kind)

    @property
    def name(self) -> str:
        return self.target.name

    @property
    def url(self) -> str:
        part = self.name if self.target.kind is Kind.PARTITION else ""
        return act_url(f"drop-{self.kind}", self.target.collection, part)

    @property
    def exists(self) -> bool:
        return self.seeds.exists(self.target.collection) and self.is_there()


@pytest.fixture(params=[Kind.COLLECTION, Kind.PARTITION], ids=str)
def thing(request: pytest.FixtureRequest, make_collection: Seeds) -> Asked:
    """Each of the two on the real Milvus."""
    return Asked.make(make_collection, request.param)


@pytest.fixture
def destroyed(chain: Chain) -> Callable[[], list[str]]:
    """What reached Milvus so far that destroys."""
    return lambda: [call for call in chain.relay.calls if call in DESTROYING]


def events() -> list[tuple[str, str]]:
    """Phase and outcome of every event, in order."""
    return list(AuditEvent.objects.order_by("sequence").values_list("phase", "outcome"))


def operation_url() -> str:
    """The page of the operation that was recorded last."""
    return f"/operations/{AuditEvent.objects.latest('sequence').operation_id}/"


# --- asking ---------------------------------------------------------------------------------------


def test_dialog_shows_the_facts_before_the_form(
    lite: Any, lite_server: MilvusServer, collections_on: Collections, signed_in: SignIn
) -> None:
    name = collections_on(lite_server)("books", rows={"novels": 3}, partitions=["novels"])
    page = Page(signed_in().get(act_url("drop-collection", name)))
    assert page.status == 200
    assert page.find("h2")[0].text == "Drop collection books?"
    before_the_form = page.text.partition("Type books to confirm")[0]
    assert "Rows 3 stored, in 2 partitions" in before_the_form
    assert "It can’t be undone" in before_the_form
    assert "can’t tell it from another one with the same name and content" in before_the_form
    partition = Page(signed_in().get(act_url("drop-partition", name, "novels")))
    assert "Rows 3 stored" in partition.text
    assert "collection books" in partition.text


def test_dialog_under_htmx_is_a_part(thing: Asked, real: Any, signed_in: SignIn) -> None:
    whole, part = signed_in().get(thing.url), signed_in(htmx=True).get(thing.url)
    assert Page(whole).is_whole
    assert not Page(part).is_whole
    assert Page(part).find("div", cls="confirm")
    assert all("HX-Request" in answer.headers["Vary"] for answer in (whole, part))
    assert Page(part).find("form")[0].attrs["action"] == thing.url
    assert [tag.attrs["name"] for tag in Page(part).find("input", autofocus="")] == ["typed_name"]


def test_dialog_opened_changes_and_records_nothing(
    thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    client = signed_in()
    assert client.get(thing.url).status_code == client.head(thing.url).status_code == 200
    assert (destroyed(), events(), Claim.objects.count()) == ([], [], 0)


def test_dialog_shows_id_place_and_code_snippets(
    thing: Asked, real: Any, signed_in: SignIn
) -> None:
    page = Page(signed_in().get(thing.url))
    assert re.search(r"database default .*id \d{10,}", page.text)
    (tabs,) = page.find("fieldset", cls="tabs")
    assert tabs.text.startswith("Form Python Java Node.js Go cURL CLI")
    assert len(page.find("input", type="radio", name="tab-call", checked="")) == 1
    assert "bypass the checks and the audit log" in page.text


# --- the name -------------------------------------------------------------------------------------


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_dialog_with_a_wrong_name_asks_again_and_sends_nothing(
    htmx: bool, thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    """tests/web/test_forms.py has which names are wrong, and the messages."""
    client, text = signed_in(htmx=htmx), thing.name.swapcase()
    token = Page(client.get(thing.url)).value("token")
    page = Page(client.post(thing.url, {"token": token, "typed_name": text, "reason": "tidy"}))
    assert (page.status, page.is_whole) == ((200, False) if htmx else (422, True))
    assert "Upper and lower case differ. Nothing was sent." in page.text
    assert page.value("typed_name") == text, "what was typed is still there"
    assert page.value("reason") == "tidy"
    assert page.value("token") == token, "and so is the consent to what was shown"
    assert (destroyed(), events(), thing.exists) == ([], [], True)


def test_dialog_reason_too_long_is_refused_and_not_sent(
    thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    page = Page(confirm(signed_in(), thing.url, thing.name, reason="x" * 501))
    assert page.status == 422
    assert "at most 500 characters" in page.text
    assert (destroyed(), thing.exists) == ([], True)


def test_dialog_with_the_right_name_drops_once_and_links_record(
    thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    client = signed_in()
    answer = confirm(client, thing.url, thing.name, reason="Ticket 7")
    assert answer.status_code == 302
    assert not thing.exists
    assert destroyed() == [f"Drop{thing.kind.capitalize()}"]
    assert events() == [("intent", ""), ("outcome", "succeeded")]
    landed = Page(client.get(answer.headers["Location"]))
    assert landed.status == 200
    said = f"{thing.kind.capitalize()} {thing.name} was dropped. Verified:"
    assert said in landed.text
    record = Page(client.get(landed.link("View operation")))
    assert "Succeeded" in record.text
    assert "Reason: Ticket 7" in record.text
    assert said not in Page(client.get(list_url())).text, "a message is said once"


def test_dialog_under_htmx_swaps_in_the_same_place(
    thing: Asked, real: Any, signed_in: SignIn
) -> None:
    client = signed_in(htmx=True)
    answer = confirm(client, thing.url, thing.name)
    assert answer.status_code == 200
    back = "collections/" if thing.kind == "collection" else "collection/"
    spec = json.loads(answer.headers["HX-Location"])
    assert spec["path"].startswith(f"/clusters/main/{back}?database=default")
    assert not thing.exists
    page = Page(client.get(spec["path"], headers=spec["headers"]))
    assert page.is_whole
    assert "Verified: it no longer exists." in page.text
    assert page.find("main", id=spec["target"][1:])
    assert page.find("header", id=spec["selectOOB"][1:])


def test_dialog_whose_page_is_open_makes_no_second_entry(
    thing: Asked, real: Any, signed_in: SignIn
) -> None:
    client = signed_in(htmx=True)
    here = list_url() if thing.kind == "collection" else collection_url(thing.target.collection)
    client.defaults["HTTP_HX_CURRENT_URL"] = f"http://testserver{here}"
    spec = json.loads(confirm(client, thing.url, thing.name).headers["HX-Location"])
    assert (spec["path"], spec["push"], spec["replace"]) == (here, "false", "true")


def test_dialog_of_a_filtered_list_leads_back_to_its_view(
    thing: Asked, real: Any, signed_in: SignIn
) -> None:
    client, collection = signed_in(htmx=True), thing.target.collection
    at_list = thing.kind == "collection"
    here = list_url(q="a b", page=2) if at_list else collection_url(collection, sort="-name")
    client.defaults["HTTP_HX_CURRENT_URL"] = f"http://testserver{here}#main"
    spec = json.loads(confirm(client, thing.url, thing.name).headers["HX-Location"])
    assert (spec["path"], spec["push"], spec["replace"]) == (here, "false", "true")


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://testserver/clusters/main/collections/?database=other&q=a",
        "http://testserver/clusters/other/collections/?database=default&q=a",
        "http://testserver/clusters/main/collections/?q=a",
        "http://evil.example/clusters/main/collections/?database=default&q=a",
        "http://testserver//[::/clusters/main/collections/?database=default&q=a",
    ],
)
def test_dialog_of_another_list_leads_to_the_plain_one(
    elsewhere: str, fake: FakeMilvus, signed_in: SignIn
) -> None:
    name, client = fake.add("books"), signed_in(htmx=True)
    client.defaults["HTTP_HX_CURRENT_URL"] = elsewhere
    answer = confirm(client, act_url("drop-collection", name), name)
    assert json.loads(answer.headers["HX-Location"])["path"] == list_url()


def test_dialog_sent_twice_drops_once_and_shows_the_first(
    thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    client = signed_in()
    form = {"token": Page(client.get(thing.url)).value("token"), "typed_name": thing.name}
    client.post(thing.url, form)
    again = client.post(thing.url, form)
    assert (again.status_code, again.headers["Location"]) == (302, operation_url())
    assert len(destroyed()) == 1
    assert len(events()) == 2


def test_dialog_name_untypable_is_confirmed_by_its_escape(
    lite: Any, lite_server: MilvusServer, collections_on: Collections, signed_in: SignIn
) -> None:
    seeds = collections_on(lite_server)
    odd, innocent = seeds("pay\u202eroll\n"), seeds("payroll")
    client, url = signed_in(), act_url("drop-collection", odd)
    page = Page(client.get(url))
    [shown] = page.find("span", cls="to-type")
    assert shown.text == r"pay\u202eroll\n"
    assert Page(confirm(client, url, "payroll")).status == 422
    assert confirm(client, url, shown.text).status_code == 302
    assert not seeds.exists(odd)
    assert seeds.exists(innocent)


def test_dialog_name_with_a_trailing_space_is_another_one(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    name = make_collection()
    make_collection(f"{name} ")
    client, url = signed_in(), act_url("drop-collection", f"{name} ")
    assert Page(confirm(client, url, name)).status == 422
    assert confirm(client, url, f"{name} ").status_code == 302
    left = make_collection.server.client().list_collections()
    assert name in left
    assert f"{name} " not in left


# --- what stands in the way -----------------------------------------------------------------------


def test_partition_loaded_is_released_then_dropped_and_recorded(
    faulty: Any, make_collection: Seeds, destroyed: Any, signed_in: SignIn
) -> None:
    name = make_collection(partitions=["novels"], loaded=True)
    client, url = signed_in(htmx=True), act_url("drop-partition", name, "novels")
    page = Page(client.get(url))
    assert "Milvus refuses to drop it until it is released" in page.text
    assert not page.find("input", name="typed_name"), "nothing to confirm while it can't be done"
    assert not page.find("button", cls="submit")
    release = page.link("Release partition…")
    assert release == act_url("release-partition", name, "novels", then="drop-partition")

    asked = Page(client.get(release))
    assert asked.find("h2")[0].text == "Release partition novels?"
    assert "Searches that use it fail" in asked.text
    followed = Page(confirm(client, release, "novels"))
    assert followed.status == 200
    assert "Partition novels was released. Verified:" in followed.text
    assert followed.find("h2")[0].text == "Drop partition novels?"
    assert destroyed() == ["ReleasePartitions"]

    form = followed.find("form")[0].attrs["action"]
    client.post(form, {"token": followed.value("token"), "typed_name": "novels"})
    assert destroyed() == ["ReleasePartitions", "DropPartition"]
    assert "novels" not in make_collection.server.client().list_partitions(name)
    assert [outcome for _, outcome in events()] == ["", "succeeded", "", "succeeded"]


def test_alias_dialog_before_a_drop_leads_to_the_collection(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    alias = unique_name("alias")
    name = make_collection(aliases=[alias])
    client = signed_in()
    page = Page(client.get(act_url("drop-collection", name)))
    assert f"The alias {alias} points to this collection. Drop the alias first." in page.text
    remedy = page.link("Drop alias…")
    assert "Clients that use the name" in Page(client.get(remedy)).text
    followed = Page(confirm(client, remedy, alias))
    assert followed.is_whole
    assert followed.find("h2")[0].text == f"Drop collection {name}?"
    (notice,) = followed.find("p", role="status", cls="ok")
    assert notice.text.startswith(f"Alias {alias} was dropped.")
    assert followed.find("input", name="typed_name"), "nothing stands in the way any more"
    assert make_collection.exists(name)


def test_alias_dialog_leads_to_no_drop_that_one_may_not(
    milvus_server: MilvusServer,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    signed_in: SignIn,
) -> None:
    """Past a recycle bin, a drop is what a purge is."""
    use_cluster(milvus_server.uri, milvus_server.token, recycle_bin=86400.0)
    alias = unique_name("alias")
    name = make_collection(aliases=[alias])
    answer = confirm(signed_in(), act_url("drop-alias", name, alias, then="drop-collection"), alias)
    assert (answer.status_code, answer.headers["Location"]) == (302, collection_url(name))
    assert events() == [("intent", ""), ("outcome", "succeeded")]


def test_release_before_milvus_goes_down_is_still_reported(
    chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    """The next dialog can't be shown; that must not read as if nothing had been done."""
    alias = unique_name("alias")
    name = make_collection(aliases=[alias])
    client, url = signed_in(), act_url("drop-alias", name, alias, then="drop-collection")
    token = Page(client.get(url)).value("token")

    def goes_silent_at_the_next_dialog() -> None:
        chain.relay.before("DescribeCollection", chain.proxy.refuse)

    chain.relay.after("DropAlias", goes_silent_at_the_next_dialog)
    answer = client.post(url, {"token": token, "typed_name": alias})
    chain.proxy.ok()
    assert events() == [("intent", ""), ("outcome", "succeeded")]
    assert answer.status_code == 302, "not a page that says that nothing was sent"


@pytest.mark.parametrize("kind", ["default partition", "partition of a key"])
def test_default_partition_drop_crafted_is_blocked_and_recorded(
    kind: str, faulty: Any, make_collection: Seeds, destroyed: Any, signed_in: SignIn
) -> None:
    by_key = kind == "partition of a key"
    name = make_collection(partition_key=by_key)
    partition = make_collection.server.client().list_partitions(name)[0]
    client, url = signed_in(), act_url("drop-partition", name, partition)
    page = Page(confirm(client, url, partition))
    assert page.status == 409
    assert "Blocked" in page.text
    assert ("partition key, tenant" if by_key else "keeps its default partition") in page.text
    assert "the attempt was recorded in the audit log" in page.text
    assert (destroyed(), events()) == ([], [("rejected", "blocked")])


# --- who ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["viewer", "auditor", "outsider"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_dialog_without_permission_is_refused_and_recorded(
    name: str, method: str, thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    token = Page(signed_in("operator").get(thing.url)).value("token")
    client, form = signed_in(name), {"token": token, "typed_name": thing.name}
    page = Page(client.get(thing.url) if method == "get" else client.post(thing.url, form))
    if name == "viewer":
        assert page.status == 403
        assert "not permitted to do this" in page.text
    else:
        assert page.status == 404
        assert "Not found" in page.text, "who may not see it is not told that it is there"
    tried = [("rejected", "denied")] if method == "post" else []  # looking is no attempt
    assert (destroyed(), events(), thing.exists) == ([], tried, True)
    if tried:
        assert json.loads(AuditEvent.objects.get().record)["actor"]["subject"] == name


def test_permission_to_drop_partitions_drops_no_collection(
    faulty: Any, make_collection: Seeds, destroyed: Any, settings: Any, signed_in: SignIn
) -> None:
    settings.ACCESS = (rule("viewer", "drop_partition"),)
    name = make_collection(partitions=["novels"])
    client = signed_in("viewer")
    assert client.get(act_url("drop-partition", name, "novels")).status_code == 200
    for act in ("drop-collection", "release-collection"):
        assert client.post(act_url(act, name), {"typed_name": name}).status_code == 403
    assert client.post(act_url("drop-alias", name, "x"), {"typed_name": "x"}).status_code == 403
    assert destroyed() == []
    assert events() == [("rejected", "denied")] * 3


def test_dialog_signed_out_leads_to_sign_in(thing: Asked, faulty: Any, destroyed: Any) -> None:
    for answer in (Client().get(thing.url), Client().post(thing.url, {"typed_name": thing.name})):
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/sign-in/?next=/clusters/main/drop-")
    assert (destroyed(), thing.exists) == ([], True)


@pytest.mark.parametrize(
    ("trusted", "forwarded", "recorded"),
    [
        (True, "6.6.6.6, 10.0.0.7", "10.0.0.7"),
        (True, "10.0.0.7", "10.0.0.7"),
        (True, "", "127.0.0.1"),
        (False, "10.0.0.7", "127.0.0.1"),
    ],
)
def test_drop_origin_is_the_address_the_trusted_proxy_saw(
    trusted: bool, forwarded: str, recorded: str, real: Any, signed_in: SignIn, settings: Any
) -> None:
    """Only the entry that the proxy added counts; a client can write the rest of the header."""
    settings.TRUST_PROXY = Peers(networks=(ip_network("127.0.0.1"),) if trusted else ())
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    signed_in("viewer").post(act_url("drop-collection", "books"), headers=headers)
    assert json.loads(AuditEvent.objects.get().record)["origin"]["ip"] == recorded


# --- the consent ----------------------------------------------------------------------------------


@pytest.mark.parametrize("forgery", ["changed", "missing", "another person's", "another thing's"])
def test_dialog_with_a_forged_token_is_refused_and_recorded(
    forgery: str,
    thing: Asked,
    faulty: Any,
    make_collection: Seeds,
    destroyed: Any,
    signed_in: SignIn,
) -> None:
    client = signed_in()
    own = Page(client.get(thing.url)).value("token")
    other = act_url("drop-collection", make_collection())
    tokens: dict[str, Callable[[], dict[str, str]]] = {
        "changed": lambda: {"token": own[:-1] + ("a" if own[-1] != "a" else "b")},
        "missing": dict,
        "another person's": lambda: {
            "token": Page(signed_in("other").get(thing.url)).value("token")
        },
        "another thing's": lambda: {"token": Page(client.get(other)).value("token")},
    }
    page = Page(client.post(thing.url, {**tokens[forgery](), "typed_name": thing.name}))
    assert page.status == 403
    (notice,) = page.find("p", role="alert", cls="danger")
    assert notice.text.startswith("Invalid confirmation")
    assert notice.text.endswith("Nothing was sent.")
    assert (destroyed(), events(), thing.exists) == ([], [("rejected", "denied")], True)


def test_dialog_expired_is_shown_again(
    thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn, settings: Any
) -> None:
    client = signed_in()
    old = Page(client.get(thing.url)).value("token")
    seconds, settings.CONFIRMATION_SECONDS = settings.CONFIRMATION_SECONDS, -1
    page = Page(client.post(thing.url, {"token": old, "typed_name": thing.name}))
    settings.CONFIRMATION_SECONDS = seconds
    assert page.status == 409
    (notice,) = page.find("p", role="alert", cls="danger")
    assert "open for too long" in notice.text
    assert (destroyed(), events()) == ([], [])
    fresh = page.value("token")
    assert fresh != old
    assert client.post(thing.url, {"token": fresh, "typed_name": thing.name}).status_code == 302
    assert not thing.exists


def test_dialog_of_a_replaced_collection_spares_the_namesake(
    thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    client = signed_in()
    token = Page(client.get(thing.url)).value("token")
    thing.replace()
    page = Page(client.post(thing.url, {"token": token, "typed_name": thing.name}))
    assert page.status == 409
    assert "It changed since you opened this dialog" in page.text
    assert (destroyed(), events(), thing.exists) == ([], [("rejected", "changed")], True)


def test_dialog_of_one_already_gone_is_not_called_dropped(
    thing: Asked, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    client, milvus = signed_in(), thing.seeds.server.client()
    token = Page(client.get(thing.url)).value("token")
    milvus.drop_collection(thing.target.collection)
    page = Page(client.post(thing.url, {"token": token, "typed_name": thing.name}))
    assert page.status == 404
    assert "It no longer exists" in page.text
    assert (destroyed(), events()) == ([], [("rejected", "not found")])


# --- Milvus in trouble ----------------------------------------------------------------------------


def test_dialog_during_an_open_operation_names_its_author(
    thing: Asked, chain: Chain, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    rpc = f"Drop{thing.kind.capitalize()}"
    chain.relay.fail(rpc, grpc.StatusCode.UNAVAILABLE, "lost")
    first = confirm(signed_in("operator"), thing.url, thing.name)
    open_page = first.headers["Location"]
    chain.relay.forward(rpc)
    other = signed_in("other")
    dialog = Page(other.get(thing.url))
    assert "operator has an operation on it in progress" in dialog.text
    assert dialog.link("View operation") == open_page
    page = Page(other.post(thing.url, {"token": dialog.value("token"), "typed_name": thing.name}))
    assert page.status == 409
    assert "operator has an operation in progress" in page.text
    assert page.link("View operation") == open_page
    assert destroyed() == [rpc]
    assert events()[-1] == ("rejected", "busy")


def test_dialog_refused_by_milvus_leads_to_a_page_that_says_so(
    milvus_server: MilvusServer,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    signed_in: SignIn,
) -> None:
    name = make_collection()
    client, url = signed_in(), act_url("drop-collection", name)
    with milvus_user(milvus_server) as token:
        use_cluster(milvus_server.uri, token)
        answer = confirm(client, url, name)
    assert (answer.status_code, answer.headers["Location"]) == (302, operation_url())
    page = Page(client.get(operation_url()))
    assert "Refused" in page.text
    assert "PrivilegeDropCollection: permission deny" in page.text
    assert make_collection.exists(name)
    assert events() == [("intent", ""), ("outcome", "refused")]
    assert Claim.objects.count() == 0


@pytest.mark.parametrize("method", ["get", "post"])
def test_dialog_with_milvus_down_says_that_nothing_was_sent(
    method: str, thing: Asked, chain: Chain, faulty: Any, destroyed: Any, signed_in: SignIn
) -> None:
    client = signed_in(htmx=True)
    token = Page(client.get(thing.url)).value("token")
    chain.proxy.refuse()
    form = {"token": token, "typed_name": thing.name}
    page = Page(client.get(thing.url) if method == "get" else client.post(thing.url, form))
    assert page.status == 503
    assert "No change was sent to Milvus" in page.text
    assert not page.is_whole
    assert (destroyed(), events(), thing.exists) == ([], [], True)


# --- addresses ------------------------------------------------------------------------------------


NO_TARGET = (
    "/clusters/main/drop-collection/",
    act_url("drop-collection", "a" * 256),
    act_url("drop-collection", "a\0"),
    act_url("drop-collection", "a", database=""),
    act_url("drop-partition", "a"),
    act_url("drop-partition", "a", "b" * 256),
    act_url("release-partition", "a"),
    act_url("drop-alias", "a"),
    "/clusters/main/drop-partition/?name=b",
    "/clusters/main/drop-everything/?collection=a",
)


def test_dialog_address_without_a_target_is_not_found(
    real: Any, signed_in: SignIn, subtests: pytest.Subtests
) -> None:
    client = signed_in()
    for url, method in product(NO_TARGET, ["get", "post"]):
        with subtests.test(url=url, method=method):
            page = Page(getattr(client, method)(url))
            assert page.status == 404
            assert "Nothing was changed" in page.text
    assert events() == []


@pytest.mark.parametrize(
    "url",
    [
        act_url("drop-collection", "nosuch"),
        act_url("drop-collection", "../../etc"),
        act_url("drop-partition", "nosuch", ".."),
        act_url("drop-alias", "nosuch", "x"),
    ],
)
def test_dialog_for_a_missing_target_is_not_found(url: str, faulty: Any, signed_in: SignIn) -> None:
    page = Page(signed_in(htmx=True).get(url))
    assert page.status == 404
    assert "Not found" in page.text


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_dialog_refuses_other_methods(method: str, real: Any, signed_in: SignIn) -> None:
    assert getattr(signed_in(), method)(act_url("drop-collection", "a")).status_code == 405
