"""The clusters and their databases: what can't be read says so, cluster by cluster."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app.milvus.sdk import pb
from tests.fixtures import cluster_at, rule
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds
from tests.web import Page, act_url, list_url, milvus_user

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
DATABASES = "/clusters/main/"


@pytest.fixture
def nobody_there(use_cluster: Callable[..., Any]) -> Any:
    """A cluster whose address nothing listens at."""
    return use_cluster("http://127.0.0.1:1", read_timeout=1.0)


@pytest.mark.parametrize(
    ("name", "goes_to"),
    [
        ("auditor", "/audit/"),
        ("outsider", "/access/"),
    ],
)
def test_home_redirects_to_what_one_may_see(
    name: str, goes_to: str, nobody_there: Any, signed_in: SignIn
) -> None:
    response = signed_in(name).get("/")
    assert (response.status_code, response.headers["Location"]) == (302, goes_to)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/", 200, "you may see nothing"),
        (DATABASES, 404, "No cluster main is configured"),
    ],
)
def test_home_without_a_role_shows_nothing(
    path: str, status: int, words: str, nobody_there: Any, signed_in: SignIn
) -> None:
    page = Page(signed_in("outsider").get(path, follow=True))
    assert page.status == status
    assert words in page.text
    assert "Test" not in page.text, "not even the cluster's name"


def test_database_page_for_an_auditor_is_not_found(nobody_there: Any, signed_in: SignIn) -> None:
    assert signed_in("auditor").get(DATABASES).status_code == 404


def test_home_with_two_silent_clusters_lists_both_at_once(
    nobody_there: Any, signed_in: SignIn, settings: Any
) -> None:
    """Neither answers, and the page is served at once: each card loads by itself."""
    other = cluster_at("http://ada:secret-word@127.0.0.1:1")
    second = replace(other, key="second", label="Elsewhere")
    settings.CLUSTERS = {**settings.CLUSTERS, "second": second}
    page = Page(signed_in("viewer").get("/"))
    assert page.status == 200
    assert [tag.text for tag in page.find("h2")] == [
        "Pinned",
        "Recent",
        "Test http://127.0.0.1:1",
        "Elsewhere http://127.0.0.1:1",
        "Background tasks",
    ]
    assert [tag.attrs["hx-get"] for tag in page.find("div", hx_trigger="load")] == [
        "/clusters/main/overview/",
        "/clusters/second/overview/",
    ]
    assert "secret-word" not in page.html


def test_database_page_links_each_database_to_its_collections(
    real: Any, signed_in: SignIn, make_collection: Seeds
) -> None:
    database = make_collection.database()
    page = Page(signed_in("viewer").get(DATABASES))
    assert page.status == 200
    assert page.link(database) == list_url(database)
    assert "v2.3.5" in page.text


def test_database_page_under_htmx_is_a_part(real: Any, signed_in: SignIn) -> None:
    whole = signed_in("viewer").get(DATABASES)
    part = signed_in("viewer", htmx=True).get(DATABASES)
    assert Page(whole).is_whole
    assert not Page(part).is_whole
    assert Page(part).link("default") == Page(whole).link("default")
    assert "HX-Request" in whole.headers["Vary"]
    assert "HX-Request" in part.headers["Vary"]


def test_database_page_with_an_empty_list_blames_grants(
    chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    """Every Milvus has `default`; newer ones leave out databases without a grant."""
    none = pb.ListDatabasesResponse().SerializeToString()
    chain.relay.answer("ListDatabases", lambda _: none)
    page = Page(signed_in("viewer").get(DATABASES))
    assert page.status == 200
    assert "the account of Milvus Admin was granted something" in page.text


def test_databases_unlisted_are_those_of_the_rules_and_a_field(
    real: Any,
    use_cluster: Any,
    milvus_server: MilvusServer,
    people: Any,
    signed_in: SignIn,
    settings: Any,
) -> None:
    """A user whose rules name one database can open it."""
    people["outsider"].groups.add(Group.objects.create(name="team"))
    where = {"clusters": ("main",), "databases": ("team_b", "team_?")}
    settings.ACCESS = (rule("team", "view", **where),)
    with milvus_user(milvus_server) as token:
        use_cluster(milvus_server.uri, token)
        page = Page(signed_in("outsider").get(DATABASES))
    assert page.status == 200
    assert page.link("team_b") == list_url("team_b")
    assert not page.has_link("default"), "she may not see that one"
    (field,) = page.find("input", name="database")
    assert "required" in field.attrs
    assert page.find("form", action="/clusters/main/collections/", method="get")


def test_databases_not_permitted_are_not_called_none(
    milvus_server: MilvusServer, use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    with milvus_user(milvus_server) as token:
        use_cluster(milvus_server.uri, token)
        page = Page(signed_in("viewer").get(DATABASES))
    assert page.status == 200
    assert "Milvus denied access" in page.text
    assert "unknown, not empty" in page.text
    assert page.link("default") == list_url("default"), "the one database that always is there"
    assert "1 on Test" not in page.text, "nobody counted them"


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_database_page_with_milvus_down_is_unknown_not_empty(
    htmx: bool, nobody_there: Any, signed_in: SignIn
) -> None:
    page = Page(signed_in("viewer", htmx=htmx).get(DATABASES))
    assert page.status == 503
    assert "Milvus does not answer" in page.text
    assert "unknown until it answers" in page.text
    assert page.link("Try again") == DATABASES
    assert not page.find("ul", cls="databases")


def test_database_page_of_a_stalled_cluster_ends_at_its_deadline(
    chain: Chain, use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    use_cluster(chain.uri, chain.token, read_timeout=0.5)
    chain.proxy.stall()
    start = time.monotonic()
    page = Page(signed_in("viewer").get(DATABASES))
    assert time.monotonic() - start < 10
    assert page.status == 503
    assert "Milvus does not answer" in page.text


def test_wrong_token_is_told_apart_from_milvus_down(
    milvus_server: MilvusServer, use_cluster: Callable[..., Any], signed_in: SignIn
) -> None:
    use_cluster(milvus_server.uri, "root:not-the-password")
    page = Page(signed_in("viewer").get(list_url()))
    assert page.status == 403
    assert "its token is wrong" in page.text
    assert "not-the-password" not in page.html


@pytest.mark.parametrize(
    "path",
    [
        "/clusters/nosuch/",
        "/clusters/nosuch/collections/",
        "/clusters/nosuch/collection/?name=a",
        "/clusters/nosuch/drop-collection/?collection=a",
    ],
)
def test_unconfigured_cluster_is_not_found(path: str, nobody_there: Any, signed_in: SignIn) -> None:
    page = Page(signed_in("operator").get(path))
    assert page.status == 404
    assert "No cluster nosuch is configured" in page.text


@pytest.mark.parametrize("path", ["/", DATABASES, "/clusters/main/collections/"])
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_read_only_pages_refuse_other_methods(
    path: str, method: str, nobody_there: Any, signed_in: SignIn
) -> None:
    assert getattr(signed_in("operator"), method)(path).status_code == 405


# --- a cluster that hangs -------------------------------------------------------------------------


@pytest.mark.parametrize("path", [DATABASES, list_url()])
def test_page_of_a_stalled_cluster_reloads_itself(
    path: str, use_cluster: Callable[..., Any], chain: Chain, signed_in: SignIn
) -> None:
    use_cluster(chain.uri, chain.token, read_timeout=0.3, breaker_cooldown=7.0)
    client = signed_in("viewer")
    assert client.get(path).status_code == 200
    chain.proxy.stall()
    silent = client.get(path)
    assert (silent.status_code, silent.headers["Refresh"]) == (503, "7")
    paused = client.get(path)
    assert 1 <= int(paused.headers["Refresh"]) <= 7
    words = f"This page checks again in {paused.headers['Refresh']} s."
    assert words in Page(paused).text
    part = client.get(path, headers={"HX-Request": "true"})
    assert "Refresh" not in part.headers, "a part of a page can't look again for the page"
    assert "by itself" not in Page(part).text
    assert 1 <= int(part.headers["Retry-After"]) <= 7
    swapped_in = client.get(path, headers={"HX-Request": "true", "HX-Boosted": "true"})
    assert Page(swapped_in).is_whole
    assert "Refresh" not in swapped_in.headers, "no browser follows it there"


def test_page_of_a_refused_connection_does_not_reload(nobody_there: Any, signed_in: SignIn) -> None:
    response = signed_in("viewer").get(list_url())
    assert (response.status_code, "Refresh" in response.headers) == (503, False)
    assert "by itself" not in Page(response).text


def test_page_after_a_form_does_not_reload(
    use_cluster: Callable[..., Any], chain: Chain, signed_in: SignIn
) -> None:
    use_cluster(chain.uri, chain.token, read_timeout=0.3, breaker_cooldown=7.0)
    client, dialog = signed_in("operator"), act_url("drop-collection", "films")
    assert client.get(list_url()).status_code == 200
    chain.proxy.stall()
    answers = [client.get(dialog), client.post(dialog, {"token": "", "typed_name": "films"})]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert ["Refresh" in answer.headers for answer in answers] == [True, False]
    assert "by itself" not in Page(answers[1]).text
