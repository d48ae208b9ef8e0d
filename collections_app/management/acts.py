"""What the drop commands share: arguments, exit codes, and the way through the protocol."""

from abc import ABC, abstractmethod
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from .. import clusters
from ..access import Action
from ..actors import at_the_shell
from ..audit import LogUnwritable, Outcome
from ..milvus.errors import Denied, MilvusError, NotFound
from ..milvus.types import Target
from ..operations import OPERATIONS, confirmation, protocol
from ..operations.sending import OutcomeUnrecorded

EXIT = {
    Outcome.SUCCEEDED: 0,
    Outcome.FAILED: 1,
    Outcome.NOT_DONE: 6,
    Outcome.REFUSED: 3,
    Outcome.DENIED: 3,
    Outcome.BLOCKED: 3,
    Outcome.NOT_FOUND: 4,
    Outcome.CHANGED: 5,
    Outcome.BUSY: 5,
    Outcome.UNKNOWN: 6,
}
CODES = (
    "Exit codes: 0 dropped and verified; 1 failed, nothing happened; 2 wrong usage or wrong name; "
    "3 refused or not permitted; 4 not there; 5 changed meanwhile, or somebody else is at it; "
    "6 unknown: sent, not verified (reconcile_operations settles it); 7 no answer or no audit "
    "log, nothing was sent."
)


class DropCommand(BaseCommand, ABC):
    """A drop from the shell: the same protocol, the same record."""

    action: Action

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.epilog = CODES
        parser.add_argument("name", help="exactly as it is")
        parser.add_argument("--confirm", required=True, help="the name once more")
        parser.add_argument("--reason", default="", help="kept in the audit log")
        parser.add_argument("--cluster", default="main")
        parser.add_argument("--database", default="default")
        parser.add_argument("--id", type=int, help="refuse if the thing has another id")

    @abstractmethod
    def target(self, options: dict[str, Any]) -> Target:
        """What the arguments name."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["confirm"] != options["name"]:
            raise CommandError("--confirm is not the name. Nothing was sent.", returncode=2)
        try:
            outcome = self._perform(self.target(options), options)
        except protocol.NotDone as exc:
            raise CommandError(
                f"{str(exc).rstrip('.')}. Nothing was sent.", returncode=EXIT[exc.outcome]
            ) from exc
        except NotFound as exc:
            raise CommandError(f"Not there: {exc}", returncode=4) from exc
        except Denied as exc:
            raise CommandError(f"Milvus does not permit it: {exc}", returncode=3) from exc
        except (MilvusError, LogUnwritable) as exc:
            raise CommandError(f"Nothing was sent: {exc}", returncode=7) from exc
        except (DatabaseError, InterfaceError) as exc:  # once it is sent, it is OutcomeUnrecorded
            why = f"the dashboard's database does not answer ({type(exc).__name__})"
            raise CommandError(f"Nothing was sent: {why}", returncode=7) from exc
        except OutcomeUnrecorded as exc:
            raise CommandError(f"Sent, but not recorded: operation {exc}", returncode=6) from exc
        self._report(outcome)

    def _perform(self, target: Target, options: dict[str, Any]) -> Outcome:
        if target.cluster not in {c.key for c in clusters.all_clusters()}:
            raise CommandError(f"No cluster {target.cluster} is configured.", returncode=2)
        actor, origin = at_the_shell()
        look = OPERATIONS[self.action].look(clusters.get(target.cluster).gateway, target)
        if options["id"] is not None and options["id"] != look.identity.id:
            message = f"It has id {look.identity.id}, not {options['id']}. Nothing was sent."
            raise CommandError(message, returncode=5)
        consent = confirmation.confirm(self.action, target, look, actor)
        outcome = protocol.perform(consent, actor=actor, origin=origin, reason=options["reason"])
        self.stdout.write(f"operation {consent.operation_id}")
        return outcome

    def _report(self, outcome: Outcome) -> None:
        if outcome is not Outcome.SUCCEEDED:
            raise CommandError(f"Outcome: {outcome}", returncode=EXIT[outcome])
        self.stdout.write("dropped, and verified to be gone")
