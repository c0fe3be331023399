"""Batches that the cloud has not acknowledged yet are awaited, and are missing if their gateway stops sending them."""

from dataclasses import replace

import pytest
from sqlalchemy import delete

from cloud.foundation.db import Database
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.verification.check import CustodyCheck
from cloud.vehicles.verification.cli import _print_for_people
from cloud.vehicles.verification.lane_audit import AWAITED_MAX_S, FINDINGS_MAX, NOT_SENT, Finding, LaneReport
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle

AWAITED_MAX_US = int(AWAITED_MAX_S * 1_000_000)


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def checked(cloud: CloudUnderTest) -> LaneReport:
    (report,) = [report async for report in CustodyCheck(cloud.database, cloud.clock, OPERATOR).reports()]
    return report


async def test_batches_that_a_gateway_resends_are_awaited_until_they_arrive(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(8)
    await cloud.take(*sent[:2], sent[4], *sent[6:])
    report = await checked(cloud)
    assert (report.intact, report.awaited, report.awaited_batches) == (True, [(3, 4), (6, 6)], 3)
    assert (report.batches, report.through) == (5, 8)
    await cloud.take(*sent[2:4], sent[5])
    report = await checked(cloud)
    assert (report.intact, report.awaited, report.awaited_batches, report.batches) == (True, [], 0, 8)


async def test_batch_that_its_gateway_does_not_send_for_minutes_is_missing(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(4)
    await cloud.take(*sent[:2], sent[3])
    cloud.clock.at_us += AWAITED_MAX_US
    assert (await checked(cloud)).awaited == [(3, 3)]
    cloud.clock.at_us += 1
    report = await checked(cloud)
    assert (report.intact, report.findings, report.awaited) == (False, [Finding(NOT_SENT, 3, 3)], [])


async def test_backlog_is_awaited_while_it_arrives_beside_live_batches(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(20)
    await cloud.take(*sent[15:])
    for one in sent[:3]:
        cloud.clock.at_us += AWAITED_MAX_US
        await cloud.take(replace(cloud.handover.delivery(one), received_at_us=cloud.clock.at_us))
        report = await checked(cloud)
        assert (report.findings, report.awaited) == ([], [(one.batch.sequence + 1, 15)])
    cloud.clock.at_us += AWAITED_MAX_US + 1
    assert (await checked(cloud)).findings == [Finding(NOT_SENT, 4, 15)]


async def test_acknowledged_batches_that_are_lost_are_found_above_and_below_awaited_ones(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    sent = gateway.many(9)
    await cloud.take(*sent[:3], *sent[4:])
    async with cloud.database.transaction() as tx:
        await tx.execute(delete(batches).where(batches.c.sequence.in_([2, 3, 5, 7, 9])))
    report = await checked(cloud)
    assert report.findings == [
        Finding("missing", 2, 3),
        Finding("missing", 5, 5),
        Finding("missing", 7, 7),
        Finding("acknowledged, but not there", 9, 9),
    ]
    assert (report.intact, report.awaited) == (False, [(4, 4)])


def test_custody_check_command_prints_awaited_batches_beside_the_verdict(capsys: pytest.CaptureFixture[str]):
    report = LaneReport(tenant_id="ten_test", gateway_id="gw_test", epoch="epoch-a", lane="numeric")
    for first in range(1, 2 * FINDINGS_MAX + 3, 2):
        report.wait_for(first, first)
    _print_for_people([report], [])
    printed = capsys.readouterr().out
    assert f"intact; {FINDINGS_MAX + 1} batches are awaited" in " ".join(printed.split())
    assert "gw_test epoch-a numeric 3…3: awaited" in printed
    assert len(report.awaited) == FINDINGS_MAX
