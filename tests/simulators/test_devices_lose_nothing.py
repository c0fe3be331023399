"""A device keeps its measurements until a manager has stored them, even if managers are killed, full or silent."""

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.transports.descriptor_link import DescriptorLink
from gateway.transports.link import Link
from protocols.device_time import DeviceTime, TimeKind
from protocols.ieee11073.apdu.data import EventType, RejectProblem
from protocols.ieee11073.association.events import Aborted, Associated
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.dim.reports import ScanReport
from simulators.agents.agent import AgentOptions
from simulators.agents.report import Outbox, Report
from simulators.agents.witness import Witness
from tests.builders.sim_agent import running_agent
from tests.builders.sim_manager import contrary_manager, measurements, sim_manager
from tests.harness.eventually import eventually


async def test_reports_measured_without_a_connection_are_later_delivered_once_and_in_order() -> None:
    async with sim_manager() as manager, running_agent("monitor", manager) as device:
        await device.associated()
        await device.live(2)
        await manager.kill()
        await device.live_unheard(5)
        assert device.agent.status.pending > 15
        await manager.start()
        await device.associated()
        await device.handed_over()
        seen = measurements(manager.stored)
        assert len(set(seen)) == len(seen)
        times = [time for _, time in seen]
        assert times == sorted(times)
        assert device.agent.status.acknowledged == device.agent.status.measured
        assert manager.heard(Associated) == 2


async def test_report_with_a_lost_response_is_resent_unchanged() -> None:
    async with sim_manager() as manager, running_agent("oximeter", manager) as device:
        await device.associated()
        manager.answering.clear()  # stored, but the acknowledgement is never sent
        await device.live_unheard(1)
        await eventually(lambda: len(manager.stored) == 2)
        await manager.kill()
        manager.answering.set()
        await manager.start()
        await device.associated()
        await device.handed_over()
        first, second, *later = [seen for seen in manager.stored if seen.channel.handle == 1]
        assert (first.value, first.device_time) == (second.value, second.device_time)
        assert all(seen.device_time != first.device_time for seen in later)
        assert device.agent.status.repeated == 1


async def test_reports_refused_by_a_manager_with_a_full_store_are_resent_until_all_are_stored() -> None:
    async with sim_manager() as manager, running_agent("oximeter", manager) as device:
        await device.associated()
        manager.full = True
        await device.live_unheard(4)
        assert manager.stored == []
        assert "no room" in device.agent.status.trouble
        manager.full = False

        async def caught_up() -> bool:
            await device.clock.advance(0.25)
            return device.agent.status.pending == 0

        await eventually(caught_up)
        seen = measurements(manager.stored)
        assert len(set(seen)) == len(seen) == 2 * device.agent.status.measured


async def test_device_aborts_the_association_with_a_silent_manager_and_associates_again() -> None:
    async with sim_manager() as manager, running_agent("oximeter", manager) as device:
        await device.associated()
        manager.answering.clear()
        await device.live_unheard(1)
        await eventually(lambda: manager.heard(ReportReceived) == 1)
        await device.live_unheard(3.25)  # TO_cer is three seconds
        assert not device.agent.status.associated
        manager.answering.set()
        await device.associated()
        await device.handed_over()
        # A response in flight when the device gave up causes one more abort (20601 §9.2 row 3.19).
        assert manager.heard(Aborted) in (1, 2)
        assert device.agent.status.associations == 2
        assert device.agent.status.acknowledged == device.agent.status.measured


async def test_report_rejected_repeatedly_is_discarded_and_later_reports_are_delivered() -> None:
    unexpected = int(RejectProblem.UNEXPECTED_ERROR)
    ours, theirs = socket.socketpair()
    listening = asyncio.create_task(
        contrary_manager(DescriptorLink("contrary", ours.detach()), [None, *[unexpected] * 3])
    )
    theirs.setblocking(False)

    async def connect() -> Link:
        return DescriptorLink("device", theirs.detach())

    async with sim_manager() as nobody, running_agent("oximeter", nobody, connect=connect) as device:
        await device.associated()
        await device.live(4)
        status = device.agent.status
        assert (status.measured, status.acknowledged, status.given_up, status.dropped) == (4, 3, 1, 0)
    await listening


