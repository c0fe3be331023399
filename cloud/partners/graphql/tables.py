"""Tables of operation bundles, and of the apps that may send their documents.

A version of a bundle is never changed, so that an app's requests do not change their meaning. A new version is added
beside it, and an app may use both while its vehicles and servers are updated.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from cloud.foundation.db import metadata

graphql_documents = Table(
    "graphql_documents",
    metadata,
    Column("bundle", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("digest", Text, primary_key=True),  # of the normal form
    Column("text_digest", Text, nullable=False),  # of the text as registered, which clients with a compiler send
    Column("text", Text, nullable=False),  # the normal form
    Column("operation", Text),  # its name
    Column("added_at_us", BigInteger, nullable=False),
)

graphql_grants = Table(
    "graphql_grants",
    metadata,
    Column("client_id", Text, ForeignKey("apps.client_id"), primary_key=True),
    Column("bundle", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("granted_at_us", BigInteger, nullable=False),
    Index(None, "bundle", "version"),
)
