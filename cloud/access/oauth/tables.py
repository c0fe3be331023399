"""Tables of authorization codes and consents. Only the SHA-256 of a code is stored."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, Table, Text

from cloud.foundation.db import metadata

authorization_codes = Table(
    "authorization_codes",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("client_id", Text, ForeignKey("apps.client_id"), nullable=False),
    Column("user_id", Text, ForeignKey("users.id"), nullable=False),
    Column("redirect_uri", Text),  # null: the request omitted it, so the token request may omit it too
    Column("scopes", Text, nullable=False),
    Column("code_challenge", Text),
    Column("authenticated_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),
    Column("redeemed_jti", Text),  # the token for which it was redeemed; a second redemption revokes it
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
