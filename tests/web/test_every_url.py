"""Every address, taken from the resolver: none is open, none lacks its headers."""

import uuid
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from collections_app.audit import log
from collections_app.audit.log import Entry, Outcome, Phase
from collections_app.models import AuditEvent
from collections_app.operations.kinds.acts import ACTS
from collections_app.web.view_policy import policy_of
from tests.fixtures import caller
from tests.infra.milvus_server import MilvusServer
from tests.infra.seeds import Seeds, unique_name
from tests.web import Page, act_url, confirm

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]
OPERATION = uuid.UUID("12345678-1234-4234-8234-123456789abc")
ARGUMENTS = {"cluster": "main", "operation_id": OPERATION, "number": 1}
# The door's own pages, and the choice of a language. Two exist with the company's provider only.
OPEN = {"sign-in", "signed-out", "oidc-callback", "oidc-backchannel-logout", "language"}
NOT_HERE = {"oidc-callback", "oidc-backchannel-logout"}
POST_ONLY = {"sign-out", "operation-look", "audit-export", "audit-verify", "bin-pause"}
DECISIONS = {"plan-confirm", "plan-take-out", "plan-pause", "plan-resume", "plan-cancel"}
APPROVALS = {"plan-approve", "plan-reject", "plan-run"}
DECISIONS |= APPROVALS | {"plan-restore"}
POST_ONLY |= DECISIONS | {"plan-new", "choose-view", "pin", "forget-places"}


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            yield from patterns(pattern)
        else:
            yield pattern


def address(pattern: URLPattern) -> str:
    wanted = pattern.pattern.converters
    path = reverse(str(pattern.name), kwargs={name: ARGUMENTS[name] for name in wanted})
    return f"{path}?database=default&collection=books&name=books"


EVERY = {str(p.name): address(p) for p in patterns()}
GATED = [(name, url) for name, url in EVERY.items() if name not in OPEN]
METHODS = ["get", "post", "put", "delete"]


@pytest.fixture
def nobody_there(use_cluster: Callable[..., Any]) -> None:
    use_cluster("http://127.0.0.1:1", read_timeout=0.5)


@pytest.fixture
def operation(db: None) -> None:
    """One operation on the record, under the number in the addresses."""
    target = {"cluster": "main", "database": "default", "kind": "collection"}
    log.write(
        Entry(
            phase=Phase.REJECTED,
            action="collection.drop",
            caller=caller(),
            outcome=Outcome.DENIED,
            operation_id=OPERATION,
            target={**target, "collection": "books", "name": "books"},
        )
    )


def test_resolver_lists_every_address_once() -> None:
    """Otherwise the tests below would cover nothing."""
    assert {"home", "collections", "drop-partition", "operation-snapshot", "audit"} < set(EVERY)
    assert len(EVERY) == len(list(patterns())), "every address has a name of its own"


def test_every_view_has_a_policy() -> None:
    unmarked = [str(p.name) for p in patterns() if not hasattr(p.callback, "policy")]
    assert unmarked == [], "say who may open it: @policy(...), or @policy(public=True)"


def test_public_views_are_the_sign_in_pages_only() -> None:
    public = {str(p.name) for p in patterns() if policy_of(p.callback).public}
    assert public == OPEN
    assert public == {str(p.name) for p in patterns() if not needs_login(p.callback)}


def needs_login(view: Any) -> bool:
    """What Django's own middleware reads."""
    return bool(getattr(view, "login_required", True))


def test_every_act_is_reauthenticated_and_resumable() -> None:
    marks = {str(p.name): policy_of(p.callback) for p in patterns()}
    acts = {act.slug for act in ACTS.values()}
    asking = {name for name, mark in marks.items() if mark.reauthenticate}
    assert asking == acts | APPROVALS | {"plan-confirm", "bin-pause"}
    assert {name for name, mark in marks.items() if mark.resumable} == acts
    assert [name for name, mark in marks.items() if mark.ends_session] == ["sign-out"]


# --- nobody gets in without signing in ------------------------------------------------------------


