"""The list of collections: its address is the view, and unread is never shown as empty."""

import random
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from django.test import Client

from collections_app.milvus import visibility
from collections_app.milvus.sdk import pb
from collections_app.milvus.types import Listing
from collections_app.web.tables import SORTS, ListView
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, seeds_on, unique_name
from tests.web import Page, Tag, collection_url, list_url, milvus_user

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
Collections = Callable[[MilvusServer], Seeds]

# Milvus Lite takes nearly every name, so it shows what a page makes of the worst ones.
HOSTILE = {
    "html": '"><b onclick=x>bold<script>alert(1)',
    "quotes": 'it\'s "quoted" `x`',
    "percent": "100%2Fhalf%00",
    "query": "a&name=b#c?d=e+f;g",
    "newline": "line\nbreak",
    "edges": " both ends ",
    "template": "{{ request }}{% now 'Y' %}",
    "unicode": "Bücher 図書館 🦉",
    "rtl": "abc\u202egnp.exe",
    "arabic": "مكتبة",
    "long": "n" * 255,
}
any_hostile = pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())


@pytest.fixture(scope="module")
def three_books(milvus_server: MilvusServer) -> Iterator[str]:
    """A database of the real Milvus with three collections, made in the order b, C, a."""
    with seeds_on(milvus_server) as seeds:  # once: a flush takes seconds
        database = seeds.database()
        seeds("b_books", database=database, rows=3, partitions=["p1"])
        seeds("C_loaded", database=database, loaded=True)
        seeds("a_aliased", database=database, aliases=[unique_name("alias")])
        yield database


@pytest.fixture
def shelf(three_books: str, real: Any) -> str:
    """That database, with the application looking at it. Tests only read."""
    return three_books


@pytest.fixture
def many(lite: Any, lite_server: MilvusServer, collections_on: Collections) -> None:
    """Fifty-three collections on Milvus Lite: a page and three."""
    seeds = collections_on(lite_server)
    for number in range(53):
        seeds(f"c{number:02d}")


def names(page: Page) -> list[str]:
    return page.column(0)


def unasked(page: Page) -> Tag:
    """The element that asks for the details of the rows once the page is there."""
    found = page.find("div", hx_trigger="load")
    assert len(found) == 1
    return found[0]


# --- what is shown --------------------------------------------------------------------------------


def test_list_before_its_details_shows_skeletons_not_zeros(shelf: str, signed_in: SignIn) -> None:
    page = Page(signed_in("viewer").get(list_url(shelf)))
    assert page.status == 200
    assert names(page) == ["C_loaded", "a_aliased", "b_books"]
    assert page.column(1) == ["Loaded", "Not loaded", "Not loaded"]
    assert len(page.find("span", cls="skeleton")) == 6
    assert "≈ 0" not in page.text, "rows are unknown so far, not zero"


def test_list_details_arrive_in_one_more_request(shelf: str, signed_in: SignIn) -> None:
    first = Page(signed_in("viewer").get(list_url(shelf, q="b", sort="-name")))
    part = Page(signed_in("viewer", htmx=True).get(unasked(first).attrs["hx-get"]))
    assert not part.is_whole
    assert names(part) == names(first) == ["b_books"]
    assert part.rows[0][2:4] == ["≈ 3", "2"]
    assert not part.find("div", hx_trigger="load"), "it must not ask for ever"


def test_list_details_without_javascript_come_by_a_link(shelf: str, signed_in: SignIn) -> None:
    client = signed_in("viewer")
    link = Page(client.get(list_url(shelf))).link("Show rows, partitions and aliases")
    page = Page(client.get(link))
    assert page.is_whole
    assert page.column(2) == ["≈ 0", "≈ 0", "≈ 3"]
    assert page.column(4)[1].startswith("alias_")


def test_list_names_link_to_their_collections(shelf: str, signed_in: SignIn) -> None:
    page = Page(signed_in("viewer").get(list_url(shelf)))
    assert page.link("b_books") == collection_url("b_books", shelf)


def test_list_drop_button_is_only_for_operators(shelf: str, signed_in: SignIn) -> None:
    operator = Page(signed_in("operator").get(list_url(shelf)))
    viewer = Page(signed_in("viewer").get(list_url(shelf)))
    assert "/drop-collection/" in operator.link("Drop b_books…")
    assert "drop-" not in viewer.html


