"""Devices that violate the standard: each is handled in a defined way, and other devices are not affected."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from gateway.sessions.association.places import PATIENCE_S
from gateway.transports.link import Link
from gateway.transports.tcp import connect_tcp
from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.reports import Reading, fixed_report
from protocols.ieee11073.specializations import standard_configuration
from protocols.observation_record import to_json
from tests.builders.gateway_device import NOON, SCALE, THERMOMETER, device, device_id
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.ieee11073_apdus import aarq, abrt, scan_report
from tests.harness.eventually import eventually


async def test_reading_with_an_invalid_device_time_gets_its_reception_time(tmp_path):
    impossible = DeviceTime(TimeKind.ABSOLUTE, bytes.fromhex("2026139925616199"))
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        assert await thermometer.measure(36.6, time=impossible) == "answered"
        assert await thermometer.measure(36.7) == "answered"
        first, second = [to_json(record) for record in await gateway.stored()]
        assert first["device_time"] == "abs:0x2026139925616199"
        assert first["observed_at"] == first["received_at"]
        assert second["device_time"] == "2026-05-06T12:00:02.000"


async def test_no_reading_is_lost_when_the_device_clock_jumps_by_hours(tmp_path):
    jumps_h = (0, 5, -7, 0, 12, -12)
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        times = [absolute_time(NOON + timedelta(hours=hours, seconds=n)) for n, hours in enumerate(jumps_h)]
        for n, time in enumerate(times):
            assert await thermometer.measure(36.0 + n, time=time) == "answered"
        assert [record.device_time for record in await gateway.stored()] == times


async def test_changed_configuration_with_the_same_id_is_requested_again(tmp_path):
    async with sessions(tmp_path) as gateway:
        async with device(gateway.address, own_configuration=True) as before:
            assert await before.measure(36.6) == "answered"
        async with device(gateway.address, own_configuration=True, kind=SCALE) as updated:
            assert not updated.got_configuration_request
            assert await updated.measure(80.5, second=7) == "aborted"
        async with device(gateway.address, own_configuration=True, kind=SCALE) as again:
            assert again.got_configuration_request
            assert await again.measure(80.5, second=7) == "answered"
        assert [to_json(record)["type"] for record in await gateway.stored()] == [
            "MDC_TEMP_BODY",
            "MDC_MASS_BODY_ACTUAL",
        ]
    async with (
        sessions(tmp_path) as restarted,
        device(restarted.address, own_configuration=True, kind=SCALE) as later,
    ):
        assert not later.got_configuration_request
        assert await later.measure(80.6, second=8) == "answered"


async def test_incomplete_apdu_aborts_its_connection_and_leaves_other_devices_connected(tmp_path):
    async with (
        sessions(tmp_path, manager=ManagerSettings(to_apdu_s=0.2)) as gateway,
        device(gateway.address) as thermometer,
    ):
        for half in (b"\xe2", aarq(THERMOMETER)[:30], b"\xe7\x00\x80\x00" + bytes(1000)):
            stalled = await connect_tcp(*gateway.address)
            await stalled.send(half)
            heard = b""
            while data := await stalled.receive():
                heard += data
            assert heard == abrt()
            assert await thermometer.measure(36.6) == "answered"


async def test_device_associates_while_two_hundred_silent_connections_are_open(tmp_path):
    async with sessions(tmp_path, sessions_max=8) as gateway, device(gateway.address, 1) as first:
        async with silent_connections(gateway, 200):
            assert await first.measure(36.6) == "answered"

            async def another_gets_in() -> bool:
                """Set the start of all connections to an earlier time; return whether one more device can associate."""
                for each in gateway.supervisor.sessions:
                    each.opened_s -= PATIENCE_S
                assert len(gateway.supervisor.sessions) <= 8
                return await _answer_to_a_request(gateway) == b"\xe3\x00"

            await eventually(another_gets_in)
            assert await first.measure(36.7) == "answered"
        await gateway.event("link.displaced")
        assert (await gateway.event_names()).count("link.refused") <= 12


async def _answer_to_a_request(gateway: Sessions) -> bytes:
    """Send an association request on a new connection and return the first two bytes of the response.

    Return b"" if the connection is refused or no response arrives within a second.
    """
    try:
        async with asyncio.timeout(1.0):
            link = await connect_tcp(*gateway.address)
            try:
                await link.send(aarq(THERMOMETER, system_id=device_id(2)))
                return (await link.receive())[:2]
            finally:
                await link.close()
    except (OSError, TimeoutError):
        return b""


@asynccontextmanager
async def silent_connections(gateway: Sessions, count: int) -> AsyncIterator[None]:
    async def one() -> Link | None:
        try:
            return await connect_tcp(*gateway.address)
        except OSError:
            return None

    links = await asyncio.gather(*(one() for _ in range(count)))
    try:
        yield
    finally:
        await asyncio.gather(*(link.close() for link in links if link is not None))


async def test_device_that_sends_without_reading_responses_does_not_delay_another_device(tmp_path):
    configuration = standard_configuration(THERMOMETER)
    assert configuration is not None
    reports = [
        scan_report(
            fixed_report(configuration, [Reading(1, 36.6, absolute_time(NOON))]), report_no=number, invoke_id=number
        )
        for number in range(4000)
    ]
    async with sessions(tmp_path) as gateway, device(gateway.address, 2) as thermometer:
        loop = asyncio.get_running_loop()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.setblocking(False)
            await loop.sock_connect(deaf, gateway.address)
            octets = aarq(THERMOMETER, system_id=device_id(1)) + b"".join(reports)
            await loop.sock_sendall(deaf, octets)
            sending = asyncio.create_task(_send_for_ever(deaf, b"".join(reports)))
            stuck = await eventually(lambda: next((e for e in gateway.supervisor.sessions if e.number == 2), None))
            seen: list[int] = []

            def at_a_standstill() -> bool:
                seen.append(stuck.counts.reports)
                return stuck.device is not None and len(seen) > 20 and len(set(seen[-20:])) == 1

            await eventually(at_a_standstill)
            assert await thermometer.measure(37.0) == "answered"
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        await eventually(lambda: stuck not in gateway.supervisor.sessions)


async def _send_for_ever(peer: socket.socket, octets: bytes) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(peer, octets)
