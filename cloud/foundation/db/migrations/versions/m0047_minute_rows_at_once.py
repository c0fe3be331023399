"""Let a new installation write minute rows from its first day.

An installation of the release before waits for some days, since that release cannot read these rows and an operator may
go back to it. A database without a tenant has no data that the release before could have written.
"""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
compatible_from = "0020"


def upgrade() -> None:
    op.execute(
        sa.text(
            "INSERT INTO minute_rows_since (day) SELECT 0"
            " WHERE NOT EXISTS (SELECT 1 FROM tenants) AND NOT EXISTS (SELECT 1 FROM minute_rows_since)"
        )
    )
