"""Devices at the real TCP listener: their reports are stored and acknowledged, and a faulty link affects no other
device.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from gateway.buffer import Buffer, StoreFull
from gateway.sessions.association.places import PATIENCE_S
from gateway.sessions.devices.claims import SILENT_S
from gateway.transports.tcp import connect_tcp
from protocols.uplink.observations import DeviceObservations
from tests.builders.buffer_observations import section, waveform
from tests.builders.buffer_store import QUICK
from tests.builders.gateway_device import device
from tests.builders.gateway_sessions import sessions, small_store
from tests.harness.eventually import eventually


async def test_confirmed_report_is_acknowledged_and_stored_with_the_value_and_time_of_the_device(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        assert await thermometer.measure(36.6) == "answered"
        (record,) = await gateway.stored()
        assert record.value == 36.6
        assert record.device.system_id == thermometer.system_id
        assert record.device_time is not None
        assert record.device_time.text() == "2026-05-06T12:00:01.000"
        assert record.stored


async def test_unconfirmed_report_is_shown_before_the_commit_that_it_shares(tmp_path):
    settings = replace(QUICK, batch_s=3600.0)
    async with sessions(tmp_path, store_settings=settings) as gateway, device(gateway.address) as thermometer:
        await thermometer.measure(36.6, confirmed=False)
        await eventually(lambda: any(each.values for each in gateway.context.live.snapshot()))
        assert await gateway.stored() == []
        await gateway.buffer.flush()
        assert [record.value for record in await gateway.stored()] == [36.6]


class SlowStore:
    """A wrapper of a store that delays every append until a test sets `let_go`."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let_go = asyncio.Event()
        self.behind: Buffer | None = None

    async def append_sections(self, sections: Sequence[DeviceObservations], *, held_by_device: bool = False):
        self.asked.set()
        await self.let_go.wait()
        assert self.behind is not None
        await self.behind.append_sections(sections, held_by_device=held_by_device)

    async def remember_configuration(self, system_id: bytes, config_id: int, octets: bytes) -> None:
        assert self.behind is not None
        await self.behind.remember_configuration(system_id, config_id, octets)

    async def remember_device(
        self, system_id: str, model: str, *, link_class: str = "unknown", accepted_us: int | None = None
    ) -> None:
        assert self.behind is not None
        await self.behind.remember_device(system_id, model, link_class=link_class, accepted_us=accepted_us)


async def test_confirmed_report_is_acknowledged_only_after_its_commit(tmp_path):
    store = SlowStore()
    async with sessions(tmp_path, store=store) as gateway:
        store.behind = gateway.buffer
        async with device(gateway.address) as thermometer:
            measuring = asyncio.create_task(thermometer.measure(37.0))
            await store.asked.wait()
            await asyncio.wait([measuring], timeout=0.1)
            assert not measuring.done()
            assert gateway.context.live.snapshot()[0].values == ()
            store.let_go.set()
            assert await measuring == "answered"
            assert len(await gateway.stored()) == 1
            assert len(gateway.context.live.snapshot()[0].values) == 1


async def test_confirmed_report_refused_by_a_full_store_is_stored_when_it_is_resent(tmp_path):
    async with sessions(tmp_path, store_settings=small_store(2_000_000)) as gateway:
        async with device(gateway.address) as thermometer:
            await _fill(gateway.buffer)
            assert await thermometer.measure(36.6, second=1) == "refused"
            assert thermometer.operating
            while await thermometer.measure(36.6, second=1) == "refused":
                pass
            assert [record.value for record in await gateway.stored() if record.samples is None] == [36.6]
        await gateway.event("store.refused_reports")


async def _fill(buffer: Buffer) -> None:
    """Append waveforms, which are the data that retention deletes first, until the store is full."""
    while True:
        try:
            await buffer.append_sections([section(waveform(20, samples=1000))], held_by_device=True)
        except StoreFull:
            return


async def test_concurrent_devices_store_values_under_their_own_system_ids(tmp_path):
    async with (
        sessions(tmp_path) as gateway,
        device(gateway.address, 1) as first,
        device(gateway.address, 2) as second,
    ):
        answers = await asyncio.gather(*(each.measure(36.0 + n) for n, each in enumerate([first, second])))
        assert answers == ["answered", "answered"]
        stored = {record.device.system_id: record.value for record in await gateway.stored()}
        assert stored == {first.system_id: 36.0, second.system_id: 37.0}


async def test_unknown_configuration_is_requested_once_and_remembered_after_a_restart(tmp_path):
    async with sessions(tmp_path) as gateway:
        async with device(gateway.address, own_configuration=True) as thermometer:
            assert thermometer.got_configuration_request
            assert await thermometer.measure(36.6) == "answered"
        async with device(gateway.address, own_configuration=True) as again:
            assert not again.got_configuration_request
    async with sessions(tmp_path) as restarted, device(restarted.address, own_configuration=True) as later:
        assert not later.got_configuration_request
        assert await later.measure(36.7) == "answered"


