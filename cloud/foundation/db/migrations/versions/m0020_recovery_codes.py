"""Create the table of users' recovery codes: the digests of the codes that are not used yet."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
    )
