"""Credentials taken out of what Milvus tells about a collection, before anything else sees it.

The keys are those of Milvus' pkg/util/externalspec (read in its source, 3.0). A value is shown
only if its key is known to be harmless: which new keys hold secrets, nobody can know here.
"""

import json
import re
from typing import Any

HIDDEN = "•••"
HARMLESS = {
    "format",
    "columns",
    "snapshot_id",
    "anonymous",
    "use_iam",
    "use_ssl",
    "use_virtual_host",
    "region",
    "cloud_provider",
    "storage_type",
    "bucket_name",
    "address",
    "iam_endpoint",
    "load_frequency",
}
NESTED = "extfs"  # how Milvus reaches the storage: an object of the keys above
ADDRESSES = {"address", "iam_endpoint"}
ORDINARY_KEY = re.compile(r"[a-z][a-z_.-]{0,63}")  # a secret as a key would have digits or capitals
SECRET_KEY = re.compile(  # `credential` alone names an entry of milvus.yaml
    r"secret|passw|credentials|credential[_.-]|private|signature|authorization"
    r"|(api|access|account|auth)[_.-]?key|(^|[_.-])(key|token|sas|pwd)$",
    re.I,
)
IN_MESSAGES = re.compile(  # as JSON, escaped JSON, a Go map or a query has them
    r"((?:access_?key\w*|secret\w*|passw\w*|api_?key|external_id|ssl_ca_cert)(?:\\?[\"'])?\s*[:=]\s*)"
    r"(\\?\"[^\"]*\"|'[^']*'|[^\s,;}\]&]+)",
    re.I,
)
USER_IN_MESSAGES = re.compile(r"(\w+://)[^\s/@]+@")
HOST = re.compile(r"([\w.-]*|\[[0-9a-f:.]+\])(:\d+)?", re.I)
SHORT_ENOUGH = 8192  # more is no description of a storage


def address(text: str) -> str:
    """The address of a storage without what lets one in: user, password, query and fragment.

    In doubt what follows the scheme is hidden: a password may hold any character.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    before, *after = re.split(r"[?#]", rest, maxsplit=1)
    user, _, place = before.rpartition("@")
    if any("@" in part for part in after) or not HOST.fullmatch(place.partition("/")[0]):
        return f"{scheme}{separator}{HIDDEN}"
    shown = f"{HIDDEN}@{place}" if user else place
    return f"{scheme}{separator}{shown}" + (f"?{HIDDEN}" if after else "")


def external_spec(text: str) -> str:
    """The same JSON with the values of all but harmless keys hidden; hidden as a whole if odd."""
    if not text:
        return ""
    try:
        spec = json.loads(text) if len(text) <= SHORT_ENOUGH else None
    except (ValueError, RecursionError):
        return HIDDEN
    if not isinstance(spec, dict):
        return HIDDEN
    shown = json.dumps(_spec(spec), ensure_ascii=False)
    return shown.encode(errors="replace").decode()  # JSON can spell half a character


def _spec(spec: dict[str, Any], *, inside: bool = False) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, value in spec.items():
        if key == NESTED and isinstance(value, dict) and not inside:
            shown[key] = _spec(value, inside=True)
        else:
            shown[key if ORDINARY_KEY.fullmatch(key) else HIDDEN] = _value(key, value)
    return shown


def _value(key: str, value: Any) -> Any:
    if key not in HARMLESS:
        return HIDDEN
    if key == "columns" and isinstance(value, list):
        return [item if isinstance(item, str) else HIDDEN for item in value]
    if isinstance(value, str):
        return address(value) if key in ADDRESSES or "@" in value else value
    return value if isinstance(value, bool | int) or value is None else HIDDEN


def parameter(key: str, value: str) -> str:
    """The value of a property or of a function's parameter, hidden if its key names a secret."""
    if SECRET_KEY.search(key):
        return HIDDEN
    return address(value) if "://" in value else value


def message(text: str) -> str:
    """What Milvus said, without a storage's credentials, should it repeat them."""
    return USER_IN_MESSAGES.sub(rf"\1{HIDDEN}@", IN_MESSAGES.sub(rf"\1{HIDDEN}", text))
