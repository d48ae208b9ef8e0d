"""System checks: an unsafe setting stops the start, with its remedy."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.test import override_settings

from tests.fixtures import cluster_at

LITE = {"main": cluster_at("./demo.db")}
SERVER = {"main": cluster_at("http://127.0.0.1:1")}


def ours(**kwargs: Any) -> list[str]:
    """The ids of our own findings."""
    return [m.id for m in run_checks(**kwargs) if m.id and m.id.startswith("milvusadmin.")]


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """database(ENGINE=...) changes what is configured; nothing connects to it."""

    def change(**changes: Any) -> None:
        default = {**settings.DATABASES["default"], **changes}
        monkeypatch.setitem(settings.DATABASES, "default", default)

    return change


def test_checks_of_the_test_settings_find_nothing() -> None:
    assert ours(include_deployment_checks=True) == []


@pytest.mark.parametrize(
    ("engine", "found"),
    [
        ("django.db.backends.sqlite3", []),
        ("django.db.backends.postgresql", []),
        ("django.db.backends.mysql", ["milvusadmin.E001"]),
        ("django.db.backends.oracle", ["milvusadmin.E001"]),
    ],
)
def test_check_of_an_unsupported_database_is_an_error(
    engine: str, found: list[str], database: Callable[..., None]
) -> None:
    database(ENGINE=engine)
    assert ours() == found


def test_check_of_atomic_requests_is_an_error(database: Callable[..., None]) -> None:
    database(ATOMIC_REQUESTS=True)
    assert ours() == ["milvusadmin.E002"]


def test_check_of_one_secret_for_two_purposes_is_a_warning() -> None:
    with override_settings(SECRET_KEY="k" * 50, AUDIT_KEY="k" * 50):
        assert ours(include_deployment_checks=True) == ["milvusadmin.W001"]


@pytest.mark.parametrize(
    ("clusters", "loopback", "debug", "found"),
    [
        (LITE, False, False, ["milvusadmin.W002"]),
        (LITE, True, False, []),
        (LITE, False, True, []),
        (SERVER, False, False, []),
    ],
)
def test_check_of_milvus_lite_beyond_this_machine_is_an_error(
    clusters: Any, loopback: bool, debug: bool, found: list[str]
) -> None:
    with override_settings(CLUSTERS=clusters, LOOPBACK_ONLY=loopback, DEBUG=debug):
        assert ours() == found


@pytest.mark.parametrize("id_", ["E001", "E002", "W001", "W002"])
def test_check_findings_name_the_remedy(id_: str, database: Callable[..., None]) -> None:
    database(ENGINE="django.db.backends.mysql", ATOMIC_REQUESTS=True)
    same = {"SECRET_KEY": "k" * 50, "AUDIT_KEY": "k" * 50}
    with override_settings(**same, CLUSTERS=LITE, LOOPBACK_ONLY=False):
        messages = {m.id: m for m in run_checks(include_deployment_checks=True)}
    assert messages[f"milvusadmin.{id_}"].hint
