"""Bluetooth as a part of the complete gateway: an absent adapter, a lost bond, a stack that does not load."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.cli.provision import provisioned
from gateway.console.control import Conversation, query
from gateway.settings import load
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.lanes import Lane
from simulators.ble.ether import Ether
from simulators.ble.peripheral import Peripheral
from tests.builders.ble_pairing import on_ether
from tests.builders.buffer_store import whole_lane
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle
from tests.harness.virtual_radio import RadioHere


class Ambulance:
    """A gateway and a virtual radio, both in the test's process."""

    def __init__(self, gateway: Gateway, vehicle: Vehicle, ether: Ether, radios: Sequence[RadioHere]) -> None:
        self.gateway = gateway
        self.vehicle = vehicle
        self.ether = ether
        self._radios = radios

    @property
    def radio(self) -> RadioHere:
        (radio,) = self._radios
        return radio

    async def ble(self) -> dict[str, Any]:
        return await query(self.vehicle.control_path, "ble")

    async def paired(self, device: Peripheral) -> dict[str, Any]:
        (found,) = [each for each in (await self.ble())["paired"] if each["address"] == device.address]
        return dict(found)

    async def pair(self, device: Peripheral) -> dict[str, Any]:
        """Pair a device without confirmation questions; return the last line of the pairing dialogue."""
        request = {"ask": "ble pair", "address": device.address, "yes": True}
        async with Conversation(self.vehicle.control_path, request) as conversation:
            return [line async for line in conversation.lines()][-1]

    async def events(self) -> list[GatewayEvent]:
        return [decode_event(batch.payload) for batch in await whole_lane(self.gateway.buffer, Lane.EVENT)]

    async def told(self, name: str) -> GatewayEvent:
        """Wait for an event with the name `name` in the gateway; return the first such event."""

        async def found() -> GatewayEvent | None:
            return next((event for event in await self.events() if event.name == name), None)

        event = await eventually(found, what=name)
        assert event is not None
        return event


@asynccontextmanager
async def ambulance(folder: Path, monkeypatch: pytest.MonkeyPatch, *, plugged: bool = True) -> AsyncIterator[Ambulance]:
    """Run a gateway on a virtual radio, with an adapter if `plugged`; stop the gateway in order after the block."""
    ether, radios = Ether(), []

    class OnThisEther(RadioHere):
        def __init__(self, adapter: str | None, bonds_dir: Path) -> None:
            super().__init__(ether, bonds_dir)
            self.plugged = plugged
            radios.append(self)

    monkeypatch.setattr("gateway.bluetooth.load_ble_backend", lambda setting: OnThisEther)
    made = Vehicle(folder, more_settings="[ble]\n")
    if not made.state_dir.exists():
        provisioned(load(made.config))
    gateway, stop = Gateway(load(made.config)), asyncio.Event()
    running = asyncio.create_task(gateway.run(stop))
    await eventually(lambda: made.control_path.exists() or running.done())
    try:
        yield Ambulance(gateway, made, ether, radios)
    finally:
        stop.set()
        await running


async def test_bluetooth_adapter_plugged_in_while_the_gateway_runs_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.bluetooth.LOOK_EVERY_S", 0.1)
    monkeypatch.setattr("gateway.sessions.gatt.pairing.OPEN_S", 0.1)
    async with ambulance(tmp_path, monkeypatch, plugged=False) as there:
        lost = await there.told("ble.not_usable")
        assert lost.fields["why"] == "no adapter is plugged in"
        status = await there.vehicle.status()
        assert status["running"]
        assert status["bluetooth"]["trouble"] == "no adapter is plugged in"
        async with on_ether(there.ether) as oximeter:
            failed = await there.pair(oximeter)
            assert failed["failed"] == "unavailable"
            there.radio.plugged = True
            await there.told("ble.usable")
            assert (await there.ble())["trouble"] is None
            assert "done" in await there.pair(oximeter)
        assert [event.name for event in await there.events()].count("ble.not_usable") == 1


async def test_device_that_lost_its_bond_is_reported_with_the_pair_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ambulance(tmp_path, monkeypatch) as there, on_ether(there.ether) as oximeter:
        assert "done" in await there.pair(oximeter)

        async def connected() -> bool:
            return bool((await there.paired(oximeter))["connected"])

        await eventually(connected, what="it is served")
        await oximeter.bonds.delete_all()
        there.ether.drop(oximeter.address)

        async def in_words() -> str:
            return str((await there.paired(oximeter))["trouble"] or "")

        words = await eventually(in_words, what="the trouble is told")
        assert f"argus-gateway ble pair {oximeter.address}" in words
        assert not await connected()
        assert (await there.vehicle.status())["bluetooth"]["troubles"][0]["trouble"] == words
        assert "done" in await there.pair(oximeter), "not taken for one that is well"
        await eventually(connected, what="it is served again")
        assert (await there.paired(oximeter))["trouble"] is None


async def test_paired_device_is_connected_after_a_gateway_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ambulance(tmp_path, monkeypatch) as there, on_ether(there.ether) as oximeter:
        assert "done" in await there.pair(oximeter)
        first = await there.told("device.connected")
        assert first.fields["link"] == f"ble:{oximeter.address}"

        async def met() -> bool:
            return (await there.paired(oximeter))["system_id"] == first.device

        await eventually(met, what="it is known which of the devices it is")
        bonds = oximeter.bonds
    async with ambulance(tmp_path, monkeypatch) as again:
        names = [event.name for event in await again.events()]
        assert names.index("device.disconnected") < names.index("gateway.stopped")
        async with on_ether(again.ether, bonds=bonds) as oximeter:

            async def connected() -> bool:
                return bool((await again.paired(oximeter))["connected"])

            await eventually(connected, what="it is served again")
        devices = (await query(again.vehicle.control_path, "devices"))["devices"]
        assert [each["system_id"] for each in devices] == [first.device]


async def test_gateway_continues_to_run_when_its_bluetooth_stack_does_not_load(tmp_path: Path) -> None:
    made = Vehicle(tmp_path)
    made.config.write_text('ble_backend = "no_such_stack:Radio"\n' + made.config.read_text())
    provisioned(load(made.config))
    gateway, stop = Gateway(load(made.config)), asyncio.Event()
    running = asyncio.create_task(gateway.run(stop))
    await eventually(lambda: made.control_path.exists() or running.done())
    try:
        status = await made.status()
        assert status["running"]
        assert "no module no_such_stack" in status["bluetooth"]["trouble"]
        answer = await query(made.control_path, "ble")
        assert answer["bluetooth"] is False
        assert "no module no_such_stack" in answer["why"]
        assert gateway.tcp is not None
        assert gateway.tcp.address[1] == made.address[1]
    finally:
        stop.set()
        await running
