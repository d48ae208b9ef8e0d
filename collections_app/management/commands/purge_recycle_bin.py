"""Purge what has been in the recycle bin for as long as its retention says."""

from typing import Any

from django.db import DatabaseError, close_old_connections

from ... import clusters
from ...access.principals import Caller
from ...audit.log import LogUnwritable
from ...health import heartbeat
from ...milvus.errors import MilvusError
from ...plans.running import stopping
from ...recycle_bin.check import adopt_late_moves, follow_up_findings
from ...recycle_bin.purging import purge_due
from ..rounds import RoundCommand


class Command(RoundCommand):
    help = (
        "Purge the collections in the recycle bin whose retention period has ended, one at a time, "
        "each as an operation of its own. First compare the bin with Milvus: what was dropped or "
        "renamed outside Milvus Admin leaves the bin and is recorded. A purge that can't be done "
        "says why on the page of the bin, and is tried again after an hour. "
        "Exit codes (without --loop): 0 nothing is due any more; 1 something could not be purged "
        "or read; 2 wrong usage."
    )
    every = 60.0

    def round(self) -> bool:
        """Whether everything was read, and nothing that is due is left."""
        close_old_connections()
        try:
            compared = [self._compare(cluster.key) for cluster in clusters.all_clusters()]
            purged = self._purge()
        except (DatabaseError, LogUnwritable) as exc:
            self.stderr.write(f"The database of Milvus Admin does not answer: {exc}")
            return False
        heartbeat.try_record_run(heartbeat.PURGE)
        return all(compared) and purged

    def _compare(self, cluster: str) -> bool:
        """Record what others did to the collections in the bin. Whether that could be read."""
        caller = Caller.recycle_bin()
        try:
            for line in [*follow_up_findings(cluster, caller), *adopt_late_moves(cluster, caller)]:
                self.say(f"{cluster}: {line}.")
        except MilvusError as exc:
            self.stderr.write(f"{cluster}: the recycle bin can't be compared with Milvus: {exc}")
            return False
        return True

    def _purge(self) -> bool:
        """Whether everything that is due was purged."""
        results = list(self._purged())
        if not results and not self.is_looping:
            self.say("Nothing in the recycle bin is due.")
        return all(results)

    def _purged(self) -> Any:
        for item, result in purge_due(stopping.is_set):
            self.say(f"{item.cluster}/{item.database}/{item.name}: {result}")
            yield result.startswith("Purged")
