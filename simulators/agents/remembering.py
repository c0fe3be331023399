"""Device with a memory: any simulated device whose measurements are stored in a PM-store, with or without a manager.

All measurements except waveforms are stored for a manager to fetch. With `live` the stored measurements are also
reported at once, so the manager gets each of them twice. The extended configuration contains the PM-store.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocols.device_time import TimeKind
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.association.agent_pm_store import AgentPmStore
from protocols.ieee11073.association.agent_service import AgentService
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.channels import METRICS
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.segment_writing import entry, entry_map, pm_store
from simulators.agents.device import Device, Measured, TimeAt
from simulators.agents.memory_file import MemoryFile, MemoryWitness, header_of

STORE_HANDLE: Final = 0x0F10
_REMEMBERING: Final = 0x4400
"""Added to a configuration id: an extended configuration with a memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions:
    """Settings of a memory. `path` is the file of stored entries; `witness` is the file that `MemoryWitness` writes."""

    path: Path
    witness: Path | None = None
    live: bool = False
    """Report every measurement live as well."""
    entries_per_event: int = 16


class RememberingDevice(Device):
    """Device that stores the measurements of another device in a PM-store. `kind` is the kind of clock that the time
    stamps come from."""

    def __init__(self, inner: Device, options: MemoryOptions, kind: TimeKind = TimeKind.ABSOLUTE) -> None:
        """Add a memory to the device `inner`. Raises OSError, and `DeviceUnusable` for an unsuitable kind of clock."""
        super().__init__(inner.description)
        self._inner = inner
        self._live = options.live
        self._header = header_of(kind)
        measured = inner.configuration
        self.configuration = Configuration(
            measured.config_id | _REMEMBERING, (*measured.objects, pm_store(STORE_HANDLE))
        )
        witness = None if options.witness is None else MemoryWitness(options.witness, inner.description.system_id)
        handles = [item.obj_handle for item in measured.objects if _storable(item)]
        self._layouts = {handle: entry_map(measured, [handle], self._header) for handle in handles}
        self._numbers = {handle: number for number, handle in enumerate(handles)}
        self.memory = MemoryFile(options.path, tuple(self._layouts.values()), witness)
        self._store = AgentPmStore(STORE_HANDLE, self.memory, entries_per_event=options.entries_per_event)

    @property
    def due_s(self) -> float:
        return self._inner.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterable[Measured]:
        for measured in self._inner.measure(now_s, time_at):
            if not measured.waveform:
                self._keep(measured)
            if self._live or measured.waveform:
                yield measured

    def services(self) -> Sequence[AgentService]:
        return (*self._inner.services(), self._store)

    def _keep(self, measured: Measured) -> None:
        """Store one entry for each reading, since the readings of a report may be of different persons."""
        for reading in measured.readings:
            layout = self._layouts.get(reading.handle)
            if layout is not None and reading.value is not None:
                octets = entry(layout, measured.device_time, [reading])
                self.memory.keep(self._numbers[reading.handle], octets, reading.person)


def _storable(item: ConfigObject) -> bool:
    """Return whether an object fits a PM-store entry: a metric with an attribute value map, and no waveform."""
    kinds = {attribute.attribute_id for attribute in item.attributes}
    mapped = Attribute.ATTRIBUTE_VALUE_MAP in kinds and Attribute.TYPE in kinds
    return mapped and item.obj_class in METRICS and item.obj_class != ObjectClass.RT_SA
