"""Table of incidents. The dispatch system's id is unique within an organisation, so an incident is opened only once."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.foundation.db import metadata

incidents = Table(
    "incidents",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("cad_incident_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("secrecy_level", SmallInteger, nullable=False),  # the highest of its encounters'
    Column("encounters", Integer, nullable=False),
    Column("open_encounters", Integer, nullable=False),
    Column("opened_at_us", BigInteger, nullable=False),
    Column("updated_at_us", BigInteger, nullable=False),
    Column("closed_at_us", BigInteger),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    UniqueConstraint("tenant_id", "organization_id", "cad_incident_id"),
    CheckConstraint("status IN ('open', 'closed')", name="status"),
    CheckConstraint("(status = 'open') = (open_encounters > 0)", name="open"),
)
