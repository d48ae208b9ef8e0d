"""The request id: in the response, on the page, in the log and in the audit event."""

import json
import logging
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from collections_app.models import AuditEvent
from milvusadmin.config.peers import Peers
from tests.web import Page, act_url, confirm
from tests.web.test_problems import failing

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[..., Client]
HEADER = "X-Request-ID"
HERE, ELSEWHERE = (Peers(networks=(ip_network(net),)) for net in ("127.0.0.1", "10.0.3.7"))
USABLE = ["0123456789abcdef", "8d3e6f0c-0a0a-4f4f-9c9c-000000000001", "Z6.x_y@z="]
HOSTILE = [
    "short",
    "a" * 65,
    "0123456789\nforged",
    "0123456789, no",
    "<script>alert(1)</script>",
    "0123456789é",
    "0123456789 abcdef",
    "",
]


@pytest.mark.parametrize("given", USABLE)
def test_request_id_of_a_trusted_proxy_is_taken(given: str, settings: Any) -> None:
    settings.TRUST_PROXY = HERE
    assert Client().get("/sign-in/", headers={HEADER: given}).headers[HEADER] == given


@pytest.mark.parametrize("given", HOSTILE)
def test_request_id_unusable_is_replaced(given: str, settings: Any) -> None:
    settings.TRUST_PROXY = HERE
    made = Client().get("/sign-in/", headers={HEADER: given}).headers[HEADER]
    assert made != given
    assert len(made) == 32


def test_request_id_without_a_trusted_proxy_is_made_here(settings: Any) -> None:
    settings.TRUST_PROXY = ELSEWHERE
    made = {Client().get("/", headers={HEADER: USABLE[0]}).headers[HEADER] for _ in range(3)}
    assert len(made) == 3
    assert USABLE[0] not in made


def test_request_id_is_in_the_events_of_the_request(fake: Any, signed_in: SignIn) -> None:
    fake.add("book")
    answer = confirm(signed_in(), act_url("drop-collection", "book"), "book")
    records = [json.loads(text) for text in AuditEvent.objects.values_list("record", flat=True)]
    phases = {record["phase"]: record["origin"]["request_id"] for record in records}
    assert phases == dict.fromkeys(("intent", "outcome"), answer.headers[HEADER])


@pytest.mark.parametrize("path", ["", "collections/?database=default"])
@pytest.mark.parametrize("htmx", [False, True], ids=["browser", "htmx"])
def test_request_id_is_on_a_problem_page(
    htmx: bool, path: str, use_cluster: Any, signed_in: SignIn
) -> None:
    use_cluster("http://127.0.0.1:1")
    answer = signed_in(htmx=htmx).get(f"/clusters/main/{path}")
    assert answer.status_code == 503
    assert f"In the log: request {answer.headers[HEADER]}" in Page(answer).text


def test_request_id_is_on_the_page_without_a_database(fake: Any, signed_in: SignIn) -> None:
    client = signed_in()
    client.raise_request_exception = False
    with failing("SELECT", OperationalError):
        answer = client.get("/")
    page = Page(answer)
    assert "database of Milvus Admin does not answer" in page.text
    assert f"In the log: request {answer.headers[HEADER]}" in page.text


def test_access_log_has_one_line_without_query_and_user(
    fake: Any, signed_in: SignIn, caplog: pytest.LogCaptureFixture
) -> None:
    fake.add("book")
    client = signed_in()
    with caplog.at_level(logging.INFO, "access"):
        client.get("/clusters/main/collection/?database=default&name=book")
    (line,) = [record for record in caplog.records if record.name == "access"]
    fields = dict(line.__dict__["fields"])
    assert 0 < fields.pop("ms") < 10_000
    assert fields == {
        "method": "GET",
        "path": "/clusters/main/collection/",
        "view": "collection",
        "status": 200,
    }
    assert "book" not in line.getMessage()
    assert "operator" not in line.getMessage()


def test_access_log_has_no_line_for_probes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "access"):
        Client().get("/healthz")
    assert not caplog.records
