"""Find the erasures of a tenant by their time."""

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0048"
down_revision = "0047"
compatible_from = "0020"


def upgrade() -> None:
    create_index_unless_large(
        "ix_erased_encounters_tenant_id_requested_at_us",
        "erased_encounters",
        ["tenant_id", "requested_at_us", "encounter_id"],
    )
