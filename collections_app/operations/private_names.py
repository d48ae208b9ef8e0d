"""Names that one operation gives to one collection, and that nobody else uses."""

import uuid
from contextlib import suppress

BIN = "_milvusadmin_bin_"  # in the recycle bin
DROP = "_milvusadmin_drop_"  # until a strict drop has compared it


def private_name(prefix: str, operation_id: uuid.UUID) -> str:
    """One for each operation, and valid on every server."""
    return f"{prefix}{operation_id.hex}"


def operation_of(name: str, *prefixes: str) -> uuid.UUID | None:
    """The operation whose private name this is, letter by letter, or None. Any prefix, or these.

    Anybody can write a name that looks like one: the operation's intent says whether it is.
    """
    for prefix in prefixes or (DROP, BIN):
        with suppress(ValueError):
            found = uuid.UUID(name.removeprefix(prefix))
            if private_name(prefix, found) == name:
                return found
    return None
