"""Simulated devices can be set to be faulty or unusual, as real ones are; the manager gets all measurements."""

import pytest

from protocols.device_time import DeviceTime, TimeKind, absolute_time_at
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.actions import (
    MODE_SCOPE_HANDLE,
    MODE_SINGLE_RESPONSE,
    MODE_START,
    PERSON_ANY,
    ActionType,
    DataRequest,
    HandleEntry,
)
from protocols.ieee11073.apdu.data import ActionArgument, ErrorValue
from protocols.ieee11073.association.agent_service import Refused, Silent
from protocols.ieee11073.association.clock_setting import WallClock
from protocols.ieee11073.association.events import Associated, ConfigurationAgreed, Event, Released
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import ClockSet, DataFlowStarted, MdsRead, ScannerState
from protocols.ieee11073.association.settings import AgentSettings, ManagerSettings
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.ieee11073.mder import encode
from simulators.agents.agent import AgentOptions
from simulators.agents.behaviour import Behaviour, DataRequests, ScannerKind
from simulators.agents.device_clock import DeviceClock
from simulators.agents.own_clock import ClockBehaviour, OwnClock, SetResponse, Setting
from tests.builders.sim_agent import RunningAgent, running_agent
from tests.builders.sim_manager import SimManager, measurements, sim_manager
from tests.harness.eventually import eventually

HOUR_US = 3_600_000_000
STARTED_US = 1_772_000_000_000_000


def options_with(**behaviour: object) -> AgentOptions:
    return AgentOptions(behaviour=Behaviour(**behaviour))  # type: ignore[arg-type]  # the fields of Behaviour


def identity_in(manager: SimManager) -> DeviceIdentity:
    return [event.identity for event in manager.events if isinstance(event, MdsRead)][-1]


def heard(manager: SimManager, kind: type[Event]) -> list[Event]:
    return [event for event in manager.events if isinstance(event, kind)]


async def lost_nothing(device: RunningAgent, manager: SimManager) -> None:
    """Check that the manager has all measurements of the device, each once and in order."""
    await device.handed_over()
    seen = measurements(manager.stored)
    assert len(set(seen)) == len(seen)
    times = [time for _, time in seen]
    assert times == sorted(times)
    assert device.agent.status.acknowledged == device.agent.status.measured > 0


# Clocks.


def own_clock(**behaviour: object) -> OwnClock:
    made = ClockBehaviour(**behaviour)  # type: ignore[arg-type]  # the fields of ClockBehaviour
    return OwnClock(DeviceClock(STARTED_US, 0.0), made)


def test_simulated_device_clock_has_the_configured_offset_and_drift() -> None:
    clock = own_clock(wrong_by_s=-90.0, drift_ppm=200.0)
    assert clock.time_at(0.0).local_us() == STARTED_US - 90_000_000
    assert clock.time_at(1000.0).local_us() == STARTED_US - 90_000_000 + 1_000_200_000


def test_simulated_device_clock_continues_from_the_set_time_with_its_own_drift() -> None:
    clock = own_clock(wrong_by_s=-90.0, drift_ppm=1000.0)
    assert clock.set(absolute_time_at(STARTED_US + 10_000_000), 10.0) is None
    assert clock.time_at(10.0).local_us() == STARTED_US + 10_000_000
    assert clock.time_at(20.0).local_us() == STARTED_US + 20_010_000


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [(SetResponse.REFUSES, Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)), (SetResponse.SILENT, Silent())],
)
def test_device_clock_that_rejects_or_ignores_set_time_is_unchanged(answer: SetResponse, refusal: object) -> None:
    clock = own_clock(set_response=answer)
    assert clock.set(absolute_time_at(0), 10.0) == refusal
    assert clock.time_at(10.0).local_us() == STARTED_US + 10_000_000


def test_relative_time_counter_of_a_device_never_has_the_reserved_value() -> None:
    ends_s = (1 << 32) * 125e-6
    clock = own_clock(kind=TimeKind.RELATIVE, counts_from_s=ends_s - 2.0)
    assert clock.time_at(1.0) == DeviceTime(TimeKind.RELATIVE, ((1 << 32) - 8000).to_bytes(4, "big"))
    assert clock.time_at(2.5) == DeviceTime(TimeKind.RELATIVE, (4000).to_bytes(4, "big"))
    assert clock.relative_ticks(2.0 - 125e-6) == 0xFFFF_FFFE


