"""Sends the recovered batches of a set-aside store, under its own epoch, when no present batch is queued.

It uses the same windows and rules as the present epoch's flows. There is no exchange of marks for an epoch that has
ended, so it begins at the marks that were known when the store was set aside. The cloud recognises what it has, and its
acknowledgements report its progress. A lane of which the cloud holds another history is given up: nothing is
overwritten, and the set-aside store keeps it.
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
    """Flow of recovered batches on one connection."""

    def __init__(self, source: RecoveredSource, settings: UplinkSettings) -> None:
        self.source = source
        self.flows = Flows(source, settings)
        self.flows.begin()
        for lane in Lane:
            mark = source.marks()[lane]
            self.flows.windows[lane].apply(Ack(epoch=source.epoch, lane=lane, through_sequence=mark.acked))
        log.info("uplink.recovered_began", epoch=source.epoch)

    async def next(self, now_s: float) -> Due | None:
        """Return the batch to send now; None: there is none, or all are held back for acknowledgements."""
        self.flows.expire(now_s)
        return await self.flows.next()

    async def take(self, ack: Ack, now_s: float) -> None:
        """Apply the cloud's acknowledgement of this epoch."""
        match self.flows.apply(ack, now_s).verdict:
            case Verdict.ADVANCED:
                await self.source.acknowledge(ack)
            case Verdict.CONTESTED:
                log.error("uplink.recovered_refused", epoch=ack.epoch, lane=ack.lane.value)
                self.source.give_up(ack.lane)
            case Verdict.RESTORED | Verdict.DOUBTED | Verdict.FOREIGN:
                pass


class RecoveredBatches:
    """The recovered batches of one uplink, store after store. Without an archive there are none."""

    def __init__(self, archive: Archive | None, settings: UplinkSettings) -> None:
        self._archive = archive
        self._settings = settings
        self._flow: RecoveredFlow | None = None
        self._due_s = float("-inf")

    def begin_connection(self) -> None:
        """Begin a connection: its flow begins again at the acknowledged marks."""
        self._flow = None

    def begin_epoch(self) -> None:
        """Look for recovered batches at once, because another store is in use."""
        self._due_s = float("-inf")

    @property
    def deadline_s(self) -> float | None:
        """Time at which something is due without an acknowledgement; None: nothing is."""
        if self._archive is None:
            return None
        return self._due_s if self._flow is None else self._flow.flows.deadline_s

    async def take(self, ack: Ack, now_s: float) -> bool:
        """Apply an acknowledgement of the recovered epoch. Return whether it was one."""
        if self._flow is None or ack.epoch != self._flow.flows.epoch:
            return False
        await self._flow.take(ack, now_s)
        return True

    async def next(self, now_s: float) -> tuple[Due, Flows] | None:
        """Return the batch to send now, with its flows; None: there is none now."""
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
