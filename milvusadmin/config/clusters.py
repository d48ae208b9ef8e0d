"""Which Milvus clusters there are, and who may do what: the environment and one TOML file."""

import os
import re
import sys
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from django.core.exceptions import ImproperlyConfigured
from msgspec import Meta

from collections_app.access.policy import Rule
from collections_app.milvus.types import Cluster
from milvusadmin.config import env, tls
from milvusadmin.config.rules import STRINGS, Trimmed, checked, patterns, rules_from

Color = Literal["red", "amber", "green", "blue", "violet", "grey"]
COLORS = get_args(Color)
SECRETS = ("token", "password")  # each also as NAME_file
LOGIN = {"token", "token_file", "user", "password", "password_file"}
SETTABLE = {f.name for f in fields(Cluster)} - {"key"} | LOGIN
FINITE = sys.float_info.max
Text = Annotated[str, Meta(description="a string")]
Time = Annotated[float, Meta(gt=0, le=FINITE, description="a number of seconds above 0")]
KINDS: dict[str, Any] = dict.fromkeys(SETTABLE, Text) | {
    "color": Annotated[Color, Meta(description=f"one of {', '.join(COLORS)}")],
    "read_timeout": Time,
    "drop_timeout": Time,
    "unknown_timeout": Time,
    "breaker_cooldown": Annotated[
        float, Meta(ge=0, le=FINITE, description="a number of seconds, or 0 for none")
    ],
    "max_concurrent": Annotated[int, Meta(ge=1, description="a whole number above 0")],
    "drops_per_hour": Annotated[int, Meta(ge=1, description="a whole number above 0")],
    "plan_items_at_most": Annotated[int, Meta(ge=1, description="a whole number above 0")],
    "plan_at_once": Annotated[int, Meta(ge=1, le=8, description="a whole number from 1 to 8")],
    "approvals": Annotated[int, Meta(ge=0, le=1, description="0 or 1")],
    "approvals_for": Annotated[tuple[Trimmed, ...], Meta(min_length=1, description=STRINGS)],
    "protected": Annotated[tuple[Trimmed, ...], Meta(description=STRINGS)],
    "strict_drop": Annotated[bool, Meta(description="true or false")],
}
ClusterTable = msgspec.defstruct(  # what is not in a table stays as Cluster has it
    "ClusterTable",
    [(name, KINDS[name], msgspec.UNSET) for name in sorted(KINDS)],
    forbid_unknown_fields=True,
)


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
        "protected": env.listing("MILVUS_PROTECTED"),
        "strict_drop": env.flag("MILVUS_STRICT_DROP"),
        "recycle_bin": os.environ.get("MILVUS_RECYCLE_BIN"),
        "unprotect_delay": os.environ.get("MILVUS_UNPROTECT_DELAY"),
        "reauth": os.environ.get("MILVUS_REAUTH"),
        "approvals": env.flag("MILVUS_APPROVALS") and 1,
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
    values = _login(where, msgspec.to_builtins(checked(where, table, ClusterTable)))
    for name in ("protected", "approvals_for"):
        if name in values:
            values[name] = patterns(f"{where} {name}", tuple(values[name]), slash=True)
    for name in (
        "reauth",
        "recycle_bin",
        "unprotect_delay",
        "approval_expires",
        "execution_expires",
    ):
        if name in values:
            values[name] = _duration(f"{where} {name}", values[name])
    if not values.get("uri"):
        raise ImproperlyConfigured(f'{where} has no uri. Add uri = "http://HOST:19530".')
    if not re.match(r"(https?|tcp|unix)://.|.*\.db$", values["uri"]):
        raise ImproperlyConfigured(
            f"{where} uri is not an address. Use http://HOST:19530, or a path that ends in .db "
            "for an embedded Milvus Lite."
        )
    tls.check(where, values)
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
        raise ImproperlyConfigured(f"{where} has both token and user or password. Keep one.")
    if not (user and password):
        raise ImproperlyConfigured(f"{where} needs user and password (or password_file) together.")
    if ":" in user:
        raise ImproperlyConfigured(
            f"{where} user has a colon, where Milvus ends the name. Use another."
        )
    return values | {"token": f"{user}:{password}"}


def _duration(named: str, value: str) -> float:
    seconds = env.seconds(value, named)
    if seconds < 1:
        raise ImproperlyConfigured(f"{named} is {value!r}. Use at least 1s, or leave it out.")
    return seconds
