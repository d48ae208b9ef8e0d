"""Hidden objects answer exactly as missing ones: on every page, for every act."""

import re
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from collections_app import clusters
from collections_app.access import policy
from collections_app.access.policy import Action
from collections_app.access.principals import Actor
from collections_app.audit.log import Outcome
from collections_app.milvus.types import Kind, Target
from collections_app.models import AuditEvent
from collections_app.operations import confirmation, protocol
from collections_app.operations.kinds import OPERATIONS
from tests.fakes import FakeMilvus, Lost
from tests.fixtures import actor, caller, cluster_at, rule
from tests.infra.seeds import Seeds, unique_name
from tests.web import Page, act_url, collection_url, confirm, list_url

pytestmark = pytest.mark.django_db
ACTS = {
    "drop-collection": Action.DROP_COLLECTION,
    "drop-partition": Action.DROP_PARTITION,
    "drop-alias": Action.DROP_ALIAS,
    "release-collection": Action.RELEASE_COLLECTION,
    "release-partition": Action.RELEASE_PARTITION,
}
EVERYBODY = rule("boss", "*")
Open = Callable[..., Client]


@pytest.fixture
def milvus(fake: FakeMilvus, settings: Any) -> FakeMilvus:
    """Two clusters with the same in both. The team may see and drop `team_*` in main/default."""
    main = cluster_at("http://127.0.0.1:1", protected=("secret_*",))
    second = replace(main, key="second", label="Second")
    settings.CLUSTERS = {"main": main, "second": second}
    settings.ACCESS = (
        EVERYBODY,
        rule(
            "team",
            *("view", "drop"),
            clusters=("main",),
            databases=("default",),
            collections=("team_*",),
        ),
    )
    fake.add("team_books", partitions=["novels"], aliases=["team_alias"], rows=3)
    fake.add("team_films", loaded=True)
    fake.add("loans", partitions=["p1"], aliases=["team_front"], rows=77, loaded=True)
    fake.add("secret_loans")
    fake.add("team_vault", database="vault", partitions=["p1"], aliases=["team_door"], loaded=True)
    return fake


@pytest.fixture
def team(people: dict[str, Any], milvus: FakeMilvus, signed_in: Open) -> Open:
    """team(htmx=True) is a browser of somebody in the team."""
    people["outsider"].groups.add(Group.objects.create(name="team"))
    return lambda **options: signed_in("outsider", **options)


# --- one decision for each right ------------------------------------------------------------------


DROP_DECISIONS = {
    list_url(): 3,  # of each row, and of the database, for a plan
    collection_url("team_books"): 1,
    "/clusters/main/": 0,
    "/access/?cluster=main": 1,
}


@pytest.mark.parametrize(("url", "drops"), DROP_DECISIONS.items())
def test_page_decides_each_permission_once(
    url: str, drops: int, team: Open, monkeypatch: Any
) -> None:
    decisions = Counter[tuple[Action, policy.Place]]()

    def counted(who: Actor, action: Action, place: policy.Place) -> policy.Decision:
        decisions[action, place] += 1
        return decide(who, action, place)

    decide = policy.decide
    monkeypatch.setattr(policy, "decide", counted)
    assert team().get(url).status_code == 200
    assert set(decisions.values()) == {1}
    assert [action for action, _ in decisions].count(Action.DROP_COLLECTION) == drops


# --- the same answer ------------------------------------------------------------------------------

MASKS = (
    (re.compile(r'name="csrfmiddlewaretoken" value="\w+"'), "CSRF"),
    (re.compile(r"csrfmiddlewaretoken=\w+"), "CSRF"),
    (re.compile(r"request [0-9a-f]{32}"), "REQUEST"),
)


