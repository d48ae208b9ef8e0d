"""The weight of a list of fifty, from the server as it runs in production."""

import gzip
import http.client
import re
from collections.abc import Iterator

import pytest

from tests.benchmarks.places import places
from tests.infra.gunicorn import App, ask, gunicorn, local_session

LIMIT = 40_000  # bytes: the page, and what it makes a browser load
COMPRESSED = ("Accept-Encoding", "gzip")
CACHED_FOR_GOOD = "max-age=315360000, public, immutable"
LIST = "/clusters/main/collections/?database=default"
Header = tuple[str, str]


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    with places([50]) as (place,):
        environment = {"MILVUS_URI": place.uri, "LOOPBACK_ONLY": "1", "SIGN_IN": "local"}
        with gunicorn(environment) as made:
            yield made


@pytest.fixture(scope="module")
def session(app: App) -> Header:
    """The session of an operator, as a header."""
    return "Cookie", f"session={local_session(app, 'olga', 'operator')}"


def weighed(app: App, path: str, *headers: Header) -> tuple[bytes, http.client.HTTPMessage]:
    """The bytes that went over the network."""
    connection = http.client.HTTPConnection(app.bind)
    connection.request("GET", path, headers=dict((COMPRESSED, *headers)))
    answer = connection.getresponse()
    assert answer.status == 200, path
    return answer.read(), answer.headers


def test_list_of_fifty_is_light_and_same_origin(app: App, session: Header) -> None:
    sent, headers = weighed(app, f"{LIST}&details=1", session)
    assert headers["Content-Encoding"] == "gzip"
    html = gzip.decompress(sent).decode()
    assert html.count("<tr>") == 51
    loaded = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', html)
    assert len(loaded) == 4, "style, icon, htmx and ours"
    assert all(address.startswith("/static/") for address in loaded)
    total = len(sent) + sum(len(weighed(app, address)[0]) for address in loaded)
    assert total < LIMIT, f"{total} bytes, {len(sent)} of them HTML"


def test_static_files_have_hashed_names_and_are_kept_for_good(app: App, session: Header) -> None:
    html = ask(app.connection(), LIST, (session,)).text
    loaded = re.findall(r'"(/static/[^"]+)"', html)
    assert len(loaded) == 4
    for address in loaded:
        assert re.search(r"\.[0-9a-f]{12}\.", address), "a new version has a new name"
        assert weighed(app, address)[1]["Cache-Control"] == CACHED_FOR_GOOD
