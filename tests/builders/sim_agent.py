"""A simulated device on a clock that the test moves, connected to a `SimManager`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from gateway.transports.tcp import connect_tcp
from simulators.agents.agent import Agent, AgentOptions, Connect
from simulators.agents.kinds import build_agent
from simulators.agents.witness import Witness
from simulators.physiology.patient import Patient
from simulators.replay.wfdb import Record
from simulators.scenarios import scenario_of
from tests.builders.sim_manager import SimManager
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

_TURNS = 20
"""Passes of the event loop before `eventually` polls in real time; they usually suffice."""


class RunningAgent:
    """A running simulated device. `live` advances its time and waits until the manager has acknowledged its
    measurements."""

    def __init__(self, agent: Agent, clock: MovedClock, running: "asyncio.Task[None]") -> None:
        self.agent = agent
        self.clock = clock
        self.running = running

    async def associated(self) -> None:
        """Advance the device's time until the device is associated."""

        async def stands() -> bool:
            if not self.agent.status.associated:
                await self.clock.advance(0.1)
            return self.agent.status.associated

        await eventually(stands)

    async def live(self, seconds: float, step_s: float = 0.25) -> None:
        """Advance the device's time by `seconds` in steps, and wait after each step until all measurements are
        acknowledged."""
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)
            await self.handed_over()

    async def live_unheard(self, seconds: float, step_s: float = 0.25) -> None:
        """Advance the device's time by `seconds` in steps; do not wait for acknowledgements."""
        for _ in range(round(seconds / step_s)):
            await self.clock.advance(step_s)

    async def handed_over(self) -> None:
        for _ in range(_TURNS):
            if self.agent.status.pending == 0:
                return
            await self.clock.settle()
        await eventually(lambda: self.agent.status.pending == 0, what="everything measured is answered")


@asynccontextmanager
async def running_agent(
    kind: str,
    manager: SimManager,
    *,
    scenario: str = "stable",
    record: Record | None = None,
    witness: Witness | None = None,
    options: AgentOptions | None = None,
    connect: Connect | None = None,
    for_s: float | None = None,
) -> AsyncIterator[RunningAgent]:
    clock = MovedClock()
    agent = build_agent(
        kind,
        Patient(11, scenario_of(scenario)) if record is None else record,
        connect or partial(connect_tcp, *manager.address),
        clock,
        witness=witness,
        options=options,
    )
    running = asyncio.create_task(agent.run(for_s))
    try:
        yield RunningAgent(agent, clock, running)
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
