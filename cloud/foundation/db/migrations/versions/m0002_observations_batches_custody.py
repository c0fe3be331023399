"""Create the tables of ingest: epochs (lives of a gateway's store), lanes (numbered sequences of batches), batches with
their hash chain, quarantine and observations.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    _create_ingest()
    _create_custody()
    _create_observations()


def _create_ingest() -> None:
    op.create_table(
        "gateway_epochs",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
        sa.Column("epoch", sa.Text(), primary_key=True),
        sa.Column("began_us", sa.BigInteger(), nullable=False),
        sa.Column("replaces", sa.Text()),
        sa.Column("contested_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
    )
    op.create_table(
        "lanes",
        sa.Column("lane_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("through_sequence", sa.BigInteger(), nullable=False),
        sa.Column("ahead", sa.Text(), nullable=False),
        sa.Column("contested_us", sa.BigInteger()),
        sa.ForeignKeyConstraint(["tenant_id", "gateway_id"], ["gateways.tenant_id", "gateways.id"]),
        sa.UniqueConstraint("tenant_id", "gateway_id", "epoch", "lane"),
    )
    op.create_table(
        "gateway_events",
        sa.Column("lane_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("device", sa.Text()),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.lane_id"]),
    )
    op.create_index(None, "gateway_events", ["tenant_id", "gateway_id", "at_us"])


def _create_custody() -> None:
    op.create_table(
        "batches",
        sa.Column("lane_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("created_at_us", sa.BigInteger(), nullable=False),
        sa.Column("boot_id", sa.Text(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("payload_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("stored_at_us", sa.BigInteger(), nullable=False),
        sa.Column("historical", sa.Boolean(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.lane_id"]),
    )
    op.create_table(
        "gap_ranges",
        sa.Column("lane_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("through_sequence", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("observations", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger()),
        sa.Column("last_us", sa.BigInteger()),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("chain_before", sa.LargeBinary(), nullable=False),
        sa.Column("chain_after", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lanes.lane_id"]),
    )
    op.create_index(None, "gap_ranges", ["lane_id", "through_sequence"])
    op.create_table(
        "quarantined_batches",
        sa.Column("quarantine_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("gateway_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text()),
        sa.Column("lane", sa.Text()),
        sa.Column("sequence", sa.BigInteger()),
        sa.Column("octets_hash", sa.LargeBinary(), nullable=False),
        sa.Column("octets", sa.LargeBinary()),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("tenant_id", "gateway_id", "octets_hash", "reason"),
    )
    op.create_index(None, "quarantined_batches", ["reason"])
    op.create_table(
        "quarantine_overflows",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("gateway_id", sa.Text(), primary_key=True),
        sa.Column("reason", sa.Text(), primary_key=True),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("first_us", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
    )


def _create_observations() -> None:
    op.create_table(
        "observation_sources",
        sa.Column("source_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("vehicle_id", sa.Text()),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("system_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_index(None, "observation_sources", ["tenant_id", "device_id"])
    op.create_table(
        "observation_channels",
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("handle", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.BigInteger()),
        sa.Column("type_partition", sa.Integer(), nullable=False),
        sa.Column("type_code", sa.Integer(), nullable=False),
        sa.Column("unit_partition", sa.Integer()),
        sa.Column("unit_code", sa.Integer()),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("supplemental_types", sa.Text(), nullable=False),
        sa.Column("sample_format", sa.Text()),
        sa.Column("sample_period_s", sa.Double()),
        sa.Column("slope", sa.Double()),
        sa.Column("array_offset", sa.Double()),
        sa.ForeignKeyConstraint(["source_id"], ["observation_sources.source_id"]),
        sa.UniqueConstraint("fingerprint"),
    )
    op.create_index(None, "observation_channels", ["source_id", "type_partition", "type_code"])
    op.create_table(
        "observations",
        sa.Column("lane_id", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, primary_key=True),
        sa.Column("position", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("channel_id", sa.BigInteger(), nullable=False),
        sa.Column("observed_at_us", sa.BigInteger(), nullable=False),
        sa.Column("uncertainty_us", sa.BigInteger(), nullable=False),
        sa.Column("received_at_us", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Double()),
        sa.Column("value", sa.Text()),
        sa.Column("samples", sa.LargeBinary()),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("device_time", sa.LargeBinary()),
        sa.Column("stored", sa.Boolean(), nullable=False),
    )
    op.create_index(
        "ix_observations_source_time",
        "observations",
        ["source_id", "observed_at_us", "sequence", "position", "lane_id"],
    )
    op.create_table(
        "stored_measurements",
        sa.Column("tenant_id", sa.Text(), primary_key=True),
        sa.Column("content_key", sa.LargeBinary(), primary_key=True),
        sa.Column("lane_id", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    )
