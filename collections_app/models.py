"""The audit log; claims; plans; protections; the recycle bin; the watch; personal settings."""

from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models import Q


class AuditEvent(models.Model):
    """One event, never changed; deleted only with the sealed segment it is in (see triggers.py).

    `record` is the event: canonical JSON, exactly the bytes under the seal. The other columns
    repeat parts of it for searching, and `audit/verify.py` checks that they agree. Only
    `audit/log.py` writes here.
    """

    sequence = models.BigIntegerField(primary_key=True)
    operation_id = models.UUIDField(null=True, db_index=True)
    recorded_at = models.DateTimeField(db_index=True)
    phase = models.CharField(max_length=20)
    action = models.CharField(max_length=40)
    outcome = models.CharField(max_length=20)
    actor = models.CharField(max_length=300)
    cluster = models.CharField(max_length=255)
    database = models.CharField(max_length=255)
    kind = models.CharField(max_length=20)
    collection = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    record = models.TextField()
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["operation_id"],
                condition=Q(phase="intent"),
                name="one_intent_per_operation",
            ),
        )
        indexes = (
            models.Index(fields=["actor", "-sequence"], name="audit_by_actor"),
            models.Index(fields=["outcome", "-sequence"], name="audit_by_outcome"),
            models.Index(
                fields=["collection", "cluster", "database", "-sequence"],
                name="audit_by_collection",
            ),
            models.Index(fields=["name", "-sequence"], name="audit_by_name"),
            models.Index(fields=["cluster", "database", "-sequence"], name="audit_by_database"),
            models.Index(
                fields=["name"], condition=Q(kind="new collection"), name="audit_creations"
            ),
        )

    def __str__(self) -> str:
        return f"event {self.sequence}: {self.action} {self.phase}"

    def save(self, **kwargs: Any) -> None:
        """Append. An event that exists is never saved again."""
        super().save(**{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Audit events are never deleted.")


class RemovedSegment(models.Model):
    """A sealed segment of the log whose events were removed. The event that says so is `event`.

    The chain is what counts (that event has all of it); this is what the triggers go by.
    """

    last = models.BigIntegerField(primary_key=True)
    first = models.BigIntegerField()
    head = models.CharField(max_length=64)
    file = models.CharField(max_length=255)
    event = models.BigIntegerField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"events {self.first} to {self.last}, in {self.file}"


class SendProgress(models.TextChoices):
    """How far an operation may have got. Written before it gets there: never too little."""

    NONE = "", "nothing"
    RENAME = "rename", "the rename of strict mode"
    REQUEST = "request", "the request of the operation itself: a drop, a release, a restore"


class Claim(models.Model):
    """An operation that has no final outcome yet, and so holds its target.

    Made with the intent, deleted with the final outcome, each in the same transaction: it
    survives a crash, and a second operation on the same target meets it.
    """

    target = models.CharField(
        max_length=64, primary_key=True
    )  # digest: names are too long for a key
    operation_id = models.UUIDField(unique=True)
    cluster = models.CharField(max_length=40)
    actor_display = models.CharField(max_length=300)
    claimed_at = models.DateTimeField()
    progress = models.CharField(
        max_length=10, db_default=SendProgress.REQUEST.value
    )  # a SendProgress

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.operation_id} by {self.actor_display}"


class PlanState(models.TextChoices):
    """How far a plan is. `plans/` moves it on; each decision is an audit event as well."""

    READING = "reading", "Reading"  # its items are being read
    DRAFT = "draft", "Draft"  # read, and not confirmed
    AWAITING = "awaiting", "Awaiting approval"
    READY = "ready", "Approved"
    REJECTED = "rejected", "Rejected"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"
    EXPIRED = "expired", "Expired"


class ItemState(models.TextChoices):
    """How far an item of a plan is."""

    UNREAD = "unread", "Not read yet"
    TODO = "todo", "To do"
    BLOCKED = "blocked", "Blocked"  # when the plan read it; never sent
    REMOVED = "removed", "Taken out"  # by the author, before the plan was confirmed
    RUNNING = "running", "In progress"
    DONE = "done", "Done"
    REFUSED = "refused", "Refused"  # by Milvus, a rule or a blocker, when it was due
    SKIPPED = "skipped", "Skipped"  # it changed since the plan was made, or is gone
    FAILED = "failed", "Failed"  # it still exists
    UNKNOWN = "unknown", "Unknown"


class Plan(models.Model):
    """A frozen list of things on one cluster, for one action. Only `plans/` writes here.

    An index: what happened is in the audit log. `ticket` is the number of the one background task
    that may work on the plan; `worked_at` is when one last did.
    """

    state = models.CharField(max_length=20, default=PlanState.READING)
    action = models.CharField(max_length=40)
    cluster = models.CharField(max_length=40)
    endpoint = models.TextField()
    database = models.CharField(max_length=255)
    selection = models.TextField()  # how the list was made, in words
    is_single = models.BooleanField(default=False)  # one act that needs an approval, from a dialog
    reason = models.TextField()
    author = models.JSONField()
    confirmed_by = models.JSONField(null=True)
    requested_by = models.JSONField(null=True)  # who asked for an approval, and may run it then
    requested_at = models.DateTimeField(null=True)
    approved_by = models.JSONField(null=True)
    approved_at = models.DateTimeField(null=True)
    rule = models.TextField(default="")  # the rule of approvals that it was requested under
    digest = models.CharField(max_length=64, default="")  # of what was confirmed or approved
    why = models.TextField(default="")  # why it is paused, cancelled or could not be read
    at_once = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    worked_at = models.DateTimeField()
    ticket = models.IntegerField(default=0)

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["state", "-id"], name="plans_by_state"),)

    def __str__(self) -> str:
        return f"plan {self.pk}, {self.state}"


