"""`python -m tests.chaos.settling [--loop …]`: reconcile_operations with the attacker's stops."""

import sys

from . import builds  # first: it sets Django up

# isort: split
from django.core.management import call_command

if __name__ == "__main__":
    builds.prepare(settler=True)
    call_command("reconcile_operations", *sys.argv[1:])
