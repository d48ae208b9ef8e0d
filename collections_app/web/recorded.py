"""The templates of what is recorded or raised below the pages: see shown.py.

`%(why)s` and `%(more)s` stand for sentences of their own. tests/test_translations.py finds a
sentence below the pages that has no template here.
"""

CONTEXT = "record"


def msg(template: str) -> str:
    """Marks a template for the catalogue."""
    return template


WORDS = (
    # outcomes
    msg("succeeded"),
    msg("failed"),
    msg("not done so far"),
    msg("incomplete"),
    msg("refused"),
    msg("unknown"),
    msg("denied"),
    msg("not found"),
    msg("changed"),
    msg("blocked"),
    msg("busy"),
    msg("external"),
    msg("in progress"),
    # phases of an event without an outcome
    msg("intent"),
    msg("outcome"),
    msg("rejected"),
    msg("access"),
    msg("observed"),
    msg("plan"),
    msg("rehearsal"),
    msg("setting"),
    msg("session"),
    # states of plans and of their items
    msg("Reading"),
    msg("Draft"),
    msg("Awaiting approval"),
    msg("Approved"),
    msg("Rejected"),
    msg("Running"),
    msg("Paused"),
    msg("Done"),
    msg("Cancelled"),
    msg("Expired"),
    msg("Not read yet"),
    msg("To do"),
    msg("Blocked"),
    msg("Taken out"),
    msg("In progress"),
    msg("Refused"),
    msg("Skipped"),
    msg("Failed"),
    msg("Unknown"),
    # what is not read, load states
    msg("not permitted"),
    msg("Loaded"),
    msg("Not loaded"),
    # kinds
    msg("cluster"),
    msg("database"),
    msg("collection"),
    msg("partition"),
    msg("alias"),
    msg("operation"),
    # verbs and participles of the acts
    msg("drop"),
    msg("release"),
    msg("move"),
    msg("restore"),
    msg("purge"),
    msg("set"),
    msg("run"),
    msg("approved"),
    msg("re-create"),
    msg("load"),
    msg("protect"),
    msg("unprotect"),
    msg("keep"),
    msg("dropped"),
    msg("released"),
    msg("moved to the recycle bin"),
    msg("restored"),
    msg("purged"),
    msg("re-created"),
    msg("loaded"),
    msg("protected"),
    msg("scheduled to be unprotected"),
    msg("kept protected"),
    # reach of a permission, channels of notifications
    msg("yes"),
    msg("no"),
    msg("on some names"),
    msg("mail"),
    msg("webhook"),
    # interfaces and names of what acts by itself
    msg("web"),
    msg("shell"),
    msg("the watch"),
    msg("the recycle bin"),
    msg("the configuration"),
    # parts of a collection
    msg("The aliases"),
    msg("The load state"),
    msg("The partitions"),
    msg("partitions"),
    msg("indexes"),
    msg("aliases"),
    msg("none"),
)

ACTS = (
    msg("Drop collection %(name)s"),
    msg("Drop partition %(name)s"),
    msg("Drop alias %(name)s"),
    msg("Release collection %(name)s"),
    msg("Release partition %(name)s"),
    msg("Move collection %(name)s to the recycle bin"),
    msg("Restore collection %(name)s"),
    msg("Purge collection %(name)s"),
    msg("Set alias %(name)s"),
    msg("Re-create collection %(name)s"),
    msg("Load collection %(name)s"),
    msg("Protect collection %(name)s"),
    msg("Unprotect collection %(name)s"),
    msg("Keep collection %(name)s protected"),
    msg("Drop alias…"),
    msg("Release partition…"),
)

SPANS = (
    msg("%(count)s day"),
    msg("%(count)s days"),
    msg("%(count)s hour"),
    msg("%(count)s hours"),
    msg("%(count)s minute"),
    msg("%(count)s minutes"),
    msg("%(count)s second"),
    msg("%(count)s seconds"),
)