def test_every_url_signed_out_leads_to_sign_in(operation: None, subtests: pytest.Subtests) -> None:
    for (name, url), method in product(GATED, METHODS):
        with subtests.test(name=name, method=method):
            answer = getattr(Client(), method)(url)
            assert answer.status_code == 302
            if name == "sign-out":
                assert answer.headers["Location"] == "/signed-out/", "who wants out is out"
                continue
            assert urlsplit(answer.headers["Location"]).path == "/sign-in/"
            assert "next=" in answer.headers["Location"]
    assert AuditEvent.objects.count() == 1, "and nothing was done or recorded"


def test_every_url_signed_out_under_htmx_redirects_the_page(
    operation: None, subtests: pytest.Subtests
) -> None:
    for (name, url), method in product(GATED, ["get", "post"]):
        with subtests.test(name=name, method=method):
            answer = getattr(Client(headers={"HX-Request": "true"}), method)(url)
            if name == "sign-out":  # a form that htmx never sends
                assert answer.headers["Location"] == "/signed-out/"
                continue
            assert answer.status_code == 200
            assert answer.headers["HX-Redirect"].startswith("/sign-in/?next=/")
            assert answer.content == b"", "no form may appear where a table was"


def test_every_url_without_a_role_is_closed(
    operation: None, nobody_there: None, signed_in: SignIn, subtests: pytest.Subtests
) -> None:
    for (name, url), method in product(GATED, ["get", "post"]):
        with subtests.test(name=name, method=method):
            answer = getattr(signed_in("outsider"), method)(url)
            assert answer.status_code == closed(name, method)


def closed(name: str, method: str) -> int:
    """The answer to somebody without a role: a cluster is not there, other pages are closed.

    But everybody may leave, and be told what they may do.
    """
    acts = name in {act.slug for act in ACTS.values()}
    if not acts and (name in POST_ONLY) == (method == "get"):
        return 405
    plan = name in DECISIONS - {"plan-restore"} | {"plan", "plan-export"}
    places = {"databases", "overview", "collections", "collection", "recycle-bin", "bin-pause"}
    places |= {"switch-database", "switch-collection"}
    if acts or plan or name in places:
        return 404
    own = {"choose-view": 404, "forget-places": 302}  # open to everybody; there is no such table
    return {"home": 302, "sign-out": 302, "access": 200, **own}.get(name, 403)


def test_access_page_of_an_outsider_names_nothing(signed_in: SignIn) -> None:
    page = Page(signed_in("outsider").get(EVERY["access"]))
    assert "Without a rule, nothing is allowed." in page.text
    assert "Test" not in page.text
    assert "main" not in page.text.lower(), "not even the name of a cluster"


def test_every_url_posted_without_a_token_is_refused(
    operation: None, nobody_there: None, people: Any, subtests: pytest.Subtests
) -> None:
    for name, url in EVERY.items():
        with subtests.test(name=name):
            client = Client(enforce_csrf_checks=True)
            client.force_login(people["operator"])
            # The provider calls one address without a browser, so without a token; not here now.
            expected = 404 if name == "oidc-backchannel-logout" else 403
            assert Page(client.post(url)).status == expected
            assert client.session.get("_auth_user_id"), "not even signed out"
            assert AuditEvent.objects.count() == 1


# --- the door itself ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(OPEN))
def test_public_pages_of_other_sign_in_modes_are_not_found(name: str) -> None:
    found = {"language": 405}.get(name, 404 if name in NOT_HERE else 200)
    assert Client().get(EVERY[name]).status_code == found
    assert Client().post(EVERY[name]).status_code == {
        "sign-in": 200,
        "signed-out": 405,
        "language": 302,
    }.get(name, 404)
    others = AuditEvent.objects.exclude(action="session.refused")
    assert not others.exists(), "an empty form is a refused sign-in, and nothing else is recorded"


# --- every answer carries its headers -------------------------------------------------------------


def assert_protected(answer: Any) -> None:
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_every_url_answers_with_its_headers(
    htmx: bool,
    operation: None,
    nobody_there: None,
    everyone: Client,
    signed_in: SignIn,
    subtests: pytest.Subtests,
) -> None:
    headers = {"HX-Request": "true"} if htmx else {}
    for (name, url), method in product(EVERY.items(), METHODS):
        with subtests.test(name=name, method=method):
            assert_protected(getattr(Client(headers=headers), method)(url))
            signed = signed_in("operator")  # anew: one of the addresses signs out
            assert_protected(getattr(signed, method)(url, headers=headers))


