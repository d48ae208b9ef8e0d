"""`python -m tests.chaos.settling`: reconcile_operations as a loop, with the attacker's stops."""

from . import builds  # first: it sets Django up

# isort: split
from django.core.management import call_command

if __name__ == "__main__":
    builds.prepare(settler=True)
    call_command("reconcile_operations", "--loop", "--every", "0.5")
