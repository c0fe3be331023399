"""Create the table of the ends of evidence, so that records removed at the end are missed. Its rows only grow."""

import sqlalchemy as sa
from alembic import op

revision = "0056"
down_revision = "0055"
compatible_from = "0020"


def upgrade() -> None:
    op.create_table(
        "evidence_ends",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("evidence_id", sa.Text(), primary_key=True),
        sa.Column("record_count", sa.Integer(), nullable=False),
        sa.Column("last_record_id", sa.Text(), nullable=False),
        sa.Column("last_leaf_hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "evidence_id"], ["evidence.tenant_id", "evidence.id"]),
    )
    if op.get_bind().dialect.name == "postgresql":
        _permit_growth_on_postgresql()
    else:
        _permit_growth_on_sqlite()


def _permit_growth_on_postgresql() -> None:
    """Add triggers that call the function of `m0052_evidence`."""
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_ends_kept BEFORE DELETE OR TRUNCATE ON evidence_ends"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_evidence_change()"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_ends_only_grow BEFORE UPDATE ON evidence_ends FOR EACH ROW WHEN ("
            "NEW.record_count <= OLD.record_count"
            " OR (NEW.tenant_id, NEW.evidence_id) IS DISTINCT FROM (OLD.tenant_id, OLD.evidence_id)"
            ") EXECUTE FUNCTION refuse_evidence_change()"
        )
    )


def _permit_growth_on_sqlite() -> None:
    """Add triggers of rows; that of INSERT refuses REPLACE, which deletes rows without the trigger of DELETE."""
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_ends_not_deleted BEFORE DELETE ON evidence_ends"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_ends_only_grow BEFORE UPDATE ON evidence_ends"
            " WHEN NEW.record_count <= OLD.record_count"
            " OR NEW.tenant_id IS NOT OLD.tenant_id OR NEW.evidence_id IS NOT OLD.evidence_id"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_ends_not_replaced BEFORE INSERT ON evidence_ends"
            " WHEN EXISTS (SELECT 1 FROM evidence_ends WHERE tenant_id = NEW.tenant_id"
            " AND evidence_id = NEW.evidence_id AND record_count >= NEW.record_count)"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