def answer_of(client: Client, method: str, url: str, names: tuple[str, ...]) -> dict[str, Any]:
    """Everything of an answer that a browser sees, with the names that were asked for masked."""
    answer = getattr(client, method)(url)
    body = answer.content.decode()
    for pattern, mask in MASKS:
        body = pattern.sub(mask, body)
    sent = sorted((k, v) for k, v in answer.headers.items() if k != "X-Request-ID")
    headers = "\n".join(f"{k}: {v}" for k, v in sent)
    for name in sorted(names, key=len, reverse=True):
        for spelt in {name, quote_plus(name)}:
            body, headers = body.replace(spelt, "NAME"), headers.replace(spelt, "NAME")
    headers = re.sub(r"Content-Length: \d+", "", headers)
    return {"status": answer.status_code, "headers": headers, "body": body}


def same(client: Client, method: str, hidden: str, absent: str, *names: str) -> dict[str, Any]:
    """The answer for both addresses, which has to be one."""
    first = answer_of(client, method, hidden, names)
    assert first == answer_of(client, method, absent, names)
    return first


def act(act: str, cluster: str = "main", **query: str) -> str:
    return f"/clusters/{cluster}/{act}/?{urlencode(query)}"


def act_urls(cluster: str, database: str, collection: str, name: str) -> list[str]:
    """The address of every act on that place."""
    query = {"database": database, "collection": collection}
    return [
        act(slug, cluster, **query, **({} if slug.endswith("-collection") else {"name": name}))
        for slug in ACTS
    ]


def pages(cluster: str, database: str, collection: str) -> list[str]:
    """The address of every page to look at."""
    return [
        f"/clusters/{cluster}/collections/?{urlencode({'database': database})}",
        f"/clusters/{cluster}/collections/?{urlencode({'database': database, 'details': 1})}",
        f"/clusters/{cluster}/collection/?{urlencode({'database': database, 'name': collection})}",
    ]


Spot = tuple[str, str, str, str]
# What is hidden: cluster, database, collection, partition or alias. Beside it what there is not.
PLACES: dict[str, tuple[Spot, Spot]] = {
    "cluster": (
        ("second", "default", "team_books", "novels"),
        ("nosuch", "default", "team_books", "novels"),
    ),
    "database": (("main", "vault", "team_vault", "p1"), ("main", "nosuch", "team_vault", "p1")),
    "collection": (("main", "default", "loans", "p1"), ("main", "default", "nosuch", "p1")),
    "protected": (("main", "default", "secret_loans", "p1"), ("main", "default", "nosuch", "p1")),
    "partition": (("main", "default", "loans", "p1"), ("main", "default", "loans", "nosuch")),
    "alias": (
        ("main", "default", "loans", "team_front"),
        ("main", "default", "loans", "nosuch"),
    ),
    "alias in a hidden database": (
        ("main", "vault", "team_door", "p1"),
        ("main", "vault", "team_nosuch", "p1"),
    ),
    "alias of something hidden": (
        ("main", "default", "team_front", "p1"),
        ("main", "default", "team_nosuch", "p1"),
    ),
}
every_place = pytest.mark.parametrize(("hidden", "absent"), PLACES.values(), ids=PLACES)
browsers = pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])


@browsers
@every_place
@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
def test_hidden_page_answers_as_a_missing_one(
    hidden: Spot, absent: Spot, htmx: bool, down: bool, team: Open, milvus: FakeMilvus
) -> None:
    milvus.unreachable = down
    client = team(htmx=htmx)
    for url, other in zip(pages(*hidden[:3]), pages(*absent[:3]), strict=True):
        if url == other or (hidden[:2] == ("main", "default") and "/collections/" in url):
            continue
        found = same(client, "get", url, other, *hidden, *absent)
        through_an_alias = hidden[2] == "team_front"  # it may be there: Milvus has to be asked
        assert found["status"] == (503 if down and through_an_alias else 404)
    assert not AuditEvent.objects.exists(), "looking is not recorded"