def test_list_under_htmx_is_the_table_alone(shelf: str, signed_in: SignIn) -> None:
    url = list_url(shelf)
    whole, part = signed_in("viewer").get(url), signed_in("viewer", htmx=True).get(url)
    assert Page(whole).is_whole
    assert not Page(part).is_whole
    assert names(Page(whole)) == names(Page(part))
    assert all("HX-Request" in answer.headers["Vary"] for answer in (whole, part))


def test_list_only_reads_from_milvus(
    chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    database = make_collection.database()
    make_collection(database=database)
    chain_calls = len(chain.relay.calls)
    assert signed_in("operator").get(list_url(database, details=1)).status_code == 200
    sent = set(chain.relay.calls[chain_calls:])
    assert sent <= READS, sent - READS


READS = {
    "Connect",
    "GetVersion",
    "ShowCollections",
    "ShowPartitions",
    "DescribeCollection",
    "GetCollectionStatistics",
    "ListAliases",
}


# --- search, sort, page ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ({"q": "BOOK"}, ["b_books"]),
        ({"q": "c_l"}, ["C_loaded"]),
        ({"q": "_"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"sort": "-name"}, ["b_books", "a_aliased", "C_loaded"]),
        ({"sort": "created"}, ["b_books", "C_loaded", "a_aliased"]),
        ({"sort": "-created"}, ["a_aliased", "C_loaded", "b_books"]),
        ({"sort": "state"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"sort": "-state"}, ["b_books", "a_aliased", "C_loaded"]),
        ({"sort": "evil"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"sort": "-"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"page": "abc"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"page": "9999999999"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"page": "-1"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"page": "٣"}, ["C_loaded", "a_aliased", "b_books"]),
        ({"q": "b", "sort": "evil", "page": "0"}, ["b_books"]),
    ],
    ids=str,
)
def test_list_address_decides_content_and_order(
    view: dict[str, str], expected: list[str], shelf: str, signed_in: SignIn
) -> None:
    page = Page(signed_in("viewer").get(list_url(shelf, **view)))
    assert (page.status, names(page)) == (200, expected)
    assert "sort=evil" not in page.html


def test_list_search_without_a_match_is_not_an_empty_database(
    shelf: str, signed_in: SignIn
) -> None:
    client = signed_in("viewer")
    page = Page(client.get(list_url(shelf, q="<i>nosuch</i>")))
    assert page.status == 200
    assert "0 of 3" in page.text
    assert "No collection has “<i>nosuch</i>” in its name" in page.text
    assert not page.find("i")
    assert names(Page(client.get(page.link("Show all 3")))) == ["C_loaded", "a_aliased", "b_books"]


@pytest.mark.parametrize(
    "view", [{"q": "x" * 5000}, {"q": "a\0b"}, {"page": "9" * 5000}], ids=["long q", "NUL", "page"]
)
def test_list_with_any_view_answers(view: dict[str, str], shelf: str, signed_in: SignIn) -> None:
    assert Page(signed_in("viewer").get(list_url(shelf, **view))).status == 200


