"""Every access rule, on one page. Default is no; `decide` says which rule gave a right."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from django.conf import settings

from ..milvus.types import Target
from .principals import Actor


class Action(StrEnum):
    """What can be done. The value is what the audit log says."""

    VIEW = "view"
    READ_AUDIT = "audit.read"
    DROP_COLLECTION = "collection.drop"
    DROP_PARTITION = "partition.drop"
    RELEASE_COLLECTION = "collection.release"
    RELEASE_PARTITION = "partition.release"
    DROP_ALIAS = "alias.drop"
    MOVE_TO_BIN = "collection.bin"
    RESTORE = "collection.restore"
    PURGE = "collection.purge"
    SET_ALIAS = "alias.set"
    LOAD_COLLECTION = "collection.load"
    APPROVE = "approve"
    CREATE = "collection.create"
    PROTECT = "collection.protect"
    UNPROTECT = "collection.unprotect"
    KEEP_PROTECTED = "collection.keep_protected"

    @property
    def is_mutating(self) -> bool:
        """Whether it changes something in Milvus, or what may be changed there."""
        return self not in {Action.VIEW, Action.READ_AUDIT}


# What a rule can grant. Releasing and dropping an alias are steps on the way to a drop, and come
# with it; so do seeing, and protecting it from that drop.
_AFTERWARDS = {Action.SET_ALIAS, Action.LOAD_COLLECTION}  # after a restore or a creation only
_PROTECTING = {Action.PROTECT, Action.KEEP_PROTECTED}
_COLLECTION = _PROTECTING | {
    Action.DROP_COLLECTION,
    Action.RELEASE_COLLECTION,
    Action.DROP_ALIAS,
    Action.MOVE_TO_BIN,
    Action.RESTORE,
    *_AFTERWARDS,
    Action.VIEW,
}
_PARTITION = _PROTECTING | {Action.DROP_PARTITION, Action.RELEASE_PARTITION, Action.VIEW}
GRANTS = {
    "view": {Action.VIEW},
    "drop_partition": _PARTITION,
    "drop_collection": _COLLECTION,
    "drop": _PARTITION | _COLLECTION,
    "purge": _PROTECTING | {Action.PURGE, Action.VIEW},
    "unprotect": _PROTECTING | {Action.UNPROTECT, Action.VIEW},
    "approve": {Action.APPROVE, Action.VIEW},
    "create": {Action.CREATE, *_AFTERWARDS, Action.VIEW},
    "audit": {Action.READ_AUDIT},
    "*": set(Action),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Grants `actions` to `groups` on what the patterns name. `source` says where it is written."""

    source: str
    groups: frozenset[str]
    actions: frozenset[str]
    clusters: tuple[str, ...] = ("*",)
    databases: tuple[str, ...] = ("*",)
    collections: tuple[str, ...] = ("*",)

    def grants(self, action: Action) -> bool:
        return any(action in GRANTS[name] for name in self.actions)

    def covers(self, place: "Place") -> bool:
        return (
            matches(self.clusters, place.cluster)
            and (place.database is None or matches(self.databases, place.database))
            and (place.collection is None or matches(self.collections, place.collection))
        )

    @property
    def granted_actions(self) -> str:
        """The actions, for a page."""
        return ", ".join(sorted(self.actions))

    @property
    def everywhere(self) -> bool:
        return all("*" in p for p in (self.clusters, self.databases, self.collections))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a right is asked for: a cluster, a database of it, or a collection. None is "any"."""

    cluster: str
    database: str | None = None
    collection: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Yes or no, and why: in words that can go on a page."""

    allowed: bool
    why: str


def place_of(target: Target) -> Place:
    """A partition and an alias are where their collection is."""
    return Place(cluster=target.cluster, database=target.database, collection=target.collection)


def decide(actor: Actor, action: Action, place: Place) -> Decision:
    """Whether the actor may do this there, now.

    Permissions come first: a person without any learns nothing of protection, and no pattern is
    looked up for them.
    """
    grant = _granted_by(actor, needed_for(action, place.cluster), place)
    if not grant:
        return Decision(allowed=False, why="No rule grants this to your groups")
    pattern = protected_by(place) if action.is_mutating else ""
    if pattern:
        return Decision(allowed=False, why=f"It is protected by {pattern}")
    if action.is_mutating and actor.stale:
        why = "The identity provider does not answer, so your permissions can't be confirmed"
        return Decision(allowed=False, why=why)
    return Decision(allowed=True, why=grant)


OF_THE_BIN = {
    Action.MOVE_TO_BIN,
    Action.RESTORE,
    Action.PURGE,
    Action.SET_ALIAS,
    Action.LOAD_COLLECTION,
}


def actions_on(cluster: str) -> list[Action]:
    """The actions to tell people about there: those that its configuration gives a meaning."""
    configured = settings.CLUSTERS.get(cluster)
    hidden = set()
    if configured is None or configured.recycle_bin is None:
        hidden |= OF_THE_BIN
    if configured is None or not configured.approvals:
        hidden.add(Action.APPROVE)
    return [action for action in Action if action not in hidden]


def removal_on(cluster: str) -> Action:
    """How a collection is removed there by default: with a recycle bin, it is moved to it."""
    configured = settings.CLUSTERS.get(cluster)
    has_bin = configured is not None and configured.recycle_bin is not None
    return Action.MOVE_TO_BIN if has_bin else Action.DROP_COLLECTION


