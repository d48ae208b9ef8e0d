"""The page of one collection: its facts, what could not be read, and the usable buttons."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
from django.test import Client
from django.utils import timezone

from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent, Claim
from collections_app.operations.claims import digest
from collections_app.operations.private_names import DROP, private_name
from tests.fakes import FakeMilvus
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, seeds_on, unique_name
from tests.web import Page, act_url, collection_url, confirm, list_url, milvus_user

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
Collections = Callable[[MilvusServer], Seeds]


@pytest.fixture(scope="module")
def made_once(milvus_server: MilvusServer) -> Iterator[tuple[str, str]]:
    """A loaded collection with partitions and an alias: its name and the alias."""
    with seeds_on(milvus_server) as seeds:
        alias = unique_name("alias")
        name = seeds(
            rows={"novels": 3, "_default": 1},
            partitions=["novels", "poems"],
            aliases=[alias],
            loaded=True,
            description="All <i>books</i>",
        )
        yield name, alias


@pytest.fixture
def books(made_once: tuple[str, str], real: Any) -> str:
    """Its name, with the application looking at it. Tests only read."""
    return made_once[0]


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_collection_page_shows_every_fact(
    htmx: bool, books: str, made_once: tuple[str, str], signed_in: SignIn
) -> None:
    page = Page(signed_in("viewer", htmx=htmx).get(collection_url(books)))
    assert page.status == 200
    assert page.is_whole, "this page has no part"
    assert "All <i>books</i>" in page.text
    assert not page.find("i")
    labels, values = page.find("dt"), page.find("dd")
    facts = {dt.text: dd.text for dt, dd in zip(labels, values, strict=True)}
    assert facts["Rows"] == "about 4 stored"
    assert facts["Aliases"] == made_once[1]
    assert int(facts["Id"]) > 0
    assert facts["Created"].endswith("UTC")
    assert "FLAT, L2" in page.text
    assert "No activity recorded by Milvus Admin." in page.text


def test_collection_page_shows_each_partitions_share_of_rows(books: str, signed_in: SignIn) -> None:
    page = Page(signed_in("operator").get(collection_url(books)))
    partitions = {row[0]: row[1:3] for row in page.rows[:3]}
    assert partitions == {
        "_default": ["Loaded", "≈ 1"],
        "novels": ["Loaded", "≈ 3"],
        "poems": ["Loaded", "≈ 0"],
    }
    shares = [tag.attrs["aria-label"] for tag in page.find("svg", cls="share")]
    assert shares == ["25 % of the rows", "75 % of the rows", "0 % of the rows"]


def test_collection_page_of_an_operator_has_every_usable_button(
    books: str, made_once: tuple[str, str], signed_in: SignIn
) -> None:
    page = Page(signed_in("operator").get(collection_url(books)))
    assert page.link("Drop collection…") == act_url("drop-collection", books)
    assert page.link("Release collection…") == act_url("release-collection", books)
    assert page.link("Drop partition novels…") == act_url("drop-partition", books, "novels")
    assert page.link(f"Drop alias {made_once[1]}…") == act_url(
        "drop-alias", books, name=made_once[1]
    )
    assert not page.has_link("Drop partition _default…")
    assert "Can't be dropped Every collection keeps its default partition" in page.text


def test_collection_page_of_a_viewer_has_no_button(books: str, signed_in: SignIn) -> None:
    page = Page(signed_in("viewer").get(collection_url(books)))
    assert "Danger zone" not in page.text
    assert "drop-" not in page.html
    assert "release-" not in page.html


@pytest.mark.parametrize(("kind", "name"), [("collection", ""), ("partition", "novels")])
def test_collection_page_shows_an_operation_in_progress(
    kind: str, name: str, books: str, signed_in: SignIn
) -> None:
    target = Target(
        cluster="main",
        database="default",
        kind=Kind(kind),
        collection=books,
        name=name or books,
    )
    operation_id = uuid.uuid4()
    Claim.objects.create(
        target=digest(target),
        operation_id=operation_id,
        cluster="main",
        actor_display="Grace <i>",
        claimed_at=timezone.now(),
    )
    page = Page(signed_in("operator").get(collection_url(books)))
    where = f"/operations/{operation_id}/"
    if name:
        assert page.link("In progress: operation by Grace <i>") == where
        assert not page.has_link("Drop partition novels…")
        assert page.has_link("Drop partition poems…")
        assert "Operation in progress by" not in page.text
    else:
        assert "Operation in progress by Grace <i>." in page.text
        assert page.link("View operation") == where
        assert "Danger zone" not in page.text
        row = Page(signed_in("operator").get(list_url(q=books)))
        assert row.link("In progress: operation by Grace <i>") == where
        assert not row.has_link(f"Drop {books}…")


@pytest.mark.django_db
@pytest.mark.parametrize("strict", [True, False])
def test_collection_page_of_a_private_name_names_its_drop(
    strict: bool,
    milvus_server: MilvusServer,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    signed_in: SignIn,
) -> None:
    use_cluster(milvus_server.uri, milvus_server.token, strict_drop=strict)
    name = make_collection()
    confirm(signed_in(), act_url("drop-collection", name), name)
    operation = AuditEvent.objects.latest("sequence").operation_id
    assert operation
    page = Page(
        signed_in("viewer").get(collection_url(make_collection(private_name(DROP, operation))))
    )
    if strict:
        assert page.link("View operation") == f"/operations/{operation}/"
    else:
        assert not page.has_link("View operation")


def test_partition_key_partitions_have_no_drop_button(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    page = Page(signed_in("operator").get(collection_url(make_collection(partition_key=True))))
    assert page.status == 200
    assert "Split by the partition key tenant" in page.text
    assert "drop-partition" not in page.html
    assert "data-pick-all" not in page.html, "a box that selects nothing"
    assert page.has_link("Drop collection…")
    assert not page.has_link("Release collection…"), "it is not loaded"


def test_partitions_are_paged(
    lite: Any, lite_server: MilvusServer, collections_on: Collections, signed_in: SignIn
) -> None:
    name = collections_on(lite_server)("big", partitions=[f"p{n:02d}" for n in range(55)])
    client = signed_in("viewer")
    first = Page(client.get(collection_url(name)))
    second = Page(client.get(first.link("Next")))
    assert "1–50 of 56" in first.text
    assert "51–56 of 56" in second.text
    assert first.rows[0][0] == "_default"
    assert second.rows[5][0] == "p54"
    for page in ("abc", "9999999999", "-1", ""):
        assert client.get(collection_url(name, page=page)).status_code == 200


def test_partitions_are_searched_and_sorted_over_all_pages(
    lite: Any, lite_server: MilvusServer, collections_on: Collections, signed_in: SignIn
) -> None:
    name = collections_on(lite_server)("big", partitions=[f"p{n:02d}" for n in range(55)])
    client = signed_in("viewer")
    page = Page(client.get(collection_url(name, q="P5", sort="-name")))
    assert [row[0] for row in page.rows[:5]] == ["p54", "p53", "p52", "p51", "p50"]
    assert "5 of 56 match" in page.text
    down = Page(client.get(collection_url(name, sort="-name")))
    assert (down.rows[0][0], down.find("th")[0].attrs["aria-sort"]) == ("p54", "descending")
    last = Page(client.get(down.link("Next")))
    assert last.rows[5][0] == "_default", "the second page keeps the order"
    none = Page(client.get(collection_url(name, q="<i>x")))
    assert "No partition has “<i>x” in its name." in none.text
    assert none.link("Show all 56") == collection_url(name)


def test_partition_found_among_few_leads_to_the_others(fake: FakeMilvus, signed_in: SignIn) -> None:
    name, client = fake.add("books", partitions=["novels", "poems"]), signed_in("viewer")
    page = Page(client.get(collection_url(name, q="novels")))
    assert "1 of 3 match" in page.text
    assert page.link("Show all 3") == collection_url(name)
    assert page.value("q") == "novels"
    assert not Page(client.get(collection_url(name))).find("input", name="q")


@pytest.mark.parametrize(
    ("who", "buttons"),
    [
        ("operator", ["Release collection…", "Move to recycle bin…", "Drop alias latest…"]),
        ("purger", ["Drop permanently…"]),
    ],
)
def test_collection_page_on_a_bin_offers_what_one_may(
    who: str, buttons: list[str], fake: FakeMilvus, signed_in: SignIn, settings: Any
) -> None:
    main = replace(settings.CLUSTERS["main"], recycle_bin=86400.0)
    settings.CLUSTERS = {"main": main}
    name = fake.add("books", aliases=["latest"], loaded=True)
    page = Page(signed_in(who).get(collection_url(name)))
    offered = {
        "Release collection…": "release-collection",
        "Move to recycle bin…": "move-to-bin",
        "Drop permanently…": "drop-collection",
        "Drop alias latest…": "drop-alias",
    }
    assert [label for label in offered if page.has_link(label)] == buttons
    client = signed_in(who)
    for label, act in offered.items():
        alias = "latest" if act == "drop-alias" else ""
        may = client.get(act_url(act, name, alias)).status_code == 200
        assert may == (label in buttons), label


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/clusters/main/collection/", "no valid name"),
        (collection_url(""), "no valid name"),
        (collection_url("a" * 256), "no valid name"),
        (collection_url("a\0b"), "no valid name"),
        (collection_url("a", database=""), "no valid database"),
        (collection_url("nosuch_collection"), "it was dropped or renamed"),
        (collection_url("a", database="nosuch_database"), "it was dropped or renamed"),
        (collection_url("a/b"), "it was dropped or renamed"),
        (collection_url(".."), "it was dropped or renamed"),
    ],
)
def test_collection_address_incomplete_says_what_is_missing(
    address: str, words: str, real: Any, signed_in: SignIn
) -> None:
    page = Page(signed_in("viewer").get(address))
    assert page.status == 404
    assert words in page.text
    assert "Nothing was changed" in page.text


def test_collection_page_by_alias_is_not_found(
    made_once: tuple[str, str], real: Any, signed_in: SignIn
) -> None:
    """Otherwise the alias would be typed to confirm, and the collection would be dropped."""
    page = Page(signed_in("operator").get(collection_url(made_once[1])))
    assert page.status == 404
    assert "Not found" in page.text
    assert "drop-" not in page.html


def test_collection_page_with_milvus_down_says_so(
    chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    chain.proxy.refuse()
    page = Page(signed_in("viewer").get(collection_url("books")))
    assert page.status == 503
    assert "Milvus does not answer" in page.text
    assert page.link("Try again") == collection_url("books")
    assert page.find("nav", cls="breadcrumbs"), "it says which cluster does not answer"


@pytest.mark.parametrize(
    ("rpc", "words"),
    [
        ("ShowPartitions", "is not permitted to read the partitions"),
        ("DescribeIndex", "The indexes are not permitted"),
        ("ListAliases", "Aliases not permitted"),
        ("GetCollectionStatistics", "Rows not permitted"),
    ],
)
def test_collection_part_without_a_privilege_leaves_the_rest(
    rpc: str, words: str, books: str, chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    chain.relay.fail(rpc, grpc.StatusCode.PERMISSION_DENIED, "permission deny")
    page = Page(signed_in("operator").get(collection_url(books)))
    assert page.status == 200
    assert words in page.text
    assert "vector" in page.text


def test_collection_page_of_a_limited_account_shows_what_it_may(
    books: str,
    milvus_server: MilvusServer,
    use_cluster: Callable[..., Any],
    signed_in: SignIn,
) -> None:
    with milvus_user(milvus_server) as token:
        use_cluster(milvus_server.uri, token)
        page = Page(signed_in("viewer").get(collection_url(books)))
    assert page.status == 200
    assert "Rows not permitted" in page.text


@pytest.mark.parametrize(
    ("name", "status"), [("viewer", 200), ("operator", 200), ("auditor", 404), ("outsider", 404)]
)
def test_collection_page_is_for_viewers_only(
    name: str, status: int, books: str, signed_in: SignIn
) -> None:
    assert signed_in(name).get(collection_url(books)).status_code == status


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_collection_page_refuses_other_methods(method: str, books: str, signed_in: SignIn) -> None:
    assert getattr(signed_in("operator"), method)(collection_url(books)).status_code == 405


def test_collection_page_breadcrumb_leads_to_the_list(books: str, signed_in: SignIn) -> None:
    assert Page(signed_in("viewer").get(collection_url(books))).link("default") == list_url()
