"""Tables of indicators: the scores of each encounter, and their sums for each day.

`acqi_encounters` has what an encounter added to the sums, so that a change of its record is a difference, and so that a
range need not begin at midnight. It has counts and times, and nothing of the record. The secrecy level is in both keys,
since a caller may only count encounters up to its clearance.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Table, Text

from cloud.foundation.db import metadata

acqi_encounters = Table(
    "acqi_encounters",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("encounter_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("secrecy_level", SmallInteger, nullable=False),
    Column("at_us", BigInteger, nullable=False),  # the beginning of the encounter
    Column("scores", Text, nullable=False),  # JSON: indicator → [numerator, denominator]; {}: expired
    Index(None, "tenant_id", "at_us"),
)

acqi_days = Table(
    "acqi_days",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970-01-01, UTC
    Column("organization_id", Text, primary_key=True),
    Column("secrecy_level", SmallInteger, primary_key=True, autoincrement=False),
    Column("indicator", Text, primary_key=True),
    Column("numerator", BigInteger, nullable=False),
    Column("denominator", BigInteger, nullable=False),
    # In this order the sums of an indicator in one organisation are neighbours and sorted by day, and the index has all
    # that a query needs.
    Index(
        "ix_acqi_days_by_organization",
        "tenant_id",
        "organization_id",
        "indicator",
        "day",
        "secrecy_level",
        "numerator",
        "denominator",
    ),
)

acqi_tenant_days = Table(
    "acqi_tenant_days",
    metadata,
    # The same sums over all organisations of a tenant, of which there may be hundreds.
    Column("tenant_id", Text, primary_key=True),
    Column("indicator", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("secrecy_level", SmallInteger, primary_key=True, autoincrement=False),
    Column("numerator", BigInteger, nullable=False),
    Column("denominator", BigInteger, nullable=False),
)
