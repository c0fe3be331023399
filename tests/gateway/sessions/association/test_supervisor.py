"""A part of the gateway that fails is restarted with growing delays, and an event reports the failure."""

import asyncio

from gateway.sessions.association.supervisor import (
    BACKOFF_S_MAX,
    LASTED_S,
    RestartWait,
    Served,
    Supervisor,
    keep_running,
)
from gateway.sessions.journal import Journal
from protocols.uplink.events import GatewayEvent
from tests.harness.moved_clock import MovedClock


class Remembered:
    """A stand-in for the store that keeps events in a list."""

    def __init__(self) -> None:
        self.events: list[GatewayEvent] = []

    async def append_event(self, event: GatewayEvent) -> None:
        self.events.append(event)


class NoPort:
    """A listener that cannot be opened because its address is in use."""

    name = "tcp:taken"

    def __init__(self) -> None:
        self.asked = 0

    async def accept(self):
        self.asked += 1
        raise OSError(98, "Address already in use")

    async def close(self) -> None:
        pass


def test_restart_delay_grows_to_a_maximum_and_is_reset_by_a_long_run():
    backoff = RestartWait()
    waits = [backoff.next_s(0.0) for _ in range(10)]
    assert waits == sorted(waits)
    assert waits[-1] == BACKOFF_S_MAX
    assert backoff.next_s(LASTED_S) == waits[0]


async def test_port_or_listener_that_fails_to_open_is_retried_with_growing_delays():
    clock, store, source = MovedClock(), Remembered(), NoPort()
    supervisor = Supervisor([Served(source)], _no_session, clock, Journal(store, clock))
    running = asyncio.create_task(supervisor.run())
    for _ in range(60):
        await clock.advance(1.0)
    assert 10 <= source.asked <= 25
    assert {event.name for event in store.events} == {"source.failed"}
    assert store.events[0].fields["why"] == "Address already in use"
    await supervisor.release_all()
    await clock.advance(BACKOFF_S_MAX)
    await running


async def test_gateway_component_that_raises_an_exception_is_restarted():
    clock, store = MovedClock(), Remembered()
    runs = []

    async def part() -> None:
        runs.append(clock.monotonic_s())
        if len(runs) < 3:
            raise RuntimeError("a bug of ours")

    running = asyncio.create_task(keep_running("crew", part, clock, Journal(store, clock)))
    for _ in range(20):
        await clock.advance(0.1)
    await running
    assert len(runs) == 3
    assert [(event.name, event.fields["part"]) for event in store.events] == [("part.failed", "crew")] * 2
    assert "a bug of ours" not in str(store.events)


async def test_recording_an_event_raises_no_error_when_it_cannot_be_stored():
    class Full:
        async def append_event(self, event: GatewayEvent) -> None:
            raise OSError("no room")

    await Journal(Full(), MovedClock()).record("device.connected", "one")


async def test_long_text_in_an_event_is_truncated_to_the_field_limit():
    store = Remembered()
    await Journal(store, MovedClock()).record("device.identified", "one", model="m" * 10_000)
    assert len(str(store.events[0].fields["model"])) == 256


def _no_session(link, number):
    raise AssertionError("no link was ever opened")
