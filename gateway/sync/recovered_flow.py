"""Sends the batches of a recovered store under its own epoch, while no batch of the present store is in flight or due.

The same windows and rules apply as for the present store. Marks are not exchanged for an earlier epoch, so sending
starts at the marks that were known when the store was set aside. If the cloud holds a different history of a lane, that
lane is given up: nothing is overwritten, and the batches stay in the set-aside store.
"""

import structlog

from gateway.buffer.archive import Archive
from gateway.sync.batch_source import RecoveredSource
from gateway.sync.flows import Due, Flows
from gateway.sync.lane_window import Verdict
from gateway.sync.settings import UplinkSettings
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane

ARCHIVE_EVERY_S = 10.0
"""Interval at which a recovered store is looked for: a look reads the state folder, and there is one a year."""

log = structlog.get_logger()


class RecoveredFlow:
    """Sends the batches recovered from one store, on one connection."""

    def __init__(self, source: RecoveredSource, settings: UplinkSettings) -> None:
        self.source = source
        self.flows = Flows(source, settings)
        self.flows.begin()
        for lane in Lane:
            mark = source.marks()[lane]
            self.flows.windows[lane].apply(Ack(epoch=source.epoch, lane=lane, through_sequence=mark.acked))
        log.info("uplink.recovered_began", epoch=source.epoch)

    async def next(self, now_s: float) -> Due | None:
        """Return the recovered batch to send now; None if no batch is unsent or the limits on batches in flight are
        reached."""
        self.flows.expire(now_s)
        return await self.flows.next()

    async def take(self, ack: Ack, now_s: float) -> None:
        """Apply an acknowledgement for batches of the recovered store."""
        match self.flows.apply(ack, now_s).verdict:
            case Verdict.ADVANCED:
                await self.source.acknowledge(ack)
            case Verdict.CONTESTED:
                log.error("uplink.recovered_refused", epoch=ack.epoch, lane=ack.lane.value)
                self.source.give_up(ack.lane)
            case Verdict.RESTORED | Verdict.DOUBTED | Verdict.FOREIGN:
                pass


class RecoveredBatches:
    """The batches recovered from damaged stores that were set aside, one store after the other. Empty if `archive` is
    None."""

    def __init__(self, archive: Archive | None, settings: UplinkSettings) -> None:
        self._archive = archive
        self._settings = settings
        self._flow: RecoveredFlow | None = None
        self._due_s = float("-inf")

    def begin_connection(self) -> None:
        """Start a connection: unacknowledged recovered batches are sent again."""
        self._flow = None

    def begin_epoch(self) -> None:
        """Look for recovered batches at once, because a failed store was set aside."""
        self._due_s = float("-inf")

    @property
    def deadline_s(self) -> float | None:
        """Monotonic time at which to call `next` even without an acknowledgement; None: no such time."""
        if self._archive is None:
            return None
        return self._due_s if self._flow is None else self._flow.flows.deadline_s

    def is_due(self, now_s: float) -> bool:
        """Return whether `next` may have a batch to send, or must look for a recovered store."""
        return self._archive is not None and (self._flow is not None or now_s >= self._due_s)

    async def take(self, ack: Ack, now_s: float) -> bool:
        """Apply an acknowledgement if it is for batches of the recovered store. Return False if it is for other
        batches."""
        if self._flow is None or ack.epoch != self._flow.flows.epoch:
            return False
        await self._flow.take(ack, now_s)
        return True

    async def next(self, now_s: float) -> tuple[Due, Flows] | None:
        """Return the recovered batch to send now, with the `Flows` of its store, or None."""
        while self._archive is not None:
            if self._flow is None:
                if now_s < self._due_s:
                    return None
                self._due_s = now_s + ARCHIVE_EVERY_S
                source = await self._archive.recovered()
                if source is None:
                    return None
                self._flow = RecoveredFlow(source, self._settings)
            if not self._flow.source.all_acknowledged:
                due = await self._flow.next(now_s)
                return None if due is None else (due, self._flow.flows)
            settled, self._flow = self._flow.source, None
            await settled.settle()
        return None
