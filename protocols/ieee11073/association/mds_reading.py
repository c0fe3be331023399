"""Identification of the device: a Get of all MDS attributes, the first request in Operating (reference 20601 §9.1).

Without a response the association is aborted (20601 row 8.4). A device that refuses, or whose attributes cannot all be
decoded, stays associated.
"""

from collections.abc import Callable
from typing import Any

from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.data import GetArgument, GetResult
from protocols.ieee11073.association.manager_events import MdsChanged, MdsRead
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.requests import Requests
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import DeviceIdentity, changed, identity_of
from protocols.ieee11073.tolerances import Oddity


class MdsReading(Service):
    """Service that reads the MDS once in each association and passes the identity to `identified`."""

    def __init__(self, requests: Requests, to_get_s: float, identified: Callable[[DeviceIdentity], None]) -> None:
        super().__init__(requests)
        self._to_get_s = to_get_s
        self._identified = identified
        self.device: DeviceIdentity | None = None
        """Device of this or the last association: the system id from the AARQ on, the rest after reading the MDS."""
        self.asked_s = 0.0
        """Time at which the Get was sent."""
        self.event: MdsRead | None = None
        """The event of this association, once emitted."""

    def associate(self, system_id: bytes) -> None:
        """Store the system id of an accepted association request."""
        self.device = DeviceIdentity(system_id=system_id)

    def start(self, configuration: Configuration) -> None:
        self.asked_s = self._requests.now_s
        self._get(self._read)

    def check(self, *, now_s: float) -> None:
        """Send a Get of the MDS to test whether the device still responds, since a connection may be lost without
        notice. A response causes no event; a timeout aborts the association (20601 row 8.4). Raises
        `LocalProtocolError` outside Operating, and when too many requests are queued."""
        self._requests.set_now(now_s)
        self._get(lambda received: None)

    def _get(self, done: Callable[[Received], None]) -> None:
        self._requests.enqueue(MessageTag.GET, GetArgument(0, ()), to_s=self._to_get_s, done=done)

    def changed(self, event: MdsChanged) -> None:
        """Update the device's identity with the changed MDS attributes of `event`."""
        if self.device is not None:
            self.device = changed(self.device, event.attributes)

    def _read(self, received: Received) -> None:
        result: Any = received.body
        assert self.device is not None
        if not isinstance(result, GetResult):
            self._requests.notes.add(Oddity.MDS_WITHHELD, received.octets)
            self._identified(self.device)
            return
        self.device = identity_of(self.device.system_id, result.attribute_list)
        values = dict(self.device.attributes)
        for attribute in self.device.unreadable:
            self._requests.notes.add(Oddity.MDS_ATTRIBUTE_UNREADABLE, values[attribute], attribute=attribute)
        shown = self.device.date_and_time
        if shown is not None and shown.local_us() is None:
            self._requests.notes.add(Oddity.CLOCK_UNREADABLE, shown.octets)
        self.event = MdsRead(self.device)
        self._requests.emit(self.event)
        self._identified(self.device)

    def end(self) -> None:
        self.event = None
