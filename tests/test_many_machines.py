"""Two machines with one database: no state that matters is kept in a process or machine."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests.infra.gunicorn import App, gunicorn, local_accounts
from tests.infra.provider import Provider
from tests.infra.provider import provider as running

PASSWORD = "a-long-one-for-tests"
Machines = tuple[App, App]
RULES = 'access = [{groups = ["audit"], clusters = ["*"], actions = ["audit"]}]\n'


def both(stack: ExitStack, folder: Path, **variables: str) -> Machines:
    """Each has its own folder; what they share is the database, and SQLite on one disk will do."""
    shared = {"LOOPBACK_ONLY": "1", "DATABASE_URL": f"sqlite:///{folder}/shared.sqlite"}
    one, other = (stack.enter_context(gunicorn(shared | variables)) for _ in range(2))
    return one, other


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    with ExitStack() as stack:
        made = both(stack, folder, SIGN_IN="local")
        local_accounts(made[0], PASSWORD, {"DATABASE_URL": f"sqlite:///{folder}/shared.sqlite"})
        yield made


def at(machine: App, path: str = "/") -> str:
    """The cookies of a browser count for both: they know hosts, and no ports."""
    return urljoin(f"http://{machine.bind}/", path)


def sent(
    browser: requests.Session, page: requests.Response, machine: App, path: str, **fields: str
) -> requests.Response:
    """Send the form of a page to that machine."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, page.text
    return browser.post(
        at(machine, path),
        {"csrfmiddlewaretoken": token[1], **fields},
        headers={"Origin": at(machine).rstrip("/")},
        allow_redirects=False,
        timeout=30,
    )


def test_session_is_shared_by_two_machines(machines: Machines) -> None:
    one, other = machines
    browser = requests.Session()
    form = browser.get(at(one, "/sign-in/"), timeout=30)
    answer = sent(browser, form, other, "/sign-in/", username="auditor", password=PASSWORD)
    assert answer.status_code == 302
    page = browser.get(at(one, "/audit/"), timeout=30)
    assert "Signed in with a local account" in page.text
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        assert browser.get(at(other, path), timeout=30).status_code == 200
    assert sent(browser, page, other, "/sign-out/").status_code == 302
    answer = browser.get(at(one, "/audit/"), allow_redirects=False, timeout=30)
    assert answer.headers["Location"].startswith("/sign-in/")


def test_wrong_passwords_are_counted_across_machines(machines: Machines) -> None:
    one, other = machines
    browser = requests.Session()
    found = []
    for machine in (one, other, one, other, one, other):
        form = browser.get(at(machine, "/sign-in/"), timeout=30)
        fields = {"username": "viewer", "password": "wrong"}
        found.append(sent(browser, form, machine, "/sign-in/", **fields).status_code)
    assert found == [200] * 4 + [429] * 2


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running() as made:
        yield made


def test_provider_may_lead_back_to_the_other_machine(provider: Provider, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    variables = {
        "SIGN_IN": "oidc",
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": provider.client_id,
        "OIDC_CLIENT_SECRET": provider.client_secret,
        "OIDC_SCOPES": "openid profile email groups",
        "MILVUSADMIN_CONFIG": str(tmp_path / "rules.toml"),
    }
    with ExitStack() as stack:
        one, other = both(stack, tmp_path, **variables)
        browser = requests.Session()
        begun = browser.get(at(one, "/sign-in/"), allow_redirects=False, timeout=30)
        back = provider.visit(browser, begun.headers["Location"], "aldo")
        assert back.startswith(at(one))
        browser.get(back.replace(at(one), at(other)), allow_redirects=False, timeout=30)
        assert "Aldo Conti" in browser.get(at(one, "/access/"), timeout=30).text