def test_every_url_while_milvus_is_down_is_a_page(
    operation: None, nobody_there: None, everyone: Client, subtests: pytest.Subtests
) -> None:
    for name, url in EVERY.items():
        with subtests.test(name=name):
            answer = everyone.get(url)
            assert answer.status_code < 500 or answer.status_code == 503
            if answer.headers["Content-Type"].startswith("text/html") and answer.content:
                assert Page(answer).find("h1"), "checked as it is made"


# --- a walk through all that is linked ------------------------------------------------------------


@pytest.fixture
def furnished(
    lite: Any,
    lite_server: MilvusServer,
    collections_on: Callable[[MilvusServer], Seeds],
    everyone: Client,
) -> Client:
    """A Milvus Lite with something on every page, and a log with every kind of event."""
    seeds = collections_on(lite_server)
    seeds("books", partitions=["novels"], aliases=[unique_name("alias")], loaded=True, rows=2)
    seeds('"><b onclick=x>', partitions=["<i>", "a&b=c"], description="<script>alert(1)</script>")
    gone = seeds("gone")
    confirm(everyone, act_url("drop-collection", gone), gone, reason="<u>tidy</u>")
    everyone.post(act_url("drop-collection", "books"), {"typed_name": "books"})
    everyone.post("/audit/export/", {"form": "csv"})
    return everyone


def walk(client: Client, start: str) -> dict[str, Page]:
    """Every page that links lead to, by address."""
    found: dict[str, Page] = {}
    waiting = [start]
    while waiting:
        url = waiting.pop()
        if url in found:
            continue
        answer = client.get(url, follow=True)
        assert answer.status_code == 200, f"{url} is {answer.status_code}"
        assert_protected(answer)
        if not answer.headers["Content-Type"].startswith("text/html"):
            continue
        found[url] = Page(answer)
        links = [tag.attrs["href"] for tag in found[url].find("a") if "href" in tag.attrs]
        links += [tag.attrs["hx-get"] for tag in found[url].tags if "hx-get" in tag.attrs]
        inside = [urljoin(url, link) for link in links if not link.startswith(("#", "http"))]
        waiting += [link.partition("#")[0] for link in inside]
    return found


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_every_link_leads_to_a_page_without_inline_code(htmx: bool, furnished: Client) -> None:
    if htmx:
        furnished.defaults["HTTP_HX_REQUEST"] = "true"
    before = AuditEvent.objects.count()
    found = walk(furnished, "/")
    seen = {urlsplit(url).path for url in found}
    assert {
        "/clusters/main/collection/",
        "/clusters/main/drop-collection/",
        "/clusters/main/drop-partition/",
        "/clusters/main/drop-alias/",
        "/clusters/main/release-collection/",
        "/audit/",
    } < seen
    assert any(path.startswith("/operations/") for path in seen)
    for page in found.values():
        assert not [tag for tag in page.find("script") if not tag.attrs["src"].startswith("/")]
        assert not page.find("u"), "a reason is text"
    assert AuditEvent.objects.count() == before, "walking changes and records nothing"


def test_every_field_has_a_label(
    furnished: Client,
) -> None:
    for url, page in walk(furnished, "/").items():
        labels = {tag.attrs.get("for") for tag in page.find("label")}
        for tag in page.find("input") + page.find("select"):
            if tag.attrs.get("type") != "hidden":
                assert tag.attrs.get("aria-label") or tag.attrs["id"] in labels, (url, tag.attrs)


def test_page_assets_come_from_this_origin(furnished: Client) -> None:
    page = Page(furnished.get("/clusters/main/"))
    loaded = [tag.attrs["src"] for tag in page.find("script")]
    loaded += [tag.attrs["href"] for tag in page.find("link")]
    assert len(loaded) == 4
    assert all(url.startswith(django_settings.STATIC_URL) for url in loaded)
