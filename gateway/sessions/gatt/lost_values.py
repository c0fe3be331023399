"""Count in gap records the values that a Bluetooth stack confirmed to the device and that the gateway lost.

Values are lost when they arrive faster than they are stored, or when a session fails before they are durable. The
device does not resend them.
"""

from contextlib import suppress

from gateway.buffer import Buffer
from gateway.buffer.errors import StoreFull
from gateway.buffer.losses import Loss
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.presence import DevicePresence
from gateway.sessions.session import Counts
from gateway.transports.ble.connection import BleConnection
from protocols.ieee11073.association import manager_events
from protocols.uplink.lanes import Lane


class LostValues:
    """The lost values of one link. `in_hand`: number of received values that are not durable yet."""

    def __init__(
        self, context: SessionContext, store: Buffer, link: BleConnection, presence: DevicePresence, counts: Counts
    ) -> None:
        self.in_hand = 0
        self._context = context
        self._store = store
        self._link = link
        self._presence = presence
        self._counts = counts
        self._dropped = 0
        self._recorded_us = context.clock.wall_us()

    @property
    def is_pending(self) -> bool:
        """True when the link has dropped values since the last call of `record`."""
        return self._link.dropped != self._dropped

    async def record(self) -> None:
        """Record the values that were lost since the last call: in a gap record, in the device's history, and as an
        event. A notification counts as one value."""
        dropped, self._dropped = self._link.dropped - self._dropped, self._link.dropped
        dropped, self.in_hand = dropped + self.in_hand, 0
        now_us = self._context.clock.wall_us()
        since_us, self._recorded_us = min(self._recorded_us, now_us), now_us
        if dropped <= 0:
            return
        with suppress(StoreFull):  # then the buffer counts them once it has room
            await self._store.record_loss([Loss(Lane.NUMERIC, dropped, since_us, now_us)])
        self._counts.lost += dropped
        self._presence.recorder.record(manager_events.ReportsLost(dropped, None), now_us)
        await self._context.journal.record(
            "reports.lost", self._presence.system_id, count=dropped, after=None, link=self._link.name
        )
