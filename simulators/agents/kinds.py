"""The kinds of simulated devices, by the names that the command line and the demo use."""

from collections.abc import Callable, Mapping
from typing import Final

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
from simulators.agents.capnometer import Capnometer
from simulators.agents.defibrillator import Defibrillator
from simulators.agents.device import Description, Device
from simulators.agents.ecg import BasicEcg, ScannedEcg, SlowEcg
from simulators.agents.metabolic import BodyScale, GlucoseDiary, GlucoseMeter, HouseholdScale, WeighingScale
from simulators.agents.monitor import Monitor
from simulators.agents.personal import BloodPressure, Oximeter, SpotOximeter, Thermometer
from simulators.agents.recorded import RecordedMonitor
from simulators.physiology import Patient
from simulators.replay.wfdb import Record

MAKER: Final = "Argus simulators"
OUI: Final = bytes.fromhex("024152")
"""Locally administered, so that no real device has it; the rest of the EUI-64 identifies kind and unit."""


class UnknownKind(Exception):
    """There is no simulated device of this kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"there is no device {kind!r}; there are {', '.join(KINDS)}")


class NothingToReplay(Exception):
    """This kind of device cannot play a record."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the {kind} does not play records, only the {MONITOR} does")


class OwnScanner(Exception):
    """This kind of device reports through a scanner already."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the {kind} reports through a scanner of its own: leave --scanner out")


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
    """Return the description of the device of this kind and unit number (1 … 65535). Raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(kind)
    number, model, specializations, _ = KINDS[kind]
    return Description(
        system_id=OUI + b"\xff\xfe" + bytes((number,)) + (unit & 0xFFFF).to_bytes(2, "big"),
        manufacturer=MAKER,
        model=model,
        serial_number=f"{model}-{unit:05d}",
        specializations=specializations,
    )


def build_device(kind: str, source: Patient | Record, unit: int = 1) -> Device:
    """Return a device of this kind, with a patient or a record to play. Raises UnknownKind, NothingToReplay,
    RecordUnusable."""
    description = description_of(kind, unit)
    if isinstance(source, Record):
        if kind != MONITOR:
            raise NothingToReplay(kind)
        return RecordedMonitor(source, description)
    return KINDS[kind][3](source, description)
