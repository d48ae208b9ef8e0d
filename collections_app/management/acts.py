"""What the commands of the acts share: exit codes, and the way through the protocol."""

from abc import ABC, abstractmethod
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from .. import clusters
from ..access import approval
from ..access.policy import Action, place_of
from ..access.principals import Caller
from ..audit.log import LogUnwritable, Outcome
from ..milvus.errors import Denied, MilvusError, NotFound
from ..milvus.types import Kind, Target
from ..operations import confirmation, protocol
from ..operations.confirmation import Confirmation
from ..operations.kinds import OPERATIONS
from ..operations.kinds.acts import ACTS
from ..operations.kinds.base import TargetState
from ..operations.sending import OutcomeUnrecorded
from ..plans import approving, deciding
from ..plans.rows import PlanRejected
from ..web import links
from .shell import Error, ShellCommand

EXIT = {
    Outcome.SUCCEEDED: 0,
    Outcome.FAILED: 1,
    Outcome.NOT_DONE: 6,
    Outcome.INCOMPLETE: 1,
    Outcome.REFUSED: 3,
    Outcome.DENIED: 3,
    Outcome.BLOCKED: 3,
    Outcome.NOT_FOUND: 4,
    Outcome.CHANGED: 5,
    Outcome.BUSY: 5,
    Outcome.UNKNOWN: 6,
}
CODES = (
    "Exit codes: 0 dropped and verified; 1 failed, nothing was dropped; 2 wrong usage or wrong "
    "name; 3 blocked, rejected by Milvus or not permitted; 4 not found; 5 changed, or another "
    "operation is in progress; 6 unknown: sent, but not verified (run reconcile_operations); 7 "
    "Milvus or the audit log is unavailable, nothing was sent; 8 the approval of a second person "
    "was requested, nothing was sent (run manage.py plan run when it is approved)."
)
APPROVAL = (
    "It needs the approval of a second person, which was requested as plan {plan}. Nothing was "
    'sent. When it is approved: manage.py plan run {plan} --confirm "{typed}"'
)
NEXT = {
    Outcome.FAILED: "failed: {what} still exists. Its page says why. Fix that, and run this again.",
    Outcome.REFUSED: "refused: Milvus rejected the drop of {what}. Nothing was dropped. Its page "
    "has the message from Milvus.",
    Outcome.DENIED: "denied: Milvus does not permit this account to drop {what}. Nothing was "
    "dropped. Grant the privilege: docs/milvus.md lists them.",
    Outcome.UNKNOWN: "unknown: the drop of {what} was sent, but not verified. It may still happen. "
    "Don't drop again; run manage.py reconcile_operations to verify and record it.",
    Outcome.NOT_DONE: "not done: {what} still exists, and Milvus may still carry out the drop. "
    "Don't drop again; manage.py reconcile_operations records it if it happens.",
}
OTHERWISE = "{outcome}: this operation did not drop {what}. Its page says why."


