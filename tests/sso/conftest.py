"""The application with company sign-in, and two providers: a real one, and a forger."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as live_settings
from django.contrib.auth import SESSION_KEY
from django.test import Client
from django.utils import timezone

from collections_app.audit.log import LogUnwritable
from collections_app.models import AuditEvent
from milvusadmin.config.sign_in import Oidc
from milvusadmin.sso import events
from milvusadmin.sso.models import SignIn
from milvusadmin.sso.oidc import client as ours
from tests.fixtures import cluster_at, rule
from tests.infra.forger import Forger
from tests.infra.forger import forger as forging
from tests.infra.provider import Provider, sign_in
from tests.infra.provider import provider as running
from tests.web import Page

RP = "http://testserver"


RULES = (
    rule("ml-platform", "view", "drop"),
    rule("ml-readers", "view", collections=("public_*",)),
    rule("audit", "audit"),
)


# --- the real provider ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared_provider() -> Iterator[Provider]:
    with running((RP,)) as made:
        yield made


@pytest.fixture
def provider(shared_provider: Provider) -> Iterator[Provider]:
    """The real provider, with its people as they are at first: ada, vera, aldo."""
    yield shared_provider
    if shared_provider._process is None:
        shared_provider.start()
    shared_provider.stall(0)
    shared_provider.no_refresh(False)
    shared_provider.change("ada", groups=["ml-platform"], display="Ada Osei", userinfo=None)
    shared_provider.change("vera", groups=["ml-readers"], display="Vera Lind")
    shared_provider.change("aldo", groups=["audit"], display="Aldo Conti")


@pytest.fixture
def oidc(settings: Any, db: None, provider: Provider) -> Callable[..., Oidc]:
    """Company sign-in is on. oidc(recheck=1.0) changes what is configured."""
    return switch_on(settings, provider)


@pytest.fixture
def come_in(oidc: object, provider: Provider) -> Callable[..., Client]:
    """come_in("ada") is a browser in which she has signed in."""

    def come(name: str = "ada", **options: Any) -> Client:
        browser = Client(**options)
        assert sign_in(browser, provider, name).status_code == 302
        return browser

    return come


def switch_on(settings: Any, provider: Provider | Forger) -> Callable[..., Oidc]:
    """Company sign-in with that provider. What comes back changes what is configured."""
    settings.SIGN_IN = "oidc"
    settings.AUTHENTICATION_BACKENDS = live_settings.BACKENDS["oidc"]
    settings.ACCESS = RULES
    settings.OIDC = Oidc(
        issuer=provider.issuer,
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        scopes="openid profile email groups",
        timeout=2.0,
    )
    ours._client.cache_clear()

    def configure(**changes: Any) -> Oidc:
        settings.OIDC = replace(settings.OIDC, **changes)
        return settings.OIDC  # type: ignore[no-any-return]

    return configure


# --- the forger -----------------------------------------------------------------------------------


@pytest.fixture
def forger() -> Iterator[Forger]:
    """A provider that says whatever the test wants."""
    with forging() as made:
        yield made


@pytest.fixture
def forged(settings: Any, db: None, forger: Forger) -> Callable[..., Oidc]:
    """Company sign-in is on, with the forger as its provider."""
    return switch_on(settings, forger)


def begin(browser: Client, **query: str) -> str:
    """The address at the provider where signing in leads."""
    answer: Any = browser.get("/sign-in/", query)
    assert answer.status_code == 302, answer.content.decode()
    return str(answer.headers["Location"])


def come_back(browser: Client, forger: Forger, begun: str = "", **query: str) -> Any:
    """Sign in at the forger, and bring back what it gave. `query` replaces parts of that."""
    granted = forger.grant(begun or begin(browser))
    return browser.get("/oidc/callback/", granted | query)


def asked_of(address: str) -> dict[str, str]:
    """The parameters in an address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


# --- what is there afterwards ---------------------------------------------------------------------


def signed_in(browser: Client) -> bool:
    """Whether this browser has a session, and it is somebody's."""
    return SESSION_KEY in browser.session


def turned_away(browser: Client, answer: Any, why: str) -> None:
    """A page that says so, a record that says why, and no session, neither now nor after."""
    assert answer.status_code == 403
    assert "Nothing was changed, and the attempt was recorded" in Page(answer).text
    assert not signed_in(browser)
    assert browser.get("/access/").status_code == 302
    assert not SignIn.objects.exists()
    assert recorded("session.sign_in") == []
    (event,) = recorded("session.refused")
    assert (event["phase"], event["outcome"]) == ("session", "denied")
    assert why in event["message"]


def no_answer(browser: Client, answer: Any) -> None:
    """The page for a provider that can't be used, and no session."""
    assert answer.status_code == 503
    assert "does not answer" in Page(answer).text
    assert answer.headers["Retry-After"]
    assert not signed_in(browser)
    assert not SignIn.objects.exists()


def recorded(action: str) -> list[dict[str, Any]]:
    """The records of that action, oldest first."""
    rows = AuditEvent.objects.filter(action=action).order_by("sequence")
    return [json.loads(row.record) for row in rows]


def phases() -> list[tuple[str, str, str]]:
    """Phase, action and outcome of everything that is about Milvus, oldest first."""
    rows = AuditEvent.objects.exclude(phase="session").order_by("sequence")
    return list(rows.values_list("phase", "action", "outcome"))


def later(seconds: float) -> None:
    """So much time has passed since the provider was asked about the sessions."""
    for row in SignIn.objects.all():
        row.checked_at -= timedelta(seconds=seconds)
        row.ask_after -= timedelta(seconds=seconds)
        row.asking_until -= timedelta(seconds=seconds)
        row.save()


def signed_in_long_ago(seconds: float) -> None:
    """So much time has passed since the people of the sessions proved who they are."""
    SignIn.objects.update(authenticated_at=timezone.now() - timedelta(seconds=seconds))


@pytest.fixture
def full_log(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """full_log() makes the log of sign-ins unwritable from then on."""

    def fail(entry: object) -> None:
        raise LogUnwritable("the log is full")

    return lambda: monkeypatch.setattr(events, "write", fail)


@pytest.fixture
def wary(settings: Any) -> None:
    """The cluster asks for a sign-in that is at most a minute old."""
    settings.CLUSTERS = {"main": cluster_at("http://127.0.0.1:1", reauth=60.0)}
