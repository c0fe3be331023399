"""Find the payloads of ended jobs without a result."""

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0044"
down_revision = "0043"
compatible_from = "0020"


def upgrade() -> None:
    create_index_unless_large(
        "ix_jobs_ended_with_payload",
        "jobs",
        ["completed_at_us"],
        where="completed_at_us IS NOT NULL AND result_object IS NULL AND payload <> '{}'",
    )
