"""Put back what protects the audit log: triggers, and the claims of open operations."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from ... import audit, safeguards, triggers
from ...actors import at_the_shell
from ...milvus.types import Target
from ...models import AuditEvent, Claim
from ...operations.protocol import digest


class Command(BaseCommand):
    help = (
        "Put back the triggers, and the claims of operations that are open: what verify_audit_log "
        "misses beside the chain. What was put back is recorded."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            put_back = self._put_back()
        except audit.LogUnwritable as exc:
            raise CommandError("The log can't be written, so nothing was put back.") from exc
        self.stdout.write(f"put back: {', '.join(put_back) or 'nothing'}")
        if problems := safeguards.problems():
            raise CommandError(
                "\n".join(["Something is left that only a person can judge:", *problems])
            )

    def _put_back(self) -> list[str]:
        actor, origin = at_the_shell()
        with audit.appending():
            wrong = triggers.wrong(connection)
            triggers.install(connection)
            mended = set(wrong) - set(triggers.wrong(connection))
            claims = [_claim(intent) for intent in safeguards.unclaimed()]
            put_back = [f"trigger {name}" for name in sorted(mended)]
            put_back += [f"claim of {claim.operation_id}" for claim in claims if claim]
            if put_back:
                audit.append(
                    audit.Entry(
                        phase=audit.Phase.ACCESS,
                        action="audit.protect",
                        actor=actor,
                        origin=origin,
                        message="Put back what protects the log",
                        details={"put_back": put_back},
                    )
                )
        return put_back


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