@browsers
@every_place
@pytest.mark.parametrize("method", ["get", "post"])
def test_hidden_dialog_answers_as_a_missing_one_and_is_recorded(
    hidden: Spot, absent: Spot, htmx: bool, method: str, team: Open, milvus: FakeMilvus
) -> None:
    client = team(htmx=htmx)
    for url, other in zip(act_urls(*hidden), act_urls(*absent), strict=True):
        if url == other:
            continue
        if hidden[2] == "team_front" and method == "post":
            continue  # within the rules: a post without a token is forged there, see below
        assert same(client, method, url, other, *hidden, *absent)["status"] == 404
    assert milvus.sent == []
    if method == "get":
        assert not AuditEvent.objects.exists(), "looking is no attempt"
    elif hidden[2] != "team_front":
        assert not AuditEvent.objects.exclude(phase="rejected", outcome="denied").exists()
        if hidden[0] == "second":  # what names no cluster at all leaves no record
            assert AuditEvent.objects.count() == len(ACTS)
        else:
            assert AuditEvent.objects.count() >= 6


@pytest.mark.parametrize(("slug", "action"), ACTS.items())
@pytest.mark.parametrize(
    "spot", [("second", "default", "team_books", "novels"), ("main", "default", "loans", "p1")]
)
def test_hidden_dialog_attempt_records_actor_and_target(
    spot: Spot, slug: str, action: Action, team: Open
) -> None:
    url = act_urls(*spot)[list(ACTS).index(slug)]
    assert team().post(url).status_code == 404
    row = AuditEvent.objects.get()
    name = spot[2] if slug.endswith("-collection") else spot[3]
    assert (row.phase, row.action, row.outcome) == ("rejected", action, "denied")
    assert (row.cluster, row.database, row.collection, row.name) == (*spot[:3], name)
    assert row.actor == "outsider|local|outsider"


@every_place
def test_own_confirmation_opens_nothing_hidden(
    hidden: Spot, absent: Spot, team: Open, milvus: FakeMilvus
) -> None:
    """With the token of a permitted dialog, and the right name typed."""
    client = team()
    token = Page(client.get(act_url("release-collection", "team_books"))).value("token")
    for url, other in zip(act_urls(*hidden), act_urls(*absent), strict=True):
        typed = hidden[2] if "-collection/" in url else hidden[3]
        answers = [client.post(u, {"token": token, "typed_name": typed}) for u in (url, other)]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].status_code in {403, 404}
        assert "77" not in re.sub(r"request [0-9a-f]{32}", "", Page(answers[0]).text)
    assert milvus.sent == []


def test_hidden_cluster_page_answers_as_a_missing_one(team: Open) -> None:
    for htmx in (False, True):
        found = same(
            team(htmx=htmx), "get", "/clusters/second/", "/clusters/nosuch/", "second", "nosuch"
        )
        assert found["status"] == 404
        assert "No cluster NAME is configured" in found["body"]


@pytest.mark.parametrize("query", ["", "?database=&name=", "?database=vault", "?name=loans"])
@pytest.mark.parametrize("page", ["", "collections/", "collection/", "drop-alias/"])
def test_hidden_cluster_address_incomplete_tells_nothing(page: str, query: str, team: Open) -> None:
    urls = [f"/clusters/{cluster}/{page}{query}" for cluster in ("second", "nosuch")]
    assert same(team(), "get", *urls, "second", "nosuch")["status"] == 404


# --- lists ----------------------------------------------------------------------------------------

HIDDEN_WORDS = ("loans", "secret", "vault", "second", "team_front", "team_door", "77")


def hides(page: Page) -> bool:
    changing = r'csrfmiddlewaretoken" value="\w+"|name="token" value="[^"]+"|request [0-9a-f]{32}'
    html = re.sub(changing, "", page.html)
    return not any(word in html.lower() for word in HIDDEN_WORDS)


def test_home_and_cluster_page_list_visible_databases_only(team: Open) -> None:
    assert "/clusters/main/" in [tag.attrs["href"] for tag in Page(team().get("/")).find("a")]
    page = Page(team().get("/clusters/main/"))
    assert [tag.text for tag in page.find("ul", cls="databases")] == ["default"]
    assert hides(page)


def test_databases_unlisted_are_not_guessed_without_permission(
    team: Open, milvus: FakeMilvus, settings: Any
) -> None:
    milvus.denied("databases")
    assert Page(team().get("/clusters/main/")).has_link("default")
    settings.ACCESS = (rule("team", "view", databases=("team_db",)),)
    assert not Page(team().get("/clusters/main/")).has_link("default")


