"""From what pymilvus and gRPC raise to our own kinds. Facts: docs/milvus.md."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Never

from . import redact, tls_errors
from .errors import (
    Denied,
    MilvusError,
    MilvusRejected,
    NotFound,
    OutcomeUnknown,
    Standby,
    Unreachable,
)
from .sdk import ErrorCode, MilvusException, ParamError, grpc
from .types import Cluster

NOT_FOUND = {100, 200, 800, 1600}  # collection, partition, database, alias
# Milvus 2.5.18 to 2.6 describe what is missing, collection or database, with code 0 and only this
# old code. A code of 4 is something else: too many requests. (internal/proxy/service_provider.go)
OLD_NOT_FOUND = int(ErrorCode.Value("CollectionNotExists"))
# Answers that come with certainty: Milvus looked at the request and did nothing. (pkg/util/merr)
REFUSED = NOT_FOUND | {
    8,  # rate limit
    9,  # quota, or switched off by the administrator
    10,  # not implemented
    108,  # the collection is replicated from elsewhere
    700,  # a load without an index; seen: 2.3.5
    1100,  # invalid parameter: from 2.6.19 also a loaded partition, an alias in the way, …
    1101,
    1102,
    1601,  # the new name is an alias
    1602,
}
CODE_DENIED = 1401
CODE_OTHER = 65535  # Milvus' code for everything unsorted; only its text tells
# No name on a real server has a space inside, so no name can read like one of these.
REFUSED_TEXTS = (
    "partition is loaded",
    "via alias",
    "default partition",
    "partition key mode",
    "associated aliases",
    "database not found",
    "duplicated new collection name",  # of a rename; seen: 2.3.5
    "create duplicate collection",  # these four of a creation; seen: 2.3.5
    "invalid dimension",
    "maximum shards",
    "at most one distinct index",
    "to an existing alias",  # of a rename; read: 2.5, internal/rootcoord/meta_table.go
)
STANDBY = "cluster is not primary"  # internal/streamingcoord/server/broadcaster, from 2.6
LITE_NO_DATABASE = re.compile(r"database '.*' does not exist$", re.S)
NEVER_CONNECTED = "failed to connect to all addresses"
DENIED_STATUS = {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED}
SILENT_STATUS = {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE}
CAUGHT = (MilvusException, grpc.RpcError)
UNUSABLE_ADDRESS = (ValueError, TypeError)  # what pymilvus raises at a port out of range, say


class Answered(MilvusException):  # type: ignore[misc]
    """What the status of a reply says. All other MilvusExceptions are pymilvus' own."""


@contextmanager
def reading(secrets: tuple[str, ...]) -> Iterator[None]:
    """Around a read. Raises NotFound, Denied, MilvusRejected or Unreachable."""
    try:
        yield
    except CAUGHT as exc:
        raise from_reading(exc, secrets) from None


@contextmanager
def connecting(cluster: Cluster) -> Iterator[None]:
    """Around making a connection. Raises as `reading` does; Unreachable says why, if it can."""
    try:
        yield
    except OSError as exc:  # pymilvus reads the files of TLS
        problem = f"{exc.filename} can't be read: {exc.strerror}"
        raise Unreachable(problem, tls_errors.NO_CONNECTION) from None
    except UNUSABLE_ADDRESS as exc:
        raise Unreachable(_clean(exc, cluster.secrets), tls_errors.NO_CONNECTION) from None
    except CAUGHT as exc:
        raise _from_connecting(exc, cluster) from None


def _from_connecting(exc: Exception, cluster: Cluster) -> MilvusError:
    found = from_reading(exc, cluster.secrets)
    said = [_clean(e, cluster.secrets) for e in _chain(exc) if isinstance(e, grpc.RpcError)]
    why = tls_errors.reason(said, cluster)
    if not why or not isinstance(found, Unreachable):
        return found
    return Unreachable(f"{why} ({said[0]})", tls_errors.NO_CONNECTION)


@contextmanager
def writing(secrets: tuple[str, ...], *, lite: bool) -> Iterator[None]:
    """Around a call that destroys. Raises Denied, MilvusRejected, Unreachable or OutcomeUnknown."""
    try:
        yield
    except CAUGHT as exc:
        raise from_writing(exc, secrets, lite=lite) from None


def check_status(status: Any) -> None:
    """Raise what a reply's status says, for replies of the raw stub, which does not look at it."""
    if status.code or status.error_code:
        raise Answered(status.code, status.reason, status.error_code)


