"""Tables of profiles and of their enrichments. Each enrichment is a row: it shows what was known at its time."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.foundation.db import metadata

profiles = Table(
    "profiles",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("reference", Text, nullable=False),  # the id in the system of the organisation
    Column("kind", Text, nullable=False),
    Column("names", Text, nullable=False),  # JSON list
    Column("birth_date", Text),  # ISO date, perhaps without day or month
    Column("countries", Text, nullable=False),  # JSON list
    Column("asset", Text),
    Column("address", Text),
    Column("secrecy_level", SmallInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    UniqueConstraint("tenant_id", "organization_id", "reference"),
    CheckConstraint("kind IN ('person', 'organization', 'wallet')", name="kind"),
)

profile_enrichments = Table(
    "profile_enrichments",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("profile_id", Text, nullable=False),
    Column("enriched_at_us", BigInteger, nullable=False),
    Column("document", Text, nullable=False),  # JSON, as the API shows it
    ForeignKeyConstraint(["tenant_id", "profile_id"], ["profiles.tenant_id", "profiles.id"]),
    Index(None, "tenant_id", "profile_id", "enriched_at_us"),
    Index(None, "enriched_at_us"),  # for the sweep
)
