"""Observations of a gateway without synchronised time get their time and encounter once the gateway learns the time."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import Devices
from cloud.clinical.epcr import Epcr
from cloud.clinical.observations.counting import count_in_encounter
from cloud.clinical.observations.export import export_observations
from cloud.clinical.observations.tables import observations
from cloud.foundation.db import Database
from cloud.vehicles.verification.check import CustodyCheck
from protocols.clock_anchor import ClockAnchor
from protocols.device_time import absolute_time_at
from protocols.observation_record import utc_text
from protocols.uplink.clock_events import CLOCK_ESTIMATED, CLOCK_LEARNT, CLOCK_LOST, anchor_fields
from protocols.uplink.envelope import BatchKind, Envelope
from protocols.uplink.events import EventField, GatewayEvent, encode_event
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, SPO2, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import one
from tests.builders.received_batches import RECEIVED

SECOND = 1_000_000
HOUR = 3600 * SECOND
LATE_US = 330 * 24 * HOUR
"""The wall clock's error: the gateway started with a date in the previous January."""


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


def early(*values: float, at_s: float = 1.0, boot_id: str = "boot-1", late_us: int = LATE_US) -> Any:
    """Return readings of a gateway whose clock is `late_us` behind and not synchronised; its boot began at NOW_US."""
    unknown = section(readings(*values, at_s=at_s), wall_offset_us=NOW_US - late_us)
    return replace(unknown, wall_synchronised=False, boot_id=boot_id)


def event(gateway: GatewayInVehicle, name: str, fields: dict[str, EventField], boot_id: str = "boot-1") -> Envelope:
    clock_event = GatewayEvent(name=name, at_us=NOW_US, boot_id=boot_id, device=None, fields=fields)
    return gateway.send_raw(BatchKind.EVENT, encode_event(clock_event), lane=Lane.EVENT)


def learnt(
    gateway: GatewayInVehicle,
    *,
    at_s: int = 1800,
    uncertainty_us: int = 5000,
    ahead_us: int = 0,
    boot_id: str = "boot-1",
    name: str = CLOCK_LEARNT,
) -> Envelope:
    """Return the event with which the gateway reports, `at_s` after its boot, that the boot began at NOW_US.

    The reported time is `ahead_us` ahead of the true time.
    """
    monotonic_us = at_s * SECOND
    utc_us = NOW_US + monotonic_us + ahead_us
    anchor = ClockAnchor.at(monotonic_us=monotonic_us, utc_us=utc_us, uncertainty_us=uncertainty_us)
    return event(gateway, name, anchor_fields(anchor), boot_id)


async def exported(cloud: CloudUnderTest, **options: Any) -> list[dict[str, Any]]:
    found = export_observations(cloud.database, OPERATOR, Devices(cloud.ids), RECEIVED, hidden=True, **options)
    return [document async for document in found]


async def assigned(cloud: CloudUnderTest, from_us: int, until_us: int | None = None) -> str:
    """Create an encounter and assign the oximeter to it for this interval; return the encounter's id."""
    device_id = (await cloud.device_ids())[OXIMETER.system_id]
    encounter = await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION)
    desk = AssignmentService(cloud.database, cloud.clock, cloud.ids)
    span = {"from_us": from_us, "until_us": until_us}
    await desk.assign(OPERATOR, device_id=device_id, encounter_id=encounter.id, **span)
    return encounter.id


async def counted(cloud: CloudUnderTest, encounter_id: str) -> int:
    return await count_in_encounter(cloud.database, OPERATOR, encounter_id)


@pytest.mark.finding("reliability-D")
async def test_observation_of_a_gateway_without_synchronised_time_is_exported_without_a_time_uncertainty(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections([early(97.0)]), gateway.send(98.0))
    rows = await exported(cloud)
    assert [(row["value"], row["uncertainty_ms"]) for row in rows] == [(97.0, None), (98.0, 3)]
    assert [row["wall_synchronised"] for row in rows] == [False, True]


async def test_gateway_time_learnt_later_corrects_times_of_earlier_observations_without_rewriting_their_rows(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections([early(1.0, 2.0, 3.0)]), event(gateway, CLOCK_ESTIMATED, {}))
    encounter_id = await assigned(cloud, NOW_US + 2 * SECOND)
    before = await cloud.rows(observations)
    assert [row["encounter_id"] for row in await exported(cloud)] == [None] * 3
    assert await counted(cloud, encounter_id) == 0
    await cloud.take(learnt(gateway))
    rows = await exported(cloud)
    assert [row["observed_at"] for row in rows] == [utc_text(NOW_US + second * SECOND) for second in (1, 2, 3)]
    assert [row["encounter_id"] for row in rows] == [None, encounter_id, encounter_id]
    assert await counted(cloud, encounter_id) == 2
    # 2.5 ms as sent, 5 ms of the anchor, and 500 ppm of half an hour.
    assert [row["uncertainty_ms"] for row in rows] == [907, 907, 906]
    assert {row["received_at"] for row in rows} == {
        utc_text(NOW_US - LATE_US + second * SECOND) for second in (1, 2, 3)
    }
    assert await cloud.rows(observations) == before