def needed_for(action: Action, cluster: str) -> Action:
    """The right that an action needs there: past a recycle bin, a drop is what a purge is."""
    configured = settings.CLUSTERS.get(cluster)
    if action is Action.DROP_COLLECTION and configured and configured.recycle_bin:
        return Action.PURGE
    return action


def _granted_by(actor: Actor, action: Action, place: Place) -> str:
    """What grants the right there, in words; empty if nothing does."""
    if actor.method == "shell":
        return "Shell users have full access"
    if actor.method == "bin":
        return "The retention period ended" if action is Action.PURGE else ""
    rule = next((r for r in rules_granting(actor, action) if r.covers(place)), None)
    return f"Granted by {rule.source}" if rule else ""


def may(actor: Actor, action: Action, place: Place) -> bool:
    """Whether the actor may do this there, now."""
    return decide(actor, action, place).allowed


def may_somewhere(actor: Actor, action: Action) -> bool:
    """Whether there is any place at all where a rule gives this."""
    return actor.method == "shell" or bool(rules_granting(actor, action))


def may_everywhere(actor: Actor, action: Action) -> bool:
    """Whether one rule gives this on all clusters, databases and collections."""
    return actor.method == "shell" or any(r.everywhere for r in rules_granting(actor, action))


def rules_granting(actor: Actor, action: Action) -> list[Rule]:
    """The rules that give this to one of the actor's groups, somewhere."""
    return [rule for rule in rules_of(actor) if rule.grants(action)]


def rules_of(actor: Actor) -> list[Rule]:
    """The rules that name one of the actor's groups, in the order in which they are written."""
    return [rule for rule in settings.ACCESS if rule.groups & set(actor.groups)]


def visible(actor: Actor, cluster: str, database: str) -> tuple[str, ...]:
    """The patterns of what the actor may see in a database: found once for ten thousand names."""
    if actor.method == "shell":
        return ("*",)
    place = Place(cluster=cluster, database=database)
    rules = [rule for rule in rules_granting(actor, Action.VIEW) if rule.covers(place)]
    return tuple(sorted({pattern for rule in rules for pattern in rule.collections}))


def databases_named(actor: Actor, cluster: str) -> list[str]:
    """The databases that the actor's rules name letter by letter, for where none can be listed."""
    rules = [r for r in rules_granting(actor, Action.VIEW) if r.covers(Place(cluster=cluster))]
    patterns = {pattern for rule in rules for pattern in rule.databases}
    return sorted(pattern for pattern in patterns if not set(pattern) & set("*?"))


class Permissions:
    """What one person may do. Each question is decided once: made anew for each request."""

    def __init__(self, actor: Actor) -> None:
        self.actor = actor
        self._decisions: dict[tuple[Action, Place], Decision] = {}

    def decide(self, action: Action, place: Place) -> Decision:
        """As `decide`."""
        if (action, place) not in self._decisions:
            self._decisions[action, place] = decide(self.actor, action, place)
        return self._decisions[action, place]

    def may(self, action: Action, place: Place) -> bool:
        """As `may`."""
        return self.decide(action, place).allowed

    def may_somewhere(self, action: Action) -> bool:
        """As `may_somewhere`."""
        return may_somewhere(self.actor, action)

    def may_everywhere(self, action: Action) -> bool:
        """As `may_everywhere`."""
        return may_everywhere(self.actor, action)


def sign_in_needed(actor: Actor, cluster: str) -> bool:
    """Whether the cluster wants a fresher sign-in than this before anything is destroyed."""
    configured = settings.CLUSTERS.get(cluster)
    if configured is None or configured.reauth is None or actor.method == "shell":
        return False
    return actor.sign_in_age is None or actor.sign_in_age > configured.reauth


def protected_by(place: Place) -> str:
    """The `protected` pattern that excludes this from drops and releases, or an empty string."""
    cluster = settings.CLUSTERS.get(place.cluster)
    if cluster is None or place.collection is None:
        return ""
    pattern = next((p for p in cluster.protected if names(p, place)), "")
    return f"“{pattern}” in [clusters.{cluster.key}]" if pattern else ""


def names(pattern: str, place: Place) -> bool:
    """Whether a pattern of a cluster, "name" or "database/name", names this collection."""
    database, _, collection = pattern.rpartition("/")
    in_database = matches((database or "*",), place.database or "")
    return in_database and matches((collection,), place.collection or "")


# --- patterns -----------------------------------------------------------------------------------


def matches(patterns: Iterable[str], name: str) -> bool:
    """Whether a pattern fits the whole name, letter by letter: no folding, no normalising."""
    return any(pattern == "*" or _compiled(pattern).fullmatch(name) for pattern in patterns)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(regex(pattern))


def regex(pattern: str) -> str:
    """A pattern as a regular expression of Python, which SQLite's searches use too. Not anchored.

    `*` is any text and `?` one character; everything else is itself. The text before a `*` is
    matched once, as early as it can be, and never again (`(?>...)`): a pattern with many `*`
    costs no more than its length times the name's. Without that, 250 `_` against `*_*_*_*_prod`
    held the whole process for ten seconds.
    """
    first, *others = (_literal(part) for part in re.split(r"\*+", pattern))
    if not others:
        return f"(?s:{first})"
    middle = "".join(f"(?>.*?{part})" for part in others[:-1])
    return f"(?s:{first}{middle}.*{others[-1]})"


def posix(pattern: str) -> str:
    """The same for PostgreSQL, which has no `(?>...)` and needs none: it never tries twice."""
    return ".*".join(_literal(part) for part in re.split(r"\*+", pattern))


def _literal(text: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in text)
