"""Create the indexes by which the events in a vehicle, and those of a device, are read in the order of time.

The tables may be large; a background step then builds the indexes.
"""

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0029"
down_revision = "0028"
compatible_from = "0020"


def upgrade() -> None:
    create_index_unless_large(None, "gateway_events", ["tenant_id", "vehicle_id", "at_us"])
    create_index_unless_large(
        "ix_gateway_events_device", "gateway_events", ["tenant_id", "device", "at_us"], where="device IS NOT NULL"
    )
    create_index_unless_large(None, "gap_ranges", ["vehicle_id", "received_at_us"])
