-- The audit: a chain of entries that its writers cannot change.
--
-- Run once by whoever shall own it, a role the portal never signs in as, with the schema
-- hanoiic_audit in place (docs/production.md shows all of it). The portal's role is then granted
-- what it needs: to add to the intake and to read the entries.
--
-- A writer adds rows to the intake within its own transaction. When that commits, a deferred
-- trigger takes the rows over one by one: the lock makes writers queue for the length of a commit,
-- not of a transaction, so the numbers have no gap and every hash covers the one before.
--
-- hash = SHA-256(hash of the entry before || number as 8 bytes, big-endian || content in UTF-8);
-- before the first entry: 32 zero bytes.

SET search_path = hanoiic_audit, pg_temp;

CREATE TABLE entry (
    number bigint PRIMARY KEY,
    content text NOT NULL,
    hash bytea NOT NULL,
    -- What queries see is computed from what was hashed.
    at timestamptz NOT NULL GENERATED ALWAYS AS
        (to_timestamp(((content::jsonb ->> 'at_us')::bigint / 1e6)::double precision)) STORED,
    event text NOT NULL GENERATED ALWAYS AS (content::jsonb ->> 'event') STORED,
    actor_id text GENERATED ALWAYS AS (content::jsonb ->> 'actor_id') STORED,
    dataset_id text GENERATED ALWAYS AS (content::jsonb ->> 'dataset_id') STORED,
    subject_id text GENERATED ALWAYS AS (content::jsonb ->> 'subject_id') STORED,
    facts jsonb NOT NULL GENERATED ALWAYS AS (content::jsonb -> 'facts') STORED);
CREATE INDEX entry_dataset ON entry (dataset_id, number);
CREATE INDEX entry_subject ON entry (subject_id, number);
CREATE INDEX entry_actor ON entry (actor_id, number);
CREATE INDEX entry_event ON entry (event, number);
CREATE INDEX entry_at ON entry (at);

CREATE TABLE intake (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event text NOT NULL, actor_id text, dataset_id text, subject_id text, facts jsonb NOT NULL);

CREATE FUNCTION append() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = hanoiic_audit, pg_temp AS $$
DECLARE
    last entry%ROWTYPE;
    next_number bigint;
    made text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('hanoiic_audit.append'));
    SELECT * INTO last FROM entry ORDER BY number DESC LIMIT 1;
    next_number := coalesce(last.number, 0) + 1;
    made := jsonb_build_object(
        'at_us', (extract(epoch FROM NEW.at) * 1000000)::bigint, 'event', NEW.event,
        'actor_id', NEW.actor_id, 'dataset_id', NEW.dataset_id, 'subject_id', NEW.subject_id,
        'facts', NEW.facts)::text;
    INSERT INTO entry (number, content, hash) VALUES (next_number, made, sha256(
        coalesce(last.hash, decode(repeat('00', 32), 'hex'))
        || int8send(next_number) || convert_to(made, 'UTF8')));
    DELETE FROM intake WHERE id = NEW.id;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION append() FROM PUBLIC;

CREATE CONSTRAINT TRIGGER append AFTER INSERT ON intake
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION append();

-- For those who own the table: a mistake is refused, ill will needs the trigger dropped first.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries of the audit are never changed or removed' USING ERRCODE = '55000';
END $$;
CREATE TRIGGER keep_entries BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
