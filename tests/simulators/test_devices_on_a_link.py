"""Simulated devices over real links to the real manager: measurements arrive once, in order, and with their time."""

import asyncio
import os
from array import array
from functools import partial
from pathlib import Path

import pytest

from gateway.transports.descriptor_link import DescriptorLink
from gateway.transports.hdlc_link import HdlcLink
from gateway.transports.serial_port import SerialPort
from gateway.transports.tcp import connect_tcp
from protocols.ieee11073.nomenclature import name_of
from protocols.observation import Observation
from simulators.agents.agent import AgentOptions
from simulators.agents.device import DeviceUnusable
from simulators.agents.kinds import build_agent
from simulators.physiology.patient import Patient
from simulators.replay.wfdb import Record
from simulators.scenarios import scenario_of
from tests.builders.sim_agent import running_agent
from tests.builders.sim_manager import SimManager, measurements, sim_manager
from tests.builders.sim_wfdb import bytes_16, write_record
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock
from tests.harness.shared import shared_path

EXPECTED = {
    "oximeter": {"MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE"},
    "blood-pressure": {"MDC_PRESS_BLD_NONINV", "MDC_PULS_RATE_NON_INV"},
    "thermometer": {"MDC_TEMP_BODY"},
    "ecg": {"MDC_ECG_ELEC_POTL_I", "MDC_ECG_ELEC_POTL_II", "MDC_ECG_ELEC_POTL_III", "MDC_ECG_HEART_RATE"},
    "monitor": {
        *(
            f"MDC_ECG_ELEC_POTL_{lead}"
            for lead in ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5")
        ),
        "MDC_ECG_ELEC_POTL_V6",
        "MDC_PULS_OXIM_PLETH",
        "MDC_AWAY_CO2",
        "MDC_IMPED_TTHOR",
        "MDC_ECG_HEART_RATE",
        "MDC_PULS_OXIM_SAT_O2",
        "MDC_PULS_OXIM_PULS_RATE",
        "MDC_PULS_OXIM_PERF_REL",
        "MDC_AWAY_CO2_ET",
        "MDC_CO2_RESP_RATE",
        "MDC_TEMP_BODY",
        "MDC_PRESS_BLD_NONINV",
        "MDC_PULS_RATE_NON_INV",
    },
    "defibrillator": {"MDC_ECG_ELEC_POTL_II", "MDC_ECG_HEART_RATE", "X_PRIVATE_08", "X_PRIVATE_09"},
    "spot-oximeter": {"MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE"},
    "slow-ecg": {"MDC_ECG_ELEC_POTL_I"},
    "etco2": {"MDC_AWAY_CO2", "MDC_AWAY_CO2_ET", "MDC_AWAY_CO2_INSP", "MDC_CO2_RESP_RATE"},
    "scale": {"MDC_MASS_BODY_ACTUAL"},
    "body-scale": {"MDC_MASS_BODY_ACTUAL", "MDC_LEN_BODY_ACTUAL", "MDC_RATIO_MASS_BODY_LEN_SQ"},
    "glucose": {"MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD"},
}


def types(stored: list[Observation]) -> set[str]:
    return {name_of(seen.channel.type) for seen in stored}


def samples_of(stored: list[Observation], handle: int) -> list[int]:
    """Return all samples of the waveform with this handle, in the order of arrival."""
    joined = array("h")
    for seen in stored:
        if seen.channel.handle == handle and seen.samples is not None:
            block = array("h", seen.samples)
            block.byteswap()
            joined.extend(block)
    return list(joined)


@pytest.mark.parametrize("known", [True, False], ids=["known configuration", "asked for its configuration"])
@pytest.mark.parametrize("kind", list(EXPECTED))
async def test_each_device_kind_delivers_all_its_declared_observation_types(kind: str, known: bool) -> None:
    async with sim_manager(accept_standard_configurations=known) as manager, running_agent(kind, manager) as device:
        await device.associated()
        await device.live(14)
        await device.handed_over()
        assert types(manager.stored) == EXPECTED[kind]
        seen = measurements(manager.stored)
        assert len(set(seen)) == len(seen)  # a measurement is named by handle and time
        times = [time for _, time in seen]
        assert times == sorted(times)
        assert manager.models == [device.agent.device.description.model]
        assert manager.confirmed == device.agent.status.acknowledged == device.agent.status.measured


async def test_patient_monitor_reports_the_vital_signs_of_the_simulated_patient() -> None:
    async with sim_manager() as manager, running_agent("monitor", manager) as device:
        await device.associated()
        await device.live(14)
        await device.handed_over()
        latest = {name_of(seen.channel.type): seen.value for seen in manager.stored if seen.samples is None}
    assert latest["MDC_PULS_OXIM_SAT_O2"] == pytest.approx(97.3, abs=1)
    assert latest["MDC_TEMP_BODY"] == pytest.approx(36.8, abs=0.1)
    pressure = latest["MDC_PRESS_BLD_NONINV"]
    assert isinstance(pressure, tuple)
    assert pressure == pytest.approx((122, 70, 92), abs=8)


async def test_defibrillator_reports_shocks_and_compressions_of_a_resuscitation() -> None:
    async with sim_manager() as manager, running_agent("defibrillator", manager, scenario="cardiac-arrest") as device:
        await device.associated()
        await device.live(106)
        await device.handed_over()
        told = {(name_of(seen.channel.type), seen.value) for seen in manager.stored if seen.samples is None}
    assert {("X_PRIVATE_06", 200.0), ("X_PRIVATE_05", 1.0), ("X_PRIVATE_09", 78.0)} <= told  # energy, count, impedance
    assert {("X_PRIVATE_01", 110.0), ("X_PRIVATE_02", 54.0)} <= told  # compressions


