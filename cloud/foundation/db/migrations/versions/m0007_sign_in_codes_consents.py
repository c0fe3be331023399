"""Create the tables of sign-in (sessions, known browsers, failures), of authorization codes and of consents."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("users", sa.Column("totp_secret_sealed", sa.LargeBinary()))
    op.add_column("users", sa.Column("totp_step", sa.BigInteger()))
    _create_sign_in()
    op.create_table(
        "authorization_codes",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text()),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text()),
        sa.Column("authenticated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.Column("redeemed_jti", sa.Text()),
        sa.ForeignKeyConstraint(["client_id"], ["apps.client_id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
    )
    op.create_index(None, "authorization_codes", ["expires_at_us"])
    op.create_table(
        "consents",
        sa.Column("user_id", sa.Text(), primary_key=True),
        sa.Column("client_id", sa.Text(), primary_key=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("given_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.ForeignKeyConstraint(["client_id"], ["apps.client_id"]),
    )


def _create_sign_in() -> None:
    op.create_table(
        "sign_in_sessions",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("authenticated_at_us", sa.BigInteger(), nullable=False),
        sa.Column("second_factor_at_us", sa.BigInteger()),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
    )
    op.create_index(None, "sign_in_sessions", ["user_id"])
    op.create_index(None, "sign_in_sessions", ["expires_at_us"])
    op.create_table(
        "known_browsers",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("seen_at_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
    )
    op.create_index(None, "known_browsers", ["user_id", "seen_at_us"])
    op.create_index(None, "known_browsers", ["seen_at_us"])
    op.create_table(
        "sign_in_failures",
        sa.Column("subject", sa.LargeBinary(), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("blocked_until_us", sa.BigInteger(), nullable=False),
        sa.Column("forgotten_at_us", sa.BigInteger(), nullable=False),
    )
    op.create_index(None, "sign_in_failures", ["forgotten_at_us"])
