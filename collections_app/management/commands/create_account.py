"""Create a local account with a role."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from ...roles import ROLES


class Command(BaseCommand):
    help = "Create a local account and ask for its password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what to sign in with")
        parser.add_argument("--role", action="append", choices=sorted(ROLES), required=True)
        parser.add_argument("--display", default="", help="the name that pages and the log show")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = get_user_model().objects
        if accounts.filter(username=options["name"]).exists():
            raise CommandError(f"There is an account {options['name']} already.")
        user = accounts.create_user(
            options["name"], password=self._password(), first_name=options["display"]
        )
        user.groups.set(Group.objects.filter(name__in=options["role"]))
        self.stdout.write(f"{options['name']}: {', '.join(options['role'])}")

    def _password(self) -> str:
        password = getpass.getpass()
        if password != getpass.getpass("Password (again): "):
            raise CommandError("The passwords differ. Nothing was created.")
        try:
            validate_password(password)
        except ValidationError as exc:
            raise CommandError(" ".join(exc.messages)) from exc
        return password
