"""Add an index to the audit trail, which is searched by trace id."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_index(None, "audit_entries", ["trace_id"])
