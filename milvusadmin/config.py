"""Which Milvus clusters there are, and who may do what: the environment and one TOML file."""

import math
import os
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from collections_app.access import Rule
from collections_app.milvus.types import Cluster
from milvusadmin import certificates, env
from milvusadmin.rules import patterns, rules_from

COLORS = ("red", "amber", "green", "blue", "violet", "grey")
SECRETS = ("token", "password")  # each also as NAME_file
LOGIN = {"token", "token_file", "user", "password", "password_file"}
SETTABLE = {f.name for f in fields(Cluster)} - {"key"} | LOGIN


@dataclass(frozen=True, slots=True)
class Config:
    """The clusters by key, and the access rules in the order in which they are written."""

    clusters: dict[str, Cluster]
    access: tuple[Rule, ...]


def load() -> Config:
    """Read both. Raises ImproperlyConfigured with the key at fault and the remedy."""
    path = os.environ.get("MILVUSADMIN_CONFIG")
    return config_from(_read(path) if path else {})


def config_from(document: dict[str, Any]) -> Config:
    """Validate the parsed file. Without clusters in it, the one of the environment counts."""
    unknown = set(document) - {"clusters", "access"}
    if unknown:
        raise ImproperlyConfigured(
            f"Unknown table [{min(unknown)}]. Known: [clusters.NAME] and [[access]]."
        )
    tables = document.get("clusters") or {"main": _from_environment()}
    if not isinstance(tables, dict):
        raise ImproperlyConfigured("clusters must be tables: [clusters.NAME].")
    clusters = {key: _cluster(key, table) for key, table in tables.items()}
    return Config(clusters, rules_from(document.get("access", []), clusters))


def _read(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ImproperlyConfigured(f"MILVUSADMIN_CONFIG: {path}: {exc}") from exc


def _from_environment() -> dict[str, Any]:
    uri = os.environ.get("MILVUS_URI")
    if not uri:
        raise ImproperlyConfigured(
            "No Milvus is configured. Set MILVUS_URI (and MILVUS_TOKEN), or MILVUSADMIN_CONFIG "
            "to a TOML file with [clusters.NAME] tables."
        )
    table: dict[str, Any] = {
        "label": os.environ.get("MILVUS_LABEL") or "Milvus",
        "uri": uri,
        "color": os.environ.get("MILVUS_COLOR"),
        "locked": env.listing("MILVUS_LOCKED"),
        "strict_drop": env.flag("MILVUS_STRICT_DROP"),
        "reauth": os.environ.get("MILVUS_REAUTH"),
        "token": env.secret("MILVUS_TOKEN"),
        "user": os.environ.get("MILVUS_USER"),
        "password": env.secret("MILVUS_PASSWORD"),
        "ca_file": os.environ.get("MILVUS_CA_FILE"),
        "server_name": os.environ.get("MILVUS_SERVER_NAME"),
        "client_cert_file": os.environ.get("MILVUS_CLIENT_CERT_FILE"),
        "client_key_file": os.environ.get("MILVUS_CLIENT_KEY_FILE"),
    }
    return {name: value for name, value in table.items() if value}


def _cluster(key: str, table: Any) -> Cluster:
    where = f"[clusters.{key}]"
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", key):
        raise ImproperlyConfigured(f"{where}: use lower-case letters, digits and '-' in the name.")
    if not isinstance(table, dict):
        raise ImproperlyConfigured(f"{where} must be a table.")
    values = {name: _value(where, name, value) for name, value in table.items()}
    values = _login(where, values)
    if not values.get("uri"):
        raise ImproperlyConfigured(f'{where} has no uri. Add uri = "http://HOST:19530".')
    if not re.match(r"(https?|tcp|unix)://.|.*\.db$", values["uri"]):
        raise ImproperlyConfigured(
            f"{where} uri is not an address. Use http://HOST:19530, or a path that ends in .db "
            "for an embedded Milvus Lite."
        )
    certificates.check(where, values)
    return Cluster(key=key, **{"label": key, **values})


def _login(where: str, values: dict[str, Any]) -> dict[str, Any]:
    """With the token that Milvus is sent: as it is given, or from user and password."""
    for name in SECRETS:
        if f"{name}_file" in values:
            if values.get(name):
                raise ImproperlyConfigured(f"{where} has {name} and {name}_file. Keep one of them.")
            values[name] = env.secret_file(values.pop(f"{name}_file"), f"{where} {name}_file")
    user, password = values.pop("user", ""), values.pop("password", "")
    if not user and not password:
        return values
    if values.get("token"):
        raise ImproperlyConfigured(f"{where} has token, and user or password. Keep one way.")
    if not (user and password):
        raise ImproperlyConfigured(f"{where} needs user and password (or password_file) together.")
    if ":" in user:
        raise ImproperlyConfigured(f"{where} user has a colon, which Milvus reads as its end.")
    return values | {"token": f"{user}:{password}"}


# --- values ---------------------------------------------------------------------------------------


def _value(where: str, name: str, value: Any) -> Any:
    """The value of a setting, checked, in the form that Cluster keeps."""
    if name not in SETTABLE:
        known = ", ".join(sorted(SETTABLE))
        raise ImproperlyConfigured(f"{where} {name} is not a setting. Known: {known}.")
    read: Callable[[str, Any], Any] = READ.get(name, _text)
    return read(f"{where} {name}", value)


def _text(named: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ImproperlyConfigured(f"{named} must be a string.")
    return value


def _number(named: str, value: Any) -> float:
    if not _finite(value) or value <= 0:
        raise ImproperlyConfigured(f"{named} must be a number of seconds above 0.")
    return float(value)


def _pause(named: str, value: Any) -> float:
    if not _finite(value) or value < 0:
        raise ImproperlyConfigured(f"{named} must be a number of seconds, or 0 for none.")
    return float(value)


def _finite(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _count(named: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ImproperlyConfigured(f"{named} must be a whole number above 0.")
    return value


def _yes_or_no(named: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"{named} must be true or false.")
    return value


def _color(named: str, value: Any) -> str:
    if value not in COLORS:
        raise ImproperlyConfigured(f"{named} must be one of {', '.join(COLORS)}.")
    return str(value)


def _duration(named: str, value: Any) -> float:
    seconds = env.seconds(_text(named, value), named)
    if seconds < 1:
        raise ImproperlyConfigured(f"{named} is {value!r}. Use at least 1s, or leave it out.")
    return seconds


def _locked(named: str, value: Any) -> tuple[str, ...]:
    return patterns(named, value, slash=True)


READ: dict[str, Callable[[str, Any], Any]] = {
    "read_timeout": _number,
    "drop_timeout": _number,
    "settle_after": _number,
    "color": _color,
    "at_once": _count,
    "pause": _pause,
    "reauth": _duration,
    "locked": _locked,
    "strict_drop": _yes_or_no,
}
