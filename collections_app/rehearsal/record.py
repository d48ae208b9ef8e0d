"""Rehearsals in the audit log: what began, how it ended, and what is left to remove."""

import json
import os
import socket
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from ..access.principals import Caller
from ..audit import log
from ..audit.log import Entry, Outcome, Phase
from ..clusters import same_server
from ..milvus.types import Cluster
from ..models import AuditEvent

BEGAN, ENDED, CLEANED = "rehearsal.began", "rehearsal.ended", "rehearsal.cleaned"
LONGEST = timedelta(minutes=10)  # no run takes longer, so an older one is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One rehearsal as its first event has it. `root` is what its names begin with."""

    id: uuid.UUID
    cluster: Cluster
    root: str
    database: str  # for its collections where it may not have a database of its own
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the log says about the last rehearsal of a cluster, for its page."""

    root: str
    began: datetime
    version: str
    is_same_address: bool
    ended: bool = False
    total: int = 0
    failing: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()

    @property
    def holding(self) -> int:
        return self.total - len(self.failing) - len(self.not_run)


def write(
    action: str,
    run: Run,
    caller: Caller,
    message: str,
    outcome: Outcome = Outcome.NONE,
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Append one event about a run. Raises LogUnwritable."""
    place = {"cluster": run.cluster.key, "database": "", "kind": "rehearsal", "collection": ""}
    identity = {"run": str(run.id), "server_version": run.version, "endpoint": run.cluster.endpoint}
    return log.write(
        Entry(
            phase=Phase.REHEARSAL,
            action=action,
            caller=caller,
            outcome=outcome,
            target={**place, "name": run.root},
            message=message,
            details={**identity, "scratch_database": run.database, **(details or {})},
        )
    )


def began(run: Run, caller: Caller) -> AuditEvent:
    """The first event, committed before anything is created. Raises LogUnwritable."""
    message = (
        f"A rehearsal on Milvus {run.version}. Everything that it creates is called {run.root}…, "
        "and is removed at its end."
    )
    process = {"host": socket.gethostname(), "process": os.getpid()}
    return write(BEGAN, run, caller, message, details=process)


# --- what is left to remove -----------------------------------------------------------------------


def outstanding(cluster: Cluster) -> list[Run]:
    """Runs on this server that are over, and may have left something. Oldest first."""
    details: dict[str, dict[str, Any]] = {}
    for event in _events(cluster).order_by("sequence"):
        record = json.loads(event.record)
        if event.action == BEGAN:
            details[event.name] = {**record["details"], "at": event.recorded_at}
        elif record["details"].get("removed_everything"):
            details.pop(event.name, None)
        elif event.name in details:
            details[event.name]["is_over"] = True
    return [
        _run(name, cluster, one)
        for name, one in details.items()
        if one["endpoint"] == cluster.endpoint and _is_over(one)
    ]


def _run(name: str, cluster: Cluster, details: dict[str, Any]) -> Run:
    return Run(
        id=uuid.UUID(details["run"]),
        cluster=cluster,
        root=name,
        database=details["scratch_database"],
        version=details["server_version"],
    )


def _is_over(details: dict[str, Any]) -> bool:
    """It ended, or its process did: a rehearsal that runs now is left alone."""
    if details.get("is_over") or timezone.now() - details["at"] > LONGEST:
        return True
    return details["host"] == socket.gethostname() and not _is_alive(details["process"])


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _events(cluster: Cluster) -> "QuerySet[AuditEvent]":
    """All about rehearsals of this server. Without a database, so the index finds them."""
    keys = same_server(cluster.key)
    return AuditEvent.objects.filter(
        cluster__in=keys, database="", collection="", phase=Phase.REHEARSAL
    )


# --- for the page of a cluster --------------------------------------------------------------------


def standing(cluster: Cluster) -> Standing | None:
    """The last rehearsal of a cluster; None if there was none."""
    first = _events(cluster).filter(action=BEGAN).order_by("-sequence").first()
    if first is None:
        return None
    last = _events(cluster).filter(action=ENDED, name=first.name).first()
    return _standing(first, last, cluster)


def _standing(first: AuditEvent, last: AuditEvent | None, cluster: Cluster) -> Standing:
    details = json.loads(first.record)["details"]
    states = json.loads(last.record)["details"]["states"] if last else {}
    return Standing(
        root=first.name,
        began=first.recorded_at,
        version=details["server_version"],
        is_same_address=details["endpoint"] == cluster.endpoint,
        ended=last is not None,
        total=len(states),
        failing=_named(states, "does not hold"),
        not_run=_named(states, "not run"),
    )


def _named(states: dict[str, str], state: str) -> tuple[str, ...]:
    return tuple(name for name, value in states.items() if value == state)
