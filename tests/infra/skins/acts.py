"""Rows about writes: who may, when they happen, what is refused and how."""

from pymilvus.grpc_gen import milvus_pb2 as pb

from tests.infra.relay import Call, Failure

from .refusals import (
    ALIAS_CONFLICT,
    INVALID,
    UNEXPECTED,
    UNSORTED,
    YOURS,
    failed,
    invalid,
    no_database,
    unsorted,
)
from .worn import Difference, Onward, Rewrite, Worn, answer_of, ask, asked_in, saying, status_of

CHANGES = (
    "CreateCollection",
    "DropCollection",
    "RenameCollection",
    "AlterCollection",
    "LoadCollection",
    "ReleaseCollection",
    "CreatePartition",
    "DropPartition",
    "LoadPartitions",
    "ReleasePartitions",
    "CreateAlias",
    "AlterAlias",
    "DropAlias",
    "CreateDatabase",
    "DropDatabase",
    "CreateIndex",
    "DropIndex",
    "CreateCredential",
    "DeleteCredential",
    "CreateRole",
    "DropRole",
    "OperateUserRole",
    "OperatePrivilege",
)

# --- whether, and when ----------------------------------------------------------------------------


def _no_standby(call: Call, onward: Onward, worn: Worn) -> bytes:
    if not worn.is_standby:
        return onward(call)
    return unsorted(call, "cluster is not primary, cannot do any DDL/DCL")


STANDBY = Difference(
    "standby",
    CHANGES,
    "internal/streamingcoord/server/broadcaster/broadcaster.go (2.6 :13), ErrNotPrimary, from "
    "checkClusterRole in broadcast_manager.go, before rootcoord looks anything up. On command",
    _no_standby,
)


def _late(call: Call, onward: Onward, worn: Worn) -> bytes:
    worn.keep_for_later(call, subject)
    return onward(call)


def subject(call: Call) -> int:
    """The id that such a task is about: Milvus looks it up before it queues the task."""
    asked = asked_in(call)
    name = asked.oldName if call.method == "RenameCollection" else asked.collection_name
    if call.method != "DropPartition":
        named = pb.DescribeCollectionRequest(db_name=asked.db_name, collection_name=name)
        return int(ask(call, "DescribeCollection", named).collectionID)
    shown = ask(
        call,
        "ShowPartitions",
        pb.ShowPartitionsRequest(db_name=asked.db_name, collection_name=name),
    )
    ids = dict(zip(shown.partition_names, shown.partitionIDs, strict=True))
    return int(ids.get(asked.partition_name, 0))


LATE = Difference(
    "late execution",
    ("DropCollection", "DropPartition", "RenameCollection"),
    "internal/streamingcoord/server/broadcaster/broadcast_scheduler.go (2.6 :49): a queued task "
    "outlives its caller's deadline, and a restart; it has the id (internal/rootcoord/"
    "drop_collection_task.go :70) and keeps the lock on the name; 2.6.6 (#45025, #45241). On "
    "command",
    _late,
)


def _refuse_aliases(code: int) -> Rewrite:
    def rewrite(call: Call, onward: Onward, worn: Worn) -> bytes:
        asked = asked_in(call)
        aliases = _aliases_of(call, asked.db_name, asked.collection_name)
        if not aliases:
            return onward(call)
        text = (
            f"unable to drop the collection [{asked.collection_name}] because it has associated "
            f"aliases [{' '.join(aliases)}], please remove all aliases before dropping the "
            "collection"
        )
        return invalid(call, text) if code == INVALID else unsorted(call, text)

    return rewrite


def _aliases_of(call: Call, database: str, name: str) -> list[str]:
    """None of an alias, and none if the account may not look: 2.3.5 says then what there is."""
    request = pb.DescribeCollectionRequest(db_name=database, collection_name=name)
    try:
        found = ask(call, "DescribeCollection", request)
    except Failure:
        return []
    return list(found.aliases) if found.schema.name == name else []


