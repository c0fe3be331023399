"""Remove unfinished rows from the indexes of finished webhook deliveries and of finished events.

These indexes contained a null for each unfinished row. If the planner's statistics were from a time with few unfinished
rows, PostgreSQL searched these nulls, and so read the whole queue.
"""

from alembic import op

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    _hold_only("ix_webhook_deliveries_finished_at_us", "webhook_deliveries", "finished_at_us")
    _hold_only("ix_outbox_events_done", "outbox_events", "done_at_us")


def _hold_only(index: str, table: str, column: str) -> None:
    op.drop_index(index, table)
    create_index_unless_large(index, table, [column], where=f"{column} IS NOT NULL")
