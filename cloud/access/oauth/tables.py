"""Authorization codes and remembered consents. Of a code only its SHA-256 is kept."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from cloud.foundation.db import metadata

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("client_id", Text, ForeignKey("apps.client_id"), nullable=False),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    Column("redirect_uri", Text),  # null: the request left it out, so the token request may too
    Column("scopes", Text, nullable=False),
    Column("code_challenge", Text),
    Column("authenticated_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("redeemed_jti", Text),  # the token that it became; a second redemption revokes it
    Index(None, "expires_at_us"),
)

consents = Table(
    "consents",
    metadata,
    Column("user_id", Text, ForeignKey("users.id"), primary_key=True),
    Column("client_id", Text, ForeignKey("apps.client_id"), primary_key=True),
    Column("scopes", Text, nullable=False),
    Column("given_at_us", BigInteger, nullable=False),
)