def _aliases(code: int, source: str) -> Difference:
    name = f"what has aliases is not dropped, code {code}"
    return Difference(name, ("DropCollection",), source, _refuse_aliases(code))


ALIASES_UNSORTED = _aliases(
    UNSORTED, "internal/rootcoord/drop_collection_task.go (2.5 :75); 2.5.5, #40236"
)
ALIASES_INVALID = _aliases(INVALID, "internal/rootcoord/drop_collection_task.go (2.6 :64, 3.0 :63)")

REFUSALS = (
    "cannot drop the collection via alias",  # internal/rootcoord/drop_collection_task.go (2.6 :44)
    "partition is loaded, please release it first",  # internal/proxy/task.go (2.6 :2049)
    "partition if partition key mode is used",  # :2020, and in plural :2783
    "partitions if partition key mode is used",
    "default partition cannot be deleted",  # internal/rootcoord/ddl_callbacks_drop_partition.go :36
    "Invalid partition name",  # internal/proxy/util.go (2.6 :338)
    "duplicated new collection name",  # internal/rootcoord/meta_table.go (2.6 :1132)
    "unsupported use an alias to rename collection",  # :1119
    "must drop all collections before drop database",  # :438
)


def _parameter(call: Call, onward: Onward, worn: Worn) -> bytes:
    reply = onward(call)
    status = status_of(answer_of(call, reply))
    if status.code != UNSORTED or not any(text in status.reason for text in REFUSALS):
        return reply
    return invalid(call, status.reason)


PARAMETER = Difference(
    "a refusal is an invalid parameter",
    (
        "DropCollection",
        "DropPartition",
        "ReleasePartitions",
        "RenameCollection",
        "DropDatabase",
    ),
    "internal/proxy/task.go and the places beside the texts; 2.6.19, #50545",
    _parameter,
)

# --- rename --------------------------------------------------------------------------------------


def _is_alias(call: Call, database: str, name: str) -> bool:
    request = pb.DescribeCollectionRequest(db_name=database, collection_name=name)
    found = ask(call, "DescribeCollection", request)
    return not failed(found) and found.schema.name != name


def _to_an_alias_25(call: Call, onward: Onward, worn: Worn) -> bytes:
    reply, asked = onward(call), asked_in(call)
    refused = failed(status_of(answer_of(call, reply)))
    if not refused or not _is_alias(call, asked.newDBName, asked.newName):
        return reply
    return unsorted(call, f"cannot rename collection to an existing alias: {asked.newName}")


TO_AN_ALIAS_25 = Difference(
    "a rename to an alias has a text of its own",
    ("RenameCollection",),
    "internal/rootcoord/meta_table.go, RenameCollection (2.5 :860)",
    _to_an_alias_25,
)


def _rename_26(call: Call, onward: Onward, worn: Worn) -> bytes:
    asked = asked_in(call)
    if (asked.db_name, asked.oldName) == (asked.newDBName, asked.newName):
        return invalid(call, "collection name or database name should be different")
    reply = onward(call)
    if not failed(status_of(answer_of(call, reply))):
        return reply
    if missing := no_database(call, asked.newDBName):
        return missing
    if not _is_alias(call, asked.newDBName, asked.newName):
        return reply
    text = f"alias and collection name conflict[database={asked.newDBName}][alias={asked.newName}]"
    return saying(
        call, code=ALIAS_CONFLICT, error_code=UNEXPECTED, reason=text, detail=text, extra_info=YOURS
    )


RENAME_26 = Difference(
    "a rename to itself, to an alias, or into a missing database is refused by a code",
    ("RenameCollection",),
    "internal/rootcoord/ddl_callbacks_alter_collection_name.go (2.6 :33) and meta_table.go, "
    "CheckIfCollectionRenamable (2.6 :1095): 1100, 1601, 800; 2.6.6, #45509",
    _rename_26,
)
