"""A simulated vehicle records what its devices would report, and counts what the cloud acknowledges."""

import asyncio
from collections import Counter
from itertools import islice, pairwise
from pathlib import Path

import pytest

from gateway.security.identity import IdentityUnusable
from protocols.uplink.acks import Ack
from protocols.uplink.channels import DeviceRef
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import decode_block, encode_runs
from simulators.fleet.latency import Latencies
from simulators.fleet.measured_source import Acknowledged, MeasuredSource
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.recording import RECEIVED_MAX, RECORDING_S, Recording
from simulators.fleet.vehicle import make_vehicle, system_id_of
from tests.builders.fleet import vehicle_open
from tests.builders.uplink_blocks import section
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock


@pytest.fixture(scope="module")
def full() -> Recording:
    return Recording(PROFILES[ProfileName.FULL], seed=1)


def test_full_profile_has_twelve_leads_pleth_capnogram_and_numbers_every_second(full: Recording) -> None:
    first = [report for report in full.reports if report.at_s < 1.0]
    waveforms = [value for report in first for value in report.values if value.samples is not None]
    assert {value.channel.handle for report in first if report.device == 0 for value in report.values} >= {
        *range(1, 13), 20, 21, 22, 30, 31, 34,
    }  # fmt: skip
    assert len(waveforms) == 4 * 16
    assert {len(value.samples or b"") for value in waveforms} == {250, 50}
    assert all(value.channel.array is not None for value in waveforms)


def test_vitals_profile_has_no_waveforms() -> None:
    reports = Recording(PROFILES[ProfileName.VITALS], seed=1).reports
    assert {report.lane for report in reports} == {Lane.NUMERIC}
    assert {report.device for report in reports} == {0, 1, 2}


def test_recording_is_repeated_without_a_gap_from_any_second(full: Recording) -> None:
    played = list(islice(full.play(59.0), 61))
    times = [added_s + report.at_s for added_s, second in played for report in second.reports if report.device == 1]
    waveforms = sorted(set(times))
    assert waveforms[0] == 0.0
    assert {round(after - before, 6) for before, after in pairwise(waveforms)} == {0.25}


def test_second_has_all_reports_of_all_devices_in_it(full: Recording) -> None:
    assert [report for second in full.seconds for report in second.reports] == list(full.reports)
    assert [second.end_s for second in full.seconds] == [number + 0.75 for number in range(int(RECORDING_S))]
    assert full.seconds[0].lanes[Lane.WAVEFORM] == 4 * 16
    assert Lane.NUMERIC in full.seconds[0].lanes


def test_vehicles_with_the_same_beginning_share_the_received_values(full: Recording) -> None:
    clock, second = MovedClock(), full.seconds[0]
    received = full.receive(second, 5.0, clock)
    assert full.receive(second, 5.0, clock) is received
    for received_lane in full.receive(second, 6.0, clock).lanes:
        facts = [section(device=DeviceRef(str(place), "")) for place in range(2)]
        block = encode_runs([(facts[place], count) for place, count in received_lane.runs], received_lane.values)
        reports = [report for report in second.reports if report.lane is received_lane.lane]
        assert [
            (decoded.device.system_id, value.received_s, value.channel, value.value, value.samples)
            for decoded in decode_block(block)
            for value in decoded.observations
        ] == [
            (str(report.device), 6.0 + report.at_s, value.channel, value.value, value.samples)
            for report in reports
            for value in report.values
        ]
    for number in range(RECEIVED_MAX):
        full.receive(second, 10.0 + number, clock)
    assert full.receive(second, 5.0, clock) is not received


