"""Licences have a life, offers have terms for a dataset or one of its tables, editions are kept."""

import hashlib

import rfc8785
import sqlalchemy as sa
from alembic import op

revision = "hanoiic_licensing_0002"
down_revision = "hanoiic_licensing_0001"
branch_labels = None
depends_on = None

LICENCES = """
DROP TRIGGER hanoiic_licence_immutable ON hanoiic_licence;
ALTER TABLE hanoiic_licence
    ADD state text NOT NULL DEFAULT 'published'
        CHECK (state IN ('draft', 'published', 'superseded', 'withdrawn')),
    ADD origin text NOT NULL DEFAULT 'shipped' CHECK (origin IN ('shipped', 'portal')),
    ADD open boolean NOT NULL DEFAULT false,
    ADD restricted_edition boolean NOT NULL DEFAULT false,
    ADD created_by text,
    ADD changed_at timestamptz,
    ADD changed_by text,
    ADD state_reason text,
    ALTER published_at DROP NOT NULL;
ALTER TABLE hanoiic_licence ALTER state DROP DEFAULT, ALTER origin DROP DEFAULT,
    ALTER open DROP DEFAULT, ALTER restricted_edition DROP DEFAULT;
-- Two texts of before the first release used terms that the profile does not have.
UPDATE hanoiic_licence SET policy = jsonb_set(policy, '{permission,0,duty}',
    '[{"action": "cc:Attribution"}]') WHERE id = 'ODbL-1.0' AND version = 1;
UPDATE hanoiic_licence SET policy = jsonb_set(policy, '{permission,0}', '{
    "action": ["read", "reproduce", "aggregate", "derive", "hic:query"],
    "constraint": [{"leftOperand": "purpose", "operator": "eq", "rightOperand": "hic:agreed"}],
    "duty": [{"action": "cc:Attribution"}, {"action": "delete"}]}')
    WHERE id = 'restricted-research' AND version = 1;
UPDATE hanoiic_licence SET open = id IN ('CC-BY-4.0', 'CC0-1.0', 'ODbL-1.0', 'ODC-BY-1.0');
UPDATE hanoiic_licence AS old SET state = 'superseded' WHERE EXISTS (
    SELECT FROM hanoiic_licence newer WHERE newer.id = old.id AND newer.version > old.version);
CREATE UNIQUE INDEX hanoiic_licence_published ON hanoiic_licence (id) WHERE state = 'published';
CREATE UNIQUE INDEX hanoiic_licence_draft ON hanoiic_licence (id) WHERE state = 'draft';
"""

# A published text never changes; its state only onwards, as in licensing/lifecycle.py.
FROZEN = """
CREATE FUNCTION hanoiic_keep_licence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moving text[] := ARRAY['state', 'changed_at', 'changed_by', 'state_reason'];
BEGIN
    IF OLD.state = 'draft' THEN
        IF NEW.state NOT IN ('draft', 'published')
            OR (NEW.id, NEW.version) IS DISTINCT FROM (OLD.id, OLD.version) THEN
            RAISE EXCEPTION 'a draft stays one or is published' USING ERRCODE = '55000';
        END IF;
        RETURN NEW;
    END IF;
    IF to_jsonb(NEW) - moving IS DISTINCT FROM to_jsonb(OLD) - moving THEN
        RAISE EXCEPTION 'a published licence is never changed' USING ERRCODE = '55000';
    END IF;
    IF OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (
        ('published', 'superseded'), ('published', 'withdrawn'), ('superseded', 'withdrawn')) THEN
        RAISE EXCEPTION 'a licence never goes from % to %', OLD.state, NEW.state
            USING ERRCODE = '55000';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER hanoiic_licence_immutable BEFORE UPDATE ON hanoiic_licence
    FOR EACH ROW EXECUTE FUNCTION hanoiic_keep_licence();
"""

OFFERS = """
ALTER TABLE hanoiic_offer DROP CONSTRAINT hanoiic_offer_tier_check;
ALTER TABLE hanoiic_offer DROP CONSTRAINT hanoiic_offer_dataset_id_number_key;
DROP INDEX hanoiic_offer_current;
ALTER TABLE hanoiic_offer
    ADD table_name text NOT NULL DEFAULT '',
    ADD columns jsonb,
    ADD masks jsonb NOT NULL DEFAULT '{}',
    ADD row_filter jsonb NOT NULL DEFAULT '[]',
    ADD sample jsonb,
    ADD quota jsonb NOT NULL DEFAULT '{}',
    ADD valid_from timestamptz,
    ADD valid_until timestamptz,
    ADD agreement_days integer CHECK (agreement_days > 0),
    ADD auto_approve jsonb,
    ADD sla_working_days integer CHECK (sla_working_days > 0),
    ADD withdrawn_at timestamptz,
    ADD withdrawn_by text,
    ADD withdrawn_reason text,
    ADD CONSTRAINT hanoiic_offer_tier_check
        CHECK (tier IN ('open', 'click', 'registered', 'request')),
    ADD UNIQUE (dataset_id, table_name, number);
CREATE UNIQUE INDEX hanoiic_offer_current ON hanoiic_offer (dataset_id, table_name)
    WHERE superseded_at IS NULL;

ALTER TABLE hanoiic_access_request
    ADD table_name text NOT NULL DEFAULT '',
    ADD purpose_code text;
DROP INDEX hanoiic_access_request_open;
CREATE UNIQUE INDEX hanoiic_access_request_open
    ON hanoiic_access_request (dataset_id, table_name, party_kind, party_id)
    WHERE state = 'submitted';

ALTER TABLE hanoiic_agreement
    ADD table_name text NOT NULL DEFAULT '',
    ADD pinned_versions jsonb NOT NULL DEFAULT '{}';
DROP INDEX hanoiic_agreement_live;
CREATE UNIQUE INDEX hanoiic_agreement_live
    ON hanoiic_agreement (dataset_id, table_name, party_kind, party_id)
    WHERE state IN ('active', 'suspended');
"""