async def test_ecg_reports_contain_every_sample_of_the_simulated_patient() -> None:
    async with sim_manager() as manager, running_agent("ecg", manager) as device:
        await device.associated()
        await device.live(5)
        await device.handed_over()
        received = samples_of(manager.stored, handle=2)
    twin = Patient(11, scenario_of("stable"))
    twin.advance_to(6)
    assert received == list(twin.lead("II").read(0, len(received)))
    assert len(received) >= 5 * 500


async def test_replayed_waveform_record_keeps_its_samples_and_scale(tmp_path: Path) -> None:
    samples = [(n * 7919) % 4001 - 2000 for n in range(2 * 700)]
    header = "r 2 500 700\nx.dat 16 2000(-12)/mV 16 0 0 0 0 ii\nx.dat 16 38880/NU 16 0 0 0 0 resp\n"
    path = write_record(tmp_path, header, x_dat=bytes_16(samples))
    with Record(path) as record:
        async with sim_manager() as manager, running_agent("monitor", manager, record=record) as device:
            await device.associated()
            await device.live(3)
            await device.handed_over()
    for handle, expected in ((1, samples[0::2]), (2, samples[1::2])):
        received = samples_of(manager.stored, handle)
        assert len(received) >= 1500
        assert received == (expected * 3)[: len(received)]
    lead, breath = (next(seen.channel for seen in manager.stored if seen.channel.handle == n) for n in (1, 2))
    assert lead.array is not None
    assert breath.array is not None
    assert (lead.array.slope, lead.array.offset, lead.array.period_s) == (1 / 2000, 12 / 2000, 0.002)
    assert (breath.array.slope, breath.array.offset) == (1 / 38880, 0.0)


async def test_first_30_seconds_of_a_real_twelve_lead_record_arrive_unchanged() -> None:
    with Record(shared_path("data/physionet/s0010_re.hea")) as record:
        async with sim_manager() as manager, running_agent("monitor", manager, record=record) as device:
            await device.associated()
            await device.live(31)
            await device.handed_over()
        expected = record.read(0, 30_000)
    channels = {seen.channel.handle: seen.channel for seen in manager.stored}
    for lead in range(12):
        assert samples_of(manager.stored, lead + 1)[:30_000] == list(expected[lead])
        sampled = channels[lead + 1].array
        assert sampled is not None
        assert (sampled.slope, sampled.offset, sampled.period_s) == (1 / 2000, 0.0, 0.001)
    assert name_of(channels[7].type) == "MDC_ECG_ELEC_POTL_V1"


async def test_numeric_wfdb_record_is_replayed_at_one_frame_per_second() -> None:
    with Record(shared_path("data/physionet/s00001-2896-10-10-00-31n.hea")) as record:
        async with sim_manager() as manager, running_agent("monitor", manager, record=record) as device:
            await device.associated()
            await device.live(10)
            await device.handed_over()
    rates = [seen.value for seen in manager.stored if name_of(seen.channel.type) == "MDC_ECG_HEART_RATE"]
    assert rates[7] == pytest.approx(59.1)
    assert len(rates) == 10


async def test_waveform_reports_are_unconfirmed_when_the_device_options_request_it() -> None:
    options = AgentOptions(waveforms_confirmed=False)
    async with sim_manager() as manager, running_agent("ecg", manager, options=options) as device:
        await device.associated()
        for _ in range(20):
            await device.live(0.25)
            await device.handed_over()
        await eventually(lambda: manager.unconfirmed + device.agent.status.dropped >= 20)
        assert manager.confirmed == device.agent.status.acknowledged
        assert manager.unconfirmed > 10


async def test_device_that_reaches_its_end_time_delivers_its_pending_reports() -> None:
    async with sim_manager() as manager, running_agent("oximeter", manager, for_s=3.0) as device:
        await device.associated()

        async def over() -> bool:
            await device.clock.advance(0.25)
            return device.running.done()

        await eventually(over)
        assert manager.confirmed == device.agent.status.measured == 3
        assert manager.released


async def test_device_on_a_serial_line_delivers_reports_in_hdlc_frames() -> None:
    ours, theirs = os.openpty()
    os.set_blocking(ours, False)
    clock = MovedClock()
    manager = SimManager()
    line = SerialPort(os.ttyname(theirs), 115_200, "hdlc", clock=clock).accept
    async with running_agent("oximeter", manager, connect=line) as device:
        heard = asyncio.create_task(manager.converse(HdlcLink(DescriptorLink("line", ours))))
        await device.associated()
        await device.live(3)
        await device.handed_over()
        assert manager.confirmed == 3
        heard.cancel()
    os.close(theirs)


def test_unknown_device_kind_or_unsuitable_record_is_rejected_with_the_reason(tmp_path: Path) -> None:
    patient, connect, clock = Patient(1, scenario_of("stable")), partial(connect_tcp, "127.0.0.1", 1), MovedClock()
    with pytest.raises(DeviceUnusable, match="there are oximeter"):
        build_agent("toaster", patient, connect, clock)
    path = write_record(tmp_path, "r 1 100 200\nx.dat 16\n", x_dat=bytes_16([0] * 200))
    with Record(path) as record, pytest.raises(DeviceUnusable, match="only the monitor"):
        build_agent("oximeter", record, connect, clock)
