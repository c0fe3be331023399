"""Remove unfinished rows from the indexes of finished webhook deliveries and of finished events.

Before, the indexes held a null for each unfinished row. With statistics from a quiet moment, PostgreSQL used them to
find the few pending rows. When a receiver then failed for an hour, PostgreSQL read the whole queue at each step.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    _hold_only("ix_webhook_deliveries_finished_at_us", "webhook_deliveries", "finished_at_us")
    _hold_only("ix_outbox_events_done", "outbox_events", "done_at_us")


def _hold_only(index: str, table: str, column: str) -> None:
    op.drop_index(index, table)
    condition = sa.text(f"{column} IS NOT NULL")
    op.create_index(index, table, [column], sqlite_where=condition, postgresql_where=condition)
