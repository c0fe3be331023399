"""Index the pending events by their key first, and not by their tenant.

The keys of new events mostly follow one another, since identifiers sort by age, whatever tenants they belong to. So the
events of a transaction are neighbours in the index: a commit of twenty ended jobs of four tenants writes 3 of its pages
instead of 9.
"""

from alembic import op

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0062"
down_revision = "0061"
compatible_from = "0020"


def upgrade() -> None:
    name, table, columns = "ix_outbox_events_pending_key", "outbox_events", ["key", "tenant_id", "position"]
    # The claim of events needs one of the two indexes. Beside a large table the old one stays until a later release
    # removes it, when the background step has built the new one.
    if create_index_unless_large(name, table, columns, where="done_at_us IS NULL AND parked_at_us IS NULL"):
        op.drop_index("ix_outbox_events_pending", table)
