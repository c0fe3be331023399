"""A device is trusted on the kind of link where it was first seen.

A TCP client that only sends the id of a cabled device is not accepted as the device.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.console.status import devices_json, session_json
from gateway.sessions.devices.acceptance import Acceptance
from gateway.sessions.devices.claims import SILENT_S
from gateway.sessions.devices.known_devices import known_devices
from gateway.sessions.devices.link_class import LinkClass
from gateway.transports.link import Link
from gateway.transports.serial_port import SerialPort
from protocols.observation_record import to_json
from tests.builders.gateway_device import device, device_id, device_on
from tests.builders.gateway_sessions import Sessions, sessions
from tests.harness.eventually import eventually
from tests.harness.pty_pair import pty_pair

MONITOR = device_id(1).hex()


@asynccontextmanager
async def cabled(folder: Path) -> AsyncIterator[tuple[Sessions, Link]]:
    """Run the gateway's sessions on a TCP listener and on one end of a cable; yield the sessions and the cable's other
    end."""
    async with pty_pair() as pair, sessions(folder, serial=pair.left) as gateway:
        await eventually(lambda: gateway.supervisor.sessions, what="the port is open")
        other_end = await SerialPort(pair.right, 115_200, "raw").accept()
        try:
            yield gateway, other_end
        finally:
            await other_end.close()


async def _is_refused_over_tcp(gateway: Sessions) -> None:
    async def refused() -> int:
        return (await gateway.event_names()).count("device.refused_unverified_link")

    async def is_reported() -> bool:
        return await refused() == before + 1

    before = await refused()
    async with device(gateway.address, 1) as impostor:
        await eventually(lambda: impostor.was_turned_away, what="the impostor is turned away")
    await eventually(is_reported, what="the refusal is reported once")


@pytest.mark.finding("security-5")
async def test_tcp_agent_with_the_system_id_of_a_silent_cabled_device_is_refused(tmp_path):
    async with cabled(tmp_path) as (gateway, line), device_on(line, 1) as monitor:
        assert await monitor.measure(36.6) == "answered"
        on_cable = next(each for each in gateway.supervisor.sessions if each.link.is_line)
        on_cable.trace("received", b"\x00", gateway.context.clock.monotonic_s() - SILENT_S - 1)
        await _is_refused_over_tcp(gateway)
        assert await monitor.measure(36.7) == "answered"
        assert [row.value for row in await gateway.stored()] == [36.6, 36.7]


@pytest.mark.finding("security-5")
async def test_cabled_device_replaces_a_connected_tcp_agent_with_its_system_id(tmp_path):
    async with cabled(tmp_path) as (gateway, line), device(gateway.address, 1) as impostor:
        assert await impostor.measure(20.0) == "answered"
        async with device_on(line, 1) as monitor:
            assert await monitor.measure(36.6) == "answered"
            await eventually(lambda: impostor.was_turned_away, what="the TCP agent hears an ABRT")
            await _is_refused_over_tcp(gateway)
        flags = {row.value: to_json(row)["flags"] for row in await gateway.stored()}
        assert flags == {20.0: ["unverified_link"], 36.6: []}


@pytest.mark.finding("security-5")
async def test_tcp_agent_with_the_system_id_of_an_absent_cabled_device_is_refused(tmp_path):
    async with cabled(tmp_path) as (gateway, line):
        async with device_on(line, 1) as monitor:
            await monitor.measure(36.6)
            await monitor.leave()
        await _is_refused_over_tcp(gateway)
    async with sessions(tmp_path) as restarted:
        async with device(restarted.address, 1) as impostor:
            await eventually(lambda: impostor.was_turned_away, what="the impostor is turned away")
        assert [row.value for row in await restarted.stored()] == [36.6]
        report = restarted.context.histories.find(MONITOR)
        assert report is not None
        assert report.refused_claims == {"unverified link": 1}
        assert report.refused_claim_link == "tcp:127.0.0.1"


@pytest.mark.finding("security-5")
async def test_values_received_over_tcp_are_flagged_until_an_operator_accepts_the_device(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address, 1) as thermometer:
        acceptance = acceptance_of(gateway)
        await thermometer.measure(36.1)
        assert _shown(gateway) == (True, True)
        assert await acceptance.accept(MONITOR)
        assert _shown(gateway) == (False, False)
        await thermometer.measure(36.2)
        assert not await acceptance.accept(MONITOR)
        assert await acceptance.revoke(MONITOR)
        await thermometer.measure(36.3)
        flags = {row.value: to_json(row)["flags"] for row in await gateway.stored()}
        assert flags == {36.1: ["unverified_link"], 36.2: [], 36.3: ["unverified_link"]}
        await gateway.event("device.accepted")
        await gateway.event("device.acceptance_revoked")


def acceptance_of(gateway: Sessions) -> Acceptance:
    context = gateway.context
    return Acceptance(
        context.roster, gateway.buffer, context.journal, context.clock, lambda: list(gateway.supervisor.sessions)
    )


def _shown(gateway: Sessions) -> tuple[bool, bool]:
    """Return whether `status` and whether `devices` show the only connected device as unverified."""
    (session,) = gateway.supervisor.sessions
    (listed,) = devices_json(gateway.context.roster.devices(), [session])
    return session_json(session, gateway.context.clock.monotonic_s())["unverified_link"], listed["unverified"]


async def test_acceptance_and_link_class_of_a_device_survive_a_restart(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address, 1):
        await acceptance_of(gateway).accept(MONITOR)
    async with sessions(tmp_path) as restarted, device(restarted.address, 1) as again:
        await again.measure(36.6)
        (row,) = await restarted.stored()
        assert not row.device.unverified_link
        (kept,) = known_devices(await restarted.buffer.devices(), lambda _: None, [])
        assert (kept.link_class, kept.accepted_us is not None) == (LinkClass.TCP, True)


async def test_accepted_cabled_device_associates_over_tcp_until_its_acceptance_is_revoked(
    tmp_path,
):
    async with cabled(tmp_path) as (gateway, line):
        async with device_on(line, 1) as monitor:
            await monitor.leave()
        await acceptance_of(gateway).accept(MONITOR)
        async with device(gateway.address, 1) as by_tcp:
            assert await by_tcp.measure(36.6) == "answered"
            await acceptance_of(gateway).revoke(MONITOR)
            assert not by_tcp.operating


async def test_acceptance_of_a_device_over_tcp_ends_when_it_associates_over_a_cable(tmp_path):
    async with cabled(tmp_path) as (gateway, line):
        async with device(gateway.address, 1):
            await acceptance_of(gateway).accept(MONITOR)
        await eventually(lambda: len(gateway.supervisor.sessions) == 1)
        async with device_on(line, 1) as monitor:
            await monitor.leave()
        await gateway.event("device.acceptance_ended")
        await _is_refused_over_tcp(gateway)


async def test_link_class_of_a_device_stored_by_an_earlier_release_is_read_from_its_report(tmp_path):
    async with cabled(tmp_path) as (gateway, line):
        async with device_on(line, 1) as monitor:
            await monitor.leave()
        (row,) = await gateway.buffer.devices()
        old = type(row)(system_id=MONITOR, model="", first_seen_us=1, last_seen_us=1)
        (known,) = known_devices([old], gateway.context.histories.find, [])
        assert known.link_class is LinkClass.SERIAL


@pytest.mark.finding("edge-check-6")
async def test_silent_connection_replaced_by_a_device_with_the_same_system_id_receives_an_abort(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address, 1) as before:
        await before.measure(36.6)
        (old,) = gateway.supervisor.sessions
        old.trace("received", b"\x00", gateway.context.clock.monotonic_s() - SILENT_S - 1)
        async with device(gateway.address, 1) as again:
            assert await again.measure(36.7) == "answered"
            await eventually(lambda: before.was_turned_away, what="the ABRT")


@pytest.mark.finding("edge-check-7")
async def test_invented_system_ids_do_not_evict_cabled_or_accepted_devices_from_the_device_list(tmp_path, monkeypatch):
    for module in ("gateway.sessions.devices.roster.DEVICES_MAX", "gateway.sessions.devices.histories.REPORTS_MAX"):
        monkeypatch.setattr(module, 4)
    async with cabled(tmp_path) as (gateway, line):
        async with device_on(line, 1) as monitor:
            await monitor.leave()
        async with device(gateway.address, 2):
            await acceptance_of(gateway).accept(device_id(2).hex())
        for number in range(3, 9):
            async with device(gateway.address, number) as invented:
                await invented.leave()
        listed = {each.system_id for each in gateway.context.roster.devices()}
        assert {MONITOR, device_id(2).hex()} <= listed
        assert len(listed) == 4
        assert gateway.context.histories.find(MONITOR) is not None
