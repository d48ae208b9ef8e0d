"""The application with two processes: its log, its probes and its metrics."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.urls import get_resolver

from tests.infra.chain import Chain
from tests.infra.gunicorn import HOST, Answer, App, ask, gunicorn, local_session

HEADER = "X-Request-ID"
OURS = "0123456789abcdef0123456789abcdef"
TOKEN = "scrape-" + "0f" * 16
# With a trusted proxy and https as it says; the Milvus is one where nobody is.
ENVIRONMENT = {
    "SIGN_IN": "local",
    "LOG_FORMAT": "json",
    "TRUST_PROXY": HOST,
    "METRICS_TOKEN": TOKEN,
}
HTTPS = ("X-Forwarded-Proto", "https")


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with gunicorn(ENVIRONMENT) as made:
        yield made


def look(app: App, path: str, *headers: tuple[str, str], method: str = "GET") -> Answer:
    return ask(app.connection(), path, (HTTPS, *headers), method)


def lines(app: App) -> list[dict[str, Any]]:
    """Every line of the log. Fails if one is no JSON object."""
    return [json.loads(line) for line in app.output.splitlines()]


def test_log_lines_are_json_and_those_of_gunicorn_too(app: App) -> None:
    look(app, "/sign-in/")
    assert {"gunicorn.error", "access"} <= {line["logger"] for line in lines(app)}


def test_request_id_of_the_proxy_is_in_answer_and_log(app: App) -> None:
    answer = look(app, "/nowhere/", (HEADER, OURS))
    assert (answer.status, answer.headers[HEADER]) == (404, OURS)
    assert f"In the log: request {OURS}" in answer.text
    found = [line for line in lines(app) if line.get("request_id") == OURS]
    assert {"access", "django.request"} <= {line["logger"] for line in found}


@pytest.mark.parametrize(
    "path",
    [
        "/%0a%7b%22level%22:%22CRITICAL%22%7d",
        "/%0d%0a%1b%5b2K/%e2%80%ae",
        "/" + "x" * 3000,
        "/static/%0aforged",
    ],
)
def test_hostile_request_writes_no_log_line_of_its_own(app: App, path: str) -> None:
    before = len(lines(app))
    hostile = (HEADER, 'x"}{"level":"CRITICAL"'), ("User-Agent", "\x85{}\u2028")
    answer = look(app, path, *hostile)
    assert len(answer.headers[HEADER]) == 32
    new = lines(app)[before:]
    assert {line["logger"] for line in new} <= {"access", "django.request"}
    assert {line["request_id"] for line in new} == {answer.headers[HEADER]}
    assert all(len(line.get("path", "")) <= 200 for line in new)


def test_query_string_is_not_in_the_log(app: App) -> None:
    look(app, "/sign-in/?next=/s3cret/&code=s3cret")
    look(app, "/clusters/main/collection/?name=s3cret")
    assert "s3cret" not in app.output


# --- metrics --------------------------------------------------------------------------------------


def scrape(app: App, token: str = TOKEN) -> Answer:
    """By address and over plain HTTP, as Prometheus asks."""
    return ask(app.connection(), "/metrics", (("Authorization", f"Bearer {token}"),))


def value(text: str, series: str) -> float:
    """The value of a series, 0 if it is not there."""
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.M)
    return float(found[1]) if found else 0.0


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], f"{TOKEN}x", f"{TOKEN}, {TOKEN}", "é"])
def test_metrics_without_the_token_are_not_found(app: App, token: str) -> None:
    refused, nowhere = scrape(app, token), ask(app.connection(), "/nowhere", ())
    assert (refused.status, refused.text) == (nowhere.status, nowhere.text)
    assert "milvusadmin_" not in refused.text


def test_metrics_of_all_processes_add_up(app: App) -> None:
    series = 'milvusadmin_requests_total{status="404",view="none"}'
    before = value(scrape(app).text, series)
    many = 60
    for number in range(many):
        look(app, f"/nowhere/{number}/")
    answers = {value(scrape(app).text, series) - before for _ in range(10)}
    assert answers == {many}


def test_metrics_labels_are_not_chosen_by_a_client(app: App) -> None:
    for path in ("/wp-admin/", "/clusters/nope/", "/static/nope.css", "/operations/x/"):
        look(app, f"{path}?name=n4me", ("User-Agent", "n4me"))
    text = scrape(app).text
    assert "n4me" not in text
    assert "nope" not in text
    assert set(re.findall(r'view="([^"]*)"', text)) <= known_views() | {"none", "static"}


def known_views() -> set[str]:
    return {str(name) for name in get_resolver().reverse_dict if isinstance(name, str)}


# --- with a real Milvus ---------------------------------------------------------------------------


def test_metrics_of_all_processes_count_the_calls_milvus_got(chain: Chain) -> None:
    local = {"SIGN_IN": "local", "LOOPBACK_ONLY": "1", "METRICS_TOKEN": TOKEN}
    environment = local | {"MILVUS_URI": chain.uri, "MILVUS_TOKEN": chain.token}
    with gunicorn(environment) as app:
        session = local_session(app, "ada", "operator", environment)
        cookie = ("Cookie", f"session={session}")
        page = "/clusters/main/collections/?database=default"
        with ThreadPoolExecutor(3) as crowd:  # more could find the cluster busy: a 503
            answers = crowd.map(lambda _: ask(app.connection(), page, (cookie,)).status, range(24))
            assert set(answers) == {200}
        counted = {value(scrape(app).text, OK_CALLS) for _ in range(6)}
    sent = chain.relay.count("ShowCollections")
    assert sent >= 24
    assert counted == {sent}


OK_CALLS = (
    'milvusadmin_milvus_call_seconds_count{call="ShowCollections",cluster="main",result="ok"}'
)
