"""The gateway reports to the cloud how each device describes itself, and its power: once, and again when it changes."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.sessions.devices.description_reporter import DEVICES_MAX, INTERVAL_S, TURN_S, DescriptionReporter
from gateway.sessions.journal import Journal
from gateway.transports.clock import SystemClock
from protocols.ble.battery import encode_level
from protocols.ble.uuids import BATTERY, DEVICE_INFORMATION
from protocols.device_description import DeviceDescription, DevicePower, DeviceProfile
from protocols.ieee11073.apdu.attributes import SystemModel
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.identity import DeviceIdentity, changed
from protocols.ieee11073.mder import encode
from protocols.uplink.device_events import DEVICE_DESCRIBED, DEVICE_POWERED, read_description, read_power
from protocols.uplink.events import GatewayEvent, encode_event
from simulators.agents.kinds import build_agent
from simulators.physiology.patient import Patient
from simulators.scenarios import scenario_of
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.gatt_devices import BATTERY_LEVEL, belt
from tests.builders.gatt_devices import system_id as ble_system_id
from tests.builders.gatt_sessions import gatt_gateway
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

FIRMWARE_REVISION = 0x2A26
SYSTEM_ID = bytes.fromhex("1122334455667788")


class Store:
    """A stand-in for the store that keeps events in memory, and refuses them while `is_full`."""

    def __init__(self) -> None:
        self.events: list[GatewayEvent] = []
        self.is_full = False

    async def append_event(self, event: GatewayEvent) -> None:
        if self.is_full:
            raise OSError("full")
        assert encode_event(event)
        self.events.append(event)


class Reporter:
    """A reporter on a clock that the test moves. `report` reports a device with a model and a battery level."""

    def __init__(self) -> None:
        self.clock, self.store = MovedClock(), Store()
        self.reporter = DescriptionReporter(Journal(self.store, self.clock), self.clock)  # type: ignore[arg-type]

    async def report(self, model: str | None = None, battery: int | None = None, *, device: bytes = SYSTEM_ID) -> None:
        attributes = []
        if model is not None:
            attributes.append((Attribute.SYSTEM_MODEL, encode(SystemModel(b"", model.encode()))))
        if battery is not None:
            attributes.append((Attribute.BATTERY_LEVEL, battery.to_bytes(2, "big")))
        identity = changed(DeviceIdentity(system_id=device), tuple(attributes))
        await self.reporter.report(identity, link="serial:/dev/monitor", unverified=False)

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        await self.reporter.write_due()

    @property
    def models(self) -> list[str]:
        return [read_description(each.fields).model for each in self.store.events if each.name == DEVICE_DESCRIBED]

    @property
    def levels(self) -> list[int | None]:
        return [read_power(each.fields).battery_percent for each in self.store.events if each.name == DEVICE_POWERED]


async def test_device_is_reported_once_and_again_when_it_has_changed() -> None:
    one = Reporter()
    for model in ("Pulse 1", "Pulse 1", "Pulse 1", "Pulse 2"):
        await one.report(model, 80)
        await one.advance(INTERVAL_S)
    assert (one.models, one.levels) == (["Pulse 1", "Pulse 2"], [80])
    assert {each.device for each in one.store.events} == {SYSTEM_ID.hex()}


async def test_value_that_changes_all_the_time_is_reported_with_its_latest_state_after_the_interval() -> None:
    one = Reporter()
    steps = 20
    for step in range(2 * steps):
        await one.report(battery=step)
        await one.advance(INTERVAL_S / steps)
    assert len(one.levels) <= 3
    await one.advance(INTERVAL_S)
    assert one.levels[-1] == 2 * steps - 1


async def test_report_that_the_store_refuses_is_repeated() -> None:
    one = Reporter()
    one.store.is_full = True
    await one.report("Pulse 1", 80)
    await one.advance(INTERVAL_S)
    one.store.is_full = False
    await one.advance(INTERVAL_S - TURN_S)
    assert one.store.events == []
    await one.advance(TURN_S)
    assert (one.models, one.levels) == (["Pulse 1"], [80])


async def test_device_without_describing_attributes_is_not_reported() -> None:
    one = Reporter()
    await one.report()
    assert one.store.events == []


async def test_devices_with_invented_ids_are_reported_at_the_rate_of_the_journal() -> None:
    one = Reporter()
    for number in range(4 * DEVICES_MAX):
        await one.report("Invented", device=number.to_bytes(8, "big"))
    assert len(one.models) <= 12
    assert len(one.reporter._reports) <= 2 * DEVICES_MAX


async def named(gateway: Sessions, name: str) -> list[GatewayEvent]:
    return [each for each in await gateway.events() if each.name == name]


def is_reported(gateway: Sessions, name: str, times: int = 1) -> Callable[[], object]:
    async def found() -> bool:
        return len(await named(gateway, name)) == times

    return found


async def test_simulated_agent_is_reported_with_model_serial_number_firmware_and_battery(tmp_path: Path) -> None:
    async with sessions(tmp_path) as gateway:
        from gateway.transports.tcp import connect_tcp

        agent = build_agent(
            "oximeter",
            Patient(1, scenario_of("stable")),
            lambda: connect_tcp(*gateway.address),
            SystemClock(),
            firmware="1.4",
        )
        running = asyncio.create_task(agent.run(None))
        try:
            await eventually(is_reported(gateway, DEVICE_POWERED), what="the power supply is reported")
        finally:
            agent.stop()
            await running
        (described,), (powered,) = [await named(gateway, name) for name in (DEVICE_DESCRIBED, DEVICE_POWERED)]
        assert read_description(described.fields) == DeviceDescription(
            manufacturer="Argus simulators",
            model="SIM-OX",
            serial_number="SIM-OX-00001",
            hardware_revision="A",
            firmware_revision="1.4",
            profiles=(DeviceProfile(4100, 1),),
            clock_capabilities=0x8000,
            clock_protocol=7936,
            clock_resolution_us=10_000,
        )
        assert described.fields["unverified"] is True
        assert read_power(powered.fields) == DevicePower(battery_percent=87, status=0x8000)


async def test_bluetooth_device_is_reported_with_its_device_information_and_each_battery_level(tmp_path: Path) -> None:
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.values[DEVICE_INFORMATION, FIRMWARE_REVISION] = b"2.1\0"
        peer.sends.add((BATTERY, BATTERY_LEVEL))
        await gateway.serving(gateway.session(peer))
        described = read_description((await gateway.event(DEVICE_DESCRIBED)).fields)
        assert (described.model, described.firmware_revision) == ("Belt", "2.1")
        assert read_power((await gateway.event(DEVICE_POWERED)).fields) == DevicePower(battery_percent=90)
        peer.send(BATTERY, BATTERY_LEVEL, encode_level(42))

        async def is_reported() -> bool:
            await gateway.context.descriptions.write_due()
            return read_power((await gateway.event(DEVICE_POWERED)).fields).battery_percent == 42

        await gateway.until(is_reported, step_s=INTERVAL_S / 4)
        report = gateway.context.histories.find(ble_system_id(1).hex())
        assert report is not None
        assert dict(report.attributes)[Attribute.BATTERY_LEVEL] == (42).to_bytes(2, "big")


@pytest.mark.parametrize("accepted", [True, False])
async def test_description_is_reported_again_when_an_operator_accepts_the_device(
    tmp_path: Path, accepted: bool
) -> None:
    one = Reporter()
    await one.report("Pulse 1")
    one.reporter.set_unverified(SYSTEM_ID.hex(), accepted)
    await one.advance(INTERVAL_S)
    assert [each.fields["unverified"] for each in one.store.events] == ([False, True] if accepted else [False])
