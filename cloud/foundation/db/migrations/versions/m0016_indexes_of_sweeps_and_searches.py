"""Add indexes for the deletion of expired rows, the scrape of metrics and the search of the audit trail."""

from cloud.foundation.db.migrations.large_tables import create_index_unless_large

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    _index_of_set("ix_webhook_deliveries_replay_id", "webhook_deliveries", "replay_id")
    _index_of_set("ix_webhook_replays_done_at_us", "webhook_replays", "done_at_us")
    _index_of_set("ix_outbox_events_parked", "outbox_events", "parked_at_us")
    create_index_unless_large(None, "audit_entries", ["tenant_id", "actor", "at_us"])
    create_index_unless_large(None, "audit_entries", ["tenant_id", "object", "at_us"])
    create_index_unless_large(
        "ix_audit_entries_rare_action",
        "audit_entries",
        ["tenant_id", "action", "at_us"],
        where="action <> 'observation.post'",
    )


def _index_of_set(index: str, table: str, column: str) -> None:
    """Create an index of the few rows in which `column` is not null."""
    create_index_unless_large(index, table, [column], where=f"{column} IS NOT NULL")
