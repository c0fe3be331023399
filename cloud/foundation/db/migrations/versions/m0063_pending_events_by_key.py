"""Index the pending events on SQLite by their key first, and not by their tenant.

The keys of new events mostly follow one another, since identifiers sort by age, whatever tenants they belong to. So the
events of a transaction are neighbours in the index: a commit of twenty ended jobs of four tenants writes 3 of its pages
instead of 9. PostgreSQL logs entries and not pages, and keeps its index.
"""

import sqlalchemy as sa
from alembic import op

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0063"
down_revision = "0062"
compatible_from = "0020"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        return
    name, columns = "ix_outbox_events_pending_key", ["key", "tenant_id", "position"]
    # The claim of events needs one of the two indexes. Beside a large table the earlier one stays until a later
    # release removes it, when the background step has built this one. No other process uses the file meanwhile.
    if create_index_unless_large(name, "outbox_events", columns, where="done_at_us IS NULL AND parked_at_us IS NULL"):
        op.execute(sa.text("DROP INDEX ix_outbox_events_pending"))