STATES = (
    msg("Loading %(percent)s %%"),
    msg("The load state is %(word)s"),
    msg("primary key"),
    msg("automatic ids"),
    msg("partition key"),
    msg("clustering key"),
    msg("made by a function"),
    msg("nullable"),
    msg("dynamic"),
    msg("default %(value)s"),
    msg("from column %(name)s"),
)

BLOCKERS = (
    msg(
        "This cluster is the standby of another cluster, so Milvus refuses every change here. "
        "Make the change on the primary cluster."
    ),
    msg(
        "It is in the recycle bin, so nothing is done to it under its temporary name. Restore or "
        "purge it on the page of the recycle bin."
    ),
    msg("Whoever has the permission unprotect can end that, on the page of the collection."),
    msg("The audit log does not say that this drop succeeded."),
    msg("A collection or an alias has this name. Type another one."),
    msg(
        "This cluster has strict_drop, which renames a collection before the drop. %(why)s. Turn "
        "strict_drop off or change the version of Milvus to drop collections."
    ),
    msg("This cluster has strict_drop, which renames a collection before the drop."),
    msg("Turn strict_drop off or change the version of Milvus to drop collections."),
    msg("This server has no ids to compare."),
    msg("Milvus rejects a request that it needs: %(text)s."),
    msg("Its aliases could not be read. Try again in a moment."),
    msg("The alias %(name)s points to this collection. Drop the alias first."),
    msg(
        "This collection is split by its partition key, %(field)s. Milvus can't drop its "
        "partitions one by one."
    ),
    msg("Every collection keeps its default partition. Milvus never drops it."),
    msg("It is loaded. Milvus refuses to drop it until it is released."),
    msg("This cluster has no recycle bin. Set recycle_bin in its configuration to add one."),
    msg("The recycle bin renames a collection. %(why)s Drop it permanently, if it has to go."),
    msg("Nobody has protected it."),
    msg("Nobody has requested that its protection ends."),
    msg("The end of its protection has been requested already."),
    msg("It is not loaded, so there is nothing to release."),
    msg("Milvus Lite can't release a collection that has no index."),
    msg("Milvus Lite can't release a single partition."),
    msg(
        "Milvus Admin loads a collection only after it restored or re-created it, and only if it "
        "was loaded before. Load it with your own client."
    ),
    msg(
        "Milvus Admin sets an alias only after it restored or re-created the collection, and only "
        "one that it had before. Set it with your own client."
    ),
    msg("Something uses the name %(name)s now: another alias or a collection."),
)

