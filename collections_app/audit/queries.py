"""Reading the audit log: operations as stories, and the log page by page."""

import json
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from ..access.policy import Action, Place, may_everywhere, posix, regex, rules_granting
from ..access.principals import Actor
from ..milvus.types import Kind, Target
from ..models import AuditEvent, Claim, RemovedSegment, SendProgress
from ..names import readable
from .distinct import distinct, holding
from .log import Outcome, Phase

PAGE = 50
SHOWN_OPERATIONS = 5
OPEN = "open"  # asked for as an outcome: operations that have no final one

# As in distinct.py: the databases of a cluster, then (database is NULL) on to the next cluster.
PLACES = """
    WITH RECURSIVE hop(cluster, base) AS (
        SELECT CAST('' AS text), CAST(NULL AS text)
        UNION ALL
        SELECT
            CASE WHEN base IS NOT NULL THEN cluster ELSE (
                SELECT MIN(e.cluster) FROM collections_app_auditevent e
                WHERE e.cluster > hop.cluster
            ) END,
            CASE WHEN base IS NOT NULL THEN (
                SELECT MIN(e.database) FROM collections_app_auditevent e
                WHERE e.cluster = hop.cluster AND e.database > hop.base
            ) ELSE (
                SELECT MIN(e.database) FROM collections_app_auditevent e
                WHERE e.cluster = (
                    SELECT MIN(n.cluster) FROM collections_app_auditevent n
                    WHERE n.cluster > hop.cluster
                )
            ) END
        FROM hop WHERE hop.cluster IS NOT NULL
    ) SELECT cluster, base FROM hop
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An audit event with its record opened."""

    row: AuditEvent
    record: dict[str, Any]

    @classmethod
    def of(cls, row: AuditEvent) -> "Event":
        return cls(row=row, record=json.loads(row.record))

    @property
    def actor(self) -> str:
        """How they are called, for a page: people choose that."""
        return readable(str(self.record["actor"]["display"]))

    @property
    def message(self) -> str:
        """The same: it may quote a person, or what Milvus said."""
        return readable(str(self.record["message"]))

    @property
    def subject(self) -> str:
        """What tells two people of one name apart; empty if it is the name."""
        subject = readable(str(self.record["actor"]["subject"]))
        return "" if subject == self.actor else subject

    @property
    def is_external(self) -> bool:
        """Whether the actor only saw it."""
        return self.row.outcome == Outcome.EXTERNAL

    @property
    def details(self) -> dict[str, Any]:
        return dict(self.record["details"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One operation: its events in order, and where it stands."""

    operation_id: uuid.UUID
    events: list[Event]
    claim: Claim | None

    @property
    def first(self) -> Event:
        return self.events[0]

    @property
    def intent(self) -> Event | None:
        return self.first if self.first.row.phase == Phase.INTENT else None

    @property
    def outcome(self) -> Outcome:
        """The last one recorded; UNKNOWN as long as there is none."""
        return Outcome(self.events[-1].row.outcome) or Outcome.UNKNOWN

    @property
    def progress(self) -> SendProgress | None:
        """How far it may have got, while it is open."""
        return SendProgress(self.claim.progress) if self.claim else None

    @property
    def is_open(self) -> bool:
        return self.claim is not None


def operations_on(kind: Kind, name: str) -> list[Story]:
    """The last operations that were aimed at a thing whose name is unique, oldest first.

    That is what a drop left to create (its id is the name), and what is in the recycle bin.
    """
    rows = AuditEvent.objects.filter(kind=kind, name=name, phase=Phase.INTENT)
    latest = reversed(rows.order_by("-sequence")[:SHOWN_OPERATIONS])
    return [found for row in latest if row.operation_id and (found := story(row.operation_id))]


def story(operation_id: uuid.UUID) -> Story | None:
    """The operation of that id, or None."""
    rows = AuditEvent.objects.filter(operation_id=operation_id).order_by("sequence")
    events = [Event.of(row) for row in rows]
    if not events:
        return None
    claim = Claim.objects.filter(operation_id=operation_id).first()
    return Story(operation_id=operation_id, events=events, claim=claim)


MIN_DIGITS = 4  # of an operation's id: fewer would match a good part of the log


def begun_with(text: str, most: int) -> list[AuditEvent]:
    """The first event of each operation whose id begins with that text, `most` at most.

    Too short a text, or one that no id can begin with, finds none.
    """
    digits = text.replace("-", "").casefold()
    if not re.fullmatch(rf"[0-9a-f]{{{MIN_DIGITS},32}}", digits):
        return []
    span = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    rows = AuditEvent.objects.filter(operation_id__range=span).order_by("operation_id", "sequence")
    first: dict[uuid.UUID | None, AuditEvent] = {}
    for row in rows[: 4 * most]:
        first.setdefault(row.operation_id, row)
    return list(first.values())[:most]


def removed_until() -> int:
    """The last event that is in a sealed file only, and not here any more; 0 if all are here."""
    return RemovedSegment.objects.aggregate(last=Max("last"))["last"] or 0


def recent_operations(cluster: str, database: str, collection: str) -> list[Event]:
    """What was done to a collection, newest first: one event for each operation, ten at most.

    And the last five that the watch saw. Without what no rule permitted. Whoever tries, or does
    it elsewhere, often enough must not hide the rest.
    """
    found = AuditEvent.objects.filter(cluster=cluster, database=database, collection=collection)
    found = found.order_by("-sequence")
    latest: dict[uuid.UUID | None, Event] = {}
    for row in found.exclude(outcome__in=(Outcome.DENIED, Outcome.EXTERNAL))[:30]:
        latest.setdefault(row.operation_id, Event.of(row))
    seen = [Event.of(row) for row in found.filter(outcome=Outcome.EXTERNAL)[:5]]
    known = list(latest.values())[:10] + seen
    return sorted(known, key=lambda event: event.row.sequence, reverse=True)


def last_event(target: Target) -> Event | None:
    """The newest event about a collection, or about one partition, whoever made it.

    Without what no rule permitted, as in `recent_operations`.
    """
    found = AuditEvent.objects.filter(
        cluster=target.cluster, database=target.database, collection=target.collection
    ).exclude(outcome=Outcome.DENIED)
    if target.kind is Kind.PARTITION:
        found = found.filter(name=target.name)
    row = found.order_by("-sequence").first()
    return Event.of(row) if row else None


def filtered(filters: dict[str, Any], reader: Actor) -> QuerySet[AuditEvent]:
    """Events that the reader may read and that match AuditFilterForm's data, newest first."""
    events = AuditEvent.objects.filter(
        readable_by(reader), about(filters), by_people(filters, reader)
    ).order_by("-sequence")
    outcome = filters.get("outcome")
    if outcome == OPEN:
        return events.filter(operation_id__in=Claim.objects.values("operation_id"))
    return events.filter(outcome=outcome) if outcome else events


def about(filters: dict[str, Any]) -> Q:
    """What happened, to what, where and when; an operation's events differ in the last only."""
    found = Q()
    for column in ("action", "cluster", "database"):
        if filters.get(column):
            found &= Q(**{column: filters[column]})
    if what := filters.get("what"):
        found &= holding("name", what) | holding("collection", what)
    if filters.get("since"):
        found &= Q(recorded_at__gte=_midnight(filters["since"]))
    if filters.get("until"):
        found &= Q(recorded_at__lt=_midnight(filters["until"] + timedelta(days=1)))
    return found


def by_people(filters: dict[str, Any], reader: Actor) -> Q:
    """Who did it: a part of a name, or the reader."""
    found = holding("actor", filters["who"]) if filters.get("who") else Q()
    return found & Q(actor__in=_names_of(reader)) if filters.get("mine") else found


def _names_of(person: Actor) -> list[str]:
    """The column `actor` of all events of a person, whose display name may have changed."""
    end = f"|{person.issuer}|{person.subject}"
    return [actor for actor in distinct("actor") if actor.endswith(end)]


def places(reader: Actor) -> list[tuple[str, str]]:
    """The clusters and databases in the log of which the reader may read something."""
    with connection.cursor() as cursor:
        cursor.execute(PLACES)
        found = [(cluster, database) for cluster, database in cursor.fetchall() if cluster]
    rules = rules_granting(reader, Action.READ_AUDIT)
    return [
        (cluster, database or "")
        for cluster, database in found
        if reader.method == "shell"
        or any(rule.covers(Place(cluster=cluster, database=database or "")) for rule in rules)
    ]


def readable_by(reader: Actor, action: Action = Action.READ_AUDIT) -> Q:
    """Events about what the reader's rules grant the action on.

    Events about no object need a rule for everything.
    """
    if may_everywhere(reader, action):
        return Q()
    found = Q(pk__in=())
    for rule in rules_granting(reader, action):
        found |= (
            Q(cluster__gt="")
            & _fits("cluster", rule.clusters)
            & _fits("database", rule.databases)
            & _fits("collection", rule.collections)
        )
    return found


def _fits(column: str, patterns: tuple[str, ...]) -> Q:
    if "*" in patterns:
        return Q()
    form = posix if connection.vendor == "postgresql" else regex
    either = "|".join(form(pattern) for pattern in patterns)
    return Q(**{f"{column}__regex": rf"\A({either})\Z"})


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time(), timezone.get_current_timezone()).astimezone(UTC)


def last_seen(name: str) -> Actor | None:
    """Somebody as the newest event knows them, by subject or else by display name; or None.

    People choose their display names: who calls themselves like another's subject comes second.
    """
    rows = AuditEvent.objects.filter(actor__contains=name).exclude(action="session.refused")
    found = [json.loads(row.record)["actor"] for row in rows.order_by("-sequence")[:1000]]
    for key in ("subject", "display"):
        for actor in found:
            if actor[key] == name:
                return Actor(**{**actor, "groups": tuple(actor["groups"])})
    return None


def signed_in_since(actor: Actor, moment: datetime, *, ended: bool = True) -> Actor | None:
    """The same person as their newest sign-in, or change of groups, after that moment; or None.

    Without groups if their session was ended since: by the identity provider, or by its age. With
    `ended` false that counts for nothing.
    """
    same = Q(actor__endswith=f"|{actor.issuer}|{actor.subject}", recorded_at__gt=moment)
    rows = AuditEvent.objects.filter(same, phase=Phase.SESSION).exclude(action="session.refused")
    rows = rows if ended else rows.exclude(action="session.ended")
    row = rows.order_by("-sequence").first()
    if row is None:
        return None
    newest = json.loads(row.record)["actor"]
    groups = () if row.action == "session.ended" else tuple(newest["groups"])
    return Actor(**{**newest, "groups": groups})
