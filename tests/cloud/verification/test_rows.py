"""The stored observation rows are compared column by column with the envelopes that the gateway signed."""

from typing import Any

import pytest
from sqlalchemy import delete, insert, update

from cloud.clinical.epcr.tables import care_changes
from cloud.clinical.observations.tables import observation_channels, observations
from cloud.foundation.db import Database
from cloud.vehicles.ingest.tables import gateway_events
from cloud.vehicles.verification.check import CustodyCheck
from cloud.vehicles.verification.lane_audit import LaneReport
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane
from tests.builders.care_changes import change
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import PLETH, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import BEDSIDE_TIME, CUFF, PRESSURE, every_kind, one


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    """Return a cloud that has stored three batches of numeric values and one event."""
    cloud = await CloudUnderTest(database).register(gateway)
    await cloud.take(gateway.send(97.0, 96.0), gateway.send(95.0), gateway.send(94.0), gateway.send_event())
    return cloud


async def checked(cloud: CloudUnderTest) -> dict[str, LaneReport]:
    check = CustodyCheck(cloud.database, cloud.clock, OPERATOR, with_rows=True)
    return {report.lane: report async for report in check.reports()}


async def found(cloud: CloudUnderTest, lane: str = "numeric") -> list[tuple[str, int]]:
    return [(finding.what, finding.first) for finding in (await checked(cloud))[lane].findings]


async def tamper(cloud: CloudUnderTest, statement: Any) -> None:
    async with cloud.database.transaction() as tx:
        await tx.execute(statement)


async def test_custody_check_finds_no_difference_between_untouched_rows_and_their_envelopes(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    memory = section([one(PRESSURE, (120.0, 80.0), device_time=BEDSIDE_TIME)], device=CUFF, stored=True)
    waves = section([one(PLETH, None, samples=bytes(range(20)))])
    await cloud.take(
        gateway.send_sections(every_kind()),
        *(gateway.send_sections([memory, section(readings(1.0))]) for _ in range(2)),
        gateway.send_sections([waves], lane=Lane.WAVEFORM),
        gateway.send_raw(BatchKind.OBSERVATIONS, b"of tomorrow"),
    )
    reports = await checked(cloud)
    assert {lane: report.findings for lane, report in reports.items()} == {"numeric": [], "event": [], "waveform": []}
    stored = await cloud.rows(observations)
    assert sum(report.observations or 0 for report in reports.values()) == len(stored)


async def test_custody_check_compares_rows_with_envelopes_only_on_request(cloud: CloudUnderTest):
    await tamper(cloud, update(observations).values(number=1.0))
    reports = [report async for report in CustodyCheck(cloud.database, cloud.clock, OPERATOR).reports()]
    assert all(report.intact and report.observations is None for report in reports)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 41.0},
        {"number": None, "value": "3"},
        {"observed_at_us": 1},
        {"received_at_us": 1},
        {"uncertainty_us": 0},
        {"status": 1},
        {"stored": True},
        {"device_time": b"a" + bytes(8)},
        {"samples": b"\x00\x01"},
        {"channel_id": 999},
        {"source_id": 999},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_custody_check_finds_a_changed_column_of_a_row(cloud: CloudUnderTest, change: dict[str, Any]):
    at = (observations.c.sequence == 1, observations.c.position == 1)
    await tamper(cloud, update(observations).where(*at).values(**change))
    assert await found(cloud) == [("1 rows are not what its envelope says", 1)]


async def test_custody_check_reports_every_batch_whose_rows_use_a_changed_metric_object(cloud: CloudUnderTest):
    await tamper(cloud, update(observation_channels).values(type_code=1))
    assert await found(cloud) == [
        ("2 rows are not what its envelope says", 1),
        ("1 rows are not what its envelope says", 2),
        ("1 rows are not what its envelope says", 3),
    ]


async def test_custody_check_finds_a_deleted_or_added_row(cloud: CloudUnderTest):
    (model,) = [row for row in await cloud.rows(observations) if row.sequence == 3]
    copy = dict(model._mapping)
    await tamper(cloud, delete(observations).where(observations.c.sequence == 2))
    await tamper(cloud, insert(observations).values({**copy, "position": 1}))
    await tamper(cloud, insert(observations).values({**copy, "sequence": 9}))
    assert await found(cloud) == [
        ("1 rows are missing", 2),
        ("1 rows are not in its envelope", 3),
        ("there are rows and no batch that they came from", 9),
    ]


async def test_custody_check_finds_a_changed_or_deleted_field_change(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_changes(change(), change("patient.age", "50")))
    assert await found(cloud, "epcr") == []
    await tamper(cloud, update(care_changes).where(care_changes.c.position == 0).values(value="98"))
    assert await found(cloud, "epcr") == [("its field changes are not what its envelope states", 1)]
    await tamper(cloud, delete(care_changes).where(care_changes.c.position == 0))
    assert await found(cloud, "epcr") == [("its field changes are not complete", 1)]


async def test_custody_check_finds_a_changed_or_deleted_event(cloud: CloudUnderTest):
    await tamper(cloud, update(gateway_events).values(fields="{}"))
    assert await found(cloud, "event") == [("its event is not what its envelope says", 1)]
    await tamper(cloud, delete(gateway_events))
    assert await found(cloud, "event") == [("its event is missing", 1)]
