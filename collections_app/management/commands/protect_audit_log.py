"""Restore what protects the audit log: triggers, and the claims of open operations."""

import json
from typing import Any

from django.db import connection

from ...access.principals import Caller
from ...audit import integrity, log, triggers
from ...milvus.types import Target
from ...models import AuditEvent, Claim
from ...operations.claims import digest
from ..shell import Error, ShellCommand


class Command(ShellCommand):
    help = (
        "Restore the triggers, and the claims of open operations, that verify_audit_log reports as "
        "missing beside the chain. Records what it restored. Exit codes: 0 all is in place; 1 not "
        "restored, or something needs a person to judge; 2 wrong usage."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            restored = self._restore()
        except log.LogUnwritable as exc:
            raise Error(
                "The audit log can't be written, so nothing was restored. Run manage.py doctor."
            ) from exc
        text = f"Restored: {', '.join(restored)}." if restored else "Nothing had to be restored."
        self.say(text, restored=restored)
        if problems := integrity.problems():
            raise Error("\n".join(["These problems need a person to judge them:", *problems]))

    def _restore(self) -> list[str]:
        caller = Caller.shell()
        with log.appending():
            wrong = triggers.damaged(connection)
            triggers.install(connection)
            fixed = set(wrong) - set(triggers.damaged(connection))
            claims = [_claim(intent) for intent in integrity.unclaimed()]
            restored = [f"trigger {name}" for name in sorted(fixed)]
            restored += [f"claim of {claim.operation_id}" for claim in claims if claim]
            if restored:
                log.append(
                    log.Entry(
                        phase=log.Phase.ACCESS,
                        action="audit.protect",
                        caller=caller,
                        message="Restored what protects the log",
                        details={"restored": restored},
                    )
                )
        return restored


def _claim(intent: AuditEvent) -> Claim | None:
    """Its operation holds its target again, and can be settled. None if another one holds it."""
    record = json.loads(intent.record)
    claim, made = Claim.objects.get_or_create(
        target=digest(Target.of(record["target"])),
        defaults={
            "operation_id": record["operation_id"],
            "cluster": intent.cluster,
            "actor_display": record["actor"]["display"][:300],
            "claimed_at": intent.recorded_at,
        },
    )
    return claim if made else None