async def test_invalid_bytes_on_one_link_abort_that_link_and_leave_other_devices_connected(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        stranger = await connect_tcp(*gateway.address)
        await stranger.send(b"GET / HTTP/1.1\r\nHost: ambulance\r\n\r\n")
        heard = bytearray()
        while data := await stranger.receive():
            heard += data
        assert heard[:2] == b"\xe6\x00"
        await eventually(_said(gateway, "device.deviation"))
        assert await thermometer.measure(36.6) == "answered"


async def test_silent_connection_does_not_affect_an_associated_device(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        silent = await connect_tcp(*gateway.address)
        await eventually(lambda: len(gateway.supervisor.sessions) == 2)
        assert await thermometer.measure(36.6) == "answered"
        await silent.close()
        await eventually(lambda: len(gateway.supervisor.sessions) == 1)


async def test_connection_and_disconnection_are_logged_as_events_with_the_reason(tmp_path):
    async with sessions(tmp_path) as gateway:
        async with device(gateway.address) as thermometer:
            await thermometer.measure(36.6)
            await thermometer.leave()
        async with device(gateway.address):
            pass
        await eventually(lambda: not gateway.supervisor.sessions)
        told = [(each.name, each.fields.get("why")) for each in await gateway.events() if each.device is not None]
        connected = [name for name, _ in told if name == "device.connected"]
        gone = [why for name, why in told if name == "device.disconnected"]
        assert len(connected) == 2
        assert gone == ["released", "link lost"]


async def test_second_device_with_the_system_id_of_a_connected_device_is_refused(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address, 1) as first:
        await first.measure(36.6)
        async with device(gateway.address, 1) as second:
            await eventually(lambda: second.was_turned_away)
        assert await first.measure(36.7) == "answered"
        assert len(await gateway.stored()) == 2
        await gateway.event("device.refused_duplicate_id")


async def test_reconnecting_device_replaces_its_previous_silent_connection(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address, 1) as before:
        await before.measure(36.6)
        (old,) = gateway.supervisor.sessions
        old.trace("received", b"\x00", gateway.context.clock.monotonic_s() - SILENT_S - 1)
        async with device(gateway.address, 1) as again:
            assert await again.measure(36.7) == "answered"
            await eventually(lambda: [each.device is not None for each in gateway.supervisor.sessions] == [True])
            assert gateway.context.live.snapshot()[0].device.connected


async def test_connection_above_the_limit_is_closed_while_devices_use_all_connections(tmp_path):
    async with sessions(tmp_path, sessions_max=1) as gateway, device(gateway.address) as thermometer:
        newcomer = await connect_tcp(*gateway.address)
        assert await newcomer.receive() == b""
        assert await thermometer.measure(36.6) == "answered"
        await eventually(_said(gateway, "link.refused"))


async def test_device_session_is_served_after_the_previous_session_failed_with_an_exception(tmp_path):
    class FailingOnce(SlowStore):
        failed = False

        async def append_sections(
            self, sections: Sequence[DeviceObservations], *, held_by_device: bool = False
        ) -> None:
            if not self.failed:
                self.failed = True
                raise RuntimeError("a bug of ours")
            assert self.behind is not None
            await self.behind.append_sections(sections, held_by_device=held_by_device)

    store = FailingOnce()
    async with sessions(tmp_path, store=store) as gateway:
        store.behind = gateway.buffer
        async with device(gateway.address) as unlucky:
            assert await unlucky.measure(36.6) == "refused"
        async with device(gateway.address) as again:
            assert await again.measure(36.6) == "answered"
        await eventually(_said(gateway, "session.failed"))


async def test_every_association_is_released_when_the_supervisor_stops(tmp_path):
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        await thermometer.measure(36.6)
        await gateway.supervisor.release_all()
        await eventually(lambda: not thermometer.operating)
        assert not thermometer.was_turned_away
        await eventually(_said(gateway, "device.disconnected"))
        gone = [each for each in await gateway.events() if each.name == "device.disconnected"]
        assert [each.fields["why"] for each in gone] == ["released"]


def _said(gateway, name):
    async def said() -> bool:
        return name in await gateway.event_names()

    return said


async def test_connection_that_never_associates_is_closed_for_a_new_device(tmp_path):
    async with sessions(tmp_path, sessions_max=1) as gateway:
        stranger = await connect_tcp(*gateway.address)
        await eventually(lambda: len(gateway.supervisor.sessions) == 1)
        (idle,) = gateway.supervisor.sessions
        idle.opened_s -= PATIENCE_S
        async with device(gateway.address) as thermometer:
            assert await thermometer.measure(36.6) == "answered"
        assert await stranger.receive() == b""
        await gateway.event("link.displaced")
