"""The application as it runs in production, but for HTTPS: its settings, a database, people."""

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .places import Place

OPERATOR = "olga"
GROUPS = ("operator", "auditor")
HOST = {"host": "127.0.0.1"}
ENVIRONMENT = {
    "DJANGO_SETTINGS_MODULE": "milvusadmin.settings",
    "SECRET_KEY": "benchmarks-only-" + "k3y" * 12,
    "AUDIT_KEY": "benchmarks-only-" + "s3al" * 10,
    "LOOPBACK_ONLY": "1",
    "SIGN_IN": "local",
}
DATABASE = "milvusadmin_bench"


@contextlib.contextmanager
def application(places: list[Place]) -> Iterator[None]:
    """Set Django up in this process, and the environment so that gunicorn finds the same.

    Its database is a fresh SQLite file, or the PostgreSQL that PGHOST names.
    """
    with TemporaryDirectory(prefix="milvusadmin-bench-") as folder, _database():
        data = Path(folder)
        (data / "config.toml").write_text("\n".join(_table(place) for place in places))
        config = {
            "DATA_DIR": folder,
            "MILVUSADMIN_CONFIG": str(data / "config.toml"),
            "AUDIT_LOG_FILE": str(data / "audit.jsonl"),
        }
        os.environ.update(ENVIRONMENT | config)
        _set_up()
        yield
        _disconnect()


def _table(place: Place) -> str:
    return f'[clusters.{place.key}]\nuri = "{place.uri}"\ntoken = "{place.token}"\n{place.more}\n'


@contextlib.contextmanager
def _database() -> Iterator[None]:
    if not os.environ.get("PGHOST"):
        yield
        return
    import psycopg

    with psycopg.connect(dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
        server.execute(f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' TEMPLATE template0")
        fsync = server.execute("SHOW fsync").fetchone()
        print(f"PostgreSQL {server.info.server_version}, fsync {fsync}", file=sys.stderr)
        # libpq finds host, port, user and password where psql does.
        os.environ["DATABASE_URL"] = f"postgres:///{DATABASE}"
        yield
        server.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")


def _set_up() -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("collectstatic", interactive=False, verbosity=0)
    migrate()


def migrate() -> None:
    """Bring the database up to date, with one account that may see, drop and read the log."""
    from django.contrib.auth import get_user_model
    from django.contrib.auth.models import Group
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    user, _ = get_user_model().objects.get_or_create(username=OPERATOR)
    user.groups.set(Group.objects.filter(name__in=GROUPS))


def _disconnect() -> None:
    from django.db import connection

    connection.close()


# --- people and pages -----------------------------------------------------------------------------


def signed_in() -> Any:
    """A browser without a network in between."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    client = Client(headers=HOST)
    user = get_user_model().objects.get(username=OPERATOR)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def cookie(client: Any) -> str:
    """Its session, for a browser with a network in between."""
    return f"session={client.cookies['session'].value}"


def list_url(place: Place, details: bool = True) -> str:
    more = "&details=1" if details else ""
    return f"/clusters/{place.key}/collections/?database={place.database}{more}"


def collection_url(place: Place, name: str) -> str:
    return f"/clusters/{place.key}/collection/?database={place.database}&name={name}"


def drop_url(place: Place, name: str) -> str:
    where = f"database={place.spare_in}&collection={name}"
    return f"/clusters/{place.key}/drop-collection/?{where}"


def get(client: Any, url: str, rows: int = 0) -> str:
    """The page, once it is sure that it is the right one and whole."""
    response = client.get(url)
    html: str = response.content.decode()
    assert response.status_code == 200, f"{url}: {response.status_code}\n{html[-2000:]}"
    found = html.count("<tr>")
    assert found >= rows, f"{url} has {found} rows of a table\n{html[-2000:]}"
    assert '<span class="quiet">unknown' not in html, f"{url} was not read in full"
    return html


def token_in(html: str) -> str:
    """The hidden field that a dialog sends back."""
    found = re.search(r'name="token" value="([^"]+)"', html)
    assert found is not None, html[-2000:]
    return found[1]