async def test_backlog_is_exported_in_order_with_corrected_times_when_the_gateway_time_is_already_known(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    later = gateway.send_sections([section(readings(4.0, at_s=2000.0))])
    await cloud.take(learnt(gateway), later)
    await cloud.take(gateway.send_sections([early(1.0, 2.0)]))
    assert [row["value"] for row in await exported(cloud)] == [1.0, 2.0, 4.0]
    assert [row["value"] for row in await exported(cloud, since_us=NOW_US + 2 * SECOND)] == [2.0, 4.0]


async def test_gateway_time_learnt_in_one_boot_does_not_apply_to_another_boot_or_another_gateway(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    await cloud.register_gateway(other)
    await cloud.take(gateway.send_sections([early(1.0), early(2.0, boot_id="boot-2")]), learnt(gateway))
    await cloud.take(other.send_sections([early(3.0)]))
    assert {row["value"]: row["uncertainty_ms"] is None for row in await exported(cloud)} == {
        1.0: False,
        2.0: True,
        3.0: True,
    }


async def test_encounter_of_an_observation_is_selected_by_unsynchronised_time_until_the_true_time_is_learnt(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections([early(1.0, 2.0, late_us=0)]))
    encounter_id = await assigned(cloud, NOW_US + 2 * SECOND)
    assert [row["encounter_id"] for row in await exported(cloud)] == [None, encounter_id]
    assert await counted(cloud, encounter_id) == 1
    await cloud.take(learnt(gateway, ahead_us=HOUR))
    assert [row["encounter_id"] for row in await exported(cloud)] == [encounter_id, encounter_id]
    assert await counted(cloud, encounter_id) == 2


async def test_uncertainty_of_a_device_memory_value_equals_the_time_between_measurement_and_reception(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    memory = [one(SPO2, 97.0, received_s=10.0, device_time=absolute_time_at(NOW_US - HOUR))]
    unknown = section(memory, wall_offset_us=NOW_US - LATE_US)
    await cloud.take(gateway.send_sections([replace(unknown, wall_synchronised=False)]), learnt(gateway, at_s=10))
    (row,) = await exported(cloud)
    assert row["observed_at"] == utc_text(NOW_US + 10 * SECOND)
    assert HOUR // 1000 <= row["uncertainty_ms"] <= HOUR // 1000 + 11_000


async def test_clock_events_of_one_boot_are_combined_in_any_order_of_arrival(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    first, lost = learnt(gateway, at_s=100), learnt(gateway, at_s=7200, name=CLOCK_LOST)
    await cloud.take(gateway.send_sections([early(1.0, at_s=3600.0)]))
    await cloud.take(lost)
    await cloud.take(first)
    (row,) = await exported(cloud)
    assert row["uncertainty_ms"] == 8, "the clock was known before and after"


async def test_clock_event_with_impossible_or_missing_times_does_not_change_observation_times(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(
        gateway.send_sections([early(1.0)]),
        event(gateway, CLOCK_LEARNT, {"monotonic_us": 1, "wall_us": 1 << 62, "uncertainty_us": 0}),
        event(gateway, CLOCK_LEARNT, {}),
    )
    (row,) = await exported(cloud)
    assert row["uncertainty_ms"] is None


async def test_observation_rows_without_clock_columns_are_exported_with_their_stored_time_uncertainty(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_sections([early(1.0)]))
    async with cloud.database.transaction() as tx:
        await tx.execute(update(observations).values(clock_id=None, monotonic_us=None))
    (row,) = await exported(cloud)
    assert (row["wall_synchronised"], row["uncertainty_ms"]) == (None, 3)
    assert await findings(cloud) == []


@pytest.mark.parametrize("change", [{"clock_id": 0}, {"monotonic_us": 5}, {"clock_id": 2}])
async def test_custody_check_finds_changed_clock_columns_of_an_observation_row(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, change: dict[str, int]
):
    await cloud.take(gateway.send_sections([early(1.0), early(2.0, boot_id="boot-2")]))
    assert await findings(cloud) == []
    async with cloud.database.transaction() as tx:
        await tx.execute(update(observations).where(observations.c.position == 0).values(**change))
    assert await findings(cloud) == ["1 rows are not what its envelope says"]


async def findings(cloud: CloudUnderTest) -> list[str]:
    check = CustodyCheck(cloud.database, cloud.clock, OPERATOR, with_rows=True)
    return [finding.what async for report in check.reports() for finding in report.findings]
