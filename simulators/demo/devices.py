"""The process of the demo's devices: one patient, and every device that measures it.

One process for all, because they share the patient: a shock of the defibrillator is seen in the monitor's leads and in
the oximeter's pulse. Each device has its own witness file. Started by the demo as a child; not a command for people.
"""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from gateway.transports.clock import SystemClock
from simulators.agents import MONITOR, Agent, DeviceClock, Witness, build_agent, run_agents
from simulators.agents.links import over_tcp
from simulators.demo.fleet import DEMO_DEVICES, DemoDevice
from simulators.demo.serial_line import SerialLine
from simulators.physiology import Patient
from simulators.replay.wfdb import Record
from simulators.scenarios import scenario_of


def main(
    state: Annotated[Path, typer.Option()],
    agent_tcp: Annotated[str, typer.Option()],
    seed: Annotated[int, typer.Option()],
    scenario: Annotated[str, typer.Option()],
    replay: Annotated[Path | None, typer.Option()] = None,
) -> None:
    """Run the demo's devices until SIGTERM; then each hands over what it holds and leaves."""
    asyncio.run(_run(state, agent_tcp, Patient(seed, scenario_of(scenario)), replay))


async def _run(state: Path, agent_tcp: str, patient: Patient, replay: Path | None) -> None:
    record = None if replay is None else Record(replay)
    clock = SystemClock()
    device_clock = DeviceClock.switched_on(clock)
    agents = [_agent(device, state, agent_tcp, patient, record, clock, device_clock) for device in DEMO_DEVICES]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for agent in agents:
            agent.stop()

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)
    await run_agents(agents)


def _agent(
    device: DemoDevice,
    state: Path,
    agent_tcp: str,
    patient: Patient,
    record: Record | None,
    clock: SystemClock,
    device_clock: DeviceClock,
) -> Agent:
    host, port = agent_tcp.rsplit(":", 1)
    serial = device.link == "serial"
    return build_agent(
        device.kind,
        record if record is not None and device.kind == MONITOR else patient,
        SerialLine(state / "ports" / device.name).connect if serial else over_tcp(host, int(port)),
        clock,
        witness=Witness(state / "witness" / f"{device.kind}.witness"),
        device_clock=device_clock,
    )


if __name__ == "__main__":
    typer.run(main)
