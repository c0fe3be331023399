"""Add indexes for the deletion of expired rows, the scrape of metrics and the search of the audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    _index_of_set("ix_webhook_deliveries_replay_id", "webhook_deliveries", "replay_id")
    _index_of_set("ix_webhook_replays_done_at_us", "webhook_replays", "done_at_us")
    _index_of_set("ix_outbox_events_parked", "outbox_events", "parked_at_us")
    op.create_index(None, "audit_entries", ["tenant_id", "actor", "at_us"])
    op.create_index(None, "audit_entries", ["tenant_id", "object", "at_us"])
    _partial(
        "ix_audit_entries_rare_action",
        "audit_entries",
        ["tenant_id", "action", "at_us"],
        "action <> 'observation.post'",
    )


def _index_of_set(index: str, table: str, column: str) -> None:
    """Create an index of the few rows in which `column` is not null."""
    _partial(index, table, [column], f"{column} IS NOT NULL")


def _partial(index: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(index, table, columns, sqlite_where=where, postgresql_where=where)
