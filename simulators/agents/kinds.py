"""The kinds of simulated devices, by the names that the command line and the demo use."""

from collections.abc import Callable, Mapping
from typing import Final

from simulators.agents import codes
from simulators.agents.defibrillator import Defibrillator
from simulators.agents.device import Description, Device
from simulators.agents.monitor import Monitor
from simulators.agents.personal import BasicEcg, BloodPressure, Oximeter, Thermometer
from simulators.agents.recorded import RecordedMonitor
from simulators.physiology import Patient
from simulators.replay.wfdb import Record

_MAKER: Final = "Argus simulators"
_OUI: Final = bytes.fromhex("024152")
"""Locally administered, so that no real device has it; the rest of the EUI-64 names kind and unit."""


class UnknownKind(Exception):
    """There is no simulated device of this kind."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"there is no device {kind!r}; there are {', '.join(KINDS)}")


class NothingToReplay(Exception):
    """This kind of device cannot play a record."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the {kind} does not play records, only the {MONITOR} does")


MONITOR: Final = "monitor"

_Maker = Callable[[Patient, Description], Device]

KINDS: Final[Mapping[str, tuple[int, str, tuple[int, ...], _Maker]]] = {
    # kind: number in the system id, model, profiles (partition 8), class
    "oximeter": (1, "SIM-OX", (codes.PROFILE_OXIMETER,), Oximeter),
    "blood-pressure": (2, "SIM-BP", (codes.PROFILE_BLOOD_PRESSURE,), BloodPressure),
    "thermometer": (3, "SIM-TEMP", (codes.PROFILE_THERMOMETER,), Thermometer),
    "ecg": (4, "SIM-ECG", (codes.PROFILE_ECG,), BasicEcg),
    MONITOR: (5, "SIM-MONITOR", (codes.PROFILE_GENERIC, codes.PROFILE_ECG, codes.PROFILE_OXIMETER), Monitor),
    "defibrillator": (6, "SIM-DEFIB", (codes.PROFILE_GENERIC, codes.PROFILE_ECG), Defibrillator),
}


def description_of(kind: str, unit: int = 1) -> Description:
    """The description of the device of this kind and unit number (1 … 65535). Raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(kind)
    number, model, profiles, _ = KINDS[kind]
    return Description(
        system_id=_OUI + b"\xff\xfe" + bytes((number,)) + (unit & 0xFFFF).to_bytes(2, "big"),
        manufacturer=_MAKER,
        model=model,
        serial_number=f"{model}-{unit:05d}",
        profiles=profiles,
    )


def build_device(kind: str, source: Patient | Record, unit: int = 1) -> Device:
    """A device of this kind at a patient, or playing a record. Raises UnknownKind, NothingToReplay, RecordUnusable."""
    description = description_of(kind, unit)
    if isinstance(source, Record):
        if kind != MONITOR:
            raise NothingToReplay(kind)
        return RecordedMonitor(source, description)
    return KINDS[kind][3](source, description)
