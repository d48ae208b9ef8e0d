"""Checks of what destroys: refused, plain and strict, by the code that does it for people."""

from collections.abc import Callable
from dataclasses import replace

from ..access.policy import Action
from ..milvus.errors import Denied, MilvusError, MilvusRejected, NotFound
from ..milvus.types import Identity, Kind, Target
from ..milvus.versions import Safety, rename_verdict
from ..operations import strict
from ..operations.kinds import direct
from .checks import ONLY_SHOWN, STRICT, TRUE_OUTCOME, Check, Observed, answer
from .reading import shown
from .scratch import GONE_WITHIN, NotRun, Scratch

CERTAIN = (MilvusRejected, NotFound)  # Milvus said no; nothing happened. Denied: nothing was tried


# --- refused by Milvus ----------------------------------------------------------------------------


def loaded_partition(scratch: Scratch) -> Observed:
    target = scratch.loaded()
    names = target.collection, target.name
    return _refused(
        scratch, target, lambda: scratch.destroyer.drop_partition(target.database, *names)
    )


def default_partition(scratch: Scratch) -> Observed:
    made = scratch.collection("default_partition")
    target = scratch.target(made.name, Kind.PARTITION, "_default")
    names = target.collection, target.name
    return _refused(
        scratch, target, lambda: scratch.destroyer.drop_partition(target.database, *names)
    )


def through_an_alias(scratch: Scratch) -> Observed:
    alias = scratch.alias(scratch.collection("through"), "through_alias")
    target = scratch.target(alias.collection)
    return _refused(
        scratch, target, lambda: scratch.destroyer.drop_collection(target.database, alias.name)
    )


def taken_name(scratch: Scratch) -> Observed:
    one, other = scratch.collection("rename_one"), scratch.collection("rename_other")
    before = scratch.identity_of(one.name), scratch.identity_of(other.name)
    said = _said(
        lambda: scratch.destroyer.rename_collection(scratch.database, one.name, other.name)
    )
    after = scratch.identity_of(one.name), scratch.identity_of(other.name)
    return Observed(
        before == after, f"{said}; afterwards {'as before' if before == after else 'changed'}."
    )


def _refused(scratch: Scratch, target: Target, act: Callable[[], None]) -> Observed:
    """An act that Milvus has to refuse, in words that Milvus Admin takes for a refusal."""
    is_there = _is_there(scratch, target)
    try:
        act()
    except Denied:
        raise
    except MilvusError as exc:
        there = is_there()
        saw = f"{answer(exc)}; it is {'still there' if there else 'gone'}."
        return Observed(there and isinstance(exc, CERTAIN), saw)
    return Observed(False, f"OK; it is {'still there' if is_there() else 'gone'}.")


def _is_there(scratch: Scratch, target: Target) -> Callable[[], bool]:
    if target.kind is Kind.COLLECTION:
        return lambda: scratch.identity_of(target.name) is not None
    return lambda: any(
        partition.name == target.name
        for partition in scratch.gateway.partitions(target.database, target.collection)
    )


def _said(act: Callable[[], None]) -> str:
    try:
        act()
    except Denied:
        raise
    except MilvusError as exc:
        return answer(exc)
    return "OK"


# --- the plain road -------------------------------------------------------------------------------


def release(scratch: Scratch) -> Observed:
    target = scratch.loaded()
    return _carried_out(scratch, Action.RELEASE_PARTITION, target, "released")


def partition(scratch: Scratch) -> Observed:
    target = scratch.partition(scratch.collection("with_partition"), "partition")
    return _carried_out(scratch, Action.DROP_PARTITION, target, "gone")


def drop_alias(scratch: Scratch) -> Observed:
    target = scratch.alias(scratch.collection("keeps"), "drop_alias")
    observed = _carried_out(scratch, Action.DROP_ALIAS, target, "gone")
    kept = scratch.identity_of(target.collection) is not None
    return observed if kept else Observed(False, f"{observed.saw} Its collection is gone too.")


def collection(scratch: Scratch) -> Observed:
    return _carried_out(scratch, Action.DROP_COLLECTION, scratch.collection("plain"), "gone")


def collection_with_an_alias(scratch: Scratch) -> Observed:
    """2.3.5 drops it and the alias points at nothing; 2.5.5 and later refuse. Both are known."""
    alias = scratch.alias(scratch.collection("under_alias"), "over")
    said, unclear = "OK", False
    try:
        scratch.destroyer.drop_collection(scratch.database, alias.collection)
    except Denied:
        raise
    except MilvusError as exc:
        said, unclear = answer(exc), not isinstance(exc, CERTAIN)
    there = scratch.identity_of(alias.collection) is not None
    saw = f"{said}; it is {'still there' if there else 'gone'}."
    return Observed(not unclear and there == (said != "OK"), saw)


def nothing(scratch: Scratch) -> Observed:
    """2.3.5 says OK. Whatever a server says, it must not be taken for an unknown outcome."""
    try:
        scratch.destroyer.drop_collection(scratch.database, scratch.name("nothing"))
    except Denied:
        raise
    except MilvusError as exc:
        return Observed(isinstance(exc, CERTAIN), f"{answer(exc)}.")
    return Observed(True, "OK, which is why an OK is no proof.")


