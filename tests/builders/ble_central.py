"""A central over a scripted radio, with a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.options import CentralOptions
from tests.harness.moved_clock import MovedClock
from tests.harness.scripted_radio import DecliningAgent, ScriptedRadio

_DISK_S_MAX = 60.0


@dataclass
class Running:
    """A running Bluetooth central with its scripted radio, and a clock that the test moves."""

    central: BleCentral
    radio: ScriptedRadio
    clock: MovedClock

    async def advance(self, seconds: float, step_s: float = 0.5) -> None:
        """Advance the clock by `seconds` in steps of `step_s`, and let the tasks run after each step."""
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)
            await self.clock.settle()

    async def outcome(self, task: asyncio.Task[Any], within_s: float = 300.0) -> Any:
        """Advance the clock until the task is done, and return its result or raise its error.

        Fail if the task is not done after `within_s` on this clock. A task that then still writes to the disk gets up
        to a minute of real time to end.
        """
        moved_s = 0.0
        await self.clock.settle()
        while not task.done() and moved_s < within_s:
            await self.advance(0.5)
            moved_s += 0.5
        await asyncio.wait({task}, timeout=_DISK_S_MAX)
        assert task.done(), f"it still waits after {within_s} s"
        return await task


@asynccontextmanager
async def running_central(
    radio: ScriptedRadio | None = None, *, chance: float = 0.5, **options: Any
) -> AsyncIterator[Running]:
    """Run a central until the block ends, and yield it. `options` are fields of CentralOptions; `chance` replaces the
    central's random numbers.

    At the end, check that every client was disconnected.
    """
    radio = radio or ScriptedRadio()
    clock = MovedClock()
    central = BleCentral(radio, clock, CentralOptions(**options), DecliningAgent(), chance=lambda: chance)
    runs = asyncio.ensure_future(central.run())
    await clock.settle()
    try:
        yield Running(central, radio, clock)
    finally:
        runs.cancel()
        await asyncio.wait({runs})
    assert [device.address for device in radio.devices.values() if device.open_clients] == []
    assert radio.overlaps == []
