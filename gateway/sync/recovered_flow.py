"""Sends what was recovered of a store that was set aside, under its own epoch, when nothing of the present waits.

The same windows and rules as the present epoch's flows. There is no exchange of marks for an epoch that has ended, so
it begins at the marks that were known when the store was set aside; the cloud recognises what it has, and its
acknowledgements say how far it is. A lane of which the cloud holds another history is given up: nothing is overwritten,
and the set-aside store keeps it.
"""

import structlog

from gateway.sync.batch_source import RecoveredSource
from gateway.sync.flows import Due, Flows
from gateway.sync.lane_window import Verdict
from gateway.sync.settings import UplinkSettings
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane

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
        """The batch to send now; None: nothing, or what there is waits for acknowledgements."""
        self.flows.expire(now_s)
        return await self.flows.next()

    async def take(self, ack: Ack, now_s: float) -> None:
        """The cloud's acknowledgement of this epoch."""
        match self.flows.apply(ack, now_s).verdict:
            case Verdict.ADVANCED:
                await self.source.acknowledge(ack)
            case Verdict.CONTESTED:
                log.error("uplink.recovered_refused", epoch=ack.epoch, lane=ack.lane.value)
                self.source.give_up(ack.lane)
            case Verdict.RESTORED | Verdict.DOUBTED | Verdict.FOREIGN:
                pass