NOTES = (
    msg("Clients that use the name %(name)s will no longer find the collection."),
    msg("Clients that use this name will find the collection again."),
    msg(
        "This is an external collection. The drop deletes its schema, its indexes and the metadata "
        "of the source. It does not delete the data outside Milvus."
    ),
    msg(
        "Strict mode: Milvus Admin renames it to a temporary name, checks its id, and drops it "
        "under that name. Clients can't find it from the rename on."
    ),
    msg("It is loaded: searches that use it will fail after the drop."),
    msg("Its aliases are dropped with it: %(names)s."),
    msg("Milvus Admin is not permitted to read its aliases, so one may be in use."),
    msg(
        "Strict mode can't cover partitions, because Milvus can't rename them. A replacement "
        "between the last check and the drop would not be noticed."
    ),
    msg(
        "The recycle bin does not cover partitions, because Milvus can't rename them. There is no "
        "way to get this partition back."
    ),
    msg("Its load state is %(word)s. Milvus refuses the drop if it is loaded."),
    msg("It is loaded. Milvus Lite drops loaded partitions, too."),
    msg("It takes memory as long as it is loaded."),
    msg("Searches that use it fail until it is loaded again. No data is lost."),
    msg("Another collection has its place, id %(id)s."),
    msg("It had about %(before)s rows when it went in, and has %(after)s now."),
    msg(
        "It had about %(before)s rows when it went in, and has %(after)s now. It may have been "
        "truncated."
    ),
    msg("From now on, every request that uses its name fails."),
    msg("Still used: rows, partitions and indexes stay."),
    msg("Brings back the same collection, not loaded and without aliases."),
    msg("On %(time)s UTC, unless somebody restores it before."),
    msg(
        "Dropping it, its partitions or its aliases, moving it to the recycle bin, purging it: in "
        "dialogs, plans and commands."
    ),
    msg("This name and this id: also a collection that gets the name later."),
    msg("Milvus Admin only. A Milvus account can still drop it."),
    msg("%(more)s after you confirm, so not before %(moment)s."),
    msg("%(who)s protected it on %(since)s, until %(until)s."),
    msg("%(who)s protected it on %(since)s."),
    msg("Reason: “%(reason)s”."),
    msg("Its name was %(name)s then: the protection stays with the id."),
    msg(
        "It was set on another collection of this name, id %(id)s: the protection covers the "
        "name, too."
    ),
    msg("%(who)s requested its removal, which takes effect on %(moment)s."),
    msg("by %(pattern)s"),
    msg("The snapshot has no description of the collection as Milvus sent it."),
    msg(
        "It was an external collection. Its rows are outside Milvus, and the snapshot has no "
        "credentials to reach them. Create it with your own client."
    ),
    msg(
        "The function %(name)s is left out: its parameters have a secret, which Milvus Admin does "
        "not keep. Its output fields become ordinary fields."
    ),
    msg("The property %(name)s is left out: it is a secret, which Milvus Admin hides."),
    msg("Settings that this version of Milvus Admin does not know are left out."),
    msg("The %(what)s could not be read for the snapshot, so none are created."),
    msg("The partition %(name)s is left out: such a name is never sent to a server."),
)

# The labels of the effects in a dialog.
LABELS = (
    msg("Clients"),
    msg("Memory"),
    msg("Disk, quota"),
    msg("Restore"),
    msg("Purge"),
    msg("Covers"),
    msg("Binds"),
    msg("Takes effect"),
    msg("Released."),
)

PROOFS = (
    msg("Verified: it no longer exists."),
    msg("Verified: it is no longer loaded."),
    msg("Verified: it exists, with all fields, partitions and indexes."),
    msg("Verified: Milvus is loading it, or has loaded it."),
    msg("Verified: it is in the recycle bin."),
    msg("Verified: this very collection has the name now."),
    msg("Verified: it points to the collection."),
    msg("The lists and its page say so."),
    msg("Its page says when; until then, whoever may protect it can keep it protected."),
    msg("The removal of its protection is cancelled."),
)

