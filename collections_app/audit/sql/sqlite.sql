-- Triggers that refuse to change the audit log, one in each section. A section is installed as it
-- is, and what the database has is compared with it letter by letter.

-- [audit_no_update]
CREATE TRIGGER audit_no_update BEFORE UPDATE ON collections_app_auditevent
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END

-- [audit_no_delete]
CREATE TRIGGER audit_no_delete BEFORE DELETE ON collections_app_auditevent
-- Only what is in a removed segment may be deleted.
WHEN OLD.sequence > COALESCE((SELECT MAX(last) FROM collections_app_removedsegment), 0)
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END

-- [audit_no_replace]
CREATE TRIGGER audit_no_replace BEFORE INSERT ON collections_app_auditevent
-- REPLACE deletes the rows that clash with the new one, and SQLite tells no DELETE trigger of it.
WHEN EXISTS (
    SELECT 1 FROM collections_app_auditevent
    WHERE sequence = NEW.sequence
        OR hash = NEW.hash
        OR (NEW.phase = 'intent' AND phase = 'intent' AND operation_id = NEW.operation_id)
)
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END

-- [segment_no_update]
CREATE TRIGGER segment_no_update BEFORE UPDATE ON collections_app_removedsegment
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END

-- [segment_no_delete]
CREATE TRIGGER segment_no_delete BEFORE DELETE ON collections_app_removedsegment
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END

-- [segment_on_record]
CREATE TRIGGER segment_on_record BEFORE INSERT ON collections_app_removedsegment
-- A segment is removed only if an event says so, and the oldest first.
WHEN NEW.first <> COALESCE((SELECT MAX(last) FROM collections_app_removedsegment), 0) + 1
    OR NEW.last < NEW.first
    OR NOT EXISTS (
        SELECT 1 FROM collections_app_auditevent
        WHERE sequence = NEW.last AND hash = NEW.head
    )
    OR NOT EXISTS (
        SELECT 1 FROM collections_app_auditevent
        WHERE sequence = NEW.event AND action = 'audit.remove'
    )
BEGIN
    SELECT RAISE(ABORT, 'audit events are never changed or deleted');
END