EDITIONS = """
CREATE TABLE hanoiic_edition (
    id text PRIMARY KEY, table_name text NOT NULL,
    state text NOT NULL CHECK (state IN ('written', 'failed')),
    written_version integer, failed_version integer, error text,
    changed_at timestamptz NOT NULL);
CREATE INDEX ix_hanoiic_edition_table_name ON hanoiic_edition (table_name);

CREATE TABLE hanoiic_edition_preview (
    id text PRIMARY KEY, table_name text NOT NULL, spec jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('requested', 'running', 'ready', 'failed')),
    result jsonb, requested_by text NOT NULL, requested_at timestamptz NOT NULL);
"""

UNDONE = """
DROP TABLE hanoiic_edition_preview;
DROP TABLE hanoiic_edition;
DELETE FROM hanoiic_agreement WHERE table_name <> '';
DELETE FROM hanoiic_access_request WHERE table_name <> '';
DELETE FROM hanoiic_offer WHERE table_name <> '';
UPDATE hanoiic_offer SET tier = 'click' WHERE tier = 'registered';
DROP INDEX hanoiic_agreement_live;
ALTER TABLE hanoiic_agreement DROP table_name, DROP pinned_versions;
CREATE UNIQUE INDEX hanoiic_agreement_live
    ON hanoiic_agreement (dataset_id, party_kind, party_id)
    WHERE state IN ('active', 'suspended');
DROP INDEX hanoiic_access_request_open;
ALTER TABLE hanoiic_access_request DROP table_name, DROP purpose_code;
CREATE UNIQUE INDEX hanoiic_access_request_open
    ON hanoiic_access_request (dataset_id, party_kind, party_id) WHERE state = 'submitted';
DROP INDEX hanoiic_offer_current;
ALTER TABLE hanoiic_offer
    DROP CONSTRAINT hanoiic_offer_tier_check, DROP table_name, DROP columns, DROP masks,
    DROP row_filter, DROP sample, DROP quota, DROP valid_from, DROP valid_until,
    DROP agreement_days, DROP auto_approve, DROP sla_working_days, DROP withdrawn_at,
    DROP withdrawn_by, DROP withdrawn_reason,
    ADD CONSTRAINT hanoiic_offer_tier_check CHECK (tier IN ('open', 'click', 'request')),
    ADD CONSTRAINT hanoiic_offer_dataset_id_number_key UNIQUE (dataset_id, number);
CREATE UNIQUE INDEX hanoiic_offer_current ON hanoiic_offer (dataset_id)
    WHERE superseded_at IS NULL;
DROP TRIGGER hanoiic_licence_immutable ON hanoiic_licence;
DROP FUNCTION hanoiic_keep_licence();
DELETE FROM hanoiic_licence WHERE state = 'draft';
DROP INDEX hanoiic_licence_published;
DROP INDEX hanoiic_licence_draft;
ALTER TABLE hanoiic_licence
    DROP state, DROP origin, DROP open, DROP restricted_edition, DROP created_by,
    DROP changed_at, DROP changed_by, DROP state_reason, ALTER published_at SET NOT NULL;
CREATE TRIGGER hanoiic_licence_immutable BEFORE UPDATE ON hanoiic_licence
    FOR EACH ROW EXECUTE FUNCTION hanoiic_refuse_update();
"""

HASHED = (
    "id", "version", "title_vi", "title_en", "url", "draft", "open", "restricted_edition",
    "plain", "policy",
)  # fmt: skip


def upgrade() -> None:
    op.execute(LICENCES)
    _hash_again()
    op.execute(FROZEN)
    op.execute(OFFERS)
    op.execute(EDITIONS)


def _hash_again() -> None:
    """Texts were hashed over another JSON than that of RFC 8785."""
    connection = op.get_bind()
    rows = sa.select(*map(sa.column, HASHED)).select_from(sa.table("hanoiic_licence"))
    for row in connection.execute(rows).mappings():
        connection.execute(
            sa.text(
                "UPDATE hanoiic_licence SET content_hash = :hash "
                "WHERE id = :id AND version = :version"
            ),
            {
                "hash": hashlib.sha256(rfc8785.dumps(dict(row))).hexdigest(),
                "id": row["id"],
                "version": row["version"],
            },
        )


def downgrade() -> None:
    op.execute(UNDONE)
