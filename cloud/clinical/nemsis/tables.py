"""Table of the agencies as which organisations report to NEMSIS."""

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Table, Text

from cloud.foundation.db import metadata

nemsis_agencies = Table(
    "nemsis_agencies",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("organization_id", Text, primary_key=True),
    Column("state_id", Text, nullable=False),  # dAgency.01
    Column("number", Text, nullable=False),  # dAgency.02
    Column("state", Text, nullable=False),  # dAgency.04, ANSI code
    Column("unit_capability", Text),  # eResponse.07 of vehicles whose record lacks it
    Column("not_reporting", Text, nullable=False),  # JSON list of keys of the catalogue
    Column("changed_at_us", BigInteger, nullable=False),
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
)
