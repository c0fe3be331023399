"""Two indexes of what is over hold nothing else.

They held a null for each row that is not, and PostgreSQL, once it had counted in a quiet moment, took them for the way
to the few that wait: with a receiver away for an hour it then went through the whole queue at each step.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _hold_only("ix_webhook_deliveries_finished_at_us", "webhook_deliveries", "finished_at_us")
    _hold_only("ix_outbox_events_done", "outbox_events", "done_at_us")


def _hold_only(index: str, table: str, column: str) -> None:
    op.drop_index(index, table)
    condition = sa.text(f"{column} IS NOT NULL")
    op.create_index(index, table, [column], sqlite_where=condition, postgresql_where=condition)
