-- Triggers that refuse to change the audit log, one in each section. A section is installed as it
-- is, and what the database has is compared with it letter by letter. {schema} is the schema of
-- the tables: no temporary table can stand in for one of them.

-- [audit_no_update]
CREATE OR REPLACE FUNCTION audit_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END
$$;
CREATE OR REPLACE TRIGGER audit_no_update BEFORE UPDATE ON collections_app_auditevent FOR EACH ROW EXECUTE FUNCTION audit_no_update();

-- [audit_no_delete]
CREATE OR REPLACE FUNCTION audit_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Only what is in a removed segment may be deleted.
    IF OLD.sequence > COALESCE((SELECT MAX(last) FROM {schema}.collections_app_removedsegment), 0)
    THEN
        RAISE EXCEPTION 'audit events are never changed or deleted';
    END IF;
    RETURN OLD;
END
$$;
CREATE OR REPLACE TRIGGER audit_no_delete BEFORE DELETE ON collections_app_auditevent FOR EACH ROW EXECUTE FUNCTION audit_no_delete();

-- [audit_no_truncate]
CREATE OR REPLACE FUNCTION audit_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END
$$;
CREATE OR REPLACE TRIGGER audit_no_truncate BEFORE TRUNCATE ON collections_app_auditevent FOR EACH STATEMENT EXECUTE FUNCTION audit_no_truncate();

-- [segment_no_update]
CREATE OR REPLACE FUNCTION segment_no_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END
$$;
CREATE OR REPLACE TRIGGER segment_no_update BEFORE UPDATE ON collections_app_removedsegment FOR EACH ROW EXECUTE FUNCTION segment_no_update();

-- [segment_no_delete]
CREATE OR REPLACE FUNCTION segment_no_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END
$$;
CREATE OR REPLACE TRIGGER segment_no_delete BEFORE DELETE ON collections_app_removedsegment FOR EACH ROW EXECUTE FUNCTION segment_no_delete();

-- [segment_no_truncate]
CREATE OR REPLACE FUNCTION segment_no_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit events are never changed or deleted';
END
$$;
CREATE OR REPLACE TRIGGER segment_no_truncate BEFORE TRUNCATE ON collections_app_removedsegment FOR EACH STATEMENT EXECUTE FUNCTION segment_no_truncate();

-- [segment_on_record]
CREATE OR REPLACE FUNCTION segment_on_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A segment is removed only if an event says so, and the oldest first.
    IF NEW.first <> COALESCE((SELECT MAX(last) FROM {schema}.collections_app_removedsegment), 0) + 1
        OR NEW.last < NEW.first
        OR NOT EXISTS (
            SELECT 1 FROM {schema}.collections_app_auditevent
            WHERE sequence = NEW.last AND hash = NEW.head
        )
        OR NOT EXISTS (
            SELECT 1 FROM {schema}.collections_app_auditevent
            WHERE sequence = NEW.event AND action = 'audit.remove'
        )
    THEN
        RAISE EXCEPTION 'audit events are never changed or deleted';
    END IF;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER segment_on_record BEFORE INSERT ON collections_app_removedsegment FOR EACH ROW EXECUTE FUNCTION segment_on_record();
