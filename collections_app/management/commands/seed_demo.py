"""Fill the embedded demo: sample collections, and one account for each role."""

import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError

from ...access.roles import ROLES

NAMES = {
    "viewer": "Vera Viewer",
    "operator": "Ada Operator",
    "auditor": "Aldo Auditor",
    "approver": "Anna Approver",
    "purger": "Petra Purger",
    "creator": "Cora Creator",
    "unprotector": "Uma Unprotector",
}


class Command(BaseCommand):
    help = (
        "Create an account for each role (viewer, operator, purger, unprotector, approver, "
        "creator, auditor) with the password in DEMO_PASSWORD, and sample collections in an "
        "embedded Milvus Lite. Keeps what is there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--accounts-only", action="store_true", help="no sample collections")
        parser.add_argument("--sample-only", action="store_true", help="no accounts")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.LOOPBACK_ONLY:
            raise CommandError("Demo accounts are for this machine only: set LOOPBACK_ONLY=1.")
        if not options["sample_only"]:
            self._accounts()
        if not options["accounts_only"]:
            self._sample()

    def _accounts(self) -> None:
        password = os.environ.get("DEMO_PASSWORD")
        if not password:
            raise CommandError("Set DEMO_PASSWORD.")
        for role in ROLES:
            self._account(role, password)

    def _account(self, role: str, password: str) -> None:
        first, last = NAMES[role].split()
        names = {"first_name": first, "last_name": last}
        user, created = get_user_model().objects.get_or_create(username=role, defaults=names)
        if created:
            user.groups.set([Group.objects.get(name=role)])
        if created or not user.check_password(password):
            user.set_password(password)
            user.save()

    def _sample(self) -> None:
        from ...milvus import demo_data  # noqa: PLC0415 (pymilvus takes a second to import)
        from ...milvus.connection import Connection  # noqa: PLC0415

        embedded = [c for c in settings.CLUSTERS.values() if c.is_embedded]
        if not embedded:
            raise CommandError("The sample is for an embedded Milvus Lite only: nothing was made.")
        made = demo_data.fill(Connection(embedded[0]))
        demo_data.close_embedded()
        self.stdout.write(f"{made} sample collections created" if made else "sample kept as it is")
