"""The subscriptions of one connection to the gateways of this process's share (`shares`)."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NoReturn

import structlog

from cloud.vehicles.ingest.broker import SubscriptionRefused
from cloud.vehicles.ingest.mqtt_connection import BrokerConnection
from cloud.vehicles.ingest.shares import Gateway, Share
from cloud.vehicles.ingest.source import StatusDelivery
from protocols.uplink import topics
from protocols.uplink.limits import MESSAGE_BYTES_MAX

log = structlog.get_logger()

ANNOUNCE_S_MAX = 5.0
"""Time in which the broker must send this process its own announcement, after those of the others. A broker that keeps
no retained messages does not send them; each process then receives every batch, and all but one find a duplicate."""
FILTERS_MAX = 200
"""Topic filters of one SUBSCRIBE: 20 kB at most."""
GATEWAYS_MAX = 20_000
"""Gateways of one connection: twice the vehicles of the largest broker. Statuses of further ones are discarded."""
PRESENT = b"present"


class SharedGateways:
    """Announce this process on a connection, and keep the connection's subscriptions consistent with the share.
    `deliver` is called with each status whose gateway's batches are subscribed to, and `moved` when gateways move to or
    from other processes. `overlap_s`: time for which batches
    that belong to another process from now on are still received, until that process has subscribed."""

    def __init__(
        self,
        share: Share,
        connection: BrokerConnection,
        deliver: Callable[[StatusDelivery], None],
        moved: Callable[[], None],
        *,
        overlap_s: float,
    ) -> None:
        self._share = share
        self._connection = connection
        self._deliver = deliver
        self._moved = moved
        self._overlap_s = overlap_s
        self._announced = asyncio.Event()
        self._due = asyncio.Event()
        self._changed = False
        self._overlap_ended = False
        self._has_all = False
        """True while the batches of all gateways are subscribed to."""
        self._received: set[Gateway] = set()
        """The gateways whose own batches are subscribed to."""
        self._later: set[Gateway] = set()
        """Gateways of this share that are to be subscribed to before the subscription to all ends."""
        self._statuses: dict[Gateway, StatusDelivery] = {}

    # ---- messages

    def take(self, status: StatusDelivery) -> None:
        """Handle a status: the announcement of a process, or the status of a gateway. A gateway of another process is
        ignored. The status of one whose batches are not subscribed to yet is delivered after the subscription."""
        if status.tenant_id == self._share.group:
            self._take_announcement(status.gateway_id, present=bool(status.octets))
            return
        gateway = status.tenant_id, status.gateway_id
        if self._share.is_alone or gateway in self._received or len(status.octets) > MESSAGE_BYTES_MAX:
            self._deliver(status)  # one that is too large is refused there
        elif self._share.owns(gateway) and len(self._received) + len(self._later) + len(self._statuses) < GATEWAYS_MAX:
            if self._has_all:
                self._later.add(gateway)
                self._deliver(status)
            else:
                self._statuses[gateway] = status
                self._due.set()

    def _take_announcement(self, process: str, *, present: bool) -> None:
        if process == self._share.process:
            self._announced.set()
        elif self._share.note(process, present=present) and self._announced.is_set():
            log.info("ingest.share_changed", process=process, present=present)
            self._moved()
            self._changed = True
            self._due.set()

    # ---- subscriptions

    async def begin(self) -> None:
        """Announce this process, find out which others there are, and subscribe. Raises `SubscriptionRefused` and
        `BrokerUnavailable`."""
        group, process = self._share.group, self._share.process
        if await self._connection.subscribe(topics.status_filter(group)):
            await self._connection.publish(topics.status(group, process), PRESENT, retain=True)
            waiting = asyncio.ensure_future(self._announced.wait())
            await asyncio.wait(
                (waiting, self._connection.ended), timeout=ANNOUNCE_S_MAX, return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
        if not self._announced.is_set():
            log.warning("ingest.share_unknown")
            self._share.forget()
        await self._subscribe()

    async def _subscribe(self) -> None:
        """Subscribe to all batches if this process is alone, and to all statuses, of which the broker then sends the
        retained ones again."""
        if self._share.is_alone and not self._has_all:
            if not await self._connection.subscribe(topics.UP_FILTER):
                raise SubscriptionRefused("the broker refuses the subscription to batches: look at its rights")
            self._has_all = True
            await self._leave(self._received)
        if not await self._connection.subscribe(topics.STATUS_FILTER):
            raise SubscriptionRefused("the broker refuses the subscription to statuses: look at its rights")

    async def run(self) -> NoReturn:
        """Follow the statuses of gateways and the changes of the share. Raises as `begin`."""
        loop = asyncio.get_running_loop()
        ending: asyncio.TimerHandle | None = None
        try:
            while True:
                await self._due.wait()
                self._due.clear()
                if self._changed:
                    self._changed = self._overlap_ended = False
                    await self._subscribe()
                    if ending is not None:
                        ending.cancel()
                    ending = loop.call_later(self._overlap_s, self._end_overlap)
                while self._statuses:
                    await self._receive_some()
                if self._overlap_ended:
                    self._overlap_ended = False
                    await self._leave_others()
        finally:
            if ending is not None:
                ending.cancel()

    def _end_overlap(self) -> None:
        self._overlap_ended = True
        self._due.set()

    async def _receive_some(self) -> None:
        """Subscribe to the batches of gateways whose statuses have arrived, and then deliver the statuses."""
        some = list(islice(self._statuses, FILTERS_MAX))
        await self._receive(some)
        for gateway in some:
            self._deliver(self._statuses.pop(gateway))

    async def _leave_others(self) -> None:
        """Unsubscribe from the batches that now belong to other processes."""
        await self._leave(gateway for gateway in self._received if not self._share.owns(gateway))
        later = [gateway for gateway in self._later if self._share.owns(gateway)]
        self._later.clear()
        if self._has_all and not self._share.is_alone:
            # Before the requests: a gateway whose status arrives during them needs its own subscription.
            self._has_all = False
            await self._receive(later)
            await self._connection.unsubscribe(topics.UP_FILTER)

    async def _receive(self, gateways: Sequence[Gateway]) -> None:
        for some in _chunks(gateways):
            if not await self._connection.subscribe(*(topics.up_filter(*gateway) for gateway in some)):
                raise SubscriptionRefused("the broker refuses the batches of a gateway: look at its rights")
            self._received.update(some)

    async def _leave(self, gateways: Iterable[Gateway]) -> None:
        for some in _chunks(list(gateways)):
            await self._connection.unsubscribe(*(topics.up_filter(*gateway) for gateway in some))
            self._received.difference_update(some)


def _chunks(gateways: Sequence[Gateway]) -> Iterator[Sequence[Gateway]]:
    for begin in range(0, len(gateways), FILTERS_MAX):
        yield gateways[begin : begin + FILTERS_MAX]