OUTCOMES = (
    msg("Milvus answered OK"),
    msg("Recorded by Milvus Admin"),
    msg("Unexpected error: %(name)s"),
    msg("the next step could not be recorded"),
    msg("the operation was already closed"),
    msg("the read before it is too old"),
    msg("nothing was sent"),
    msg("The read-back failed: %(text)s"),
    msg("Whether anything else was dropped with it could not be read."),
    msg("It is still loaded, because Milvus did not release it: %(text)s."),
    msg("The collection is gone, or another one has its name"),
    msg("Not as in the snapshot: %(names)s."),
    msg("Read-back: %(why)s"),
    msg("Read-back: %(why)s."),
    msg("it still exists"),
    msg("it does not exist"),
    msg("it is still loaded"),
    msg("it is gone, or released"),
    msg("it still exists, or is loaded"),
    msg("something has the temporary name"),
    msg(
        "It no longer exists. This Milvus carries out every drop that it accepted, however late, "
        "so the operation succeeded"
    ),
    msg("It no longer exists. Operation %(id)s dropped it"),
    msg("A late rename completed after the operation closed. Nothing was dropped."),
    msg("Its original name is being restored"),
    msg("It is another collection, id %(id)s."),
    msg("Milvus was asked to rename it, and the read-back does not show that yet"),
    msg("The process ended before anything was sent"),
    msg("It no longer exists, but this operation never sent a drop"),
    msg("%(why)s after the drop deadline, so the operation failed"),
    msg("It was created in part. Missing: %(names)s"),
    msg(
        "It still exists. Milvus %(version)s carries out every drop that it accepted, however "
        "late, so it may still disappear. This operation will then say so"
    ),
    msg("called %(name)s now"),
    msg("Another collection had taken its name, id %(id)s"),
    msg("It was to be renamed to %(name)s, and the read-back failed: %(text)s"),
    msg("Milvus answered OK to the rename, but did not rename it"),
    msg("%(why)s. It is called %(name)s until reconcile_operations restores its original name"),
    msg("%(why)s. Nothing was dropped. %(more)s"),
    msg("Its original name was restored"),
    msg("Its original name is taken, so it is still %(name)s"),
    msg("It was renamed but not dropped. %(more)s"),
    msg("Another collection had taken its name. Nothing was dropped. %(more)s"),
    msg(
        "Its whole collection no longer exists either. This operation did not request that: find "
        "out who dropped it, or whether Milvus did."
    ),
)

REJECTIONS = (
    msg("%(who)s has an operation in progress on it"),
    msg("%(who)s is not permitted to do this. %(why)s"),
    msg("You are not permitted to do this. %(why)s"),
    msg("It no longer exists: %(why)s"),
    msg("It changed since you opened the dialog, or something else has its name now"),
    msg("Another operation on it has just ended. Open the dialog again"),
    msg(
        "You have begun %(limit)s drops on this cluster within the last hour, which is all that "
        "its drops_per_hour permits. Try again later"
    ),
    msg("it is not in the recycle bin any more"),
    msg("no drop of that number is in the audit log"),
    msg("An approval needs a person who signed in"),
    msg("The requester signed in another way, so they may be the same person"),
    msg("Nobody can approve what they asked for themselves"),
    msg("This cluster requires a recent sign-in, and yours is too old"),
    msg("It needs the approval of a second person"),
    msg("The approval does not count any more. %(why)s"),
    msg("Your permissions can’t be confirmed now"),
    msg("No rule grants this to your groups"),
    msg("No rule grants this to these groups. Requested: %(path)s"),
    msg("It is protected by %(pattern)s"),
    msg("The identity provider does not answer, so your permissions can't be confirmed"),
    msg("Shell users have full access"),
    msg("The retention period ended"),
    msg("Granted by %(why)s"),
    msg("the built-in rule of the role %(name)s"),
    msg("Invalid confirmation: %(why)s"),
    msg("its signature does not match"),
    msg("it was issued to another user"),
    msg("it was issued for another operation"),
)

BIN = (
    msg("Collection %(name)s was dropped outside Milvus Admin while it was in the recycle bin"),
    msg(
        "Collection %(name)s was renamed outside Milvus Admin while it was in the recycle bin to "
        "%(now)s"
    ),
    msg("Collection %(name)s is not in the recycle bin: another collection has its temporary name"),
    msg("Milvus restored %(name)s late: it is called %(now)s now"),
    msg("Milvus renamed %(name)s late: it is in the recycle bin now"),
    msg("due now"),
    msg("Purging was paused"),
    msg("Purging goes on"),
    msg(
        "It is loaded, although it is in the recycle bin, so somebody may be using it. Restore it, "
        "release it in Milvus, or purge it now"
    ),
    msg("It could not be read: %(text)s"),
    msg("Purged. Verified: it no longer exists."),
    msg("The last attempt ended as %(outcome)s"),
    msg("Another collection has its place, id %(id)s"),
    msg("Not purged. %(why)s."),
    msg("The protection of %(name)s by %(who)s ended, %(why)s"),
    msg("as %(who)s had requested"),
    msg("as set from the start"),
)

