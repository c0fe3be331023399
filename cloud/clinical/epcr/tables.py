"""Tables of encounters, which an ambulance or a dispatch system began, and of their crews.

The same incident with the same vehicle is one encounter, which a unique index guarantees for several processes too. The
crew register has ids and roles but no names (contract A-098): enough to refuse a mistyped id and to count the crew.
"""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, SmallInteger, Table, Text, text

from cloud.foundation.db import metadata, partial_index

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
    Column("cad_incident_id", Text),  # the id of the dispatch system; null for an encounter that began in a vehicle
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    Index(None, "tenant_id", "organization_id"),
    Index(None, "tenant_id", "vehicle_id"),
    partial_index(
        "uq_encounters_cad",
        "tenant_id",
        "organization_id",
        "cad_incident_id",
        text("coalesce(vehicle_id, '')"),  # NULLs are never equal, and an incident without a vehicle is unique too
        unique=True,
        where="cad_incident_id IS NOT NULL",
    ),
)

crew_members = Table(
    "crew_members",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at_us", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    Index(None, "tenant_id", "organization_id"),
)

encounter_crew = Table(
    "encounter_crew",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("encounter_id", Text, primary_key=True),
    Column("crew_member_id", Text, primary_key=True),
    ForeignKeyConstraint(["tenant_id", "encounter_id"], ["encounters.tenant_id", "encounters.id"]),
    ForeignKeyConstraint(["tenant_id", "crew_member_id"], ["crew_members.tenant_id", "crew_members.id"]),
    Index(None, "tenant_id", "crew_member_id"),
)