@browsers
@pytest.mark.parametrize("view", [{}, {"details": 1}, {"sort": "-created"}, {"sort": "state"}])
def test_list_and_its_count_hold_only_what_the_rules_show(
    view: dict[str, Any], htmx: bool, team: Open
) -> None:
    page = Page(team(htmx=htmx).get(list_url(**view)))
    assert sorted(page.column(0)) == ["team_books", "team_films"]
    assert "2 in default" in page.text
    assert hides(page)


def test_list_pages_do_not_grow_with_hidden_collections(team: Open, milvus: FakeMilvus) -> None:
    for number in range(60):
        milvus.add(f"aaa_{number}")
    page = Page(team().get(list_url()))
    assert "1–2 of 2" in page.text
    assert not page.has_link("Next")
    assert Page(team().get(list_url(page=2))).column(0) == page.column(0)


@browsers
@pytest.mark.parametrize("details", [0, 1])
@pytest.mark.parametrize("q", ["loans", "secret", "LOANS", "_loans", "p1"])
def test_list_search_finds_nothing_hidden(q: str, details: int, htmx: bool, team: Open) -> None:
    urls = [list_url(q=word, details=details) for word in (q, "zzzzz")]
    found = same(team(htmx=htmx), "get", *urls, q, "zzzzz")
    assert found["status"] == 200
    assert "0 of 2 in" in found["body"]


def test_list_without_visible_collections_hints_at_nothing(
    team: Open, milvus: FakeMilvus, settings: Any
) -> None:
    settings.ACCESS = (rule("team", "view", collections=("mine_*",)),)
    before = answer_of(team(), "get", list_url(), ())
    assert "has no collections that you may see" in before["body"]
    milvus.add("yours")
    assert answer_of(team(), "get", list_url(), ()) == before


def test_visible_collection_has_its_page_dialogs_and_drop(team: Open, milvus: FakeMilvus) -> None:
    """The control: without it, a page that shows nothing to anybody would pass the tests above."""
    client = team()
    page = Page(client.get(collection_url("team_books")))
    assert page.status == 200
    assert hides(page)
    dialog = Page(client.get(act_url("drop-collection", "team_books")))
    assert "team_alias" in dialog.text
    assert hides(dialog)
    remedy = Page(client.get(dialog.link("Drop alias…")))
    assert hides(remedy)
    confirm(client, act_url("drop-partition", "team_books", "novels"), "novels")
    confirm(client, act_url("drop-alias", "team_books", "team_alias", then="drop"), "team_alias")
    confirm(client, act_url("drop-collection", "team_books"), "team_books")
    assert [sent[0] for sent in milvus.sent] == ["drop_partition", "drop_alias", "drop_collection"]
    assert Page(client.get(list_url())).column(0) == ["team_films"]


# --- operations -----------------------------------------------------------------------------------


def released(collection: str, database: str = "default", cluster: str = "main") -> uuid.UUID:
    """An operation of somebody who may do everything."""
    boss = actor("boss", groups=("boss",))
    target = Target(
        cluster=cluster,
        database=database,
        kind=Kind.COLLECTION,
        collection=collection,
        name=collection,
    )
    look = OPERATIONS[Action.RELEASE_COLLECTION].read_state(clusters.get(cluster).gateway, target)
    consent = confirmation.confirm(Action.RELEASE_COLLECTION, target, look, boss)
    protocol.perform(consent, caller(boss), reason="a reason of the boss")
    return consent.operation_id


WHERE = {
    "collection": ("loans", "default", "main"),
    "database": ("team_vault", "vault", "main"),
    "cluster": ("team_films", "default", "second"),
}


