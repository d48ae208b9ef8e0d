"""Checks of what Milvus Admin reads: lists, descriptions, aliases, ids, and what is missing."""

from ..milvus.errors import MilvusError, NotFound
from ..milvus.scratch import Raw
from ..milvus.types import Identity
from .checks import ONLY_SHOWN, UNKNOWN, USABLE, Check, Observed
from .scratch import NotRun, Scratch


def lists(scratch: Scratch) -> Observed:
    made = scratch.collection("list")
    identity = scratch.gateway.identities(scratch.database).get(made.name)
    if identity is None:
        return Observed(False, "The list says OK and leaves out what the account just created.")
    return Observed(identity.verifiable and bool(identity.created_ms), shown(identity))


def describes(scratch: Scratch) -> Observed:
    made = scratch.collection("describe")
    listed = scratch.gateway.identities(scratch.database).get(made.name)
    described = scratch.identity_of(made.name)
    saw = f"list: {shown(listed)}; describe: {shown(described)}"
    agree = listed is not None and listed.verifiable and listed == described
    return Observed(agree, saw)


def missing_collection(scratch: Scratch) -> Observed:
    name = scratch.name("nowhere")
    raw = scratch.maker.raw(scratch.database, "DescribeCollection", collection_name=name)
    is_missing = scratch.identity_of(name) is None
    is_missing &= name not in scratch.gateway.identities(scratch.database)
    return Observed(is_missing, _understood(raw, is_missing))


def missing_partition(scratch: Scratch) -> Observed:
    made, name = scratch.collection("partitions"), scratch.name("nowhere")
    names = {"collection_name": made.name, "partition_name": name}
    raw = scratch.maker.raw(scratch.database, "GetPartitionStatistics", **names)
    rows = scratch.gateway.partition_rows(scratch.database, made.name, [name])
    listed = scratch.gateway.partitions(scratch.database, made.name)
    is_missing = not rows and name not in {partition.name for partition in listed}
    return Observed(is_missing, _understood(raw, is_missing))


def missing_database(scratch: Scratch) -> Observed:
    name = scratch.name("nowhere")
    raw = scratch.maker.raw(name, "ShowCollections")
    try:
        scratch.gateway.identities(name)
    except NotFound:
        return Observed(True, _understood(raw, True))
    except MilvusError as exc:
        return Observed(False, f"{_understood(raw, False)} It is taken for {exc.kind}.")
    return Observed(False, f"{_understood(raw, False)} The list of it says OK.")


def missing_alias(scratch: Scratch) -> Observed:
    alias = scratch.name("nowhere")
    raw = scratch.maker.raw(scratch.database, "DescribeAlias", alias=alias)
    is_missing = not scratch.gateway.alias_exists(scratch.database, alias)
    return Observed(is_missing, _understood(raw, is_missing))


def by_id(scratch: Scratch) -> Observed:
    """From 2.5.18 on an answer may be about another collection: then the list has to tell."""
    made = scratch.collection("by_id")
    identity = _with_id(scratch.identity_of(made.name))
    raw = scratch.maker.raw(scratch.database, "DescribeCollection", collectionID=identity.id)
    name = scratch.gateway.name_of(scratch.database, identity.id)
    about = f"about id {raw.reply.collectionID}" if raw.is_ok else str(raw)
    saw = f"Asked for id {identity.id}, the answer is {about}; found {_name(name)}."
    return Observed(name == made.name, saw)


def by_a_dropped_id(scratch: Scratch) -> Observed:
    made = scratch.collection("by_former_id")
    identity = _with_id(scratch.identity_of(made.name))
    scratch.destroyer.drop_collection(scratch.database, made.name)
    scratch.seconds_until(lambda: scratch.identity_of(made.name) is None)
    raw = scratch.maker.raw(scratch.database, "DescribeCollection", collectionID=identity.id)
    is_missing = scratch.gateway.name_of(scratch.database, identity.id) is None
    return Observed(is_missing, _understood(raw, is_missing))


def alias(scratch: Scratch) -> Observed:
    made = scratch.alias(scratch.collection("aliased"), "alias")
    try:
        scratch.gateway.collection(scratch.database, made.name)
    except NotFound:
        points = scratch.gateway.aliases(scratch.database, made.collection)
        saw = f"A describe of the alias names the collection; its aliases: {len(points)}."
        return Observed(points == (made.name,), saw)
    return Observed(False, "A describe of the alias looks like a collection of that name.")


def rights(scratch: Scratch) -> Observed:
    if scratch.gateway.lite(scratch.database):
        raise NotRun("Milvus Lite has no accounts.")
    account = scratch.maker.rights()
    who = account.account or "the account"
    if account.missing:
        return Observed(False, f"{who} lacks {', '.join(account.missing)}.")
    if account.unknown:
        raise NotRun(f"The rights of {who} can't be read: {account.unknown}.")
    return Observed(True, f"{who} has every right that is used.")


def shown(identity: Identity | None) -> str:
    """An identity in words."""
    if identity is None:
        return "missing"
    if not identity.verifiable:
        return "no id"
    created = f", created {identity.created:%H:%M:%S} UTC" if identity.created else ""
    return f"id {identity.id}{created}"


def _with_id(identity: Identity | None) -> Identity:
    if identity is None:
        raise NotRun("What was created can't be found, so its id is not known.")
    if not identity.verifiable:
        raise NotRun("This server has no ids.")
    return identity


def _name(name: str | None) -> str:
    return "no name" if name is None else f"the name {name}"


def _understood(raw: Raw, is_missing: bool) -> str:
    return f"{raw}: {'missing' if is_missing else 'not understood as missing'}."


CHECKS = (
    Check("list", "A list has each collection's id and creation time.", lists, UNKNOWN),
    Check("describe", "A describe agrees with the list about both.", describes, ONLY_SHOWN),
    Check("missing collection", "Its answer says that it is missing.", missing_collection, UNKNOWN),
    Check("missing partition", "Its answer says that it is missing.", missing_partition, UNKNOWN),
    Check("missing database", "Its answer says that it is missing.", missing_database, UNKNOWN),
    Check("missing alias", "Its answer says that it is missing.", missing_alias, UNKNOWN),
    Check("by id", "A collection's id leads to its present name.", by_id, ONLY_SHOWN),
    Check("dropped id", "The id of a dropped collection leads to none.", by_a_dropped_id, UNKNOWN),
    Check("alias", "A describe of an alias names the collection.", alias, ONLY_SHOWN),
    Check("rights", "The account has every right that is used.", rights, USABLE),
)