async def test_vehicle_records_each_report_with_the_time_at_which_it_is_played(tmp_path: Path, full: Recording) -> None:
    ending = asyncio.Event()
    async with vehicle_open(tmp_path / "one", profile=ProfileName.FULL) as vehicle:
        begin_s = vehicle.clock.monotonic_s() - 2.0  # two seconds are due at once
        playing = asyncio.create_task(vehicle.play(full, from_s=0.0, begin_s=begin_s, ending=ending))
        await eventually(lambda: vehicle.recorded[Lane.WAVEFORM] >= 4 * 16, what="a second of waveforms")
        ending.set()
        await playing
        assert vehicle.late_s_max >= 1.0
        assert vehicle.is_new
        rows = [row async for row in vehicle.buffer.records(limit=1_000)]
        assert Counter(row.lane for row in rows) == vehicle.recorded
        assert {row.device.system_id for row in rows} == {
            system_id_of("gw_test_1", "monitor"),
            system_id_of("gw_test_1", "defibrillator"),
        }
        assert all(row.wall_synchronised and row.device_time is not None for row in rows)
        assert vehicle.buffer.marks()[Lane.EVENT].last == 2
        assert vehicle.buffer.marks()[Lane.WAVEFORM].last <= 3, "streamed waveforms of a second are one batch"
    async with vehicle_open(tmp_path / "one") as vehicle:
        assert not vehicle.is_new


def test_identity_of_another_gateway_is_refused(tmp_path: Path) -> None:
    made = make_vehicle(tmp_path / "one", "gw_test_1", 1)
    assert make_vehicle(tmp_path / "one", "gw_test_1", 2).public_key == made.public_key
    with pytest.raises(IdentityUnusable, match="gw_test_1, not of gw_test_2"):
        make_vehicle(tmp_path / "one", "gw_test_2", 3)


async def test_batch_counts_once_although_it_is_read_and_acknowledged_twice(tmp_path: Path, full: Recording) -> None:
    async with vehicle_open(tmp_path / "one", profile=ProfileName.FULL) as vehicle:
        ending = asyncio.Event()
        playing = asyncio.create_task(
            vehicle.play(full, from_s=0.0, begin_s=vehicle.clock.monotonic_s(), ending=ending)
        )
        await eventually(lambda: vehicle.buffer.marks()[Lane.WAVEFORM].last >= 1, what="a batch")
        ending.set()
        await playing
        clock = MovedClock()
        sums = Acknowledged(since_us=0)
        source = MeasuredSource(vehicle.buffer, clock, sums)
        for _ in range(2):
            batches = await source.next_batches(Lane.WAVEFORM, after=0, limit_batches=100, limit_bytes=1 << 20)
        ack = Ack(epoch=source.epoch, lane=Lane.WAVEFORM, through_sequence=batches[-1].sequence)
        for _ in range(2):
            await source.acknowledge(ack)
        await source.rewind(Lane.WAVEFORM, 0)  # the cloud seemed to be restored
        assert await source.next_batches(Lane.WAVEFORM, after=0, limit_batches=100, limit_bytes=1 << 20) == batches
        await source.acknowledge(ack)
        counts = {lane: latencies.count for lane, latencies in sums.latencies.items()}
        assert sums.batches == len(batches)
        assert counts == {Lane.EVENT: 0, Lane.EPCR: 0, Lane.NUMERIC: 0, Lane.WAVEFORM: len(batches)}
        assert sums.observations == vehicle.recorded[Lane.WAVEFORM]
        assert sums.payload_bytes == sum(len(batch.payload) for batch in batches)
        assert sums.dropped_batches == 0


def test_percentiles_of_delays_are_within_one_per_cent() -> None:
    latencies = Latencies()
    assert latencies.percentile_ms(99) is None
    for delay_ms in range(1, 1001):
        latencies.add(float(delay_ms))
    assert latencies.percentile_ms(50) == pytest.approx(500, rel=0.01)
    assert latencies.percentile_ms(99) == pytest.approx(990, rel=0.01)
    assert latencies.percentile_ms(100) == 1000.0
    latencies.add(-5.0)  # the clock of this machine was set back
    assert latencies.percentile_ms(0.01) == pytest.approx(0.1)


def test_delays_of_several_lanes_are_joined() -> None:
    parts = Latencies(), Latencies()
    for delay_ms in range(1, 1001):
        parts[delay_ms % 2].add(float(delay_ms))
    joined = Latencies.joined(parts)
    assert joined.count == 1_000
    assert joined.percentile_ms(50) == pytest.approx(500, rel=0.01)
    assert joined.percentile_ms(100) == 1000.0
