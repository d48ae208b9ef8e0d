"""What one person may do on each cluster, at a glance: actions by clusters."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings

from ..milvus.types import Cluster
from .policy import Action, Rule, actions_on, matches, needed_for, rules_granting
from .principals import Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far an action reaches on a cluster: everywhere, on some names, or nowhere."""

    word: str  # "yes", "on some names", "no"; empty if the action does not exist there
    names: tuple[str, ...] = ()  # database / collection, as patterns
    sources: tuple[str, ...] = ()  # the rules that grant it
    except_for: tuple[str, ...] = ()  # protected patterns
    why_not: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An action, and how far it reaches on each of the clusters."""

    action: Action
    cells: list[Reach]


def matrix(actor: Actor, clusters: Sequence[Cluster]) -> list[Row]:
    """A row for each action that exists on one of the clusters, in the order of Action."""
    offered = {cluster.key: set(actions_on(cluster.key)) for cluster in clusters}
    return [
        Row(
            action=action,
            cells=[
                reach(actor, action, key) if action in there else Reach(word="")
                for key, there in offered.items()
            ],
        )
        for action in Action
        if any(action in there for there in offered.values())
    ]


def reach(actor: Actor, action: Action, cluster: str) -> Reach:
    """As `policy.decide`, for all names of a cluster at once."""
    granting = rules_granting(actor, needed_for(action, cluster))
    rules = [rule for rule in granting if matches(rule.clusters, cluster)]
    if not rules:
        return Reach(word="no")
    if action.is_mutating and actor.stale:
        return Reach(word="no", why_not="Your permissions can’t be confirmed now")
    is_everywhere = any("*" in rule.databases and "*" in rule.collections for rule in rules)
    names = dict.fromkeys(name for rule in rules for name in _names(rule))
    return Reach(
        word="yes" if is_everywhere else "on some names",
        names=() if is_everywhere else tuple(names),
        sources=tuple(dict.fromkeys(rule.source for rule in rules)),
        except_for=_protected(action, cluster),
    )


def _names(rule: Rule) -> list[str]:
    return [
        f"{database} / {collection}"
        for database in rule.databases
        for collection in rule.collections
    ]


def _protected(action: Action, cluster: str) -> tuple[str, ...]:
    configured = settings.CLUSTERS.get(cluster)
    return configured.protected if configured and action.is_mutating else ()
