"""Kinds of simulated 20601 devices, by the names that the command line and the demo use."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from gateway.transports.clock import Clock
from protocols.ieee11073.specializations.profiles import (
    BASIC_ECG,
    BLOOD_PRESSURE_METER,
    BODY_THERMOMETER,
    GENERIC,
    GLUCOSE,
    PULSE_OXIMETER,
    RESPIRATION_RATE,
    SCALE,
    Specialization,
)
from simulators.agents.agent import Agent, AgentOptions, Connect
from simulators.agents.behaviour import has_scanner
from simulators.agents.capnometer import Capnometer
from simulators.agents.defibrillator import Defibrillator
from simulators.agents.device import Description, Device, DeviceUnusable
from simulators.agents.device_clock import DeviceClock
from simulators.agents.ecg import BasicEcg, ScannedEcg, SlowEcg
from simulators.agents.metabolic import BodyScale, GlucoseDiary, GlucoseMeter, HouseholdScale, WeighingScale
from simulators.agents.monitor import Monitor
from simulators.agents.personal import BloodPressure, Oximeter, SpotOximeter, Thermometer
from simulators.agents.recorded import RecordedMonitor
from simulators.agents.remembering import MemoryOptions, RememberingDevice
from simulators.agents.witness import Witness
from simulators.physiology.patient import Patient
from simulators.replay.wfdb import Record

MAKER: Final = "Argus simulators"
OUI: Final = bytes.fromhex("024152")
"""Locally administered, so that no real device has it; the rest of the EUI-64 identifies kind and unit."""


MONITOR: Final = "monitor"

_Maker = Callable[[Patient, Description], Device]

KINDS: Final[Mapping[str, tuple[int, str, tuple[Specialization, ...], _Maker]]] = {
    # kind: number in the system id, model, specialisations, class
    "oximeter": (1, "SIM-OX", (PULSE_OXIMETER,), Oximeter),
    "blood-pressure": (2, "SIM-BP", (BLOOD_PRESSURE_METER,), BloodPressure),
    "thermometer": (3, "SIM-TEMP", (BODY_THERMOMETER,), Thermometer),
    "ecg": (4, "SIM-ECG", (BASIC_ECG,), BasicEcg),
    MONITOR: (5, "SIM-MONITOR", (GENERIC, BASIC_ECG, PULSE_OXIMETER), Monitor),
    "defibrillator": (6, "SIM-DEFIB", (GENERIC, BASIC_ECG), Defibrillator),
    "spot-oximeter": (7, "SIM-OX-SPOT", (PULSE_OXIMETER,), SpotOximeter),
    "scanned-ecg": (8, "SIM-ECG-SCAN", (BASIC_ECG,), ScannedEcg),
    "slow-ecg": (9, "SIM-ECG-SLOW", (BASIC_ECG,), SlowEcg),
    "etco2": (10, "SIM-ETCO2", (GENERIC, RESPIRATION_RATE), Capnometer),
    "scale": (11, "SIM-SCALE", (SCALE,), WeighingScale),
    "body-scale": (12, "SIM-BODY", (SCALE,), BodyScale),
    "household-scale": (13, "SIM-HOUSE", (SCALE,), HouseholdScale),
    "glucose": (14, "SIM-GLU", (GLUCOSE,), GlucoseMeter),
    "glucose-diary": (15, "SIM-GLU-DIARY", (GLUCOSE,), GlucoseDiary),
}


def description_of(kind: str, unit: int = 1) -> Description:
    """Return the description of device `unit` (1 … 65535) of this kind. Raises DeviceUnusable for an unknown kind."""
    if kind not in KINDS:
        raise DeviceUnusable(f"there is no device {kind!r}; there are {', '.join(KINDS)}")
    number, model, specializations, _ = KINDS[kind]
    return describe(number, model, specializations, unit)


def describe(number: int, model: str, specializations: tuple[Specialization, ...], unit: int) -> Description:
    """Return the description of a device. Its system id contains `number`, which identifies the kind, and `unit`, which
    identifies the device."""
    return Description(
        system_id=OUI + b"\xff\xfe" + bytes((number,)) + (unit & 0xFFFF).to_bytes(2, "big"),
        manufacturer=MAKER,
        model=model,
        serial_number=f"{model}-{unit:05d}",
        specializations=specializations,
    )


def build_device(kind: str, source: Patient | Record, unit: int = 1) -> Device:
    """Create device `unit` of this kind, which measures the patient or plays the record `source`. Raises
    DeviceUnusable, RecordUnusable."""
    description = description_of(kind, unit)
    if isinstance(source, Record):
        if kind != MONITOR:
            raise DeviceUnusable(f"the {kind} does not play records, only the {MONITOR} does")
        return RecordedMonitor(source, description)
    return KINDS[kind][3](source, description)


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
    firmware: str | None = None,
) -> Agent:
    """Create a device of this kind, which measures the patient or plays the record `source`. `connect` opens the
    device's links to the manager.

    Agents that share a patient must share a `device_clock` (one `DeviceClock.switched_on(clock)` for all), because it
    defines when patient time starts. With `memory` the device stores its measurements in a file (PM-store). `unit`
    distinguishes devices of one kind. `firmware` is the firmware revision that the device reports. `witness` records
    the acknowledged reports. Raises DeviceUnusable (an unknown
    kind, a kind that plays no record, a second scanner, a kind of clock that a PM-store entry cannot carry), and
    RecordUnusable.
    """
    device = build_device(kind, source, unit)
    if firmware is not None:
        device.description = replace(device.description, firmware=firmware)
    if options is not None and options.behaviour.scanner is not None and has_scanner(device.configuration):
        raise DeviceUnusable(f"the {kind} reports through a scanner of its own: leave --scanner out")
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
