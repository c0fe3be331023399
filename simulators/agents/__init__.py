"""Simulated devices over the gateway's own links: build one with `build_agent`, run some with `run_agents`."""

import asyncio
from collections.abc import Sequence

from gateway.transports.clock import Clock
from simulators.agents.agent import Agent, AgentOptions, Connect
from simulators.agents.behaviour import Behaviour, DataRequests, ScannerKind, has_scanner
from simulators.agents.device_clock import DeviceClock
from simulators.agents.kinds import KINDS, MONITOR, NothingToReplay, OwnScanner, UnknownKind, build_device
from simulators.agents.memory_file import NoSuchHeader
from simulators.agents.own_clock import ClockBehaviour, SetResponse, Setting
from simulators.agents.remembering import MemoryOptions, RememberingDevice
from simulators.agents.sending import AgentStatus
from simulators.agents.witness import Witness
from simulators.physiology import Patient
from simulators.replay.wfdb import Record


def build_agent(
    kind: str,
    source: Patient | Record,
    connect: Connect,
    clock: Clock,
    *,
    witness: Witness | None = None,
    options: AgentOptions | None = None,
    device_clock: DeviceClock | None = None,
    memory: MemoryOptions | None = None,
    unit: int = 1,
) -> Agent:
    """Return a device of this kind, with a patient or a record to play, that uses the links that `connect` returns.

    Agents that share a patient must share a `device_clock` (one `DeviceClock.switched_on(clock)` for all), because it
    defines patient second 0. `memory` makes it a device that stores its measurements in a file. `unit` distinguishes
    devices of one kind. Raises UnknownKind, NothingToReplay, RecordUnusable, OwnScanner for a second scanner, and
    NoSuchHeader for a clock that cannot date a memory's entries.
    """
    device = build_device(kind, source, unit)
    if options is not None and options.behaviour.scanner is not None and has_scanner(device.configuration):
        raise OwnScanner(kind)
    if memory is not None:
        device = RememberingDevice(device, memory, (options or AgentOptions()).behaviour.clock.kind)
    return Agent(
        device,
        source if isinstance(source, Patient) else None,
        connect,
        clock,
        device_clock or DeviceClock.switched_on(clock),
        witness=witness,
        options=options,
    )


async def run_agent(agent: Agent, for_s: float | None = None) -> None:
    """Run one agent for that many seconds, then let it send what it holds and disconnect; None: until it is
    cancelled."""
    await agent.run(for_s)


async def run_agents(agents: Sequence[Agent], for_s: float | None = None) -> None:
    """Run several agents concurrently; see `run_agent`."""
    async with asyncio.TaskGroup() as tasks:
        for agent in agents:
            tasks.create_task(agent.run(for_s))


__all__ = [
    "KINDS",
    "MONITOR",
    "Agent",
    "AgentOptions",
    "AgentStatus",
    "Behaviour",
    "ClockBehaviour",
    "Connect",
    "DataRequests",
    "DeviceClock",
    "MemoryOptions",
    "NoSuchHeader",
    "NothingToReplay",
    "OwnScanner",
    "ScannerKind",
    "SetResponse",
    "Setting",
    "UnknownKind",
    "Witness",
    "build_agent",
    "run_agent",
    "run_agents",
]