class ActCommand(ShellCommand, ABC):
    """An act from the shell: the same protocol, the same record."""

    action: Action
    noun = "drop"
    not_again = "Don't drop again"
    next: Mapping[Outcome, str] = NEXT
    otherwise = OTHERWISE

    def carry_out(self, target: Target, options: dict[str, Any]) -> None:
        """Raises Error for whatever does not succeed. Reads `id` and `reason` of the options."""
        try:
            outcome = self._perform(target, options)
        except protocol.OperationRejected as exc:
            self.facts["outcome"] = str(exc.outcome)
            if isinstance(exc, protocol.Busy):
                self.say_operation(exc.claim.operation_id)
            message = f"{str(exc).rstrip('.')}. Nothing was sent."
            raise Error(message, returncode=EXIT[exc.outcome]) from exc
        except PlanRejected as exc:
            raise Error(f"{exc}. No approval was requested.", returncode=3) from exc
        except NotFound as exc:
            message = f"Not found: {exc}. Nothing was sent. Check the name and the database."
            raise Error(message, returncode=4) from exc
        except Denied as exc:
            message = f"Milvus does not permit this account to read it: {exc}. Nothing was sent."
            raise Error(message, returncode=3) from exc
        except (MilvusError, LogUnwritable) as exc:
            raise Error(_unavailable(str(exc)), returncode=7) from exc
        except (DatabaseError, InterfaceError) as exc:  # once it is sent, it is OutcomeUnrecorded
            why = f"the database of Milvus Admin does not answer ({type(exc).__name__})"
            raise Error(_unavailable(why), returncode=7) from exc
        except OutcomeUnrecorded as exc:
            message = (
                f"The {self.noun} was sent, but its outcome could not be recorded: operation "
                f"{exc}. {self.not_again}; run manage.py reconcile_operations."
            )
            raise Error(message, returncode=6) from exc
        self._report(outcome, target)

    def _perform(self, target: Target, options: dict[str, Any]) -> Outcome:
        known = [c.key for c in clusters.all_clusters()]
        if target.cluster not in known:
            message = f"No cluster {target.cluster} is configured. Configured: {', '.join(known)}."
            raise Error(message, returncode=2)
        caller = Caller.shell()
        state = OPERATIONS[self.action].read_state(clusters.get(target.cluster).gateway, target)
        _require_id(state, options["id"])
        consent = confirmation.confirm(self.action, target, state, caller.actor)
        self.operation_id = UUID(str(consent.operation_id))
        if approval.is_needed(self.action, place_of(target)):
            self._ask(consent, caller, options["reason"])
        return protocol.perform(consent, caller, reason=options["reason"])

    def _ask(self, consent: Confirmation, caller: Caller, reason: str) -> None:
        """Always raises Error: nothing is sent before somebody else approved it."""
        plan = approving.ask(consent, caller, reason=reason)
        self.facts |= {"plan": plan.pk, "state": plan.state, "address": links.plan(plan.pk)}
        message = APPROVAL.format(plan=plan.pk, typed=deciding.sentence(plan))
        raise Error(message, returncode=8)

    def _report(self, outcome: Outcome, target: Target) -> None:
        self.facts["outcome"] = str(outcome)
        if outcome is Outcome.SUCCEEDED:
            done, proof = ACTS[self.action].done, OPERATIONS[self.action].proof
            self.say(f"{done.capitalize()} {_what(target)}. {proof}")
        self.say_operation(self.operation_id)
        if outcome is not Outcome.SUCCEEDED:
            said = self.next.get(outcome, self.otherwise).format(
                outcome=outcome, what=_what(target)
            )
            raise Error(f"Outcome {said}", returncode=EXIT[outcome])


class DropCommand(ActCommand, ABC):
    """A drop: confirmed by its name."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.epilog = CODES
        parser.add_argument("name", help="the exact name")
        parser.add_argument("--confirm", required=True, help="the same name again, to confirm")
        parser.add_argument("--reason", default="", help="recorded in the audit log")
        parser.add_argument("--cluster", default="main", help="the cluster's key (main)")
        parser.add_argument("--database", default="default", help="the database (default)")
        parser.add_argument("--id", type=int, help="drop only if its id in Milvus is this one")

    @abstractmethod
    def target(self, options: dict[str, Any]) -> Target:
        """What the arguments name."""

    def handle(self, *args: Any, **options: Any) -> None:
        if options["confirm"] != options["name"]:
            message = "--confirm is not the name. Nothing was sent. Repeat the exact name in it."
            raise Error(message, returncode=2)
        self.carry_out(self.target(options), options)


def _require_id(state: TargetState, wanted: int | None) -> None:
    if wanted is not None and wanted != state.identity.id:
        message = (
            f"Its id is {state.identity.id}, not {wanted}: it may have been dropped and created "
            "again. Nothing was sent."
        )
        raise Error(message, returncode=5)


def _unavailable(why: str) -> str:
    return f"Nothing was sent: {why.rstrip('.')}. Run manage.py doctor to find the cause."


def _what(target: Target) -> str:
    where = f"in database {target.database} on {target.cluster}"
    if target.kind is Kind.PARTITION:
        return f"partition {target.name} of collection {target.collection} {where}"
    return f"collection {target.shown_name} {where}"
