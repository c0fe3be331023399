"""The custody check verifies hash chains and signatures from the stored envelopes and names each fault."""

from dataclasses import replace

import pytest
from sqlalchemy import delete, update

from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor, Viewer
from cloud.vehicles.custody import LaneMarks, quarantine
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.verification.check import PAGE_ROWS, CustodyCheck, QuarantineCount, count_of_unknown_senders
from cloud.vehicles.verification.lane_audit import FINDINGS_MAX, Finding, HeldEnvelope, LaneAudit, LaneReport, Segment
from protocols.provenance.hash_chain import genesis
from protocols.uplink.envelope import Envelope, encode_envelope
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def checked(cloud: CloudUnderTest, viewer: Viewer = OPERATOR) -> list[LaneReport]:
    return [report async for report in CustodyCheck(cloud.database, cloud.clock, viewer).reports()]


async def test_custody_check_reports_a_chain_with_declared_gaps_as_intact(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(2 * PAGE_ROWS + 20)
    lost = sent[PAGE_ROWS - 10 : PAGE_ROWS + 10]
    for begin in range(0, len(sent), 40):
        await cloud.take(*(one for one in sent[begin : begin + 40] if one not in lost[3:]))
    await cloud.take(gateway.gap(lost))
    (report,) = await checked(cloud)
    assert (report.intact, report.findings) == (True, [])
    assert (report.through, report.stood_in, report.gaps) == (len(sent), 17, 1)
    assert report.batches == len(sent) - 17


async def test_custody_check_reports_a_lane_that_ends_in_a_declared_gap_as_intact(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(3)
    await cloud.take(sent[0], gateway.gap(sent[1:]))
    (report,) = await checked(cloud)
    assert (report.intact, report.through, report.stood_in) == (True, 3, 2)


async def test_custody_check_finds_a_batch_deleted_from_the_database(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(*gateway.many(5))
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(batches).where(batches.c.sequence.in_([2, 5])))
    (report,) = await checked(cloud)
    assert report.findings == [Finding("missing", 2, 2), Finding("acknowledged, but not there", 5, 5)]


async def test_custody_check_finds_a_changed_envelope_and_checks_the_following_batches(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(5)
    await cloud.take(*sent)
    invented = encode_envelope(replace(sent[2], batch=replace(sent[2].batch, count=9)))
    async with cloud.database.transaction() as tx:
        await tx.execute(update(batches).where(batches.c.sequence == 3).values(envelope=invented))
        await tx.execute(update(batches).where(batches.c.sequence == 5).values(envelope=b"nothing"))
    (report,) = await checked(cloud)
    assert report.findings == [
        Finding("the row's hash is not its envelope's", 3, 3),
        Finding("not signed by the registered key", 3, 3),
        Finding("the kept envelope cannot be read", 5, 5),
        Finding("does not follow the batch before it", 4, 4),
        Finding("acknowledged, but not there", 5, 5),
    ]


async def test_custody_check_reports_each_broken_link_with_its_sequence(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    first, second, third = gateway.many(3)
    await cloud.take(first, gateway.signed(replace(second.batch, previous_hash=bytes(32))), third)
    (report,) = await checked(cloud)
    assert [(finding.what, finding.first) for finding in report.findings] == [
        ("does not follow the batch before it", 2),
        ("does not follow the batch before it", 3),
    ]


async def test_custody_check_counts_quarantined_batches_by_reason(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    rival = GatewayInVehicle(key_seed=2)
    await cloud.take(*rival.many(3), cloud.handover.delivery(b"garbage"))
    assert await CustodyCheck(cloud.database, cloud.clock, OPERATOR).quarantine() == [
        QuarantineCount("gw_test", "forged", 3, 0),
        QuarantineCount("gw_test", "malformed", 1, 0),
    ]


async def test_custody_check_counts_batches_above_the_quarantine_limits_that_have_no_row(
    cloud: CloudUnderTest, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(quarantine, "ROWS_MAX", 2)
    rival = GatewayInVehicle(key_seed=2)
    unknown = [cloud.handover.delivery(b"garbage %d" % number, gateway=f"gw_{number}") for number in range(5)]
    await cloud.take(*rival.many(2), *unknown)
    await cloud.take(rival.send())
    counts = await CustodyCheck(cloud.database, cloud.clock, OPERATOR).quarantine("gw_test")
    assert counts == [QuarantineCount("gw_test", "forged", 2, 1)]
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(quarantined_batches).where(quarantined_batches.c.reason == "forged"))
    counts = await CustodyCheck(cloud.database, cloud.clock, OPERATOR).quarantine("gw_test")
    assert counts == [QuarantineCount("gw_test", "forged", 0, 1)]
    assert await count_of_unknown_senders(cloud.database) == [QuarantineCount("", "malformed", 0, 3)]


async def test_custody_check_reports_no_lane_of_another_tenant_or_organisation(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send())
    assert await checked(cloud, Actor.operator("ten_other")) == []
    assert await checked(cloud, replace(OPERATOR, organization_id="org_other")) == []


def audited(gateway: GatewayInVehicle, *envelopes: Envelope) -> LaneReport:
    report = LaneReport(tenant_id="ten_test", gateway_id="gw_test", epoch="epoch-a", lane="numeric")
    audit = LaneAudit(report, gateway.public_key, genesis("gw_test", "epoch-a", "numeric"))
    held = [
        HeldEnvelope(sequence=one.batch.sequence, hash=one.batch.hash, envelope=encode_envelope(one), received_at_us=0)
        for one in envelopes
    ]
    audit.segment(Segment(held=held, marks=LaneMarks(envelopes[-1].batch.sequence), read_at_us=0))
    return report


def test_custody_check_lists_a_limited_number_of_findings_and_counts_the_remaining_findings(
    gateway: GatewayInVehicle,
):
    sent = gateway.many(2 * FINDINGS_MAX + 10)
    report = audited(gateway, *sent[1::2])
    assert len(report.findings) == FINDINGS_MAX
    assert report.findings_untold == 5


def test_custody_check_counts_batches_covered_by_a_declared_gap_that_precedes_a_missing_batch(
    gateway: GatewayInVehicle,
):
    sent = gateway.many(8)
    report = audited(gateway, sent[0], gateway.gap(sent[1:4]), sent[5], sent[7])
    assert report.findings == [Finding("missing", 5, 5), Finding("missing", 7, 7)]
    assert (report.through, report.stood_in) == (8, 3)
