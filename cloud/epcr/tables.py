"""Encounters: so far only what assignments refer to. «The cloud's first surface» adds the record itself."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, SmallInteger, Table, Text

from cloud.db import metadata

encounters = Table(
    "encounters",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text),
    Column("care_model", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("secrecy_level", SmallInteger, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    Index(None, "tenant_id", "organization_id"),
    Index(None, "tenant_id", "vehicle_id"),
)