async def test_manager_sets_the_wrong_clock_of_a_simulated_device() -> None:
    clock = ClockBehaviour(wrong_by_s=3600.0, setting=Setting.SHOULD)
    async with (
        sim_manager() as manager,
        running_agent("thermometer", manager, options=options_with(clock=clock)) as device,
    ):
        await device.associated()
        await device.live(4)
        right_us = device.clock.wall_us()
        shown = identity_in(manager).date_and_time
        assert shown is not None
        assert abs((shown.local_us() or 0) - HOUR_US - right_us) < 6_000_000
        time_info = identity_in(manager).time_info
        assert time_info is not None
        assert time_info.mds_time_cap_state == 0xC010

        def set_time(association: ManagerAssociation, now_s: float) -> None:
            association.clock_setting.set_time(WallClock(right_us - round(now_s * 1_000_000)), now_s)

        manager.command(set_time)
        await eventually(lambda: bool(heard(manager, ClockSet)))
        assert device.agent.status.clock_set == 1
        await device.live(15)
        await device.handed_over()
        before, after = [seen.device_time for seen in manager.stored if seen.device_time is not None]
        assert HOUR_US - 16_000_000 < (before.local_us() or 0) - (after.local_us() or 0) < HOUR_US


@pytest.mark.parametrize("kind", ["oximeter", "blood-pressure", "etco2"])
@pytest.mark.parametrize("counter", [TimeKind.RELATIVE, TimeKind.HIGH_RESOLUTION, TimeKind.BASE_OFFSET])
async def test_device_with_only_a_relative_clock_reports_relative_time_stamps(kind: str, counter: TimeKind) -> None:
    clock = ClockBehaviour(kind=counter, zone_min=60)
    async with sim_manager() as manager, running_agent(kind, manager, options=options_with(clock=clock)) as device:
        await device.associated()
        await device.live(9)
        await lost_nothing(device, manager)
        stamps = [seen.device_time for seen in manager.stored]
        assert {stamp.kind for stamp in stamps if stamp is not None} == {counter}
        assert None not in stamps
        attributes = dict(identity_in(manager).attributes)
        both = {TimeKind.RELATIVE: {2447, 2439}, TimeKind.HIGH_RESOLUTION: {2536, 2439}}.get(counter, {2689})
        assert attributes.keys() & {2439, 2447, 2536, 2689} == both


# Scanners, requests, configurations.


@pytest.mark.parametrize("scanner", list(ScannerKind))
@pytest.mark.parametrize("kind", ["oximeter", "blood-pressure", "monitor", "glucose-diary"])
async def test_device_reports_through_its_scanner_after_the_manager_enables_the_scanner(
    kind: str, scanner: ScannerKind
) -> None:
    async with sim_manager() as manager, running_agent(kind, manager, options=options_with(scanner=scanner)) as device:
        await device.associated()
        await device.live(9)
        await device.handed_over()
        assert [event for event in manager.events if isinstance(event, ScannerState)] == [ScannerState(0x0F00, True)]
        assert device.agent.status.acknowledged == device.agent.status.measured > 0


async def test_scanner_measurements_are_queued_until_the_scanner_is_enabled() -> None:
    settings, options = ManagerSettings(enable_scanners=False), options_with(scanner=ScannerKind.EPISODIC)
    async with sim_manager(settings=settings) as manager, running_agent("oximeter", manager, options=options) as device:
        await device.associated()
        await device.live_unheard(3)
        assert (device.agent.status.pending, manager.stored) == (3, [])
        manager.command(lambda association, now_s: association.scanners._enable(0x0F00))
        await eventually(lambda: bool(heard(manager, ScannerState)))
        await device.live(1)
        await lost_nothing(device, manager)


async def test_unconfirmed_scan_reports_are_sent_only_while_the_scanner_is_enabled() -> None:
    async with sim_manager() as manager, running_agent("scanned-ecg", manager) as device:
        await device.associated()
        for _ in range(25):
            await device.live(0.04, step_s=0.04)
        status = device.agent.status
        await eventually(lambda: manager.unconfirmed + status.withheld + status.dropped == status.measured)
        assert manager.unconfirmed > 20
        assert (manager.confirmed, status.acknowledged) == (0, 0)
    settings = ManagerSettings(enable_scanners=False)
    async with sim_manager(settings=settings) as manager, running_agent("scanned-ecg", manager) as device:
        await device.associated()
        await device.live(1, step_s=0.04)
        assert device.agent.status.withheld + device.agent.status.dropped == device.agent.status.measured > 20


async def test_device_with_an_initially_enabled_scanner_sends_reports_without_a_request_from_the_manager() -> None:
    settings = ManagerSettings(enable_scanners=False)
    options = AgentOptions(
        behaviour=Behaviour(scanner=ScannerKind.EPISODIC),
        association=AgentSettings(to_assoc_s=3.0, scanners_start_enabled=True),
    )
    async with sim_manager(settings=settings) as manager, running_agent("oximeter", manager, options=options) as device:
        await device.associated()
        await device.live(3)
        await lost_nothing(device, manager)


