"""The heartbeat that sends systemd's watchdog messages."""

import asyncio

import pytest

from gateway.health import BEAT_S, Heartbeat, Notifier
from tests.harness.moved_clock import MovedClock


async def test_heartbeat_sends_no_watchdog_message_during_a_stall_of_the_event_loop():
    clock, fed = MovedClock(), []

    class Systemd(Notifier):
        def watchdog(self) -> None:
            fed.append(clock.monotonic_s())

    heart = Heartbeat(clock, Systemd({"WATCHDOG_USEC": "60000000"}))
    beating = asyncio.create_task(heart.run())
    await clock.settle()
    for seconds in (BEAT_S, BEAT_S + 3.0, BEAT_S):
        await clock.advance(seconds)
    assert heart.longest_stall_s == pytest.approx(3.0)
    assert fed == [1000.0, 1003.5]
    beating.cancel()
