"""Events that happened in a vehicle, as readers get them. Slice `ingest`, in a room below, stores and supplies them.

A gateway reports them of itself and of its devices: connections, deviations, clocks, ports, its store, and gaps in its
lanes. They contain no value of a patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloud.foundation.db import Transaction
from cloud.foundation.supplies import Need
from cloud.foundation.viewer import Viewer
from protocols.uplink.events import EventField

GAP_RECORDED = "gap.recorded"
"""Name of the event that a gap record stands for: data that the gateway could not store or send."""

Place = tuple[int, int, int]
"""Position of an event in the order of reading: time (µs), lane id and sequence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleEvent:
    """An event in a vehicle. `at_us` is by the gateway's clock; of a gap, the time of the first lost data. `device` is
    the system id of the device that the event is about, if any. Epoch, lane and sequence name the signed batch."""

    name: str
    at_us: int
    organization_id: str
    vehicle_id: str
    gateway_id: str
    device: str | None
    fields: Mapping[str, EventField]
    epoch: str
    lane: str
    lane_id: int
    sequence: int

    @property
    def place(self) -> Place:
        return self.at_us, self.lane_id, self.sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSearch:
    """The wanted events: of a gateway, a vehicle or a device (its system id), from `since_us` to before `until_us`, at
    most `limit`. `names` has names of events (`device.connected`) or their first parts (`device`); empty: all.
    `newest_first` selects the latest events instead of the first. `after`: only events behind this place in the order
    of reading."""

    limit: int
    gateway_id: str | None = None
    vehicle_id: str | None = None
    device: str | None = None
    names: tuple[str, ...] = ()
    since_us: int | None = None
    until_us: int | None = None
    newest_first: bool = False
    after: Place | None = None


class VehicleEvents(Protocol):
    """Reader of the events in vehicles."""

    async def search(self, tx: Transaction, viewer: Viewer, wanted: EventSearch) -> Sequence[VehicleEvent]:
        """Return the wanted events that the viewer may see, in the order of time, or from the newest to the oldest."""
        ...


VEHICLE_EVENTS: Need[VehicleEvents] = Need("the events in vehicles")
