"""A simulated vehicle records what its devices would report, and counts what the cloud acknowledges."""

import asyncio
from collections import Counter
from itertools import pairwise, takewhile
from pathlib import Path

import pytest

from gateway.security.identity import IdentityUnusable
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from simulators.fleet.latency import Latencies
from simulators.fleet.measured_source import Acknowledged, MeasuredSource
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.recording import RECORDING_S, Recording
from simulators.fleet.vehicle import make_vehicle, system_id_of
from tests.builders.fleet import vehicle_open
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
    assert {lane for report in reports for lane in report.lanes} == {Lane.NUMERIC}
    assert {report.device for report in reports} == {0, 1, 2}


def test_recording_is_repeated_without_a_gap_from_any_place(full: Recording) -> None:
    played = list(takewhile(lambda each: each[0] < 2 * RECORDING_S, full.play(59.9)))
    waveforms = [at_s for at_s, step in played if Lane.WAVEFORM in step.lanes]
    assert waveforms[0] == pytest.approx(0.1)
    assert {round(after - before, 6) for before, after in pairwise(waveforms)} == {0.25}


def test_step_has_the_reports_of_all_devices_at_one_time(full: Recording) -> None:
    steps = [step for step in full.steps if step.at_s < 1.0]
    assert [step.at_s for step in steps] == sorted({report.at_s for report in full.reports if report.at_s < 1.0})
    assert all({report.device for report in step.streamed} == {0, 1} for step in steps)
    assert all(set(report.lanes) == {Lane.WAVEFORM} for step in steps for report in step.streamed)
    confirmed = [report for step in full.steps for report in step.confirmed]
    assert len(confirmed) + sum(len(step.streamed) for step in full.steps) == len(full.reports)
    assert {lane for report in confirmed for lane in report.lanes} == {Lane.NUMERIC}


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
        assert sums.batches == len(batches) == sums.latencies.count
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
