"""Interface of all simulated devices: a description, a configuration, and the times at which the device measures.

A device is a computation without I/O. It gets the current patient time (seconds since the patient began), and returns
the measurements since the last call in the order of their time stamps. The time stamps never decrease unless the
device's clock is set back. `agent` sends, stores and repeats the reports.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from protocols.device_time import DeviceTime
from protocols.ieee11073.apdu.attributes import AvaType, ProductionSpecEntry, SystemModel, TypeVersion
from protocols.ieee11073.association.agent_service import AgentService
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.mder import encode, encode_list
from protocols.ieee11073.specializations.profiles import Specialization

TimeAt = Callable[[float], DeviceTime]
"""The device's own time at a patient second."""

_ON_MAINS = 0x8000
_SERIAL, _HARDWARE, _FIRMWARE = 1, 3, 5
_WHOLE_DEVICE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    system_id: bytes
    manufacturer: str
    model: str
    serial_number: str
    specializations: tuple[Specialization, ...]
    hardware: str = "A"
    firmware: str = "1.0"
    battery_percent: int = 87

    def mds(self, config_id: int) -> tuple[AvaType, ...]:
        """Return the attributes of the MDS object, except the clock. `config_id` is Dev-Configuration-Id."""
        types = tuple(TypeVersion(item.profile, 1) for item in self.specializations)
        return (
            AvaType(Attribute.SYSTEM_TYPE_SPEC_LIST, encode_list(types)),
            AvaType(Attribute.SYSTEM_MODEL, encode(SystemModel(_even(self.manufacturer), _even(self.model)))),
            AvaType(Attribute.SYSTEM_ID, len(self.system_id).to_bytes(2, "big") + self.system_id),
            AvaType(Attribute.DEV_CONFIGURATION_ID, config_id.to_bytes(2, "big")),
            AvaType(Attribute.PRODUCTION_SPECIFICATION, encode_list(tuple(self._production()))),
            AvaType(Attribute.POWER_STATUS, _ON_MAINS.to_bytes(2, "big")),
            AvaType(Attribute.BATTERY_LEVEL, self.battery_percent.to_bytes(2, "big")),
        )

    def _production(self) -> Iterator[ProductionSpecEntry]:
        texts = ((_SERIAL, self.serial_number), (_HARDWARE, self.hardware), (_FIRMWARE, self.firmware))
        for kind, text in texts:
            yield ProductionSpecEntry(kind, _WHOLE_DEVICE, _even(text))


def _even(text: str) -> bytes:
    octets = text.encode("ascii", "replace")
    return octets + b" " * (len(octets) % 2)


@dataclass(frozen=True, slots=True)
class Measured:
    """Readings of one report, all with the time `device_time`.

    `waveform`: the readings are samples; the agent's options can have such a report sent unconfirmed. `variable`: the
    report is in variable form, which adds the time that the attribute value maps of its objects lack. `scanner`: handle
    of the scanner that sends the report; None: the MDS sends it. `confirmed` False: the report is sent at most once.
    """

    device_time: DeviceTime
    readings: tuple[Reading, ...]
    waveform: bool = False
    variable: bool = False
    scanner: int | None = None
    confirmed: bool = True


class DeviceUnusable(Exception):
    """A device cannot be built as requested; the text has the reason."""


class Device(ABC):
    """Base class of the simulated devices. A subclass or its constructor defines `configuration`."""

    configuration: Configuration

    def __init__(self, description: Description) -> None:
        self.description = description

    @property
    @abstractmethod
    def due_s(self) -> float:
        """Return the patient time of the next measurement in seconds."""

    @abstractmethod
    def measure(self, now_s: float, time_at: TimeAt) -> Iterable[Measured]:
        """Return the measurements since the last call, up to patient second `now_s`. `time_at` converts a patient
        second to the time stamp of the device."""

    def services(self) -> Sequence[AgentService]:
        """Return the 20601 services that only this device has. All associations of the device use the same service
        objects."""
        return ()


class Pace:
    """Regular times in patient seconds: `first_s`, and one every `every_s` after it. Missed times are skipped."""

    def __init__(self, first_s: float, every_s: float) -> None:
        self._first_s = first_s
        self._every_s = every_s
        self._turn = 0

    @property
    def due_s(self) -> float:
        return self._first_s + self._turn * self._every_s

    def turn_s(self, now_s: float) -> float | None:
        """Return the latest of the regular times up to `now_s`. Return None if no regular time has passed since the
        last call."""
        if now_s + 1e-9 < self.due_s:
            return None
        turn = int((now_s + 1e-9 - self._first_s) / self._every_s)
        self._turn = turn + 1
        return self._first_s + turn * self._every_s
