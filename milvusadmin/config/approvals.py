"""The rules of `approvals`: one that nobody could meet, or with a way round it, stops the start."""

from collections.abc import Iterable, Mapping, Sequence

from django.core.exceptions import ImproperlyConfigured

from collections_app.access.policy import Action, Rule, matches
from collections_app.milvus.types import Cluster


def check(clusters: Mapping[str, Cluster], access: Sequence[Rule]) -> None:
    """Raises ImproperlyConfigured with the key at fault and the remedy."""
    for cluster in clusters.values():
        where = f"[clusters.{cluster.key}]"
        if not cluster.approvals and cluster.approvals_for:
            raise ImproperlyConfigured(
                f"{where} has approvals_for without approvals. Add approvals = 1."
            )
        _same_for_the_server(where, cluster, clusters.values())
        for pattern in (cluster.approvals_for or ("*",)) if cluster.approvals else ():
            if not any(_can_approve(rule, cluster.key, pattern) for rule in access):
                raise ImproperlyConfigured(
                    f"{where} approvals: nobody could approve anything of {pattern!r}, so nothing "
                    "there could ever be dropped. Add an [[access]] rule with the action "
                    '"approve" that covers it, for a group of at least two people.'
                )


def _same_for_the_server(where: str, cluster: Cluster, others: Iterable[Cluster]) -> None:
    """A second key of the same server without the rule would be a way round it."""
    for other in others:
        same = other.endpoint == cluster.endpoint
        if same and _rule(other) != _rule(cluster):
            raise ImproperlyConfigured(
                f"{where} and [clusters.{other.key}] are the same server with different approvals. "
                "Give both the same approvals and approvals_for."
            )


def _rule(cluster: Cluster) -> tuple[int, frozenset[str]]:
    return cluster.approvals, frozenset(cluster.approvals_for)


def _can_approve(rule: Rule, cluster: str, pattern: str) -> bool:
    """Whether somebody of the rule could approve something that the pattern names."""
    database, _, collection = pattern.rpartition("/")
    return (
        rule.grants(Action.APPROVE)
        and matches(rule.clusters, cluster)
        and any(overlap(database or "*", one) for one in rule.databases)
        and any(overlap(collection, one) for one in rule.collections)
    )


def overlap(one: str, other: str) -> bool:
    """Whether there is a name that both patterns match: `*` any text, `?` one character."""
    ends = {0}  # how much of `other` may be used up so far
    ends = _skip_stars(ends, other)
    for character in one:
        if character == "*":
            ends = set(range(min(ends), len(other) + 1)) if ends else ends
        else:
            ends = _skip_stars({n for end in ends for n in _step(character, other, end)}, other)
    return len(other) in ends


def _step(character: str, other: str, end: int) -> Iterable[int]:
    if end == len(other):
        return
    if other[end] == "*":
        yield end
    elif "?" in (character, other[end]) or character == other[end]:
        yield end + 1


def _skip_stars(ends: set[int], other: str) -> set[int]:
    """A `*` may also stand for nothing."""
    stars = {end for end in ends if end < len(other) and other[end] == "*"}
    return ends | _skip_stars({end + 1 for end in stars}, other) if stars else ends
