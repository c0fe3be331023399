"""The worker that sends webhook deliveries: claim due ones, send them, settle them (store their results).

Several workers may run, in one process or many; they coordinate through the database rows. Attempts run concurrently
within limits (in_flight.py). Meanwhile one transaction settles the deliveries that ended and claims new ones
(claiming.py), which halves the number of commits, and no attempt waits for a commit.

After the leases of a killed worker end, another worker claims the rows. So a receiver may get a delivery twice. The
receiver recognises the second delivery by its `webhook-id`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.egress import Egress
from cloud.foundation.errors import DomainError
from cloud.foundation.master_key import MasterKey
from cloud.foundation.tracing import Spans
from cloud.partners.webhooks.attempt import send
from cloud.partners.webhooks.claiming import Claimer
from cloud.partners.webhooks.delivery import DeliveryState, LeasedDelivery
from cloud.partners.webhooks.in_flight import InFlight
from cloud.partners.webhooks.lease_store import DueWebhook
from cloud.partners.webhooks.settling import Settling

log = structlog.get_logger()

# Interval at which an idle worker queries for deliveries that other processes queued.
IDLE_S = 0.5
# Deliveries that end within this time are settled together, while others are still sent.
GATHER_S = 0.002


@dataclass(frozen=True, slots=True)
class Pace:
    """Sizes that keep a worker and its database busy at the same time, as measured on two cores. `pumps`: number of
    tasks that settle and claim; one collects results while another writes. `batch`: from this number of ended
    deliveries on, the worker writes at once. `burst`: attempts to begin before the event loop handles other events."""

    pumps: int
    batch: int
    burst: int


PACES: Mapping[str, Pace] = {
    "sqlite": Pace(pumps=1, batch=128, burst=48),  # one writer, on a thread that gets all statements at once
    # Each statement is a message and a response, which the event loop must handle in between.
    "postgresql": Pace(pumps=2, batch=128, burst=32),
}


class DeliveryWorker:
    """A worker that claims, sends and settles deliveries. `settled`: number of deliveries with a durable result."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        egress: Egress,
        master: Callable[[], MasterKey],
        settling: Settling,
        in_flight: InFlight | None = None,
        spans: Spans | None = None,
    ) -> None:
        """Store the parts of the worker. `master` loads the master key for signing; without the key file the worker
        retries later. `spans` records the attempts; None: they are not recorded."""
        self._spans = spans
        self._database = database
        self._clock = clock
        self._egress = egress
        self._settling = settling
        self._pace = PACES[database.dialect]
        self._in_flight = in_flight or InFlight()
        self._claimer = Claimer(database, clock, master, self._in_flight, batch=self._pace.batch)
        self._unsent: list[LeasedDelivery] = []  # removed from the ready ones, to be released
        self._ended: list[LeasedDelivery] = []  # to be settled; at most as many as there are claim slots
        self.settled = 0
        self._gathering = asyncio.Lock()  # held by the pump that waits for something to write
        self._woken = True  # a delivery was queued, or a stop is requested
        self._changed = asyncio.Event()  # woken, a delivery ended, or a claim left deliveries

    async def run(self, stopping: asyncio.Event) -> None:
        """Send deliveries until `stopping` is set; then let the running attempts finish and settle them (store their
        results)."""
        try:
            async with asyncio.TaskGroup() as tasks:
                waking = tasks.create_task(self._wake_at(stopping), name="waking")
                async with asyncio.TaskGroup() as pumps:
                    for _ in range(self._pace.pumps):
                        pumps.create_task(self._pump(tasks, stopping), name="pump")
                await self._finish()
                waking.cancel()
        finally:
            await self._egress.close()

    def wake(self) -> None:
        """End the worker's pause, since a delivery was queued."""
        self._woken = True
        self._changed.set()

    async def step(self) -> int:
        """Claim, send and settle the deliveries that are due now, for a caller that controls the time. Return the
        number of claimed deliveries. Raises `DomainError` if the database is unavailable; the next call stores the
        results that this call could not store."""
        ready = await self._write(await self._claimer.due(query=True))
        claimed = len(ready) + len(self._ended)  # those that cannot be sent have ended already
        self._in_flight.add(ready, self._clock.monotonic_s())
        async with asyncio.TaskGroup() as tasks:
            await self._begin(tasks)
        await self._write(())
        await self._release_unsent()
        return claimed

    async def _pump(self, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if ready := await self._turn():
                self._in_flight.add(ready, self._clock.monotonic_s())
                tasks.create_task(self._begin(tasks))
            self._unsent += self._in_flight.take_overdue(self._clock.monotonic_s())
            await self._release_unsent()

    async def _turn(self) -> Sequence[LeasedDelivery]:
        """Wait for work, then settle ended deliveries and claim due ones once. Return the deliveries that are ready to
        send. If the database or master key is unavailable, log a warning; unwritten results stay pending."""
        async with self._gathering:
            await self._pause()
            woken, self._woken = self._woken, False
            due: Sequence[DueWebhook] = ()
            try:
                due = await self._claimer.due(woken=woken)
            except DomainError as error:
                log.warning("deliveries.interrupted", code=error.code)
        try:
            return await self._write(due)
        except DomainError as error:
            log.warning("deliveries.interrupted", code=error.code)
            await asyncio.sleep(IDLE_S)  # pending results would start the next turn at once
            return ()

    async def _write(self, due: Sequence[DueWebhook]) -> Sequence[LeasedDelivery]:
        """Settle all ended deliveries and claim due ones in one transaction; return the claimed ones that are ready to
        send. Raises `DomainError` if the database is unavailable: unwritten results stay pending."""
        ended, self._ended = self._ended, []
        if not ended and not due:
            return ()
        reservation = self._in_flight.reservation()
        try:
            async with self._database.transaction() as tx:
                await self._settling.settle(tx, ended)
                leased = await self._claimer.claim(tx, due, reservation)
        except BaseException:
            reservation.cancel()
            self._ended = ended + self._ended
            raise
        for delivery in ended:
            delivery.settle()
        self.settled += len(ended)
        if self._claimer.has_more:
            self._changed.set()  # the other pump may have begun to wait
        try:
            await self._claimer.prepare(leased)
        except BaseException:
            self._in_flight.drop(leased)
            raise
        unsendable = [delivery for delivery in leased if delivery.state is DeliveryState.ENDED]
        if unsendable:
            self._in_flight.drop(unsendable)
            self._ended += unsendable
            self._changed.set()
        return [delivery for delivery in leased if delivery.state is DeliveryState.READY]

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        """Begin attempts until no sending slot is free. After each `burst`, the event loop handles other events."""
        begun = 0
        while (delivery := self._in_flight.begin()) is not None:
            tasks.create_task(self._send_in_turn(delivery))
            begun += 1
            if begun % self._pace.burst == 0:
                await asyncio.sleep(0)

    async def _send_in_turn(self, begun: LeasedDelivery) -> None:
        """Send `begun`, and then one ready delivery after the other while a sending slot is free."""
        delivery: LeasedDelivery | None = begun
        while delivery is not None:
            await self._send(delivery)
            delivery = self._in_flight.begin()

    async def _send(self, delivery: LeasedDelivery) -> None:
        try:
            await send(delivery, self._egress, self._clock, self._spans)
        except Exception as error:
            log.error("delivery.attempt_broken", delivery_id=delivery.id, why=type(error).__name__)
            delivery.fail_internally(self._clock.now_us(), delivery.endpoint)
        self._unsent += self._in_flight.end(delivery)
        self._ended.append(delivery)
        self._changed.set()

    async def _release_unsent(self) -> None:
        """Return claimed but unsent deliveries to the queue. If the return fails, the deliveries become due when their
        leases end."""
        unsent, self._unsent = self._unsent, []
        if not unsent:
            return
        self._in_flight.drop(unsent)
        for delivery in unsent:
            delivery.release()
        try:
            await self._claimer.release(unsent)
        except DomainError as error:
            log.warning("deliveries.interrupted", code=error.code)

    async def _pause(self) -> None:
        """Wait until a delivery ended or becomes due, `wake` was called, or `IDLE_S` has passed. If only a few
        deliveries ended while others are still being sent, wait `GATHER_S` more, so that several are settled at once.
        """
        duration_s = IDLE_S
        if self._claimer.next_us is not None:
            duration_s = min(duration_s, max(0.0, (self._claimer.next_us - self._clock.now_us()) / 1e6))
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                while not (self._woken or self._ended or self._claimer.has_more):
                    self._changed.clear()
                    await self._changed.wait()
        if self._in_flight.sending and 0 < len(self._ended) < self._pace.batch:
            await asyncio.sleep(GATHER_S)

    async def _finish(self) -> None:
        """Let the running attempts finish and settle them. If the database is unavailable, return after the last
        attempt ended; the leases then end by themselves."""
        self._unsent += self._in_flight.take_all()
        await self._release_unsent()
        while self._in_flight.sending or self._ended:
            self._changed.clear()
            try:
                await self._write(())
            except DomainError as error:
                log.warning("deliveries.interrupted", code=error.code)
                if not self._in_flight.sending:
                    return  # the leases end, and another worker claims the deliveries
            if self._in_flight.sending:
                await self._changed.wait()

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.wake()
