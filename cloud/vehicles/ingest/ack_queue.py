"""Send acknowledgements in a task of their own, so that a broker that does not respond delays no write.

RabbitMQ stops reading from publishers while a node lacks memory or disk space, and a broker may accept a connection
and then hang. Batches are made durable meanwhile, and the acknowledgements of a lane become one: they are cumulative,
so the last one has what those before it have. The response to a status may have less, since it is read before batches
that are acknowledged first. Then both are sent.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice

import structlog

from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest.source import AckSender, DueAck

log = structlog.get_logger()

LANES_MAX = 20_000
"""Lanes with an acknowledgement in the queue: those of ten thousand vehicles. Further ones are not sent."""
SENT_AT_ONCE = 1_000
"""Lanes whose acknowledgements are sent together: those of a second of several hundred vehicles. The broker must
confirm them within `IngestSettings.answer_s`."""


class AckQueue:
    """An `AckSender` that only queues. `run` sends what is queued by `sender`."""

    def __init__(self, sender: AckSender) -> None:
        self._sender = sender
        self._queued: dict[LaneKey, list[DueAck]] = {}
        """The last acknowledgement of each lane, behind the one that has more, if there is one."""
        self._work = asyncio.Event()
        self._ending = False

    async def acknowledge(self, acks_due: Sequence[DueAck]) -> list[bool]:
        """Queue acknowledgements; return for each whether it is queued, which it is not without room."""
        queued: list[bool] = []
        for due in acks_due:
            key = due.lane_key
            has_room = key in self._queued or len(self._queued) < LANES_MAX
            if has_room:
                most = self._queued.get(key, [due])[0]
                self._queued[key] = [due] if _end(due) >= _end(most) else [most, due]
            queued.append(has_room)
        if self._queued:
            self._work.set()
        return queued

    async def run(self) -> None:
        """Send what is queued, until `end` is called and the queue is empty."""
        while self._queued or not self._ending:
            await self._work.wait()
            due = self._take()
            if not self._queued and not self._ending:
                self._work.clear()
            await send_acks(self._sender, due)

    def _take(self) -> list[DueAck]:
        """Remove and return the acknowledgements that are sent next."""
        if len(self._queued) <= SENT_AT_ONCE:
            taken, self._queued = self._queued, {}
        else:
            taken = dict(islice(self._queued.items(), SENT_AT_ONCE))
            for key in taken:
                del self._queued[key]
        return [due for of_lane in taken.values() for due in of_lane]

    def end(self) -> None:
        """Let `run` return when everything is sent."""
        self._ending = True
        self._work.set()


def _end(due: DueAck) -> tuple[int, int]:
    return due.ack.through_sequence, due.ack.highest_sequence


async def send_acks(sender: AckSender, acks_due: Sequence[DueAck]) -> None:
    """Send acknowledgements, and log those that are not sent: their gateways resend the batches."""
    if not acks_due:
        return
    for due, sent in zip(acks_due, await sender.acknowledge(acks_due), strict=True):
        if not sent:
            log.info("ingest.answer_unsent", gateway=due.gateway_id, lane=due.ack.lane.value)