class PlanItem(models.Model):
    """One thing in a plan, as the plan read it, and what became of it.

    `operation_id` is chosen once. The log has one intent for each, so no two processes, and no
    process that was killed and began again, can send one item twice.
    """

    plan = models.ForeignKey(Plan, models.CASCADE, related_name="items")
    position = models.IntegerField()
    state = models.CharField(max_length=20, default=ItemState.UNREAD)
    collection = models.TextField()
    name = models.TextField()
    operation_id = models.UUIDField(unique=True)
    identity = models.JSONField(null=True)
    shown = models.JSONField(default=dict)  # rows, load, aliases and more, in words for a page
    message = models.TextField(default="")  # why it is blocked, or what became of it
    outcome = models.CharField(max_length=20, default="")
    taken_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["plan", "state", "position"], name="items_by_state"),)

    def __str__(self) -> str:
        return f"{self.name}, {self.state}"


class Notification(models.Model):
    """Something that is told about an approval, by one channel. Written beside what it tells of.

    An attempt is counted before it is made, and `due_at` is then that of the next one.
    """

    event = models.CharField(max_length=40)
    channel = models.CharField(max_length=10)  # mail or webhook
    plan = models.BigIntegerField(null=True)
    facts = models.JSONField()
    created_at = models.DateTimeField(db_index=True)
    due_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    sent_at = models.DateTimeField(null=True)
    problem = models.TextField(default="")  # of the last attempt

    class Meta:
        default_permissions = ()
        indexes = (models.Index(fields=["sent_at", "due_at"], name="notifications_due"),)

    def __str__(self) -> str:
        return f"{self.event} by {self.channel}"


class Quota(models.Model):
    """What one person had recorded in a minute, and how much more was not. See `quotas.py`."""

    key = models.CharField(max_length=64, primary_key=True)  # digest: who, and of what kind
    since = models.DateTimeField(db_index=True)
    written = models.IntegerField()
    withheld = models.IntegerField()
    phase = models.CharField(max_length=20)
    action = models.CharField(max_length=40)
    actor = models.JSONField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.written} written, {self.withheld} withheld since {self.since}"


class WatchedDatabase(models.Model):
    """A database as `manage.py watch` listed it last."""

    cluster = models.CharField(max_length=255)
    database = models.CharField(max_length=255)
    endpoint = models.TextField()  # another address is another server: the watch begins anew
    listed_at = models.DateTimeField()
    position = models.BigIntegerField()  # the events up to here were committed before that
    version = models.BigIntegerField(default=0)  # grows with each change: see drift/inventory.py

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["cluster", "database"], name="one_watch_per_database"),
        )

    def __str__(self) -> str:
        return f"{self.cluster}/{self.database}"