PLANS = (
    msg("Plan %(number)s: %(why)s"),
    msg("created with %(count)s items (%(why)s)"),
    msg("chosen by name"),
    msg("selected one by one"),
    msg("all that matched: %(filters)s"),
    msg("“%(text)s” in the name"),
    msg("not protected"),
    msg("named %(pattern)s"),
    msg("created before %(time)s"),
    msg("not loaded"),
    msg("no filter"),
    msg("what plan %(number)s moved to the recycle bin"),
    msg("%(count)s items taken out"),
    msg("confirmed with %(count)s items"),
    msg("started, approved by %(who)s"),
    msg("approval requested for %(count)s item"),
    msg("approval requested for %(count)s items"),
    msg("approved with %(count)s of %(all)s items"),
    msg("expired; nobody confirmed it"),
    msg("paused"),
    msg("resumed"),
    msg("cancelled"),
    msg("done"),
    msg("Nothing is selected. Select at least one item"),
    msg(
        "%(count)s items are selected, and plan_items_at_most permits %(limit)s on this cluster. "
        "Select fewer"
    ),
    msg("Only its author can change this plan"),
    msg("Only its author can confirm this plan"),
    msg("It has expired. Make a new plan: what it shows may have changed"),
    msg("It is %(state)s"),
    msg("It has no item that can be carried out"),
    msg("That is not the sentence. Type exactly: %(sentence)s"),
    msg("The cluster has another address now. Make a new plan"),
    msg(
        "This cluster requires a recent sign-in, and yours is too old. Sign in again, then confirm"
    ),
    msg("The list changed since this page showed it. Read it again, then confirm"),
    msg(
        "You are no longer permitted to carry out %(count)s of its items (plan %(number)s). Read "
        "the list again"
    ),
    msg("You are no longer permitted to carry out %(count)s of its items. Read the list again"),
    msg("You are not permitted to do this. %(why)s. Read the list again"),
    msg(
        "Plan %(number)s has %(count)s items, and drops_per_hour leaves you %(left)s on this "
        "cluster. Take items out, or try again later"
    ),
    msg("You are not permitted to pause this plan"),
    msg("Paused by %(who)s"),
    msg("Only who confirmed this plan can resume it"),
    msg("The outcome of %(name)s is still unknown. Resume when it is verified"),
    msg("You are not permitted to cancel this plan"),
    msg("Cancelled by %(who)s"),
    msg("The plan is %(state)s already"),
    msg("Make a new plan, which asks again"),
    msg("one act that needs an approval"),
    msg("Milvus could not be read, so what changed is unknown: %(text)s"),
    msg("Nothing of it can be carried out any more"),
    msg("Something changed since this page showed it. Read it again, then approve"),
    msg("Say why"),
    msg("Rejected by %(who)s: %(reason)s"),
    msg("The request does not hold any more. %(why)s. %(more)s"),
    msg("Only who asked for the approval can run this plan"),
    msg("The list is not the one that was approved"),
    msg("It was not %(what)s in time"),
    msg("It does not exist, or you are not permitted to see it"),
    msg("not all items could be read within %(seconds)s seconds"),
    msg("It was replaced: another object has its name now"),
    msg("Milvus rejected the read: %(text)s"),
    msg("Milvus could not be read: %(text)s"),
    msg("It changed since it was approved. %(why)s"),
    msg("the outcome could not be recorded"),
    msg("Unexpected error: %(name)s. Nothing was sent"),
    msg("The outcome of item %(number)s is %(outcome)s: %(name)s"),
    msg("%(who)s has no groups any more, or was signed out"),
    msg("The approval does not hold any more. %(why)s"),
    msg("The configuration has no cluster %(name)s any more"),
    msg("The configuration has no such cluster any more"),
    msg("The cluster has another address now"),
    msg("The rule of approvals was changed"),
    msg("The rule of approvals is now: %(after)s. Before: %(before)s"),
    msg("%(who)s is no longer permitted to do this. %(why)s"),
    msg("%(who)s is no longer permitted to approve this. %(why)s"),
    msg("Approval requested"),
    msg("Approved"),
    msg("Rejected"),
    msg("Lapsed"),
    msg("The rule of approvals changed"),
    msg("no end within %(seconds)s seconds"),
    msg("no answer within %(seconds)s seconds"),
    msg("its certificate is not trusted"),
    msg("no connection (%(name)s)"),
    msg("the mail server answered %(code)s"),
    msg("the mail server can't be used (%(name)s)"),
    msg("unexpected error (%(name)s)"),
    msg("it answered %(code)s"),
    msg("the mail server took no recipient"),
)

