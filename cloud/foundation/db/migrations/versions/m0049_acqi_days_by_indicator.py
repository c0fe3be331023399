"""Find the sums of an indicator in the order of their days, so that `acqiMetrics` need not sort them."""

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0049"
down_revision = "0048"
compatible_from = "0020"


def upgrade() -> None:
    create_index_unless_large(
        "ix_acqi_days_by_indicator",
        "acqi_days",
        ["tenant_id", "indicator", "day", "organization_id", "secrecy_level", "numerator", "denominator"],
    )
