"""Refuse changes of tree heads and of the nodes of trees, but for the time stamp of a head that has none, and let a
tree have the place from which its next pass begins.
"""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column(
        "evidence_trees", sa.Column("start_number", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "evidence_trees", sa.Column("ended_at_us", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("evidence_trees", sa.Column("heads", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("evidence_trees", sa.Column("damaged_at_us", sa.BigInteger()))
    if op.get_bind().dialect.name == "postgresql":
        _refuse_on_postgresql()
    else:
        _refuse_on_sqlite()


def _refuse_on_postgresql() -> None:
    """Add triggers that call the function of `m0052_evidence`."""
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_tree_nodes_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON evidence_tree_nodes"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_evidence_change()"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER tree_heads_kept BEFORE DELETE OR TRUNCATE ON tree_heads"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_evidence_change()"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER tree_heads_not_updated BEFORE UPDATE ON tree_heads FOR EACH ROW WHEN ("
            "(OLD.tenant_id, OLD.tree_size, OLD.root_hash, OLD.signed_at_us, OLD.signature_kid, OLD.signature)"
            " IS DISTINCT FROM"
            " (NEW.tenant_id, NEW.tree_size, NEW.root_hash, NEW.signed_at_us, NEW.signature_kid, NEW.signature)"
            " OR OLD.stamp IS NOT NULL"
            " AND (OLD.stamp, OLD.stamped_at_us) IS DISTINCT FROM (NEW.stamp, NEW.stamped_at_us)"
            ") EXECUTE FUNCTION refuse_evidence_change()"
        )
    )


def _refuse_on_sqlite() -> None:
    """Add triggers of rows; those of INSERT refuse REPLACE, which deletes rows without the trigger of DELETE."""
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_tree_nodes_not_deleted BEFORE DELETE ON evidence_tree_nodes"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_tree_nodes_not_updated BEFORE UPDATE ON evidence_tree_nodes"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER evidence_tree_nodes_not_replaced BEFORE INSERT ON evidence_tree_nodes"
            " WHEN EXISTS (SELECT 1 FROM evidence_tree_nodes"
            " WHERE tenant_id = NEW.tenant_id AND level = NEW.level AND position = NEW.position)"
            " OR EXISTS (SELECT 1 FROM evidence_tree_nodes"
            " WHERE tenant_id = NEW.tenant_id AND record_number = NEW.record_number)"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER tree_heads_not_deleted BEFORE DELETE ON tree_heads"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER tree_heads_not_updated BEFORE UPDATE OF"
            " tenant_id, tree_size, root_hash, signed_at_us, signature_kid, signature ON tree_heads"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER tree_heads_stamp_kept BEFORE UPDATE OF stamp, stamped_at_us ON tree_heads"
            " WHEN OLD.stamp IS NOT NULL"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
    op.execute(
        sa.text(
            "CREATE TRIGGER tree_heads_not_replaced BEFORE INSERT ON tree_heads"
            " WHEN EXISTS (SELECT 1 FROM tree_heads"
            " WHERE tenant_id = NEW.tenant_id AND tree_size = NEW.tree_size)"
            " BEGIN SELECT RAISE(ABORT, 'evidence is only added, never changed or deleted'); END"
        )
    )
