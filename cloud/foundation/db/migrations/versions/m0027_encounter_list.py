"""Add the index of the list of encounters in the order of their creation."""

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0027"
down_revision = "0026"
compatible_from = "0020"


def upgrade() -> None:
    create_index_unless_large(None, "encounters", ["tenant_id", "organization_id", "created_at_us", "id"])
