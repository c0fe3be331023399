"""Create the tables of evidence, with triggers that refuse every change of its rows, and let a lane have the signature
of its last batch.
"""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.schema import row_number

revision = "0052"
down_revision = "0051"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("secrecy_level", sa.SmallInteger(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_evidence_tenant_id_created_at_us_id", "evidence", ["tenant_id", "created_at_us", "id"])
    op.create_table(
        "evidence_records",
        sa.Column("number", row_number(), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("evidence_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("signed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("core", sa.Text(), nullable=False),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("hmac_kid", sa.Text(), nullable=False),
        sa.Column("hmac_signature", sa.LargeBinary(), nullable=False),
        sa.Column("mldsa_kid", sa.Text(), nullable=False),
        sa.Column("mldsa_signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "evidence_id"], ["evidence.tenant_id", "evidence.id"]),
        sa.UniqueConstraint("tenant_id", "evidence_id", "position"),
        sa.UniqueConstraint("tenant_id", "record_id"),
    )
    op.create_index("ix_evidence_records_tenant_id_number", "evidence_records", ["tenant_id", "number"])
    op.create_table(
        "followed_evidence",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("evidence_id", sa.Text(), primary_key=True),
        sa.Column("encounter_id", sa.Text(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "evidence_id"], ["evidence.tenant_id", "evidence.id"]),
    )
    op.create_index("ix_followed_evidence_due_at_us", "followed_evidence", ["due_at_us"])
    op.add_column("lanes", sa.Column("signed_sequence", sa.BigInteger()))
    op.add_column("lanes", sa.Column("signature", sa.Text()))
    op.add_column("lanes", sa.Column("signed_by", sa.Text()))
    op.add_column("lanes", sa.Column("signed_created_us", sa.BigInteger()))
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def _refuse_on_postgresql() -> None:
    """Add triggers of statements, which also refuse TRUNCATE and a change of no row."""
    op.execute(
        sa.text(
            "CREATE FUNCTION refuse_evidence_change() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RAISE EXCEPTION ''evidence is only added, never changed or deleted''"
            " USING ERRCODE = ''integrity_constraint_violation''; END'"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_evidence_change()"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_records_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence_records"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_evidence_change()"
        )
    )


def _refuse_on_sqlite() -> None:
    """Add triggers of rows. REPLACE deletes rows without the trigger of DELETE, so an insert over a row that exists is
    refused too."""
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_not_updated BEFORE UPDATE ON evidence"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_not_deleted BEFORE DELETE ON evidence"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_not_replaced BEFORE INSERT ON evidence"
            " WHEN EXISTS (SELECT 1 FROM evidence WHERE tenant_id = NEW.tenant_id AND id = NEW.id)"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_records_not_updated BEFORE UPDATE ON evidence_records"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_records_not_deleted BEFORE DELETE ON evidence_records"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_records_not_replaced BEFORE INSERT ON evidence_records"
            " WHEN EXISTS (SELECT 1 FROM evidence_records WHERE number = NEW.number)"
            " OR EXISTS (SELECT 1 FROM evidence_records"
            " WHERE tenant_id = NEW.tenant_id AND record_id = NEW.record_id)"
            " OR EXISTS (SELECT 1 FROM evidence_records"
            " WHERE tenant_id = NEW.tenant_id AND evidence_id = NEW.evidence_id AND position = NEW.position)"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
