"""The gateway measures the offset of a Bluetooth device's clock. It sets the clock only if the operator permits this
and no stored record is lost when the clock is set.
"""

from pathlib import Path

import pytest

from gateway.sessions.clocks.policy import ClockPolicy
from protocols.ble.uuids import CURRENT_TIME as CURRENT_TIME_SERVICE
from protocols.ble.uuids import HEALTH_THERMOMETER
from protocols.device_time import TimeKind
from tests.builders.gatt_devices import (
    TEMPERATURE_MEASUREMENT,
    OwnClock,
    beat,
    belt,
    system_id,
    temperature,
    thermometer,
)
from tests.builders.gatt_sessions import gatt_gateway
from tests.harness.eventually import eventually

MINUTE_S = 60.0
BEHIND_S = 0.02
"""Error that one round trip and a clock with hundredths of a second leave."""


async def test_device_clock_that_is_behind_is_set_and_read_back(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = thermometer(gateway.clock)
        own = OwnClock(peer, gateway.clock, -10 * MINUTE_S)
        await gateway.serving(gateway.session(peer))
        assert (own.times_set, round(own.off_s)) == (1, 0)
        assert (await gateway.event("device.clock_set")).fields["was_off_ms"] == pytest.approx(-600_000, abs=100)
        clock = gateway.context.clocks.clock(system_id(1).hex(), TimeKind.ABSOLUTE)
        offset_us = clock.relation().offset_us
        assert offset_us is not None
        wall_offset_us = gateway.clock.wall_us() - round(gateway.clock.monotonic_s() * 1_000_000)
        assert abs(wall_offset_us + offset_us) < 50_000
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        assert [each.outcome.value for each in report.settings] == ["set"]


async def test_clock_of_a_bluetooth_device_that_stores_measurements_is_never_set_back(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = thermometer(gateway.clock)
        own = OwnClock(peer, gateway.clock, 10 * MINUTE_S)
        await gateway.serving(gateway.session(peer))
        assert own.times_set == 0
        assert "go back over times" in str((await gateway.event("device.clock_left")).fields["why"])


async def test_clock_that_is_ahead_is_set_back_on_a_device_that_stores_no_measurements(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        own = OwnClock(peer, gateway.clock, 10 * MINUTE_S)
        await gateway.serving(gateway.session(peer))
        assert (own.times_set, round(own.off_s)) == (1, 0)


@pytest.mark.parametrize("off_s", [-3.0, 0.0, 3.0])
async def test_bluetooth_device_clock_within_the_tolerance_is_not_set(tmp_path: Path, off_s: float):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        own = OwnClock(peer, gateway.clock, off_s)
        await gateway.serving(gateway.session(peer))
        assert own.times_set == 0


async def test_bluetooth_device_clock_is_not_set_by_a_gateway_without_synchronised_time(tmp_path: Path):
    async with gatt_gateway(tmp_path, disciplined=False) as gateway:
        peer = thermometer(gateway.clock)
        own = OwnClock(peer, gateway.clock, -10 * MINUTE_S)
        await gateway.serving(gateway.session(peer))
        assert own.times_set == 0


async def test_bluetooth_device_clock_is_not_set_when_the_operator_disables_clock_setting(tmp_path: Path):
    async with gatt_gateway(tmp_path, policy=ClockPolicy(set_clocks=False)) as gateway:
        peer = thermometer(gateway.clock)
        own = OwnClock(peer, gateway.clock, -10 * MINUTE_S)
        await gateway.serving(gateway.session(peer))
        assert own.times_set == 0


async def test_refused_attempt_to_set_a_device_clock_is_not_repeated_at_the_next_connection(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = thermometer(gateway.clock)
        OwnClock(peer, gateway.clock, -10 * MINUTE_S, refuses=0x80)
        for _ in range(2):
            session = gateway.session(peer)
            await gateway.serving(session)
            peer.lose()
            await gateway.ended()
        names = await gateway.event_names()
        assert names.count("device.clock_not_set") == 1


async def test_measurement_time_of_a_wrong_device_clock_is_corrected_by_the_clock_offset(tmp_path: Path):
    async with gatt_gateway(tmp_path, policy=ClockPolicy(set_clocks=False)) as gateway:
        peer = thermometer(gateway.clock)
        OwnClock(peer, gateway.clock, -10 * MINUTE_S)
        session = gateway.session(peer)
        await gateway.serving(session)
        clock = gateway.context.clocks.clock(system_id(1).hex(), TimeKind.ABSOLUTE)
        temperature(peer, 37.0, 0)
        await eventually(lambda: session.counts.reports == 1)
        (record,) = await gateway.stored()
        assert record.device_local_us is not None
        relation = clock.relation()
        assert relation.offset_us is not None
        wall_offset_us = gateway.clock.wall_us() - round(gateway.clock.monotonic_s() * 1_000_000)
        assert record.observed_at_us == record.device_local_us + wall_offset_us + relation.offset_us


async def test_bluetooth_device_clock_is_checked_again_during_a_session(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        own = OwnClock(peer, gateway.clock, 0.0)
        session = gateway.session(peer)
        await gateway.serving(session)
        own.off_s = -20 * MINUTE_S

        def is_set() -> bool:
            own.tick()
            beat(peer, 70)
            return own.times_set == 1

        await gateway.until(is_set, step_s=20.0)
        assert (CURRENT_TIME_SERVICE, 0x2A2B) in peer.values


async def test_current_time_is_not_written_to_a_device_that_does_not_support_writing_it(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = thermometer(gateway.clock)
        own = OwnClock(peer, gateway.clock, -10 * MINUTE_S)
        del peer.accepts[CURRENT_TIME_SERVICE, 0x2A2B]
        await gateway.serving(gateway.session(peer))
        assert own.times_set == 0
        assert peer.link is not None
        assert list(peer.link.subscribed) == [(HEALTH_THERMOMETER, TEMPERATURE_MEASUREMENT)]
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        assert (report.deviations, report.settings) == ([], [])
        assert TimeKind.ABSOLUTE in report.clocks
