"""Add an index to the audit trail, which is searched by trace id."""

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    create_index_unless_large(None, "audit_entries", ["trace_id"])