def from_reading(exc: Exception, secrets: tuple[str, ...]) -> MilvusError:
    """The kind of a failed read, and whose words it has."""
    found = _kind_of_read(exc, secrets)
    found.speaker = _speaker(exc)
    return found


def _speaker(exc: Exception) -> str:
    """Whose words a failure has. A status of gRPC may be its own, or that of a proxy on the way."""
    if isinstance(exc, Answered) or any(_code(e) in DENIED_STATUS for e in _chain(exc)):
        return "Milvus"
    return "gRPC" if isinstance(exc, grpc.RpcError) else "pymilvus"


def _kind_of_read(exc: Exception, secrets: tuple[str, ...]) -> MilvusError:
    code, raw, text = _code(exc), _said(exc), _clean(exc, secrets)
    if _not_found(exc, code) or (code in {1, 6} and LITE_NO_DATABASE.match(raw)):
        return NotFound(text, _shown(exc))
    denial = next((e for e in _chain(exc) if _code(e) in DENIED_STATUS), None)
    if denial or code == CODE_DENIED or (code == CODE_OTHER and "permission deny" in raw):
        return Denied(_clean(denial or exc, secrets), _shown(exc))
    if code in SILENT_STATUS or code in {2, 10001} or _causes(exc) & SILENT_STATUS:
        return Unreachable(text, _shown(exc))
    return MilvusRejected(text, _shown(exc))


def from_writing(exc: Exception, secrets: tuple[str, ...], *, lite: bool) -> MilvusError:
    """The kind of a failed act. Certain refusals are listed; all the rest is unknown.

    Milvus Lite runs in this process: when it raises, it has not done it. When it is only late, it
    goes on all the same.
    """
    code, text = _code(exc), _clean(exc, secrets)
    if code in DENIED_STATUS or code == CODE_DENIED:
        return Denied(text, _shown(exc))
    if STANDBY in _said(exc):
        return Standby(text, _shown(exc))
    if _surely_refused(exc, code) or (lite and code not in SILENT_STATUS):
        return MilvusRejected(text, _shown(exc))
    if _never_sent(exc):
        return Unreachable(text, _shown(exc))
    return OutcomeUnknown(text, _shown(exc))


def _surely_refused(exc: Exception, code: Any) -> bool:
    if isinstance(exc, ParamError) or code == grpc.StatusCode.UNIMPLEMENTED:
        return True
    if code in {0, CODE_OTHER}:
        return _not_found(exc, code) or any(known in _said(exc) for known in REFUSED_TEXTS)
    return code in REFUSED


def _not_found(exc: Exception, code: Any) -> bool:
    return code in NOT_FOUND or (code == 0 and _old_code(exc) == OLD_NOT_FOUND)


def _old_code(exc: Exception) -> int:
    """The error code that Milvus used up to 2.2, and still fills in."""
    return int(getattr(exc, "compatible_code", 0) or 0)


def _shown(exc: Exception) -> str:
    """The code for pages and the record; the old one, called so, where there is no other."""
    code = _code(exc)
    return f"error_code {_old_code(exc)}" if code == 0 else str(code)


def _never_sent(exc: Exception) -> bool:
    """True if every gRPC error behind it says that no connection could be made."""
    errors = [e for e in _chain(exc) if isinstance(e, grpc.RpcError)]
    return bool(errors) and all(NEVER_CONNECTED in (e.details() or "") for e in errors)


def _chain(exc: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    link: BaseException | None = exc
    while link is not None and link not in found:
        found.append(link)
        link = link.__cause__ or link.__context__
    return found


def _causes(exc: Exception) -> set[Any]:
    return {_code(e) for e in _chain(exc) if isinstance(e, grpc.RpcError)}


def _code(exc: BaseException) -> Any:
    """An int from Milvus, or a gRPC status. pymilvus puts either into `code`, or a method."""
    code = getattr(exc, "code", None)
    return code() if callable(code) else code


def _said(exc: BaseException) -> str:
    """The message as it came."""
    details = exc.details() if isinstance(exc, grpc.RpcError) else getattr(exc, "message", exc)
    return str(details or exc)


def _clean(exc: BaseException, secrets: tuple[str, ...]) -> str:
    """The message on one line, at most 500 characters, with nothing secret in it."""
    text = redact.message(re.sub(r"[\x00-\x1f\x7f]+", " ", _said(exc)))
    for word in secrets:
        text = text.replace(word, "•••")
    return text[:500]


def never(message: str) -> Never:
    """Refuse here, before anything is sent."""
    raise MilvusRejected(message, "local")
