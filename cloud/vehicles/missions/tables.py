"""The table of missions: the newest version for each vehicle that has, or had, an encounter."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from cloud.foundation.db import metadata, partial_index

vehicle_missions = Table(
    "vehicle_missions",
    metadata,
    Column("tenant_id", Text, primary_key=True),
    Column("encounter_id", Text, primary_key=True),
    Column("vehicle_id", Text, primary_key=True),  # empty while the encounter has no vehicle
    Column("organization_id", Text, nullable=False),
    Column("version", Integer, nullable=False),  # that of the encounter
    Column("status", Text, nullable=False),  # protocols.uplink.missions.MissionStatus
    Column("call_data", Text, nullable=False),  # JSON: value by element of the care record; personal data
    Column("issued_at_us", BigInteger, nullable=False),
    Column("expires_at_us", BigInteger, nullable=False),  # no later version is sent, and the row is deleted
    Column("due_at_us", BigInteger),  # when a process sends it next; null: nothing is due
    Column("sent_at_us", BigInteger),  # when the broker last accepted this version
    Column("received_version", Integer),  # the newest version that a gateway's status listed; null: none
    Column("received_at_us", BigInteger),
    partial_index(None, "due_at_us", where="due_at_us IS NOT NULL"),
    Index(None, "tenant_id", "vehicle_id"),
    Index(None, "expires_at_us"),
)