async def test_device_retries_the_connection_until_the_manager_starts() -> None:
    async with sim_manager() as manager:
        await manager.kill()
        async with running_agent("thermometer", manager) as device:
            await device.live_unheard(20)
            assert "no link" in device.agent.status.trouble
            await manager.start()
            await device.associated()
            await device.handed_over()
            assert device.agent.status.trouble == ""
            assert device.agent.status.acknowledged == device.agent.status.measured >= 2


async def test_device_clock_does_not_go_back_when_the_wall_clock_is_set_back() -> None:
    async with sim_manager() as manager, running_agent("ecg", manager) as device:
        await device.associated()
        await device.live(2)
        device.clock.set_wall_us(device.clock.wall_us() - 3_600_000_000)
        await device.live(2)
        times = [time for _, time in measurements(manager.stored)]
        assert times == sorted(times)
        assert times[-1] > times[0]


async def test_every_ecg_block_is_delivered_after_the_device_process_was_delayed_for_90_seconds() -> None:
    async with sim_manager() as manager, running_agent("ecg", manager) as device:
        await device.associated()
        await device.clock.advance(90)  # longer than the patient's tracks reach back
        await eventually(lambda: device.agent.device.due_s > 90)
        await device.associated()
        await device.handed_over()
        blocks = [seen for seen in manager.stored if seen.channel.handle == 1]
        assert len({seen.device_time for seen in blocks}) == len(blocks) >= 360


async def test_witness_file_lists_exactly_the_acknowledged_reports(tmp_path: Path) -> None:
    path = tmp_path / "witness"
    async with sim_manager() as manager, running_agent("monitor", manager, witness=Witness(path)) as device:
        await device.associated()
        await device.live(2)
        await eventually(lambda: len(path.read_text().splitlines()) == device.agent.status.acknowledged)
        await manager.kill()
        await device.live_unheard(2)
        lines = [line.split() for line in path.read_text().splitlines()]
        assert len(lines) == device.agent.status.acknowledged < device.agent.status.measured
        system_id = device.agent.device.description.system_id.hex()
        assert {line[0] for line in lines} == {system_id}
        assert [int(line[1]) for line in lines] == list(range(1, len(lines) + 1))
        witnessed = {(int(handle), time) for *_, handles, time in lines for handle in handles.split(",")}
        assert witnessed == set(measurements(manager.stored))


async def test_device_reconnects_when_the_manager_does_not_respond() -> None:
    options = AgentOptions(association=AgentSettings(to_assoc_s=1.0, associations_max=1))
    async with sim_manager() as manager:
        silent = manager.address
        manager.mute = True
        async with running_agent("oximeter", manager, options=options) as device:
            await eventually(lambda: manager.connections == 1)
            await device.live_unheard(30)
            await eventually(lambda: manager.connections >= 2)
            manager.mute = False
            await device.associated()
        assert silent == manager.address


def report(number: int, octets: int = 100) -> Report:
    return Report(
        number=number,
        device_time=DeviceTime(TimeKind.ABSOLUTE, bytes(8)),
        handles=(1,),
        scan=ScanReport(EventType.SCAN_REPORT_FIXED, bytes(octets - 40)),
    )


@pytest.mark.parametrize("limits", [{"reports_max": 3}, {"bytes_max": 300}])
def test_full_report_queue_drops_the_oldest_reports_except_the_report_in_flight(limits: dict[str, int]) -> None:
    outbox = Outbox(**limits)
    assert [outbox.put(report(number)) for number in range(1, 7)] == [0, 0, 0, 1, 1, 1]
    assert [outbox.pop().number for _ in range(len(outbox))] == [1, 5, 6]
    assert [outbox.put(report(number)) for number in range(1, 4)] == [0, 0, 0]
