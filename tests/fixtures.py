"""Fixtures of the application: users, signed-in clients, and the Milvus they use."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar, cast

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from collections_app import clusters
from collections_app.access import roles
from collections_app.access.policy import Rule
from collections_app.access.principals import Actor, Caller, Origin
from collections_app.milvus.types import Cluster
from collections_app.operations import deadlines, reconcile
from tests.fakes import FakeMilvus, use_fake
from tests.infra.chain import Chain
from tests.infra.milvus_server import MilvusServer
from tests.infra.skins import Skin

PASSWORD = "correct horse battery"
ORIGIN = Origin(interface="test")


def cluster_at(uri: str, token: str = "", **changes: Any) -> Cluster:
    """A cluster called `main`. Its deadline for reads is long: a busy machine must not reach it."""
    settings = {
        "read_timeout": 15.0,
        "drop_timeout": 3.0,
        "unknown_timeout": 1.0,
        "breaker_cooldown": 0.0,
        **changes,
    }
    return Cluster(key="main", label="Test", uri=uri, token=token, **settings)


def person(name: str, role: str = "") -> Any:
    """A local account; without a role it may do nothing."""
    user = get_user_model().objects.create_user(name, password=PASSWORD)
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


def actor(name: str = "ada", groups: tuple[str, ...] = ("operator", "auditor")) -> Actor:
    """Somebody for tests below the views; may do everything unless told otherwise."""
    return Actor(issuer="test", subject=name, display=name.capitalize(), groups=groups)


def caller(who: str | Actor = "ada") -> Caller:
    """The same, with an origin."""
    return Caller(actor(who) if isinstance(who, str) else who, ORIGIN)


def rule(group: str, *actions: str, **where: tuple[str, ...]) -> Rule:
    """A rule of a test, with its group as its source: rule("team", "view", clusters=("main",))."""
    return Rule(
        source=f"the rule of {group}",
        groups=frozenset({group}),
        actions=frozenset(actions),
        **where,
    )


class People(dict[str, Any]):
    """Accounts by name, each made when it is asked for."""

    ROLES: ClassVar = {name: name for name in roles.ROLES} | {"other": "operator", "outsider": ""}

    def __missing__(self, name: str) -> Any:
        self[name] = person(name, self.ROLES[name])
        return self[name]


@pytest.fixture
def people(db: None) -> People:
    """viewer, operator, other (a second operator), auditor, outsider (no role)."""
    return People()


@pytest.fixture
def accounts(people: People) -> None:
    """All of them at once, for a test that signs in with a password."""
    for name in people.ROLES:
        people[name]


@pytest.fixture
def everyone(signed_in: Callable[..., Client], people: People) -> Client:
    """Somebody who may do everything."""
    people["operator"].groups.set(Group.objects.all())
    return signed_in("operator")


@pytest.fixture
def signed_in(people: dict[str, Any]) -> Callable[..., Client]:
    """signed_in("viewer") is a browser of theirs; htmx=True sends what htmx sends."""

    def sign_in(name: str = "operator", *, htmx: bool = False, **options: Any) -> Client:
        headers = {"HX-Request": "true"} if htmx else {}
        client = Client(headers=headers, **options)
        client.force_login(people[name])
        return client

    return sign_in


@pytest.fixture
def use_cluster(settings: Any) -> Iterator[Callable[..., clusters.Milvus]]:
    """use_cluster(uri, token) makes the application talk to that Milvus, and opens it."""

    def use(uri: str, token: str = "", **changes: Any) -> clusters.Milvus:
        cluster = cluster_at(uri, token, **changes)
        settings.CLUSTERS = {cluster.key: cluster}
        return clusters.get(cluster.key)

    yield use
    clusters._open.cache_clear()


@pytest.fixture
def real(
    use_cluster: Callable[..., Any],
    milvus_server: MilvusServer,
    skin: Skin,
    request: pytest.FixtureRequest,
) -> clusters.Milvus:
    """The application on the real Milvus, as root; behind `chain` if a skin has to be worn."""
    server = request.getfixturevalue("chain").server if skin.rows else milvus_server
    return use_cluster(server.uri, server.token)


@pytest.fixture
def faulty(use_cluster: Callable[..., Any], chain: Chain) -> clusters.Milvus:
    """The application behind `chain`: the real Milvus with faults on command."""
    return use_cluster(chain.uri, chain.token)


@pytest.fixture
def lite(use_cluster: Callable[..., Any], lite_uri: str) -> clusters.Milvus:
    """The application on a fresh Milvus Lite."""
    return use_cluster(lite_uri)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeMilvus:
    """The application on a Milvus in memory."""
    return use_fake(monkeypatch)


@pytest.fixture
def impatient(
    use_cluster: Callable[..., Any], chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], clusters.Milvus]:
    """impatient() lets the time pass after which `settle` may judge."""

    def later() -> clusters.Milvus:
        let_time_pass(monkeypatch)
        return cast(clusters.Milvus, use_cluster(chain.uri, chain.token))

    return later


def let_time_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every intent is an hour older, for what settles operations."""
    real = deadlines.age_of
    monkeypatch.setattr(reconcile, "age_of", lambda intent: real(intent) + timedelta(hours=1))
