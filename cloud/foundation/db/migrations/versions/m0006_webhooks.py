"""Webhooks: subscriptions with sealed secrets and their events, deliveries, attempts, replays, and the signing keys."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables in the order in which they refer to each other."""
    _create_subscriptions()
    _create_deliveries()
    op.create_table(
        "webhook_keys",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("published_at_us", sa.BigInteger(), nullable=False),
        sa.Column("signs_from_us", sa.BigInteger()),
        sa.Column("retired_at_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_webhook_keys")),
        sa.UniqueConstraint("kid", name=op.f("uq_webhook_keys_kid")),
    )


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _create_subscriptions() -> None:
    """Create the tables of subscriptions, their events, and the replays that their owners requested."""
    op.create_table(
        "webhook_subscriptions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text()),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("secrecy_level", sa.Integer(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("secret_sealed", sa.LargeBinary()),
        sa.Column("secret_set_at_us", sa.BigInteger(), nullable=False),
        sa.Column("previous_secret_sealed", sa.LargeBinary()),
        sa.Column("previous_secret_expires_at_us", sa.BigInteger()),
        sa.Column("disabled_at_us", sa.BigInteger()),
        sa.Column("disabled_reason", sa.Text()),
        sa.Column("failing_since_us", sa.BigInteger()),
        sa.Column("failed_at_us", sa.BigInteger()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("updated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_subscriptions_tenant_id")),
        sa.ForeignKeyConstraint(["client_id"], ["apps.client_id"], name=op.f("fk_webhook_subscriptions_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_subscriptions")),
    )
    _partial_index(
        "ix_webhook_subscriptions_live", "webhook_subscriptions", ["tenant_id", "id"], "deleted_at_us IS NULL"
    )
    op.create_index(op.f("ix_webhook_subscriptions_client_id"), "webhook_subscriptions", ["client_id"], unique=False)
    op.create_table(
        "webhook_events",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook_subscriptions.id"], name=op.f("fk_webhook_events_webhook_id")
        ),
        sa.PrimaryKeyConstraint("webhook_id", "event", name=op.f("pk_webhook_events")),
    )
    op.create_table(
        "webhook_replays",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("from_us", sa.BigInteger()),
        sa.Column("to_us", sa.BigInteger()),
        sa.Column("after_position", sa.BigInteger(), nullable=False),
        sa.Column("until_position", sa.BigInteger(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("done_at_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook_subscriptions.id"], name=op.f("fk_webhook_replays_webhook_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_replays")),
    )
    op.create_index(
        op.f("ix_webhook_replays_webhook_id_created_at_us"),
        "webhook_replays",
        ["webhook_id", "created_at_us"],
        unique=False,
    )
    _partial_index("ix_webhook_replays_open", "webhook_replays", ["id"], "done_at_us IS NULL")


def _create_deliveries() -> None:
    """Create the table of deliveries, then that of their attempts."""
    op.create_table(
        "webhook_deliveries",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("replay_id", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("due_at_us", sa.BigInteger()),
        sa.Column("lease_token", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempted_at_us", sa.BigInteger()),
        sa.Column("duration_ms", sa.Integer()),
        sa.Column("response_status", sa.Integer()),
        sa.Column("error_code", sa.Text()),
        sa.Column("finished_at_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook_subscriptions.id"], name=op.f("fk_webhook_deliveries_webhook_id")
        ),
        sa.ForeignKeyConstraint(["replay_id"], ["webhook_replays.id"], name=op.f("fk_webhook_deliveries_replay_id")),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint("id", name=op.f("uq_webhook_deliveries_id")),
    )
    _partial_index(
        "ix_webhook_deliveries_due", "webhook_deliveries", ["webhook_id", "due_at_us"], "due_at_us IS NOT NULL"
    )
    _partial_index(
        "ix_webhook_deliveries_lane",
        "webhook_deliveries",
        ["webhook_id", "lane", "position"],
        "finished_at_us IS NULL",
    )
    op.create_index(
        op.f("ix_webhook_deliveries_webhook_id_position"),
        "webhook_deliveries",
        ["webhook_id", "position"],
        unique=False,
    )
    op.create_index(
        op.f("ix_webhook_deliveries_finished_at_us"), "webhook_deliveries", ["finished_at_us"], unique=False
    )
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempted_at_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer()),
        sa.Column("error_code", sa.Text()),
        sa.Column("response_head", sa.Text()),
        sa.ForeignKeyConstraint(
            ["delivery_position"],
            ["webhook_deliveries.position"],
            name=op.f("fk_webhook_attempts_delivery_position"),
        ),
        sa.PrimaryKeyConstraint("delivery_position", "number", name=op.f("pk_webhook_attempts")),
    )
