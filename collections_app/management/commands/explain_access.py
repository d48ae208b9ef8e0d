"""Say which rule gives somebody a right, or that none does."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Q

from ...access import Action, Place, decide, rules_of
from ...actors import Actor
from ...history import last_seen


class Command(BaseCommand):
    help = (
        "Explain what somebody may do on a cluster, a database or a collection, and which rule "
        "says so. Their groups are those of the last event in the audit log, or --groups."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", required=True, help="subject or display name of a person")
        parser.add_argument("--groups", help="separated by commas, instead of the known ones")
        parser.add_argument("--target", required=True, help="CLUSTER[/DATABASE[/COLLECTION]]")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, place = self._actor(options), self._place(options["target"])
        self.stdout.write(f"{actor.display}, groups: {', '.join(actor.groups) or 'none'}")
        for rule in rules_of(actor):
            actions = ", ".join(sorted(rule.actions))
            self.stdout.write(f"  {rule.source} names one of these groups and gives {actions}")
        for action in Action:
            decision = decide(actor, action, place)
            answer = "yes" if decision.allowed else "no"
            self.stdout.write(f"{action.value:20} {answer:4} {decision.why}")

    def _actor(self, options: dict[str, Any]) -> Actor:
        name, groups = options["user"], options["groups"]
        if groups is not None:
            given = tuple(g.strip() for g in groups.split(",") if g.strip())
            return Actor(issuer="asked", subject=name, display=name, groups=given, method="asked")
        found = self._local(name) if settings.SIGN_IN == "local" else last_seen(name)
        if found is None:
            raise CommandError(f"Nobody called {name} is known here. Say --groups instead.")
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
            raise CommandError(f"There is no cluster {cluster}. Known: {known}.")
        return Place(cluster=cluster, database=database or None, collection=collection or None)
