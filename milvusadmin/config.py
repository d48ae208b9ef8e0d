"""Which Milvus clusters there are: one from the environment, or many from a TOML file."""

import os
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from collections_app.milvus.types import Cluster
from milvusadmin import env

COLORS = ("red", "amber", "green", "blue", "violet", "grey")


SETTABLE = {f.name for f in fields(Cluster)} - {"key"} | {"token_file"}


def load_clusters() -> dict[str, Cluster]:
    """The clusters by key. Raises ImproperlyConfigured with the key at fault and the remedy."""
    path = os.environ.get("MILVUSADMIN_CONFIG")
    if path:
        return clusters_from(_read(path))
    uri = os.environ.get("MILVUS_URI")
    if not uri:
        raise ImproperlyConfigured(
            "No Milvus is configured. Set MILVUS_URI (and MILVUS_TOKEN), or MILVUSADMIN_CONFIG "
            "to a TOML file with [clusters.NAME] tables."
        )
    label = os.environ.get("MILVUS_LABEL", "Milvus")
    color = os.environ.get("MILVUS_COLOR", "grey")
    table = {"label": label, "uri": uri, "token": env.secret("MILVUS_TOKEN") or "", "color": color}
    return clusters_from({"clusters": {"main": table}})


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ImproperlyConfigured(f"MILVUSADMIN_CONFIG: {path}: {exc}") from exc


def clusters_from(document: dict[str, Any]) -> dict[str, Cluster]:
    """Validate the parsed file."""
    unknown = set(document) - {"clusters"}
    if unknown:
        raise ImproperlyConfigured(f"Unknown table [{min(unknown)}]. Known: [clusters.NAME].")
    tables = document.get("clusters")
    if not isinstance(tables, dict) or not tables:
        raise ImproperlyConfigured("The file has no cluster. Add a table [clusters.NAME].")
    return {key: _cluster(key, table) for key, table in tables.items()}


def _cluster(key: str, table: Any) -> Cluster:
    where = f"[clusters.{key}]"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", key):
        raise ImproperlyConfigured(f"{where}: use lower-case letters, digits and '-' in the name.")
    if not isinstance(table, dict):
        raise ImproperlyConfigured(f"{where} must be a table.")
    for name, value in table.items():
        _check_value(where, name, value)
    values = dict(table)
    if "token_file" in values:
        values["token"] = env.secret_file(values.pop("token_file"), f"{where} token_file")
    if not values.get("uri"):
        raise ImproperlyConfigured(f'{where} has no uri. Add uri = "http://HOST:19530".')
    if not re.match(r"(https?|tcp|unix)://.|.*\.db$", values["uri"]):
        raise ImproperlyConfigured(
            f"{where} uri is not an address. Use http://HOST:19530, or a path that ends in .db "
            "for an embedded Milvus Lite."
        )
    return Cluster(key=key, **{"label": key, **values})


def _check_value(where: str, name: str, value: Any) -> None:
    if name not in SETTABLE:
        known = ", ".join(sorted(SETTABLE))
        raise ImproperlyConfigured(f"{where} {name} is not a setting. Known: {known}.")
    if name in {"read_timeout", "drop_timeout", "settle_after"}:
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise ImproperlyConfigured(f"{where} {name} must be a number of seconds above 0.")
    elif not isinstance(value, str):
        raise ImproperlyConfigured(f"{where} {name} must be a string.")
    if name == "color" and value not in COLORS:
        raise ImproperlyConfigured(f"{where} color must be one of {', '.join(COLORS)}.")
