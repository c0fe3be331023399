"""Create the tables of webhooks: subscriptions with their events, deliveries, attempts, replays and signing keys."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    _create_subscriptions()
    _create_deliveries()
    op.create_table(
        "webhook_keys",
        sa.Column("number", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("private_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("published_at_us", sa.BigInteger(), nullable=False),
        sa.Column("signs_from_us", sa.BigInteger()),
        sa.Column("retired_at_us", sa.BigInteger()),
        sa.UniqueConstraint("kid"),
    )


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _create_subscriptions() -> None:
    op.create_table(
        "webhook_subscriptions",
        sa.Column("id", sa.Text(), primary_key=True),
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
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        sa.ForeignKeyConstraint(["client_id"], ["apps.client_id"]),
    )
    _partial_index(
        "ix_webhook_subscriptions_live", "webhook_subscriptions", ["tenant_id", "id"], "deleted_at_us IS NULL"
    )
    op.create_index(None, "webhook_subscriptions", ["client_id"])
    op.create_table(
        "webhook_events",
        sa.Column("webhook_id", sa.Text(), primary_key=True),
        sa.Column("event", sa.Text(), primary_key=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook_subscriptions.id"]),
    )
    op.create_table(
        "webhook_replays",
        sa.Column("id", sa.Text(), primary_key=True),
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
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook_subscriptions.id"]),
    )
    op.create_index(None, "webhook_replays", ["webhook_id", "created_at_us"])
    _partial_index("ix_webhook_replays_open", "webhook_replays", ["id"], "done_at_us IS NULL")


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, primary_key=True
        ),
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
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook_subscriptions.id"]),
        sa.ForeignKeyConstraint(["replay_id"], ["webhook_replays.id"]),
        sa.UniqueConstraint("id"),
    )
    _partial_index(
        "ix_webhook_deliveries_due", "webhook_deliveries", ["webhook_id", "due_at_us"], "due_at_us IS NOT NULL"
    )
    _partial_index(
        "ix_webhook_deliveries_lane", "webhook_deliveries", ["webhook_id", "lane", "position"], "finished_at_us IS NULL"
    )
    op.create_index(None, "webhook_deliveries", ["webhook_id", "position"])
    op.create_index(None, "webhook_deliveries", ["finished_at_us"])
    op.create_table(
        "webhook_attempts",
        sa.Column("delivery_position", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("number", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("attempted_at_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("response_status", sa.Integer()),
        sa.Column("error_code", sa.Text()),
        sa.Column("response_head", sa.Text()),
        sa.ForeignKeyConstraint(["delivery_position"], ["webhook_deliveries.position"]),
    )
