"""The settings of the tests: the real ones, with their own database and nothing slow."""

import os
import tempfile
from pathlib import Path

# Made and removed by conftest.py: mypy and manage.py import this file too, and need no folder.
FOLDER = Path(tempfile.gettempdir()) / f"milvusadmin-tests-{os.getpid()}"

os.environ.setdefault("SECRET_KEY", "tests-only-" + "k3y" * 15)
os.environ.setdefault("AUDIT_KEY", "tests-only-" + "s3al" * 12)
os.environ.setdefault("MILVUS_URI", "http://127.0.0.1:1")  # nobody there: tests name their own
os.environ.setdefault("LOOPBACK_ONLY", "1")
os.environ.setdefault("DATA_DIR", str(FOLDER))

from milvusadmin.settings import *  # noqa: E402, F403
from milvusadmin.settings import DATABASES  # noqa: E402


def postgresql() -> dict[str, object]:
    """The server named by the variables that psql knows too."""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ.get("PGHOST", "127.0.0.1"),
        "PORT": os.environ.get("PGPORT", "5432"),
        "USER": os.environ.get("PGUSER", "postgres"),
        "PASSWORD": os.environ.get("PGPASSWORD", ""),
        "NAME": "postgres",
        # template0: a cluster made without a locale would give us SQL_ASCII.
        "TEST": {"NAME": "test_milvusadmin", "CHARSET": "UTF8", "TEMPLATE": "template0"},
    }


def sqlite() -> dict[str, object]:
    """A file, not memory: the live server's threads have connections of their own."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": ":memory:",
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
        "TEST": {"NAME": FOLDER / "test.sqlite"},
    }


ENGINES = {"postgresql": postgresql, "sqlite": sqlite}
DATABASES["default"] = ENGINES[
    os.environ.get("TEST_DATABASE") or ("postgresql" if os.environ.get("PGHOST") else "sqlite")
]()

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