DRIFT = (
    msg("No operation here did that, so who did it is not known."),
    msg(
        "But operation %(id)s asked Milvus to drop it, and was closed as failed while it was still "
        "there: Milvus may have done it later."
    ),
    msg("This was collection %(name)s in the recycle bin: operation %(id)s had moved it there."),
    msg("This server has no ids: things are told apart by name only."),
    msg("Milvus lists only what the account of Milvus Admin was granted; there may be others."),
    msg("It is there%(maybe)s. The list of %(time)s did not have it."),
    msg("It was created before that, so until now it could not be seen."),
    msg("It is gone%(maybe)s: Milvus was asked for it, and does not know it. It was %(why)s."),
    msg(
        "Something else has this name now%(maybe)s. What had it before%(maybe_old)s was %(why)s, "
        "and is gone."
    ),
    msg("listed last at %(time)s"),
    msg("It has another name or database now%(maybe)s. The next event says which."),
    msg("It came under this name%(maybe)s. The event before says which it had."),
    msg("The watch begins here, with %(count)s collection."),
    msg("The watch begins here, with %(count)s collections."),
    msg("The cluster's address was %(address)s, and is another one now. %(why)s"),
    msg("What comes and goes from now on is recorded."),
    msg("Milvus knows no database of this name any more. %(why)s"),
)

SIGN_IN = (
    msg("Signed in with a local account"),
    msg("Locked after too many wrong passwords"),
    msg("Wrong name or password"),
    msg("Signed out"),
    msg("Sign-in refused: %(why)s"),
    msg("Signed in through the proxy; groups: %(groups)s"),
    msg("Signed in; groups: %(groups)s"),
    msg("Groups changed: %(groups)s"),
    msg("The session reached its maximum age"),
    msg("The provider no longer confirms this session: %(text)s"),
    msg("The provider did not answer within the grace period"),
    msg("Ended by the identity provider"),
    msg("The proxy no longer confirms this session"),
    msg("The proxy names a different user now"),
    msg("This user is disabled in Milvus Admin"),
    msg("this user is disabled in Milvus Admin"),
    msg("this browser did not start this sign-in, or has already used it"),
    msg("a different person signed in than the one who was asked"),
    msg("the ID token has no auth_time, so the time of the sign-in is unknown"),
    msg("the provider did not ask for a new sign-in: auth_time is too old"),
    msg("Exported the audit log as %(form)s"),
    msg("And %(count)s more refused attempts within a minute, which have no event each"),
    msg("And %(count)s more refused exports within a minute, which have no event each"),
)

