"""Connections that send no valid message never prevent a device from connecting, whatever their number."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

import pytest

from gateway.sessions.association.places import (
    CANDIDATES_MAX,
    PATIENCE_S,
    SILENT_OF_ADDRESS_MAX,
    admit,
    displaced_by,
    limit_of_address,
    replaced_candidate,
)
from gateway.sessions.association.session import FIRST_BYTE_S, AssociationSession
from gateway.sessions.devices.link_class import LinkClass
from gateway.sessions.devices.roster import KnownDevice
from gateway.transports.link import Link
from gateway.transports.tcp import connect_tcp
from tests.builders.gateway_device import Device, device, device_id
from tests.builders.gateway_sessions import Sessions, sessions
from tests.harness.eventually import WITHIN_S, eventually


@dataclass
class Named:
    name: str


@dataclass
class Held:
    """A stand-in for a session, with the attributes by which `admit` decides about a new connection."""

    link: Named
    heard: bool = False
    device: Any = None
    opened_s: float = 0.0
    is_accepted: bool = False


def held(
    address: str, *, heard: bool = False, associated: bool = False, opened_s: float = 0.0, accepted: bool = False
) -> AssociationSession:
    made = Held(Named(f"tcp:{address}:1"), heard, object() if associated or accepted else None, opened_s, accepted)
    return cast(AssociationSession, made)


def ids_of(gateway: Sessions) -> list[str]:
    return [each.device.ref.system_id for each in gateway.supervisor.sessions if each.device is not None]


async def _silent(gateway: Sessions, count: int) -> list[Link]:
    return [await connect_tcp(*gateway.address) for _ in range(count)]


@pytest.mark.finding("security-8")
@pytest.mark.finding("edge-check-7")
@pytest.mark.parametrize("silent", [16, 24])
async def test_silent_connections_do_not_delay_the_association_of_a_device(tmp_path, silent):
    async with sessions(tmp_path, sessions_max=16) as gateway:
        links = await _silent(gateway, silent)
        await eventually(lambda: gateway.supervisor.sessions, what="they were accepted")
        # Without any passing of time the device is served at its first attempt.
        async with device(gateway.address) as thermometer:
            assert await thermometer.measure(36.6) == "answered"
        for link in links:
            await link.close()


@pytest.mark.finding("security-8")
def test_new_connection_at_the_connection_limit_replaces_a_silent_connection_but_no_accepted_device():
    devices = [held("10.0.0.1", heard=True, accepted=True) for _ in range(8)]
    silent = [held(f"10.0.1.{n}", opened_s=10.0 - n) for n in range(8)]
    room = admit("tcp:10.0.0.9:5", devices + silent, 16, 10.0)
    assert (room.admitted, room.displaced) == (True, silent[-1])
    room = admit("tcp:10.0.0.9:5", devices + devices, 16, 10.0)
    assert (room.admitted, room.displaced) == (False, None)


def test_connection_that_sends_data_without_associating_is_kept_for_a_limited_time():
    speaking = [held(f"10.0.0.{n}", heard=True, opened_s=10.0) for n in range(16)]
    room = admit("tcp:10.0.9.9:5", speaking, 16, 10.0 + PATIENCE_S / 2)
    assert (room.displaced, room.as_candidate) == (None, True)
    assert admit("tcp:10.0.9.9:5", speaking, 16, 10.0 + PATIENCE_S).displaced is speaking[0]


def test_total_and_silent_connections_of_one_address_are_each_limited_in_number():
    associated = [held("10.0.0.1", heard=True, accepted=True) for _ in range(limit_of_address(16))]
    assert not admit("tcp:10.0.0.1:5", associated, 16, 10.0).admitted
    assert admit("tcp:10.0.0.2:5", associated, 16, 10.0).admitted
    silent = [held("10.0.0.1", opened_s=float(n)) for n in range(SILENT_OF_ADDRESS_MAX)]
    assert admit("tcp:10.0.0.1:5", silent, 16, 10.0).displaced is silent[0]
    assert admit("tcp:10.0.0.2:5", silent, 16, 10.0).displaced is None


def test_new_connection_at_the_limit_replaces_a_connection_of_the_address_with_most_connections():
    crowd = [held("10.0.0.1", opened_s=5.0 + n) for n in range(3)]
    others = [held(f"10.0.0.{n}", opened_s=float(n)) for n in range(2, 7)]
    assert admit("tcp:10.0.0.9:5", others + crowd, 8, 10.0).displaced is crowd[0]


@pytest.mark.finding("security-8")
async def test_connection_that_sends_no_byte_is_closed_after_two_seconds_and_logged_as_an_event(tmp_path):
    async with sessions(tmp_path) as gateway:
        (link,) = await _silent(gateway, 1)
        began_s = asyncio.get_running_loop().time()
        assert await link.receive() == b""
        assert asyncio.get_running_loop().time() - began_s >= FIRST_BYTE_S / 2
        await eventually(lambda: not gateway.supervisor.sessions)
        await gateway.event("link.silent")


@pytest.mark.finding("security-8")
async def test_device_accepted_by_the_operator_replaces_an_unaccepted_device_at_the_connection_limit(tmp_path):
    async with sessions(tmp_path, sessions_max=1) as gateway, device(gateway.address, number=7) as invented:
        assert await invented.measure(36.6) == "answered"
        gateway.context.roster.met(KnownDevice(device_id(1).hex(), link_class=LinkClass.TCP, accepted_us=1))
        async with device(gateway.address, number=1) as thermometer:
            assert await thermometer.measure(37.1) == "answered"
            await eventually(lambda: ids_of(gateway) == [thermometer.system_id], what="the invented device was closed")
        await gateway.event("link.displaced")


async def test_unaccepted_device_does_not_replace_another_unaccepted_device_at_the_connection_limit(tmp_path):
    async with sessions(tmp_path, sessions_max=1) as gateway, device(gateway.address, number=7) as first:
        assert await first.measure(36.6) == "answered"
        newcomer = Device(await connect_tcp(*gateway.address), 8, first.configuration)
        newcomer.request_association()
        await asyncio.wait_for(newcomer.run(), timeout=WITHIN_S)
        assert await first.measure(36.7) == "answered"
        await gateway.event("link.refused")


def test_connection_above_the_connection_limit_is_admitted_only_while_an_unaccepted_device_is_connected():
    accepted = [held(f"10.0.0.{n}", heard=True, accepted=True) for n in range(15)]
    invented = held("10.0.1.1", heard=True, associated=True)
    assert not admit("tcp:10.0.9.9:5", [*accepted, accepted[0]], 16, 10.0).admitted
    room = admit("tcp:10.0.9.9:5", [*accepted, invented], 16, 10.0)
    assert (room.admitted, room.as_candidate, room.displaced) == (True, True, None)


def test_accepted_device_replaces_the_newest_unaccepted_device_of_the_busiest_address():
    lone = held("10.0.0.1", heard=True, associated=True)
    crowd = [held("10.0.0.2", heard=True, associated=True) for _ in range(3)]
    candidate = held("10.0.0.3", heard=True, accepted=True)
    assert displaced_by(candidate, [lone, *crowd], 4).displaced is crowd[-1]
    assert displaced_by(candidate, [lone], 4).admitted
    assert not displaced_by(held("10.0.0.3", heard=True, associated=True), [lone, *crowd], 4).admitted
    assert not displaced_by(candidate, [held(f"10.0.1.{n}", accepted=True) for n in range(4)], 4).admitted


def test_new_unassociated_connection_replaces_the_oldest_unassociated_connection_at_the_connection_limit():
    candidates = [held(f"10.0.0.{n}") for n in range(CANDIDATES_MAX)]
    assert replaced_candidate("tcp:10.0.0.2:9", candidates) is candidates[2]
    assert replaced_candidate("tcp:10.0.9.9:9", candidates) is candidates[0]
    assert replaced_candidate("tcp:10.0.9.9:9", candidates[1:]) is None