async def test_device_that_reports_only_on_request_delivers_measurements_after_a_data_request() -> None:
    options = options_with(data_requests=DataRequests.ONLY)
    async with sim_manager() as manager, running_agent("blood-pressure", manager, options=options) as device:
        await device.associated()
        await device.live(40)
        assert len(heard(manager, DataFlowStarted)) == 1
        await lost_nothing(device, manager)


def request_once(association: ManagerAssociation, handles: tuple[int, ...], now_s: float) -> None:
    """Let the manager send a data request for a single response; the manager never sends such a request by itself."""
    request = DataRequest(
        data_req_id=7,
        data_req_mode=MODE_START | MODE_SCOPE_HANDLE | MODE_SINGLE_RESPONSE,
        data_req_time=0,
        data_req_person_id=PERSON_ANY,
        data_req_class=0,
        data_req_obj_handle_list=tuple(map(HandleEntry, handles)),
    )
    association._peer.set_now(now_s)
    association._peer.enqueue(
        MessageTag.CONFIRMED_ACTION,
        ActionArgument(0, ActionType.DATA_REQUEST, encode(request)),
        to_s=3.0,
        done=association.data_requests._take_response,
    )


async def test_single_data_request_returns_the_latest_measurement_of_each_handle() -> None:
    options = options_with(data_requests=DataRequests.ALSO)
    async with sim_manager() as manager, running_agent("monitor", manager, options=options) as device:
        await device.associated()
        await device.live(2)
        numbers = [seen for seen in manager.stored if seen.channel.handle in (30, 36)]
        manager.command(lambda association, now_s: request_once(association, (30, 36), now_s))
        await eventually(lambda: len([seen for seen in manager.stored if seen.channel.handle in (30, 36)]) == 6)
        asked = [seen for seen in manager.stored if seen.channel.handle in (30, 36)][4:]
        assert [(seen.channel.handle, seen.value, seen.device_time) for seen in asked] == [
            (seen.channel.handle, seen.value, seen.device_time) for seen in numbers[-2:]
        ]


async def test_measurements_stay_queued_without_a_data_request_when_a_device_reports_only_on_request() -> None:
    settings, options = ManagerSettings(request_data=False), options_with(data_requests=DataRequests.ONLY)
    async with sim_manager(settings=settings) as manager, running_agent("oximeter", manager, options=options) as device:
        await device.associated()
        await device.live_unheard(3)
        assert (device.agent.status.pending, manager.stored) == (3, [])


async def test_no_report_is_lost_when_a_device_changes_its_configuration() -> None:
    async with (
        sim_manager() as manager,
        running_agent("oximeter", manager, options=options_with(reconfigure_at_s=3.0)) as device,
    ):
        await device.associated()
        await device.live(2.5)
        await device.live_unheard(1)
        await eventually(lambda: bool(heard(manager, Released)))
        await device.associated()
        await device.live(3)
        await lost_nothing(device, manager)
        assert [event.config_id for event in manager.events if isinstance(event, Associated)] == [0x0190, 0x4990]
        assert [event.learned for event in manager.events if isinstance(event, ConfigurationAgreed)] == [False, True]


async def test_device_reconfigured_before_its_first_association_offers_the_new_configuration() -> None:
    async with sim_manager() as manager:
        manager.mute = True
        async with running_agent("oximeter", manager, options=options_with(reconfigure_at_s=1.0)) as device:
            await eventually(lambda: manager.connections == 1)
            await device.live_unheard(2)
            manager.mute = False
            await device.associated()
            await lost_nothing(device, manager)
            assert [event.config_id for event in manager.events if isinstance(event, Associated)] == [0x4990]


async def test_device_offers_its_extended_configuration_when_the_manager_does_not_know_the_standard_one() -> None:
    options = options_with(standard_id_first=0x0258)
    async with sim_manager() as manager, running_agent("ecg", manager, options=options) as device:
        await device.associated()
        await device.live(2)
        await lost_nothing(device, manager)
        assert [event.config_id for event in manager.events if isinstance(event, ConfigurationAgreed)] == [0x4000]


@pytest.mark.parametrize("kind", ["household-scale", "glucose-diary"])
async def test_reports_of_household_scale_and_glucose_diary_are_all_acknowledged(kind: str) -> None:
    async with sim_manager() as manager, running_agent(kind, manager) as device:
        await device.associated()
        await device.live(8)
        await device.handed_over()
        assert device.agent.status.acknowledged == device.agent.status.measured == 1