class SeenCollection(models.Model):
    """A collection in the inventory of the watch."""

    watched = models.ForeignKey(WatchedDatabase, models.CASCADE, related_name="collections")
    name = models.TextField()  # as long as it is: Milvus takes any number of spaces at its end
    collection_id = models.BigIntegerField()  # 0 on Milvus Lite, which has none
    created_ms = models.BigIntegerField(null=True)
    # Set while it is in no list and nobody can say yet that it is gone.
    last_listed_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.collection_id})"


class TaskRun(models.Model):
    """When a task ran last, and whether it succeeded. Only `health/heartbeat.py` writes here."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    ok = models.BooleanField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name} at {self.at}"


class BinItem(models.Model):
    """A collection in the recycle bin: an index to the log, which is the truth.

    Made with the outcome of the operation that moved it, deleted with that of its restore or
    purge, each in the same transaction. `purge_at` is fixed when it goes in.
    """

    operation_id = models.UUIDField(primary_key=True)  # which moved it here
    cluster = models.CharField(max_length=40)
    database = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    private_name = models.CharField(max_length=64, db_index=True)
    collection_id = models.BigIntegerField()
    created_ms = models.BigIntegerField(null=True)
    fingerprint = models.CharField(max_length=64)  # of Milvus Lite, which has no ids
    rows = models.BigIntegerField(null=True)  # when it went in; null: they could not be read
    was_loaded = models.BooleanField()
    aliases = models.JSONField()  # dropped by Milvus Admin on its way here
    actor = models.CharField(max_length=300)
    actor_display = models.CharField(max_length=300)
    reason = models.TextField()
    moved_at = models.DateTimeField()
    purge_at = models.DateTimeField()
    problem = models.TextField()  # why it can't be purged, or what others did to it
    retry_at = models.DateTimeField(null=True)  # no purge is tried before

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["cluster", "database", "name"], name="bin_by_name"),
            models.Index(fields=["purge_at"], name="bin_by_purge"),
        )

    def __str__(self) -> str:
        return f"{self.cluster}/{self.database}/{self.name} as {self.private_name}"


class Protection(models.Model):
    """A collection that somebody protected: an index to the log, which is the truth.

    It covers a name and an id. Made with the outcome of the operation that set it, changed with
    that of its removal, each in the same transaction; deleted when its end is recorded.
    """

    operation_id = models.UUIDField(primary_key=True)  # which set it
    cluster = models.CharField(max_length=40)
    database = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    collection_id = models.BigIntegerField()  # 0 on Milvus Lite, which has none
    actor_display = models.CharField(max_length=300)
    reason = models.TextField()
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)  # null: until somebody removes it
    removed_by = models.CharField(max_length=300)  # who requested its removal; empty: nobody
    removal_reason = models.TextField()
    removal_at = models.DateTimeField(null=True)  # when that takes effect

    class Meta:
        default_permissions = ()
        indexes = (
            models.Index(fields=["cluster", "database", "name"], name="protection_by_name"),
            models.Index(fields=["collection_id"], name="protection_by_id"),
        )

    def __str__(self) -> str:
        return f"{self.cluster}/{self.database}/{self.name}, by {self.actor_display}"

    @property
    def ends_at(self) -> datetime | None:
        """When it ends; None if nothing ends it yet."""
        return min(filter(None, (self.until, self.removal_at)), default=None)


class PurgePause(models.Model):
    """A cluster whose recycle bin purges nothing, and who wanted that."""

    cluster = models.CharField(max_length=40, primary_key=True)
    actor_display = models.CharField(max_length=300)
    reason = models.TextField()
    since = models.DateTimeField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.cluster}, by {self.actor_display}"


class PersonalSettings(models.Model):
    """What one person chose for their pages. Only `personal/store.py` writes here.

    Deleted with the user, and half a year after somebody used it.
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True)
    density = models.CharField(max_length=20, default="")
    hidden = models.JSONField(default=dict)  # columns by table
    pinned = models.JSONField(default=list)  # places, each with a time
    recent = models.JSONField(default=list)
    used_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"settings of user {self.pk}"
