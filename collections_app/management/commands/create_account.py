"""Create a local account with a role."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from ...access.roles import ROLES
from ..shell import Error, ShellCommand


class Command(ShellCommand):
    help = (
        "Create a local account. Asks for its password. Exit codes: 0 created; 1 not created; "
        "2 wrong usage."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="the name to sign in with")
        parser.add_argument(
            "--role", action="append", choices=sorted(ROLES), required=True, help="may be repeated"
        )
        parser.add_argument(
            "--display", default="", help="the name shown on pages and in the audit log"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = get_user_model().objects
        if accounts.filter(username=options["name"]).exists():
            raise Error(f"An account {options['name']} exists already. Nothing was created.")
        user = accounts.create_user(
            options["name"], password=self._password(), first_name=options["display"]
        )
        user.groups.set(Group.objects.filter(name__in=options["role"]))
        roles = ", ".join(options["role"])
        self.say(
            f"Created account {options['name']} with the role {roles}.",
            account=options["name"],
            roles=options["role"],
        )

    def _password(self) -> str:
        password = getpass.getpass()
        if password != getpass.getpass("Password (again): "):
            raise Error("The passwords differ. Nothing was created. Run this again.")
        try:
            validate_password(password)
        except ValidationError as exc:
            raise Error(f"{' '.join(exc.messages)} Nothing was created.") from exc
        return password
