"""System checks: what would be unsafe or could not work, with the remedy. None asks Milvus."""

from typing import Any

from django.conf import settings
from django.core import checks

from .web.languages import is_compiled


@checks.register
def databases(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """The chain needs a database whose triggers and locks Milvus Admin supports."""
    default = settings.DATABASES["default"]
    found: list[checks.CheckMessage] = []
    if not default["ENGINE"].endswith(("sqlite3", "postgresql")):
        found.append(
            checks.Error(
                f"The database engine {default['ENGINE']} can't hold the audit log.",
                hint="Set DATABASE_URL to a postgres:// or sqlite:// address.",
                id="milvusadmin.E001",
            )
        )
    if default.get("ATOMIC_REQUESTS"):
        found.append(
            checks.Error(
                "ATOMIC_REQUESTS is on: an intent would be committed after the drop, not before.",
                hint="Remove ATOMIC_REQUESTS from DATABASES.",
                id="milvusadmin.E002",
            )
        )
    return found


@checks.register(checks.Tags.security, deploy=True)
def secrets(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """One secret for two purposes means that rotating one breaks the other."""
    if settings.SECRET_KEY != settings.AUDIT_KEY:
        return []
    return [
        checks.Warning(
            "SECRET_KEY and AUDIT_KEY are the same.",
            hint="Give AUDIT_KEY a value of its own: openssl rand -hex 32",
            id="milvusadmin.W001",
        )
    ]


@checks.register(checks.Tags.security)
def embedded(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Milvus Lite belongs to one process on one machine."""
    lite = [c.key for c in settings.CLUSTERS.values() if c.is_embedded]
    if not lite or settings.LOOPBACK_ONLY or settings.DEBUG:
        return []
    return [
        checks.Warning(
            f"Cluster {lite[0]} is an embedded Milvus Lite file: it has no ids, and one "
            "process owns it.",
            hint="Use a Milvus server's address, such as http://HOST:19530.",
            id="milvusadmin.W002",
        )
    ]


@checks.register(checks.Tags.translation)
def translations(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """A language whose catalogue is not compiled is not offered; an old one lacks sentences."""
    missing = [code for code, _ in settings.LANGUAGES if not is_compiled(code)]
    return [
        checks.Warning(
            f"The translations for {code} are not compiled, or older than their source.",
            hint="Run: pybabel compile --domain django --directory collections_app/locale",
            id="milvusadmin.W003",
        )
        for code in missing
    ]
