"""Long headers as deployed: 230 groups fit, and the log names the setting for more."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.gunicorn import App, ask, gunicorn

SECRET = "what-the-proxy-says-" + "0f" * 16
RULES = """
[clusters.main]
uri = "http://127.0.0.1:1"

[[access]]
groups = ["*"]
clusters = ["main"]
actions = ["view"]
"""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    rules = tmp_path_factory.mktemp("rules") / "rules.toml"
    Path(rules).write_text(RULES)
    environment = {
        "SIGN_IN": "proxy",
        "PROXY_SECRET": SECRET,
        "PROXY_TRUSTED": "127.0.0.1",
        "LOOPBACK_ONLY": "1",
        "MILVUS_URI": "",
        "MILVUSADMIN_CONFIG": str(rules),
    }
    with gunicorn(environment) as made:
        yield made


def headers(count: int) -> tuple[tuple[str, str], ...]:
    groups = ",".join(str(uuid.UUID(int=number)) for number in range(count))
    return (
        ("X-Proxy-Secret", SECRET),
        ("X-Forwarded-User", "ada"),
        ("X-Forwarded-Groups", groups),
    )


@pytest.mark.parametrize("count", [1, 230, 800])
def test_header_with_many_groups_is_accepted(count: int, app: App) -> None:
    answer = ask(app.connection(), "/access/", headers(count))
    assert answer.status == 200
    assert str(uuid.UUID(int=count - 1)) in answer.text


def test_header_that_is_too_long_is_refused_and_logged(app: App) -> None:
    assert ask(app.connection(), "/access/", headers(2000)).status == 431
    assert "Raise HEADER_BYTES, or let the proxy send fewer" in app.output
