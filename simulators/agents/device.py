"""Interface of every simulated device: a description, a configuration, and a pace at which it measures.

A device is plain computation: it gets the patient second and returns the measurements up to it, in order of device
time, which never runs backward unless its clock is set back. The agent sends, stores and repeats reports (`agent.py`);
other behaviour is in `behaviour.py`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A device's description of itself."""

    system_id: bytes
    manufacturer: str
    model: str
    serial_number: str
    specializations: tuple[Specialization, ...]

    def mds(self, config_id: int) -> tuple[AvaType, ...]:
        """Return the attributes for a Get of the MDS, except those of the clock (`own_clock`)."""
        types = tuple(TypeVersion(item.profile, 1) for item in self.specializations)
        return (
            AvaType(Attribute.SYSTEM_TYPE_SPEC_LIST, encode_list(types)),
            AvaType(Attribute.SYSTEM_MODEL, encode(SystemModel(_even(self.manufacturer), _even(self.model)))),
            AvaType(Attribute.SYSTEM_ID, len(self.system_id).to_bytes(2, "big") + self.system_id),
            AvaType(Attribute.DEV_CONFIGURATION_ID, config_id.to_bytes(2, "big")),
            AvaType(
                Attribute.PRODUCTION_SPECIFICATION,
                encode_list((ProductionSpecEntry(1, 0, _even(self.serial_number)),)),
            ),
            AvaType(Attribute.POWER_STATUS, _ON_MAINS.to_bytes(2, "big")),
        )


def _even(text: str) -> bytes:
    octets = text.encode("ascii", "replace")
    return octets + b" " * (len(octets) % 2)


@dataclass(frozen=True, slots=True)
class Measured:
    """The readings of one report, all of this time. `waveform`: it may be unconfirmed where the options select that.

    `variable`: the report names its attributes itself, because the objects' maps have no time. `scanner` reports it,
    None: the MDS. `confirmed` False: it is sent once or never.
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
    """A simulated device. `configuration` is set when it is built."""

    configuration: Configuration

    def __init__(self, description: Description) -> None:
        self.description = description

    @property
    @abstractmethod
    def due_s(self) -> float:
        """Return the patient second of the next measurement."""

    @abstractmethod
    def measure(self, now_s: float, time_at: TimeAt) -> Iterable[Measured]:
        """Return the measurements since the last call, up to `now_s`."""

    def services(self) -> Sequence[AgentService]:
        """Return the device's services beyond those of all devices; the same objects over all associations."""
        return ()


class Pace:
    """A turn every `every_s` patient seconds from `first_s` on; missed turns are not made up."""

    def __init__(self, first_s: float, every_s: float) -> None:
        self._first_s = first_s
        self._every_s = every_s
        self._turn = 0

    @property
    def due_s(self) -> float:
        return self._first_s + self._turn * self._every_s

    def turn_s(self, now_s: float) -> float | None:
        """Return the time of the latest turn since the last call, None when there is none: the time of the
        measurement."""
        if now_s + 1e-9 < self.due_s:
            return None
        turn = int((now_s + 1e-9 - self._first_s) / self._every_s)
        self._turn = turn + 1
        return self._first_s + turn * self._every_s
