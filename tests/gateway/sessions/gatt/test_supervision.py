"""The supervisor connects paired Bluetooth devices and no others, and reconnects them after any failure.

Events name what a person must do.
"""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.sessions.gatt.data_watch import ASK_EVERY_S, SILENT_S
from gateway.sessions.gatt.supervisor import PERSON_S, BleSupervisor
from gateway.transports.ble.faults import BleUnreachable
from tests.builders.gatt_devices import address, beat, belt, system_id, thermometer
from tests.builders.gatt_sessions import Air, GattGateway, gatt_gateway, paired
from tests.harness.eventually import eventually
from tests.harness.gatt_peer import GattPeer


def serves(supervisor: BleSupervisor, peers: Sequence[GattPeer]) -> bool:
    """Return whether a session of each of these devices is in the state `serving`."""
    states = {session.link.address: session.state for session in supervisor.sessions}
    return all(states.get(peer.address) == "serving" for peer in peers)


async def served(gateway: GattGateway, supervisor: BleSupervisor, *peers: GattPeer) -> None:
    # In small steps: moved time must not overtake the disk so far that a belt counts as silent.
    await gateway.until(lambda: serves(supervisor, peers), "every device is served", step_s=0.05)


async def test_gateway_connects_only_to_paired_bluetooth_devices(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        ours, strangers = belt(gateway.clock, 1), belt(gateway.clock, 2)
        gateway.trust.pair(paired(ours))
        supervisor = await gateway.supervise(Air([ours, strangers]))
        await served(gateway, supervisor, ours)
        assert strangers.links == 0
        gateway.trust.pair(paired(strangers))
        await served(gateway, supervisor, ours, strangers)


async def test_forgotten_bluetooth_device_is_disconnected_immediately(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        gateway.trust.pair(paired(peer))
        supervisor = await gateway.supervise(Air([peer]))
        await served(gateway, supervisor, peer)
        gateway.trust.forget(peer.address)
        await eventually(lambda: supervisor.sessions == [] and supervisor.tasks == 0)
        assert peer.link is not None
        assert peer.link.ended.is_set()
        assert not beat(peer, 70)


async def test_switched_off_device_is_connected_when_it_advertises_again(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        air = Air([peer])
        air.away.add(peer.address)
        gateway.trust.pair(paired(peer))
        supervisor = await gateway.supervise(air)
        for _ in range(100):
            await gateway.clock.advance(60.0)
        assert peer.links == 0
        assert supervisor.trouble_of(peer.address) == ""
        air.comes(peer.address)
        await served(gateway, supervisor, peer)
        assert peer.links == 1


async def test_device_without_a_bond_in_the_gateway_sends_no_data_until_it_is_paired_again(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.bonded = False
        gateway.trust.pair(paired(peer))
        supervisor = await gateway.supervise(Air([peer]))
        await eventually(lambda: supervisor.trouble_of(peer.address))
        trouble = supervisor.trouble_of(peer.address)
        assert trouble.endswith(f"pair it again: argus-gateway ble pair {address(1)}")
        assert await gateway.stored() == []
        assert (await gateway.event("ble.device_in_trouble")).fields["why"] == trouble
        await gateway.clock.advance(PERSON_S / 2)
        assert peer.links == 1
        peer.bonded = True
        gateway.trust.pair(paired(peer, at_us=1))
        await served(gateway, supervisor, peer)
        assert supervisor.trouble_of(peer.address) == ""
        await gateway.event("ble.device_well_again")


async def test_device_that_lost_its_bond_is_reported_once(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        air = Air([peer])
        air.refuses[peer.address] = BleUnreachable("it refuses our keys: argus-gateway ble pair …", bond_lost=True)
        gateway.trust.pair(paired(peer))
        supervisor = await gateway.supervise(air)
        await eventually(lambda: supervisor.trouble_of(peer.address))
        for _ in range(10):
            await gateway.clock.advance(PERSON_S)
        assert supervisor.trouble_of(peer.address) == "it refuses our keys: argus-gateway ble pair …"
        await gateway.event("ble.device_in_trouble")
        assert (await gateway.event_names()).count("ble.device_in_trouble") == 1
        del air.refuses[peer.address]
        gateway.trust.pair(paired(peer, at_us=1))
        await served(gateway, supervisor, peer)
        assert supervisor.trouble_of(peer.address) == ""


async def test_gateway_does_not_subscribe_to_an_unbonded_device_whose_system_id_has_changed(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.bonded = False
        gateway.trust.pair(paired(peer, bonded=False, system_id=system_id(9).hex()))
        supervisor = await gateway.supervise(Air([peer]))
        await eventually(lambda: supervisor.trouble_of(peer.address))
        assert supervisor.trouble_of(peer.address).startswith("it names itself as another device")
        assert peer.link is not None
        assert list(peer.link.subscribed) == []


async def test_silent_heart_rate_belt_is_reconnected_after_growing_timeouts(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        gateway.trust.pair(paired(peer))
        supervisor = await gateway.supervise(Air([peer]))
        await served(gateway, supervisor, peer)
        await gateway.clock.advance(1.0)
        beat(peer, 70)
        began_s = [gateway.clock.monotonic_s()]
        for links in (2, 3, 4):
            await gateway.until(lambda links=links: peer.links == links)
            began_s.append(gateway.clock.monotonic_s())
        assert "stream of values stopped" in str((await gateway.event("device.disconnected")).fields["why"])
        once_s, again_s, later_s = (after - before for before, after in itertools.pairwise(began_s))
        assert SILENT_S <= min(once_s, again_s) <= max(once_s, again_s) < 2 * SILENT_S
        # The previous link delivered no value at all, so this one may be silent for twice as long.
        assert 2 * SILENT_S <= later_s < 4 * SILENT_S


async def test_silent_thermometer_that_responds_to_a_read_stays_connected(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = thermometer(gateway.clock)
        gateway.trust.pair(paired(peer))
        supervisor = await gateway.supervise(Air([peer]))
        await served(gateway, supervisor, peer)
        session = supervisor.sessions[0]
        for _ in range(30):
            await gateway.clock.advance(ASK_EVERY_S)
            await gateway.clock.settle()
        assert peer.links == 1
        assert gateway.clock.monotonic_s() - session.last_byte_s <= ASK_EVERY_S


async def test_device_that_fails_after_each_connection_is_retried_with_growing_delays(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        gateway.trust.pair(paired(peer))
        peer.silent = True
        supervisor = await gateway.supervise(Air([peer]))
        for _ in range(240):
            await gateway.clock.advance(0.5)
            if peer.link is not None:
                peer.lose()
            await gateway.clock.settle()
        assert 5 <= peer.links <= 12
        peer.silent = False
        await served(gateway, supervisor, peer)


async def test_received_values_are_stored_when_the_supervisor_stops_its_sessions(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peers = [belt(gateway.clock, number) for number in (1, 2, 3)]
        for peer in peers:
            gateway.trust.pair(paired(peer))
        air = Air(peers)
        air.away.add(peers[2].address)
        supervisor = await gateway.supervise(air)
        await served(gateway, supervisor, *peers[:2])
        beat(peers[0], 70)
        await supervisor.release_all()
        await asyncio.wait_for(gateway.running[0], 30)
        assert supervisor.sessions == []
        assert await gateway.values() == [70.0]
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        assert report.ends == {"released": 1}


async def test_session_that_fails_with_an_exception_is_restarted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with gatt_gateway(tmp_path) as gateway:
        sound, sick = belt(gateway.clock, 1), belt(gateway.clock, 2)
        met = gateway.trust.note

        async def fails(at: str, name: str) -> None:
            await met(at, name)
            if at == sick.address and sick.links == 1:
                raise RuntimeError("a bug of ours")

        object.__setattr__(gateway.gatt, "identify", fails)
        for peer in (sound, sick):
            gateway.trust.pair(paired(peer))
        supervisor = await gateway.supervise(Air([sound, sick]))
        await served(gateway, supervisor, sound, sick)
        assert (sound.links, sick.links) == (1, 2)
        assert (await gateway.event("session.failed")).fields == {
            "link": f"ble:{address(2)}",
            "error": "RuntimeError",
        }


async def test_device_that_refuses_every_subscription_is_reported_and_retried_at_long_intervals(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.bonded = False
        peer.refusals = dict.fromkeys(peer.sends, 0x0F)
        gateway.trust.pair(paired(peer, bonded=False))
        supervisor = await gateway.supervise(Air([peer]))
        await eventually(lambda: supervisor.trouble_of(peer.address))
        assert supervisor.trouble_of(peer.address) == (
            f"it wants an encrypted link; pair it again: argus-gateway ble pair {address(1)}"
        )
        for _ in range(10):
            await gateway.clock.advance(PERSON_S / 10)
        assert peer.links <= 3
        await gateway.event("ble.device_in_trouble")
        assert "ble.device_well_again" not in await gateway.event_names()
