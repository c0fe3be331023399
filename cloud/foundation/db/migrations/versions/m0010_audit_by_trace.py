"""The audit trail is searched by trace."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(op.f("ix_audit_entries_trace_id"), "audit_entries", ["trace_id"])
