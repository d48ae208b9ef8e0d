"""Refusals of Milvus in the forms of its error package (pkg/util/merr)."""

from typing import Any

from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.relay import Call

from .worn import ask, saying, status_of

NO_COLLECTION, NO_DATABASE, ALIAS_CONFLICT = 100, 800, 1601
INVALID, UNSORTED = 1100, 65535
NOT_EXISTS, UNEXPECTED, ILLEGAL = 4, 1, 5  # of the old enum, ErrorCode
YOURS = {"is_input_error": "true"}


def failed(answer: Any) -> bool:
    return bool(status_of(answer).code or status_of(answer).error_code)


def invalid(call: Call, text: str) -> bytes:
    """As merr.WrapErrParameterInvalidMsg."""
    full = f"{text}: invalid parameter"
    return saying(
        call, code=INVALID, error_code=ILLEGAL, reason=full, detail=full, extra_info=YOURS
    )


def unsorted(call: Call, text: str) -> bytes:
    """As an error of Go's own."""
    return saying(call, code=UNSORTED, error_code=UNEXPECTED, reason=text, detail=text)


def no_database(call: Call, name: str) -> bytes:
    """The answer about a database that is not there; empty if it is."""
    listed = ask(call, "ShowCollections", pb.ShowCollectionsRequest(db_name=name))
    if listed.status.code != NO_DATABASE:
        return b""
    text = f"database not found[database={name}]"
    return saying(call, code=NO_DATABASE, error_code=UNEXPECTED, reason=text, detail=text)