CHAIN = (
    msg("event %(number)s: %(why)s"),
    msg("follows event %(number)s; events are missing, added or out of order"),
    msg("carries another event's number inside"),
    msg("does not continue the event before it"),
    msg("was sealed with another key (%(key)s; this is %(here)s)"),
    msg("was changed: its seal does not match"),
    msg("has columns that differ from the sealed record"),
    msg("was changed: its record is no event"),
    msg("the trigger %(name)s is missing, or is not as it should be"),
    msg("the constraint %(name)s is missing"),
    msg("the operation of event %(number)s is open, and its claim is gone"),
    msg("operation %(id)s has two intents"),
    msg("operation %(id)s has two final outcomes"),
    msg("the claim of operation %(id)s belongs to no open operation"),
    msg("no event removed the segment up to %(number)s that the database knows of"),
    msg(
        "the newest event was sealed with a retired key: the log was cut back to before the key "
        "was changed, or nothing was recorded since (note_in_audit_log records something)"
    ),
    msg("the protection of operation %(id)s is gone, and no event ended it"),
    msg("the protection of %(name)s is not as operation %(id)s set it"),
    msg("the protection of %(name)s is to end, and no event requested that"),
)

MILVUS = (
    msg("%(count)s requests wait for it already"),
    msg("It did not answer, and is asked again in %(seconds)s s"),
    msg("It did not answer, and is asked again right now, by another request"),
    msg("%(name)s is an alias, not a collection"),
    msg("%(file)s can't be read: %(text)s"),
    msg("%(what)s may not be read"),
    msg("%(what)s can't be read"),
    msg("The load states can't be read: %(text)s"),
    msg("A name with a slash, or only dots, is never sent to a server."),
    msg("A name with a slash, or only dots, is never sent to a server"),
    msg("A database's name has no slash, and is not only dots"),
    msg("This version of Milvus Admin can't write the schema: %(text)s."),
    msg(
        "The environment of Milvus Admin sends connections to Milvus through the proxy in "
        "%(name)s. If it should not, add %(host)s to no_proxy there and start it again."
    ),
    msg("the server's certificate has expired: renew it at Milvus (%(text)s)"),
    msg("the server's certificate is not valid yet: compare clocks (%(text)s)"),
    msg(
        "the server's certificate is not signed by an authority known here: set ca_file to the "
        "authority's certificate (%(text)s)"
    ),
    msg(
        "the server's certificate is for another name: use that name in uri, or set server_name "
        "(%(text)s)"
    ),
    msg(
        "the server speaks no TLS on this port: use http:// in uri, or switch on TLS at Milvus "
        "(%(text)s)"
    ),
    msg("ca_file, client_cert_file or client_key_file is no usable PEM file (%(text)s)"),
    msg("the host name in uri is unknown here: compare it with DNS (%(text)s)"),
    msg("the server closed the connection: it may want TLS, so try https:// in uri (%(text)s)"),
    msg(
        "the server closed the connection during the handshake: it may want a certificate of ours, "
        "so set client_cert_file and client_key_file (%(text)s)"
    ),
    msg(
        "the server closed the connection during the handshake: it may not accept our certificate, "
        "so compare client_cert_file with the authority that Milvus trusts (caPemPath) (%(text)s)"
    ),
    msg(
        "On this version a rename may lose the collection's metadata, and with it the data; 2.5.15 "
        "and 2.6.0 have the fix (Milvus %(issue)s)"
    ),
    msg(
        "Below 2.6.12, grants on a collection's name do not follow a rename. Below 2.6.11, a "
        "collection that was once moved between databases may stay invisible after a rename until "
        "Milvus is restarted (Milvus %(issue)s)"
    ),
    msg(
        "Below 2.6.12, grants on a collection's name do not follow a rename (a server that answers "
        "2.6.11 may be 2.6.12) (Milvus %(issue)s)"
    ),
    msg("Milvus Lite has no ids, so nothing tells what was renamed from a namesake"),
    msg(
        "The version of this server can't be read, so it may be one on which a rename loses the "
        "collection's metadata"
    ),
)

TEMPLATES = (
    *WORDS,
    *ACTS,
    *SPANS,
    *STATES,
    *BLOCKERS,
    *NOTES,
    *LABELS,
    *PROOFS,
    *OUTCOMES,
    *REJECTIONS,
    *BIN,
    *PLANS,
    *DRIFT,
    *SIGN_IN,
    *CHAIN,
    *MILVUS,
)
