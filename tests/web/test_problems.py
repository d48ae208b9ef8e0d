"""Error pages: what happened, what it means for Milvus, and what to do next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.http import Http404
from django.test import Client, RequestFactory

from collections_app.models import AuditEvent, Claim
from collections_app.web import handlers
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.relay import Relay
from tests.infra.seeds import Seeds
from tests.infra.tls_milvus import Papers, credentials
from tests.web import Page, act_url, confirm, list_url

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Client]


@contextmanager
def failing(
    text: str, error: type[Exception] = DatabaseError, *, passing: int = 0
) -> Iterator[None]:
    """Statements that contain `text` fail in the database, after so many have passed."""
    seen: list[str] = []

    def run(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if text in sql:
            seen.append(sql)
            if len(seen) > passing:
                raise error("disk full")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(run):
        yield


APPENDING = "INSERT INTO collections_app_auditevent"


# --- the log can't be written ---------------------------------------------------------------------


@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_drop_with_an_unwritable_log_is_refused_by_a_page(
    htmx: bool, chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    name = make_collection()
    with failing(APPENDING):
        page = Page(confirm(signed_in(htmx=htmx), act_url("drop-collection", name), name))
    assert page.status == 503
    assert "The audit log can't be written" in page.text
    assert "Without a record nothing is dropped, so nothing was sent to Milvus." in page.text
    assert chain.relay.count("DropCollection") == 0
    assert make_collection.exists(name)
    assert (AuditEvent.objects.count(), Claim.objects.count()) == (0, 0)


def test_rejection_that_cannot_be_recorded_is_still_a_rejection(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    name = make_collection()
    with failing(APPENDING):
        page = Page(
            signed_in("viewer").post(act_url("drop-collection", name), {"typed_name": name})
        )
    assert page.status == 503
    assert make_collection.exists(name)


def test_export_that_cannot_be_recorded_does_not_begin(signed_in: SignIn) -> None:
    with failing(APPENDING):
        page = Page(signed_in("auditor").post("/audit/export/", {"form": "csv"}))
    assert page.status == 503
    assert "The audit log can't be written" in page.text


def test_dialog_with_an_unwritable_log_is_shown(
    real: Any, make_collection: Seeds, signed_in: SignIn
) -> None:
    name = make_collection()
    with failing(APPENDING):
        assert signed_in().get(act_url("drop-collection", name)).status_code == 200


def test_drop_sent_but_not_recorded_says_so_and_is_settled_later(
    chain: Chain, faulty: Any, make_collection: Seeds, signed_in: SignIn, settings: Any
) -> None:
    name, client = make_collection(), signed_in()
    with failing(APPENDING, passing=1):  # the intent passes, the outcome fails
        page = Page(confirm(client, act_url("drop-collection", name), name))
    operation = AuditEvent.objects.get().operation_id
    assert page.status == 503
    assert "Sent, but the outcome could not be recorded" in page.text
    assert f"Operation {operation}" in page.text
    assert "will not be sent again" in page.text
    assert not make_collection.exists(name)
    assert Claim.objects.get().operation_id == operation
    with failing(APPENDING):  # and again: its page does not say that nothing was sent
        looked = Page(signed_in(htmx=True).post(f"/operations/{operation}/look/"))
    assert (looked.status, Claim.objects.count()) == (200, 1)
    assert "has not confirmed" in looked.text
    assert chain.relay.count("DropCollection") == 1


# --- our own database -----------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["django_session", "auth_user"])
def test_own_database_down_is_told_apart_from_milvus_and_bugs(
    table: str, real: Any, signed_in: SignIn
) -> None:
    client = signed_in("viewer")
    client.raise_request_exception = False
    with failing(f'"{table}"', OperationalError):
        page = Page(client.get("/clusters/main/"))
    assert page.status in {500, 503}
    assert "The database of Milvus Admin does not answer" in page.text
    assert "This request sent nothing to Milvus." in page.text
    assert "disk full" not in page.html


def test_internal_error_page_shows_no_internals(
    real: Any, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("inside-of-the-machine")

    monkeypatch.setattr("collections_app.web.http.clusters.all_clusters", broken)
    client = signed_in("viewer")
    client.raise_request_exception = False
    page = Page(client.get("/"))
    assert page.status == 500
    assert "This is a bug in Milvus Admin." in page.text
    assert "inside-of-the-machine" not in page.html


# --- requests that make no sense ------------------------------------------------------------------


def test_foreign_host_is_refused_first() -> None:
    page = Page(Client(headers={"Host": "evil.example"}).get("/sign-in/"))
    assert page.status == 400
    assert "Milvus Admin does not answer to this host name" in page.text
    assert "add its host name to ALLOWED_HOSTS" in page.text
    assert "evil.example" not in page.html


@pytest.mark.parametrize(
    "address", ["/nosuch/", "/admin/", "/clusters/", "/clusters/a%00b/", "/audit/nosuch/"]
)
def test_unknown_address_is_page_not_found(address: str, signed_in: SignIn) -> None:
    page = Page(signed_in("viewer").get(address))
    assert page.status == 404
    assert "Page not found" in page.text


def test_address_without_its_slash_redirects(signed_in: SignIn) -> None:
    answer = signed_in("auditor").get("/audit?who=ada")
    assert (answer.status_code, answer.headers["Location"]) == (301, "/audit/?who=ada")


def test_not_found_page_escapes_the_address(signed_in: SignIn) -> None:
    page = Page(signed_in("viewer").get("/<script>alert(1)</script>/"))
    assert page.status == 404
    assert "There is no page at this address" in page.text
    assert "urlpatterns" not in page.html, "Django's own list of addresses is for nobody"


def test_problem_under_htmx_is_a_part(signed_in: SignIn) -> None:
    page = Page(signed_in("viewer", htmx=True).get("/clusters/nosuch/"))
    assert page.status == 404
    assert not page.is_whole
    assert page.find("section", cls="problem")


def test_form_without_its_cookie_is_refused_with_a_way_on(signed_in: SignIn) -> None:
    client = signed_in("auditor", enforce_csrf_checks=True)
    page = Page(client.post("/audit/verify/"))
    assert page.status == 403
    assert "The cookie for this form is missing" in page.text
    assert "Reload the page and try again." in page.text


def test_form_of_an_earlier_session_is_refused_with_a_way_on(signed_in: SignIn) -> None:
    client = signed_in("auditor", enforce_csrf_checks=True)
    client.get("/audit/")
    page = Page(client.post("/audit/verify/", {"csrfmiddlewaretoken": "x" * 64}))
    assert "This form has expired" in page.text
    assert "you signed in again in another tab" in page.text


@pytest.mark.parametrize(
    "origin", ["null", "http://testserver:8443", "https://testserver", "https://evil.example"]
)
def test_form_from_another_origin_names_the_proxy_setting(origin: str, signed_in: SignIn) -> None:
    """As with a proxy that loses the port of Host or the protocol, or a page without a referrer."""
    client = signed_in("auditor", enforce_csrf_checks=True)
    token = Page(client.get("/audit/")).value("csrfmiddlewaretoken")
    answer = client.post(
        "/audit/verify/", {"csrfmiddlewaretoken": token}, headers={"Origin": origin}
    )
    page = Page(answer)
    assert page.status == 403
    assert f"sent the form from {origin}, but Milvus Admin received it as http://testserver" in (
        page.text
    )
    assert "it must pass on Host with its port" in page.text
    assert "TRUST_PROXY" in page.text


def test_sign_in_form_of_a_tab_already_signed_in_leads_on(signed_in: SignIn) -> None:
    """Two tabs show the form, and signing in with one changes the CSRF secret of the other."""
    client = signed_in("auditor", enforce_csrf_checks=True)
    client.get("/audit/")
    for where, expected in (("/audit/?who=ada", "/audit/?who=ada"), ("//evil.example/", "/")):
        answer: Any = client.post("/sign-in/", {"next": where, "csrfmiddlewaretoken": "x" * 64})
        assert (answer.status_code, answer.headers["Location"]) == (302, expected)


def test_request_body_too_large_is_refused(signed_in: SignIn) -> None:
    answer = signed_in().post(
        act_url("drop-collection", "books"), {"typed_name": "x" * 3_000_000, "token": "t"}
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("uri", ["http://127.0.0.1:1", "ftp://127.0.0.1:1", "http://h:99999"])
def test_client_library_error_is_not_quoted_as_milvus(
    uri: str, signed_in: SignIn, use_cluster: Callable[..., Any]
) -> None:
    use_cluster(uri, read_timeout=0.3)
    page = Page(signed_in("viewer").get(list_url()))
    assert page.status == 503
    assert "Milvus said" not in page.text
    assert "Milvus refused" not in page.text


def test_form_that_milvus_stopped_offers_no_empty_page(
    signed_in: SignIn, use_cluster: Callable[..., Any]
) -> None:
    """The address of a form alone answers 405."""
    use_cluster("http://127.0.0.1:1", read_timeout=0.3)
    client = signed_in()
    dialog = act_url("drop-collection", "books")
    assert Page(client.get(dialog)).link("Try again") == dialog
    page = Page(client.post("/clusters/main/plans/new/", {"database": "default", "all": "1"}))
    assert page.status == 503
    assert not page.has_link("Try again")


def test_unreadable_reply_is_not_quoted_as_milvus(
    chain: Chain, faulty: Any, signed_in: SignIn
) -> None:
    chain.relay.answer("ShowCollections", lambda _: b"\xff\xff")
    page = Page(signed_in("viewer").get(list_url()))
    assert page.status == 503
    assert "No usable answer from Milvus" in page.text
    assert "gRPC answered: " in page.text


def test_tls_failure_is_explained(
    tmp_path: Path, signed_in: SignIn, use_cluster: Callable[..., Any], milvus_server: MilvusServer
) -> None:
    papers = Papers(tmp_path)
    with Relay(milvus_server.address, credentials(papers.server)) as relay:
        use_cluster(f"https://127.0.0.1:{relay.port}", milvus_server.token)
        answer = signed_in("viewer").get(list_url())
    page = Page(answer)
    assert page.status == 503
    assert "No connection to Milvus" in page.text
    assert "set ca_file to the authority" in page.text
    assert "Milvus said" not in page.text


def test_error_page_before_any_middleware_is_a_page(rf: RequestFactory) -> None:
    """As for a missing static file in development, before any middleware runs."""
    request: Any = rf.get("/")
    for page in (handlers.not_found(request, Http404()), handlers.server_error(request)):
        assert Page(page).find("h1")