@browsers
@pytest.mark.parametrize("where", WHERE.values(), ids=WHERE)
@pytest.mark.parametrize("still_open", [False, True], ids=["settled", "open"])
def test_hidden_operation_answers_as_a_missing_one(
    where: tuple[str, str, str], htmx: bool, still_open: bool, team: Open, milvus: FakeMilvus
) -> None:
    milvus.next_act = Lost.UNDONE if still_open else None
    hidden, absent = str(released(*where)), str(uuid.uuid4())
    before = AuditEvent.objects.count()
    for method, page in (("get", ""), ("post", "look/"), ("get", "snapshot.json")):
        urls = [f"/operations/{number}/{page}" for number in (hidden, absent)]
        found = same(team(htmx=htmx), method, *urls, hidden, absent)
        assert found["status"] == 404
        assert "No such operation" in found["body"]
    assert AuditEvent.objects.count() == before, "and nothing was settled by looking"


def test_operation_of_another_user_on_a_visible_target_opens(team: Open) -> None:
    number = released("team_films")
    page = Page(team().get(f"/operations/{number}/"))
    assert page.status == 200
    assert "a reason of the boss" in page.text
    assert team().get(f"/operations/{number}/snapshot.json").status_code == 200
    assert team(htmx=True).post(f"/operations/{number}/look/").status_code == 200


def test_collection_history_is_of_this_collection_only(team: Open, milvus: FakeMilvus) -> None:
    """The same name in another database or cluster has its own history."""
    milvus.add("team_films", database="vault", loaded=True)
    released("team_films", "vault")
    released("team_films", cluster="second")
    page = Page(team().get(collection_url("team_films")))
    assert "No activity recorded by Milvus Admin." in page.text
    dialog = Page(team().get(act_url("drop-collection", "team_films")))
    assert "Last activity" not in dialog.text


# --- asking for ones rights -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hidden", "absent"),
    [
        ({"cluster": "second"}, {"cluster": "nosuch"}),
        ({"cluster": "main", "database": "vault"}, {"cluster": "main", "database": "nosuch"}),
        (
            {"cluster": "main", "database": "default", "collection": "secret_loans"},
            {"cluster": "main", "database": "default", "collection": "nosuch"},
        ),
    ],
    ids=["cluster", "database", "protected collection"],
)
def test_access_answer_tells_nothing_about_hidden_places(
    hidden: dict[str, str], absent: dict[str, str], team: Open
) -> None:
    urls = [f"/access/?{urlencode(asked)}" for asked in (hidden, absent)]
    found = same(team(), "get", *urls, *hidden.values(), *absent.values())
    assert found["status"] == 200
    assert "protected by" not in found["body"].lower()


def test_access_page_offers_no_hidden_cluster(team: Open) -> None:
    page = Page(team().get("/access/"))
    assert [tag.attrs["value"] for tag in page.find("option")] == ["main"]
    assert "the rule of boss" not in page.text


# --- the audit log is not theirs ------------------------------------------------------------------


def test_viewer_may_not_read_the_log(team: Open) -> None:
    released("loans")
    assert team().get("/audit/").status_code == 403
    for address in ("/audit/export/", "/audit/verify/"):
        assert team().post(address).status_code == 403
    denied = AuditEvent.objects.filter(action="audit.read", outcome=Outcome.DENIED)
    assert denied.count() == 2, "buttons; an address alone is not recorded"


# --- the real Milvus ------------------------------------------------------------------------------


def test_alias_that_fits_the_rules_opens_no_hidden_collection(
    real: Any, make_collection: Seeds, people: dict[str, Any], signed_in: Open, settings: Any
) -> None:
    """Milvus answers to an alias as to the collection: describe, partitions, rows."""
    prefix = unique_name("team")
    people["outsider"].groups.add(Group.objects.create(name="team"))
    settings.ACCESS = (rule("team", "view", "drop", collections=(f"{prefix}_*",)),)
    front, absent = f"{prefix}_front", f"{prefix}_other"
    hidden = make_collection(partitions=["p1"], aliases=[front], loaded=True)
    client = signed_in("outsider")
    urls = [[collection_url(n), *act_urls("main", "default", n, "p1")] for n in (front, absent)]
    for url, other in zip(*urls, strict=True):
        found = same(client, "get", url, other, front, absent)
        assert found["status"] == 404
        assert hidden not in found["body"]
    assert front not in Page(client.get(list_url(details=1))).html
    assert make_collection.exists(hidden)
