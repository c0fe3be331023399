"""Tables of encounters, which an ambulance or a dispatch system began, of their crews, and of their care records.

The same incident with the same vehicle is one encounter, which a unique index guarantees for several processes too. The
crew register has ids and roles but no names (contract A-098): enough to refuse a mistyped id and to count the crew.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cloud.foundation.db import metadata, partial_index, row_number

JOIN_KEYS = ("record.joined", "record.part_of")
"""Keys of the annotations that join a report of the crew to an encounter (`protocols.epcr.annotations`)."""
JOIN_LENGTH_MAX = 64
"""Longest id. A longer value of a vehicle names nothing, and must not be too long for an entry of the index."""

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
    Column("version", Integer, nullable=False, server_default=text("1")),  # counts changes of mission and status
    Column("ended_at_us", BigInteger),  # null in encounters that have not ended, or ended in an earlier release
    ForeignKeyConstraint(["tenant_id", "organization_id"], ["organizations.tenant_id", "organizations.id"]),
    ForeignKeyConstraint(["tenant_id", "vehicle_id"], ["vehicles.tenant_id", "vehicles.id"]),
    Index(None, "tenant_id", "organization_id"),
    Index(None, "tenant_id", "vehicle_id"),
    Index(None, "tenant_id", "organization_id", "created_at_us", "id"),  # the list, in the order of creation
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

care_changes = Table(
    "care_changes",
    metadata,
    # The place of the change: its batch, and its position in the batch. Rows are only added. Imported changes have the
    # lane `IMPORTS_LANE_ID`, no gateway (empty), and the vehicle of the encounter (empty if it has none).
    Column("lane_id", BigInteger, primary_key=True, autoincrement=False),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("tenant_id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),  # of the gateway when the batch arrived
    Column("vehicle_id", Text, nullable=False),  # the same
    Column("gateway_id", Text, nullable=False),
    Column("change_id", Text, nullable=False),  # from the client; a repeated change has it again
    Column("encounter_id", Text, nullable=False),  # as the vehicle sent it; the encounter may not exist yet
    Column("element_key", Text, nullable=False),  # of the catalogue, or of a newer one
    Column("entry_id", Text),
    Column("action", Text, nullable=False),  # protocols.epcr.change.Action
    Column("value", Text),
    Column("negative", Text),
    Column("not_recorded", Text),
    Column("author", Text, nullable=False),
    Column("replaces", Text, nullable=False),  # JSON list of change ids
    Column("device_time_us", BigInteger),
    Column("gateway_time_us", BigInteger, nullable=False),
    Column("received_at_us", BigInteger, nullable=False),
    Index(None, "tenant_id", "encounter_id"),
    partial_index(
        "ix_care_changes_joins",
        "tenant_id",
        "value",
        where=f"element_key IN {JOIN_KEYS} AND length(value) <= {JOIN_LENGTH_MAX}",
    ),
)

changed_encounters = Table(
    "changed_encounters",  # marks, see `changed.py`
    metadata,
    Column("id", row_number(), primary_key=True, autoincrement=True),
    Column("tenant_id", Text, nullable=False),
    Column("encounter_id", Text, nullable=False),
)

erased_encounters = Table(
    "erased_encounters",
    metadata,
    # The tombstone of an erased encounter, and how far its erasure is. It has nothing about the patient.
    Column("erasure_id", Text, primary_key=True),
    Column("tenant_id", Text, nullable=False),
    Column("encounter_id", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("vehicle_id", Text),
    Column("incident_id", Text),
    Column("from_us", BigInteger, nullable=False),  # the time of the encounter, for the comparison with legal holds
    Column("until_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),  # cloud.vehicles.erasure.model.ErasureReason
    Column("requested_by", Text, nullable=False),
    Column("requested_at_us", BigInteger, nullable=False),
    Column("seal", LargeBinary, nullable=False),  # over the columns above
    Column("phase", Text, nullable=False),  # cloud.vehicles.erasure.model.Phase
    Column("position", Text, nullable=False),  # JSON list of numbers: where the phase continues
    Column("step", BigInteger, nullable=False),  # counts the steps, so that two processes do not do the same one
    Column("failure", Text),  # why the last step did not happen; NULL since the last progress
    Column("progress_at_us", BigInteger, nullable=False),
    Column("finished_at_us", BigInteger),  # when everything was erased for the first time
    # The numbers of what was erased.
    Column("observations", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False),
    Column("batches", BigInteger, nullable=False),
    Column("others", BigInteger, nullable=False),  # values of others that stay, and whose signed batch was erased
    Column("unread", BigInteger, nullable=False),  # batches that could not be read and were sent during the encounter
    Column("quarantined", BigInteger, nullable=False),
    Column("replies", BigInteger, nullable=False),
    UniqueConstraint("tenant_id", "encounter_id"),
    Index(None, "phase"),
    Index("ix_erased_encounters_tenant_id_requested_at_us", "tenant_id", "requested_at_us", "encounter_id"),
)
