"""Explain which rule allows a person to do something, or that none does."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import Q

from ...access.policy import Place, actions_on, decide, rules_of
from ...access.principals import Actor
from ...audit.queries import last_seen
from ..shell import Error, ShellCommand


class Command(ShellCommand):
    help = (
        "Explain what a person may do on a cluster, database or collection, and which rule allows "
        "it. Uses the groups of that person's last event in the audit log, or --groups. Exit "
        "codes: 0 explained; 1 unknown person or cluster; 2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--user", required=True, help="subject or display name of a person")
        parser.add_argument(
            "--groups", help="groups separated by commas, instead of the last known"
        )
        parser.add_argument("--target", required=True, help="CLUSTER[/DATABASE[/COLLECTION]]")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, place = self._actor(options), self._place(options["target"])
        self.say(
            f"{actor.display}, groups: {', '.join(actor.groups) or 'none'}", groups=actor.groups
        )
        for rule in rules_of(actor):
            actions = ", ".join(sorted(rule.actions))
            self.say(f"  {rule.source} names one of these groups and allows {actions}")
        decisions = {}
        for action in actions_on(place.cluster):
            decision = decide(actor, action, place)
            answer = "yes" if decision.allowed else "no"
            self.say(f"{action.value:20} {answer:4} {decision.why}")
            decisions[action.value] = {"allowed": decision.allowed, "why": decision.why}
        self.facts["actions"] = decisions

    def _actor(self, options: dict[str, Any]) -> Actor:
        name, groups = options["user"], options["groups"]
        if groups is not None:
            given = tuple(g.strip() for g in groups.split(",") if g.strip())
            return Actor(issuer="asked", subject=name, display=name, groups=given, method="asked")
        found = self._local(name) if settings.SIGN_IN == "local" else last_seen(name)
        if found is None:
            raise Error(f"Nobody called {name} is known here. Name their groups with --groups.")
        return found

    def _local(self, name: str) -> Actor | None:
        user = get_user_model().objects.filter(Q(username=name) | Q(first_name=name)).first()
        if user is None:
            return None
        groups = tuple(user.groups.values_list("name", flat=True))
        return Actor(issuer="local", subject=name, display=name, groups=groups)

    def _place(self, target: str) -> Place:
        cluster, _, rest = target.partition("/")
        database, _, collection = rest.partition("/")
        if cluster not in settings.CLUSTERS:
            known = ", ".join(settings.CLUSTERS)
            raise Error(f"No cluster {cluster} is configured. Configured: {known}.")
        return Place(cluster=cluster, database=database or None, collection=collection or None)
