"""Let a webhook subscription be the receiver of an app's call-backs."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
compatible_from = "0020"


def upgrade() -> None:
    op.add_column(
        "webhook_subscriptions",
        sa.Column("is_callback", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
    op.create_index(
        "ix_webhook_subscriptions_callback",
        "webhook_subscriptions",
        ["updated_at_us"],
        sqlite_where=sa.text("is_callback = 1"),
        postgresql_where=sa.text("is_callback = 1"),
    )
