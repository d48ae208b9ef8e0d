"""The dashboard's own database, as configured: PostgreSQL, or a file of SQLite."""

from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from milvusadmin.config import env

# Each thread keeps its connection, and tries it before a request uses it. No pool of psycopg:
# docs/decisions.md.
KEPT = {"conn_max_age": 60, "conn_health_checks": True}
POSTGRESQL = {
    "connect_timeout": 3,  # seconds; then the page says that the database is down
    "tcp_user_timeout": 10_000,  # milliseconds for a network that swallows what we send
}
SQLITE = {
    # IMMEDIATE: two writers of the audit chain queue up instead of failing half-way.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
}


def from_environment(folder: Path) -> dict[str, Any]:
    """What DATABASE_URL says, as Django's DATABASES wants it. Raises ImproperlyConfigured."""
    found = _parsed(env.secret("DATABASE_URL") or f"sqlite:///{folder / 'milvusadmin.sqlite'}")
    if found["ENGINE"].endswith("sqlite3"):
        return found | {"OPTIONS": SQLITE}
    if found["ENGINE"].endswith("postgresql"):
        return found | {"OPTIONS": POSTGRESQL | found.get("OPTIONS", {})}
    return found


def _parsed(url: str) -> dict[str, Any]:
    try:
        return dict(dj_database_url.parse(url, **KEPT))
    except ValueError:  # not chained: it may quote the password
        raise ImproperlyConfigured(
            "DATABASE_URL can't be parsed. Use postgres://user:password@host/name "
            "(with %40 for an @ in the password, and so on) or sqlite:///path."
        ) from None
