"""The number of logged events is limited for each source and in total. Suppressed events are counted, and a restart
does not lose the counts.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.sessions.journal import COUNTS_STATE, PERSIST_EVERY_S, Journal
from gateway.sessions.suppression import (
    ALL_EVENTS_MAX,
    EVENTS_MAX,
    SOURCE_EVENTS_MAX,
    SOURCES_MAX,
    TCP_EVENTS_MAX,
    WINDOW_S,
)
from gateway.transports.tcp import connect_tcp
from protocols.uplink.events import GatewayEvent, encode_event
from tests.builders.gateway_device import THERMOMETER
from tests.builders.gateway_sessions import sessions
from tests.builders.ieee11073_apdus import aarq, abrt
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock


class Kept:
    """A stand-in for the store that keeps events and state values in memory."""

    def __init__(self) -> None:
        self.events: list[GatewayEvent] = []
        self.state: dict[str, str] = {}

    async def append_event(self, event: GatewayEvent) -> None:
        assert encode_event(event)
        self.events.append(event)

    async def state_get(self, name: str) -> str | None:
        return self.state.get(name)

    async def state_put(self, name: str, value: str) -> None:
        self.state[name] = value

    def named(self, name: str) -> list[GatewayEvent]:
        return [each for each in self.events if each.name == name]


EVENTS_OF_SIXTY = 60
"""Limit of events; sixty associations left 120 events before each source had a bound, now `SOURCE_EVENTS_MAX`."""


async def _associate(journal: Journal, device: str, link: str) -> None:
    await journal.record("device.connected", device, link=link)
    await journal.record("device.identified", device, model="invented")
    await journal.record("device.disconnected", device, why="link lost", link=link)


@pytest.mark.finding("security-9")
async def test_events_of_many_device_ids_from_one_address_are_limited_and_the_suppressed_events_are_counted():
    clock, store = MovedClock(), Kept()
    journal = Journal(store, clock)
    for number in range(1500):
        await _associate(journal, f"{number:016x}", f"tcp:10.0.0.7:{40_000 + number}")
    assert len(store.events) == 3 * EVENTS_MAX
    await clock.advance(WINDOW_S)
    await journal.record("gateway.stopped")
    (summary,) = store.named("events.suppressed")
    assert summary.fields == {
        "source": "tcp:10.0.0.7",
        "count": 3 * (1500 - EVENTS_MAX),
        "window_s": WINDOW_S,
        "device.connected": 1500 - EVENTS_MAX,
        "device.identified": 1500 - EVENTS_MAX,
        "device.disconnected": 1500 - EVENTS_MAX,
    }


@pytest.mark.finding("security-9")
async def test_events_of_a_serial_device_are_logged_during_a_flood_of_events_from_tcp_addresses():
    clock, store = MovedClock(), Kept()
    journal = Journal(store, clock)
    for number in range(1000):
        await _associate(journal, f"{number:016x}", f"tcp:2001:db8::{number:x}:4000")
    assert len(store.events) == TCP_EVENTS_MAX
    await _associate(journal, "00000000000000aa", "serial:/dev/argus/monitor")
    assert [each.name for each in store.events[TCP_EVENTS_MAX:]] == [
        "device.connected",
        "device.identified",
        "device.disconnected",
    ]
    await journal.close()
    counts = store.named("events.suppressed")
    assert len(counts) <= SOURCES_MAX + 1
    assert sum(int(each.fields["count"] or 0) for each in counts) == 3000 - TCP_EVENTS_MAX


async def test_number_of_logged_events_is_limited_for_each_source_and_in_total():
    clock, store = MovedClock(), Kept()
    journal = Journal(store, clock)
    for number in range(1000):
        await journal.record(f"device.did_{number % 100}", "aa", link="serial:/dev/one")
    assert len(store.events) == SOURCE_EVENTS_MAX
    for number in range(5000):
        await journal.record("device.connected", f"{number}", link=f"ble:{number}")
    assert len(store.events) == ALL_EVENTS_MAX


async def test_events_of_a_device_are_logged_while_events_of_another_device_are_suppressed():
    clock, store = MovedClock(), Kept()
    journal = Journal(store, clock)
    for _ in range(100):
        await journal.record("device.connected", "storm", link="serial:/dev/one")
    await journal.record("device.connected", "another", link="serial:/dev/two")
    assert len(store.events) == EVENTS_MAX + 1
    await clock.advance(WINDOW_S + 1)
    await journal.record("device.connected", "storm", link="serial:/dev/one")
    assert [each.fields.get("count") for each in store.named("events.suppressed")] == [100 - EVENTS_MAX]


@pytest.mark.finding("security-9")
async def test_count_of_suppressed_events_is_logged_at_the_end_of_the_time_window(tmp_path):
    clock, store = MovedClock(), Kept()
    journal = Journal(store, clock, store)
    async with clock_driven(journal):
        for _ in range(20):
            await journal.record("device.connected", "storm", link="serial:/dev/one")
        for _ in range(round(WINDOW_S / PERSIST_EVERY_S) + 1):
            await clock.advance(PERSIST_EVERY_S)
    assert [each.fields["count"] for each in store.named("events.suppressed")] == [20 - EVENTS_MAX]
    assert store.state[COUNTS_STATE] == "{}"


@pytest.mark.finding("security-9")
async def test_count_of_suppressed_events_survives_a_kill_of_the_gateway_and_is_reported_once():
    clock, store = MovedClock(), Kept()
    journal = Journal(store, clock, store)
    async with clock_driven(journal):
        for _ in range(50):
            await journal.record("device.connected", "storm", link="tcp:10.0.0.7:1")
        await clock.advance(PERSIST_EVERY_S)
    restarted = Journal(store, clock, store)
    async with clock_driven(restarted):
        pass
    (reported,) = store.named("events.suppressed")
    assert reported.fields == {"source": "tcp:10.0.0.7", "count": 50 - EVENTS_MAX, "before_restart": True}
    again = Journal(store, clock, store)
    async with clock_driven(again):
        pass
    assert len(store.named("events.suppressed")) == 1


@asynccontextmanager
async def clock_driven(journal: Journal) -> AsyncIterator[None]:
    """Run the journal's own task during the block; then cancel the task, as a kill of the gateway would."""
    running = asyncio.create_task(journal.run())
    await MovedClock.settle()
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.mark.finding("security-9")
async def test_number_of_events_of_sixty_associations_with_invented_ids_is_limited(tmp_path: Path):
    async with sessions(tmp_path) as gateway:
        for first in range(0, 60, 3):
            link = await connect_tcp(*gateway.address)
            for number in range(first, first + 3):
                await link.send(aarq(THERMOMETER, system_id=number.to_bytes(8, "big")) + abrt())
            await eventually(lambda n=first: len(gateway.context.roster.devices()) == n + 3)
            await link.close()
        await eventually(lambda: not gateway.supervisor.sessions)
        assert len(await gateway.events()) <= EVENTS_OF_SIXTY
