"""Send what people are told about approvals, by mail and by a webhook."""

from django.db import DatabaseError, InterfaceError, close_old_connections

from ...audit.log import LogUnwritable
from ...health import heartbeat
from ...plans import delivery, rule_watch
from ..rounds import RoundCommand


class Command(RoundCommand):
    help = (
        "Send the notifications about approvals that are due, by mail and to the webhook, and "
        "record a changed rule of approvals. What fails is tried again, up to 8 times within half "
        "an hour. Exit codes (without --loop): 0 nothing is due any more; 1 something could not be "
        "sent, or the database does not answer; 2 wrong usage."
    )
    is_recorded = False  # the rules of this process don't change
    every = 2.0

    def round(self) -> bool:
        close_old_connections()
        try:
            if not self.is_recorded:
                rule_watch.record_changes()
                self.is_recorded = True
            tried = delivery.deliver_due()
            failed = sum(1 for _ in delivery.problems())
        except (DatabaseError, InterfaceError, LogUnwritable) as exc:
            self.stderr.write(f"The database of Milvus Admin does not answer: {exc}")
            return False
        heartbeat.try_record_run(heartbeat.NOTIFY)
        if tried:
            self.say(f"Notifications tried: {tried}. Not delivered: {failed}.")
        return not failed
