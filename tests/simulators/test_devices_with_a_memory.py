"""A simulated device that stores its measurements over power cuts until a manager has fetched them.

The device also lists its measurements in a witness file, with which tests compare the measurements that arrived.
"""

import asyncio
import signal
import sys
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from gateway.transports.tcp import connect_tcp
from protocols.device_time import TimeKind
from protocols.ieee11073.association.settings import ManagerSettings, PmStoreSettings
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.dim.segment_writing import entry, entry_map
from simulators.agents.device import DeviceUnusable
from simulators.agents.kinds import build_agent, build_device
from simulators.agents.memory_file import SEGMENT_ENTRIES_MAX, SEGMENTS_MAX, MemoryFile
from simulators.agents.remembering import MemoryOptions, RememberingDevice
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.builders.content_keys import content_key
from tests.builders.gateway_sessions import sessions
from tests.builders.memory_devices import METER, minute
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

LAYOUT = entry_map(METER, [1])
CLEARING = ManagerSettings(memory=PmStoreSettings(clear=True))
ARGUS_SIM = str(Path(sys.executable).with_name("argus-sim"))


def measured(number: int) -> bytes:
    return entry(LAYOUT, minute(number), [Reading(1, float(number % 500))])


def held(memory: MemoryFile) -> list[bytes]:
    return [each for segment in memory.segments() for each in segment.entries]


def test_pm_store_has_the_same_segments_after_a_restart(tmp_path: Path):
    path = tmp_path / "memory"
    first = MemoryFile(path, [LAYOUT])
    for number in range(SEGMENT_ENTRIES_MAX + 3):
        first.keep(0, measured(number))
    first.keep(0, measured(99), person=2)
    first.clear([1])
    first.close()
    again = MemoryFile(path, [LAYOUT])
    assert again.segments() == first.segments()
    assert [(each.number, len(each.entries)) for each in again.segments()] == [(2, 3), (3, 1)]
    again.keep(0, measured(100), person=1)
    assert [each.number for each in again.segments()] == [2, 3, 4]


def test_truncated_last_entry_of_the_pm_store_file_is_ignored(tmp_path: Path):
    path = tmp_path / "memory"
    memory = MemoryFile(path, [LAYOUT])
    for number in range(3):
        memory.keep(0, measured(number))
    octets = path.read_bytes()
    lines = octets.splitlines(keepends=True)
    for length in range(0, len(octets) + 1, 3):
        path.write_bytes(octets[:length])
        whole = sum(len(b"".join(lines[: count + 1])) <= length for count in range(3))
        again = MemoryFile(path, [LAYOUT])
        assert held(again) == [measured(number) for number in range(whole)]
        again.keep(0, measured(7))
        assert held(MemoryFile(path, [LAYOUT]))[-1] == measured(7)


def test_full_pm_store_drops_its_oldest_segment(tmp_path: Path):
    memory = MemoryFile(tmp_path / "memory", [LAYOUT])
    for person in range(SEGMENTS_MAX + 2):
        memory.keep(0, measured(person), person=person)
    assert len(memory.segments()) == SEGMENTS_MAX
    assert memory.segments()[0].number == 3


def test_pm_store_rejects_a_clock_kind_that_segment_entry_headers_cannot_contain(tmp_path: Path):
    device = build_device("glucose", Patient(1, scenario_of("stable")))
    with pytest.raises(DeviceUnusable, match="base_offset"):
        RememberingDevice(device, MemoryOptions(path=tmp_path / "memory"), TimeKind.BASE_OFFSET)


def witnessed(path: Path) -> dict[str, Counter[tuple[str, str]]]:
    """Count the lines of a witness file by their first word (`kept` or `cleared`) and by their measurement (handles,
    device time)."""
    told: dict[str, Counter[tuple[str, str]]] = {"kept": Counter(), "cleared": Counter()}
    for line in path.read_text().splitlines() if path.exists() else ():
        what, _system_id, handles, time = line.split(" ")
        told[what][handles, time] += 1
    return told


def lived(options: MemoryOptions, seconds: int, kind: str = "oximeter") -> tuple[RememberingDevice, int]:
    """Run a device without a manager for `seconds`; return the device and the number of live reports
    that it produced."""
    patient = Patient(7, scenario_of("stable"))
    device = RememberingDevice(build_device(kind, patient), options)
    reports = 0
    for second in range(1, seconds + 1):
        patient.advance_to(float(second))
        reports += len(list(device.measure(float(second), lambda at_s: minute(round(at_s)))))
    return device, reports


def test_device_with_a_pm_store_sends_live_reports_only_when_the_live_option_is_set(tmp_path: Path):
    device, reports = lived(MemoryOptions(path=tmp_path / "quiet"), 3)
    assert (len(held(device.memory)), reports) == (6, 0)
    device, reports = lived(MemoryOptions(path=tmp_path / "live", live=True), 3)
    assert (len(held(device.memory)), reports) == (6, 3)


def test_pm_store_has_one_segment_for_each_person_and_no_waveforms(tmp_path: Path):
    device, reports = lived(MemoryOptions(path=tmp_path / "ecg"), 3, "ecg")
    assert reports >= 8
    assert len(held(device.memory)) == 3
    device, _ = lived(MemoryOptions(path=tmp_path / "household"), 7, "household-scale")
    persons = [segment.attributes[Attribute.SEGMENT_PERSON_ID] for segment in device.memory.segments()]
    assert len(set(persons)) == len(persons) > 1


async def test_pm_store_segments_are_cleared_only_after_their_entries_are_stored(tmp_path: Path):
    options = MemoryOptions(path=tmp_path / "memory", witness=tmp_path / "witness")
    lived(options, 4)
    async with sessions(tmp_path, manager=CLEARING) as gateway:
        patient = Patient(7, scenario_of("stable"))
        # Time stands still for the device, so that it measures nothing new while its memory is fetched.
        agent = build_agent("oximeter", patient, partial(connect_tcp, *gateway.address), MovedClock(), memory=options)
        running = asyncio.create_task(agent.run())
        try:
            await eventually(lambda: len(witnessed(tmp_path / "witness")["cleared"]) >= 8, what="all is cleared")
            records = [record for record in await gateway.stored() if record.stored and record.device_time]
            times = Counter((str(record.handle), record.device_time.text()) for record in records if record.device_time)
            assert times >= witnessed(tmp_path / "witness")["cleared"], "what was cleared is durable"
            assert len({content_key(record) for record in records}) == len(records)

            async def told() -> bool:
                return "memory.cleared" in await gateway.event_names()

            await eventually(told)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def test_pm_store_of_a_killed_device_has_every_entry_that_the_witness_file_lists(tmp_path: Path):
    memory, witness = tmp_path / "memory", tmp_path / "witness"
    port = "9"  # no manager listens there: it measures all the same
    words = ("--tcp", f"127.0.0.1:{port}", "--memory", str(memory), "--memory-witness", str(witness))
    process = await asyncio.create_subprocess_exec(
        ARGUS_SIM, "agent", "oximeter", *words, stderr=asyncio.subprocess.DEVNULL
    )
    await eventually(lambda: sum(witnessed(witness)["kept"].values()) >= 4, what="four values are kept")
    process.send_signal(signal.SIGKILL)
    await process.wait()
    device = RememberingDevice(build_device("oximeter", Patient(42, scenario_of("stable"))), MemoryOptions(path=memory))
    kept = sum(len(segment.entries) for segment in device.memory.segments())
    assert kept >= sum(witnessed(witness)["kept"].values())