def recreated(scratch: Scratch) -> Observed:
    target = scratch.collection("recreated")
    former = _with_id(scratch, target)
    scratch.destroyer.drop_collection(target.database, target.name)
    scratch.seconds_until(lambda: scratch.identity_of(target.name) is None)
    scratch.collection("recreated")
    namesake = scratch.identity_of(target.name)
    drop = direct(Action.DROP_COLLECTION)
    is_done = drop.is_done(scratch.gateway, target, former)
    is_new = namesake is not None and namesake.id not in {0, former.id}
    saw = f"before {shown(former)}; now {shown(namesake)}"
    saw += f"; the former is {'gone' if is_done else 'still there'}."
    return Observed(is_new and is_done, saw)


def _carried_out(scratch: Scratch, action: Action, target: Target, word: str) -> Observed:
    """Read, send once, read back: as the protocol does, without the pages and the claim."""
    operation = direct(action)
    state = operation.read_state(scratch.gateway, target)
    if state.blockers:
        return Observed(False, f"Blocked: {' '.join(blocker.text for blocker in state.blockers)}")
    operation.act(scratch.destroyer, target)
    seconds = scratch.seconds_until(
        lambda: operation.is_done(scratch.gateway, target, state.identity)
    )
    if seconds is None:
        return Observed(False, f"OK, and not {word} after {GONE_WITHIN:.0f} s.")
    more = operation.side_effect(scratch.gateway, target, state.identity)
    return Observed(not more, f"OK; {word} {seconds * 1000:.0f} ms after it. {more}".rstrip())


# --- strict mode ----------------------------------------------------------------------------------


def version(scratch: Scratch) -> Observed:
    """What is known of this version, and can't be seen by renaming once."""
    verdict = rename_verdict(scratch.gateway.server().version)
    return Observed(verdict.safety is not Safety.REFUSED, verdict.text or "Nothing is known.")


def rename(scratch: Scratch) -> Observed:
    target, new = scratch.collection("rename"), scratch.name("renamed")
    former = _with_id(scratch, target)
    scratch.destroyer.rename_collection(target.database, target.name, new)
    now, left = scratch.identity_of(new), scratch.identity_of(target.name)
    saw = (
        f"before {shown(former)}; under the new name {shown(now)}, under the old one {shown(left)}."
    )
    return Observed(now == former and left is None, saw)


def strict_drop(scratch: Scratch) -> Observed:
    quarantine = _quarantine(scratch, "strict")
    strict.rename_and_drop(quarantine, lambda: None)
    seconds = scratch.seconds_until(lambda: strict.is_gone(quarantine))
    if seconds is None:
        return Observed(False, f"OK, and not gone after {GONE_WITHIN:.0f} s.")
    return Observed(True, f"Renamed, compared, dropped; gone {seconds * 1000:.0f} ms after it.")


def strict_keeps(scratch: Scratch) -> Observed:
    """The dialog showed another collection: what has the name now must not be dropped."""
    quarantine = _quarantine(scratch, "kept")
    there = quarantine.identity
    try:
        strict.rename_and_drop(
            replace(quarantine, identity=replace(there, id=there.id + 1)), lambda: None
        )
    except strict.RenamedNotDropped:
        kept = scratch.identity_of(quarantine.target.name)
        return Observed(kept == there, f"Not dropped; under its own name: {shown(kept)}.")
    return Observed(False, "A collection with another id than the one shown was dropped.")


def _quarantine(scratch: Scratch, purpose: str) -> strict.Quarantine:
    target = scratch.collection(purpose)
    return strict.Quarantine(
        milvus=scratch.milvus,
        target=target,
        identity=_with_id(scratch, target),
        private_name=scratch.name(f"{purpose}_aside"),
    )


def _with_id(scratch: Scratch, target: Target) -> Identity:
    identity = scratch.identity_of(target.name)
    if identity is None or not identity.verifiable:
        raise NotRun("This server has no ids.")
    return identity


CHECKS = (
    Check("loaded partition", "Milvus refuses to drop it.", loaded_partition, TRUE_OUTCOME),
    Check("default partition", "Milvus refuses to drop it.", default_partition, TRUE_OUTCOME),
    Check(
        "drop by alias", "Milvus refuses to drop through an alias.", through_an_alias, ONLY_SHOWN
    ),
    Check("taken name", "A rename onto a taken name changes nothing.", taken_name, STRICT),
    Check("release", "A look shows when a partition is released.", release, TRUE_OUTCOME),
    Check("drop partition", "A look shows when it is gone.", partition, TRUE_OUTCOME),
    Check("drop alias", "It goes, and its collection stays.", drop_alias, TRUE_OUTCOME),
    Check("drop collection", "A look shows when it is gone.", collection, TRUE_OUTCOME),
    Check(
        "drop with alias",
        "Milvus refuses clearly, or drops it.",
        collection_with_an_alias,
        TRUE_OUTCOME,
    ),
    Check("drop nothing", "Milvus says OK or refuses clearly.", nothing, TRUE_OUTCOME),
    Check("re-creation", "A namesake has a new id; the former is gone.", recreated, ONLY_SHOWN),
    Check("version", "No known defect makes a rename unsafe.", version, STRICT),
    Check("rename", "A rename keeps the id and the database.", rename, STRICT),
    Check("strict drop", "Renamed, compared and dropped, it is gone.", strict_drop, STRICT),
    Check("strict namesake", "What was not shown gets its name back.", strict_keeps, STRICT),
)
