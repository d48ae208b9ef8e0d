"""Rows about reads: version, not found, describe, lists, privileges."""

from dataclasses import replace

from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.relay import Call

from .refusals import (
    NO_COLLECTION,
    NOT_EXISTS,
    YOURS,
    failed,
    no_database,
)
from .worn import (
    SERVICE,
    Difference,
    Onward,
    Rewrite,
    Worn,
    answer_of,
    asked_in,
    saying,
    status_of,
)

# --- what it is ----------------------------------------------------------------------------------


def _version(call: Call, onward: Onward, worn: Worn) -> bytes:
    answer = answer_of(call, onward(call))
    if call.method == "GetVersion":
        answer.version = worn.version
    else:
        answer.server_info.build_tags = worn.version
    return bytes(answer.SerializeToString())


VERSION = Difference(
    "version", ("GetVersion", "Connect"), "internal/proxy/impl.go, GetVersion", _version
)

# --- not found -----------------------------------------------------------------------------------


def _missing(code: int) -> Rewrite:
    def rewrite(call: Call, onward: Onward, worn: Worn) -> bytes:
        reply = onward(call)
        if answer_of(call, reply).status.code != NO_COLLECTION:
            return reply
        asked = asked_in(call)
        text = (
            f"can't find collection[database={asked.db_name}][collection={asked.collection_name}]"
        )
        detail = text if code else ""
        common = {"reason": text, "detail": detail, "extra_info": YOURS}
        return saying(call, code=code, error_code=NOT_EXISTS, **common)

    return rewrite


MISSING_WITHOUT_CODE = Difference(
    "missing collection has no code",
    ("DescribeCollection",),
    "internal/proxy/service_provider.go, wrapErrorStatus (2.5 :107, 2.6 :159): a new Status whose "
    "Code nobody sets; 2.6.0 (#42823), 2.5.18 (#43911)",
    _missing(0),
)
MISSING_WITH_CODE = Difference(
    "missing collection has its code",
    ("DescribeCollection",),
    "internal/proxy/service_provider.go, describeCollectionErrorStatus (3.0 :155); #51369",
    _missing(NO_COLLECTION),
)


def _database_first(call: Call, onward: Onward, worn: Worn) -> bytes:
    reply = onward(call)
    status = status_of(answer_of(call, reply))
    asked = asked_in(call)
    lost = status.code == NO_COLLECTION or status.reason == f"database:{asked.db_name} not found"
    if not lost or getattr(asked, "collectionID", 0):
        return reply
    return no_database(call, asked.db_name) or reply


DATABASE_FIRST = Difference(
    "a missing database is told before the collection",
    (
        "DescribeCollection",
        "ShowPartitions",
        "GetCollectionStatistics",
        "GetPartitionStatistics",
        "DescribeIndex",
        "DropPartition",
        "ReleaseCollection",
        "ReleasePartitions",
        "DropAlias",
    ),
    "internal/rootcoord/meta_table.go, getCollectionByNameInternal (2.5 :668, 2.6 :806) looks the "
    "database up first, since #38067 (2024-12-04). That a describe gets the collection's form is "
    "only in a mock of 2.5 and 2.6 (internal/proxy/impl_test.go, 'db not exists')",
    _database_first,
)

# --- describe ------------------------------------------------------------------------------------


def _thing(call: Call) -> tuple[str, str]:
    asked = asked_in(call)
    return asked.db_name, asked.collection_name or str(asked.collectionID)


def _from_memory(call: Call, onward: Onward, worn: Worn) -> bytes:
    thing = _thing(call)
    if stale := worn.recall(thing):
        return stale
    reply = onward(call)
    if not failed(answer_of(call, reply)):
        worn.remember(thing, reply)
    return reply


FROM_MEMORY = Difference(
    "describe from the proxy's memory",
    ("DescribeCollection",),
    "internal/proxy/service_provider.go, CachedProxyServiceProvider, with proxy."
    "enableCachedServiceProvider, true unless set: internal/proxy/meta_cache.go. On command",
    _from_memory,
)


def _by_id_then_name(call: Call, onward: Onward, worn: Worn) -> bytes:
    asked, reply = asked_in(call), onward(call)
    found = answer_of(call, reply)
    by_id = asked.collectionID and not asked.collection_name
    if not by_id or failed(found) or not worn.step_between_lookups():
        return reply
    named = pb.DescribeCollectionRequest(db_name=asked.db_name, collection_name=found.schema.name)
    answer = answer_of(call, onward(replace(call, request=named.SerializeToString())))
    answer.collection_name = ""  # as it was asked
    return bytes(answer.SerializeToString())


BY_ID_THEN_NAME = Difference(
    "by id: id, then name, then id again",
    ("DescribeCollection",),
    "internal/proxy/service_provider.go (2.5 :123, 2.6 :174): the name is looked up by the id, and "
    "then the id by that name in the database that was asked; the caller's id is thrown away; "
    "#51253. The two agree unless something happens in between: on command",
    _by_id_then_name,
)


def _name_by_id(call: Call, onward: Onward, worn: Worn) -> bytes:
    reply = onward(call)
    answer = answer_of(call, reply)
    if failed(answer) or answer.collection_name:
        return reply
    answer.collection_name = answer.schema.name
    return bytes(answer.SerializeToString())


NAME_BY_ID = Difference(
    "by id: the answer has the name",
    ("DescribeCollection",),
    "internal/proxy/service_provider.go (3.0), resp.CollectionName = c.schema.Name; #51369",
    _name_by_id,
)


# --- lists and rights ----------------------------------------------------------------------------


def _only_what_is_granted(call: Call, onward: Onward, worn: Worn) -> bytes:
    reply = onward(call)
    if not worn.lists_nothing or failed(answer_of(call, reply)):
        return reply
    return saying(call)


ONLY_GRANTED = Difference(
    "the list has what is granted by name, and says OK without any",
    ("ShowCollections",),
    "internal/rootcoord/root_coord.go, getCurrentUserVisibleCollections (2.6 :3095); #38041. On "
    "command",
    _only_what_is_granted,
)


def _by_its_own_database(call: Call, onward: Onward, worn: Worn) -> bytes:
    database = getattr(asked_in(call), "db_name", "")
    if not database:
        return onward(call)
    others = tuple(pair for pair in call.metadata if pair[0] != "dbname")
    return onward(replace(call, metadata=(*others, ("dbname", database))))


RIGHTS_BY_REQUEST = Difference(
    "rights are those in the request's database, not in the connection's",
    tuple(
        method.name
        for method in SERVICE.methods
        if "db_name" in method.input_type.fields_by_name and "Database" not in method.name
    ),
    "internal/proxy/privilege_interceptor.go (3.0 :95), GetCurDBNameFromRequestOrContext; #50690",
    _by_its_own_database,
)
