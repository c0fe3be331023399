"""Process of the demo's devices: one patient, and all devices that measure the patient, wired and Bluetooth.

It is one process because the devices share the patient: a shock of the defibrillator is visible in the monitor's leads
and in the oximeter's pulse. Each device has its own witness file. A Bluetooth device also has a file of bonds and a
file of undelivered values, so that it stays the same device after this process was killed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gateway.transports.clock import SystemClock
from simulators.agents.agent import Agent, AgentOptions
from simulators.agents.device_clock import DeviceClock
from simulators.agents.kinds import MONITOR, build_agent
from simulators.agents.witness import Witness
from simulators.ble.assembly import build_peripheral
from simulators.ble.peripheral import Peripheral, PeripheralOptions
from simulators.ble.witness import BleWitness
from simulators.command_line import stop_on_signals
from simulators.demo.fleet import DEMO_DEVICES, DemoDevice
from simulators.demo.serial_line import SerialLine
from simulators.physiology.patient import Patient
from simulators.replay.wfdb import Record
from simulators.scenarios import scenario_of


def main(
    state: Annotated[Path, typer.Option()],
    radio: Annotated[Path, typer.Option()],
    seed: Annotated[int, typer.Option()],
    scenario: Annotated[str, typer.Option()],
    replay: Annotated[Path | None, typer.Option()] = None,
    unconfirmed_waveforms: Annotated[bool, typer.Option("--unconfirmed-waveforms")] = False,
) -> None:
    """Run the demo's devices until SIGTERM. Each device sends its remaining measurements and disconnects."""
    asyncio.run(_run(state, radio, Patient(seed, scenario_of(scenario)), replay, not unconfirmed_waveforms))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Vehicle:
    state: Path
    radio: Path
    patient: Patient
    record: Record | None
    clock: SystemClock
    device_clock: DeviceClock
    waveforms_confirmed: bool


async def _run(state: Path, radio: Path, patient: Patient, replay: Path | None, waveforms_confirmed: bool) -> None:
    clock = SystemClock()
    vehicle = _Vehicle(
        state=state,
        radio=radio,
        patient=patient,
        record=None if replay is None else Record(replay),
        clock=clock,
        device_clock=DeviceClock.switched_on(clock),
        waveforms_confirmed=waveforms_confirmed,
    )
    devices: Sequence[Agent | Peripheral] = [
        _on_air(device, vehicle) if device.link == "ble" else _on_a_wire(device, vehicle) for device in DEMO_DEVICES
    ]

    def stop() -> None:
        for device in devices:
            device.stop()

    stop_on_signals(stop)
    async with asyncio.TaskGroup() as tasks:
        for device in devices:
            tasks.create_task(device.run())


def _on_a_wire(device: DemoDevice, vehicle: _Vehicle) -> Agent:
    record = vehicle.record
    return build_agent(
        device.kind,
        record if record is not None and device.kind == MONITOR else vehicle.patient,
        SerialLine(vehicle.state / "ports" / device.name).connect,
        vehicle.clock,
        witness=Witness(vehicle.state / "witness" / f"{device.kind}.witness"),
        device_clock=vehicle.device_clock,
        options=AgentOptions(waveforms_confirmed=vehicle.waveforms_confirmed),
    )


def _on_air(device: DemoDevice, vehicle: _Vehicle) -> Peripheral:
    return build_peripheral(
        device.kind,
        vehicle.patient,
        vehicle.radio,
        vehicle.clock,
        device_clock=vehicle.device_clock,
        witness=BleWitness(vehicle.state / "witness" / f"{device.kind}.air", vehicle.clock),
        options=PeripheralOptions(
            memory=vehicle.state / "ble" / f"{device.kind}.memory",
            bonds=vehicle.state / "ble" / f"{device.kind}.bonds",
        ),
    )


if __name__ == "__main__":
    typer.run(main)
