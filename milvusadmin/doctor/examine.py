"""All checks of the doctor, one after the other, each with a deadline."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.conf import settings
from django.db import connection

from collections_app import clusters
from collections_app.milvus.types import Cluster

from . import database, environment, milvus, notifications, protection, recycle_bin
from .findings import Check, Finding, State, within

DEADLINE = 10.0  # seconds for a check; a cluster has its own
CLUSTERS = 8  # that are looked at side by side


def everything() -> list[Finding]:
    """What every check found, in the order of how much depends on it."""
    found = _run("settings", environment.checks)
    found += _database()
    with ThreadPoolExecutor(CLUSTERS) as pool:  # those that hang, hang together
        for of_cluster in pool.map(_cluster, clusters.all_clusters()):
            found += of_cluster
    for cluster in clusters.all_clusters():
        bin_look: Check = partial(recycle_bin.look, cluster)
        found += _run(f"recycle bin {cluster.key}", _alone(bin_look), 3 * cluster.read_timeout + 5)
    found += _run(protection.ABOUT, _alone(protection.look))
    found += _run(environment.SIGN_IN, environment.sign_in)
    found += _run(notifications.ABOUT, _alone(notifications.look))
    found += _run(environment.STATIC, environment.static_files)
    return found + _run(environment.IMAGE, environment.base_image)


def _run(about: str, check: Check, seconds: float = DEADLINE) -> list[Finding]:
    return within(seconds, about, check, secrets())


def _database() -> list[Finding]:
    """The later questions only if the earlier ones have a good answer."""
    found: list[Finding] = []
    for checks in (database.FIRST, database.SECOND, database.THEN):
        for about, check in checks:
            found += _run(about, _alone(check))
        if any(finding.state == State.PROBLEM for finding in found):
            break
    return found


def _alone(check: Check) -> Check:
    """In its thread it has a connection of its own, which ends with it."""

    def run() -> Iterator[Finding]:
        try:
            yield from check()
        finally:
            connection.close()

    return run


def _cluster(cluster: Cluster) -> list[Finding]:
    look: Callable[[], Iterator[Finding]] = lambda: milvus.look(cluster)  # noqa: E731
    return _run(f"cluster {cluster.key}", look, 3 * cluster.read_timeout + 5)


def secrets() -> set[str]:
    """All that must never be printed, whatever an error quotes."""
    found = {settings.SECRET_KEY, settings.AUDIT_KEY, *settings.AUDIT_RETIRED_KEYS}
    found |= {secret for cluster in clusters.all_clusters() for secret in cluster.secrets}
    found |= {settings.DATABASES["default"].get("PASSWORD") or "", settings.METRICS_TOKEN or ""}
    found |= {settings.NOTIFICATIONS.webhook_secret, settings.NOTIFICATIONS.webhook_url}
    found |= {settings.MAIL.password}
    for mode in (settings.OIDC, settings.PROXY):
        found |= {getattr(mode, "client_secret", ""), getattr(mode, "secret", "")}
    return {secret for secret in found if len(secret) > 3}