def test_list_details_are_read_for_the_current_page_only(
    three_books: str, chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    """The page of a database with ten thousand collections costs what its own rows cost."""
    signed_in("viewer").get(list_url(three_books, q="b_books", details=1))
    assert chain.relay.count("DescribeCollection") == 1
    assert chain.relay.count("GetCollectionStatistics") == 1


def test_list_column_clicked_twice_sorts_the_other_way(shelf: str, signed_in: SignIn) -> None:
    client = signed_in("viewer")
    once = Page(client.get(Page(client.get(list_url(shelf, q="a"))).link("Created")))
    heading = once.find("th", aria_sort="ascending")
    assert [tag.text for tag in heading] == ["Created ↑"]
    twice = Page(client.get(once.link("Created ↑")))
    assert [tag.text for tag in twice.find("th", aria_sort="descending")] == ["Created ↓"]
    assert names(twice) == names(once)[::-1] == ["a_aliased", "C_loaded"]


@pytest.mark.usefixtures("many")
def test_list_paging_keeps_search_and_order(signed_in: SignIn) -> None:
    client = signed_in("viewer")
    first = Page(client.get(list_url(q="c", sort="-name")))
    assert names(first) == [f"c{number:02d}" for number in range(52, 2, -1)]
    assert "1–50 of 53" in first.text
    assert not first.has_link("Previous")
    second = Page(client.get(first.link("Next")))
    assert names(second) == ["c02", "c01", "c00"]
    assert not second.has_link("Next")
    assert names(Page(client.get(second.link("Previous")))) == names(first)


@pytest.mark.parametrize("sort", SORTS)
def test_list_pages_together_are_all_collections_in_order(sort: str) -> None:
    """A page near the start and one further back are computed differently."""
    numbers = random.Random(4).sample(range(1200), 1200)
    table = Listing(
        names=[f"c{number:04d}" for number in numbers],
        ids=[number // 3 for number in numbers],  # with ties, which the name decides
        created_ms=[1] * len(numbers),
        held={f"c{number:04d}": 50 for number in numbers if number % 2},
    )
    keys: dict[str, Callable[[int], Any]] = {
        "name": lambda number: number,
        "created": lambda number: (number // 3, number),
        "state": lambda number: (number % 2 == 0, number),
    }
    expected = sorted(numbers, key=keys[sort.lstrip("-")], reverse=sort.startswith("-"))
    pages = ListView(q="", sort=sort, page=1).pages(table, range(len(table)))
    assert [numbers[at] for page in pages for at in page] == expected


@pytest.mark.usefixtures("many")
def test_list_page_past_the_end_is_the_last(
    signed_in: SignIn,
) -> None:
    page = Page(signed_in("viewer").get(list_url(page="99999999", details="1")))
    assert names(page) == ["c50", "c51", "c52"]
    assert page.column(2) == ["0", "0", "0"], "Milvus Lite counts exactly"


def test_list_details_request_keeps_the_view_of_the_page(many: None, signed_in: SignIn) -> None:
    page = Page(signed_in("viewer").get(list_url(q="c", sort="-name", page="2")))
    asked = parse_qs(urlsplit(unasked(page).attrs["hx-get"]).query)
    assert asked == {
        "database": ["default"],
        "q": ["c"],
        "sort": ["-name"],
        "page": ["2"],
        "details": ["1"],
    }


# --- hostile names --------------------------------------------------------------------------------


@any_hostile
def test_list_shows_any_name_whole_and_links_to_it(
    name: str,
    lite: Any,
    lite_server: MilvusServer,
    collections_on: Collections,
    signed_in: SignIn,
) -> None:
    collections_on(lite_server)(name)
    client = signed_in("operator")
    page = Page(client.get(list_url()))
    assert not page.find("b")
    assert len(page.find("script")) == 2, "htmx and our own"
    hrefs = [tag.attrs["href"] for tag in page.find("a") if "/collection/?" in tag.attrs["href"]]
    assert len(hrefs) == 1
    shown = Page(client.get(hrefs[0]))
    assert shown.status == 200
    [title] = shown.find("h1")
    assert visible(name) in "".join(title.parts)
    drop = Page(client.get(shown.link("Drop collection…")))
    assert drop.status == 200
    assert parse_qs(urlsplit(drop.find("form", method="post")[-1].attrs["action"]).query)[
        "collection"
    ] == [name]


def visible(name: str) -> str:
    """How a name is written where it is shown: what can't be seen becomes an escape."""
    return name.replace("\n", "\\n").replace("\u202e", "\\u202e")


def test_list_name_with_a_trailing_space_links_to_its_collection(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    """The real Milvus accepts such names; the one without the space is another collection."""
    database = make_collection.database()
    make_collection("books", database=database)
    make_collection("books ", database=database, partitions=["only_here"])
    client = signed_in("viewer")
    page = Page(client.get(list_url(database)))
    cells = page.find("td", cls="title")
    assert ["".join(cell.parts) for cell in cells] == ["books", "books "]
    links = [tag.attrs["href"] for tag in page.find("a") if "/collection/?" in tag.attrs["href"]]
    assert "only_here" not in Page(client.get(links[0])).text
    assert "only_here" in Page(client.get(links[1])).text


# --- nothing, unknown, forbidden, gone ------------------------------------------------------------


def test_list_of_an_empty_database_says_that_milvus_answered(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    page = Page(signed_in("viewer").get(list_url(make_collection.database())))
    assert page.status == 200
    assert "No collections" in page.text
    assert "Milvus answered" in page.text


def newer_and_empty(chain: Chain) -> None:
    """As 2.6.20 does for an account that was granted nothing: OK, and no collection."""
    visibility.forget()
    version = pb.GetVersionResponse(version="v2.6.20").SerializeToString()
    chain.relay.answer("GetVersion", lambda _: version)
    chain.relay.answer(
        "ShowCollections", lambda _: pb.ShowCollectionsResponse().SerializeToString()
    )


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_empty_list_for_few_grants_says_it_may_be_incomplete(
    htmx: bool, chain: Chain, use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    newer_and_empty(chain)
    with milvus_user(chain.direct) as token:
        use_cluster(chain.uri, token)
        page = Page(signed_in("viewer", htmx=htmx).get(list_url()))
    assert page.status == 200
    assert "shows only what the Milvus account of Milvus Admin was granted" in page.text
    assert "there may be others" in page.text
    assert "Milvus answered" not in page.text
    assert "0 in" not in page.text


def test_list_empty_for_root_on_a_newer_server_is_no_collections(
    chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    newer_and_empty(chain)
    page = Page(signed_in("viewer").get(list_url()))
    assert "the database default has no collections" in page.text
    assert "there may be others" not in page.text


def test_list_with_content_asks_for_no_grants(
    chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    database = make_collection.database()
    make_collection("one", database=database)
    assert Page(signed_in("viewer").get(list_url(database))).rows
    assert not {"SelectUser", "SelectGrant"} & set(chain.relay.calls)


def test_list_of_a_missing_database_is_not_found(real: Any, signed_in: SignIn) -> None:
    page = Page(signed_in("viewer").get(list_url("nosuch_database")))
    assert page.status == 404
    assert "Not found" in page.text
    assert "No collections" not in page.text


@pytest.mark.parametrize("database", ["", "d" * 256, "a\0b", "a/b", ".."])
def test_list_of_an_impossible_database_name_is_not_found(
    database: str, real: Any, signed_in: SignIn
) -> None:
    assert Page(signed_in("viewer").get(list_url(database))).status == 404


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_list_with_milvus_down_is_unknown_not_empty(
    htmx: bool, chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    chain.proxy.refuse()
    page = Page(signed_in("viewer", htmx=htmx).get(list_url()))
    assert page.status == 503
    assert page.is_whole is not htmx
    assert "Its contents are unknown until it answers" in page.text
    assert "No collections" not in page.text
    assert page.link("Try again") == list_url()


def test_list_row_dropped_during_details_leaves_the_rest(
    chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    database = make_collection.database()
    make_collection("going", database=database)
    direct = chain.direct.client(database)
    chain.relay.before("DescribeCollection", lambda: direct.drop_collection("going", timeout=5))
    page = Page(signed_in("operator").get(list_url(database, details=1)))
    assert page.status == 200
    assert page.rows[0][:3] == ["going", "Not loaded", "dropped since this list was loaded"]


def test_list_rows_not_permitted_are_never_zero(
    milvus_server: MilvusServer,
    use_cluster: Callable[..., Any],
    make_collection: Seeds,
    signed_in: SignIn,
) -> None:
    database = make_collection.database()
    make_collection("counted", database=database)
    with milvus_user(milvus_server) as token:
        use_cluster(milvus_server.uri, token)
        page = Page(signed_in("viewer").get(list_url(database, details=1)))
    assert page.status == 200
    assert page.rows[0][2] == "not permitted"


def test_list_not_permitted_is_unknown_not_empty(
    chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    chain.relay.fail("ShowCollections", grpc.StatusCode.PERMISSION_DENIED, "permission deny to me")
    page = Page(signed_in("viewer").get(list_url()))
    assert page.status == 403
    assert "Milvus denied access" in page.text
    assert "unknown, not empty" in page.text
    assert "permission deny to me" in page.text


@pytest.mark.parametrize(
    ("name", "status"), [("viewer", 200), ("operator", 200), ("auditor", 404), ("outsider", 404)]
)
def test_list_is_for_viewers_only(name: str, status: int, real: Any, signed_in: SignIn) -> None:
    assert signed_in(name).get(list_url()).status_code == status
