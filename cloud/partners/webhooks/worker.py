"""The worker that sends deliveries: claim what is due, attempt it, settle what came of it.

Several may run, in one process or many; they meet in the rows. Attempts run side by side within fair bounds (slots.py).
One way to the database settles those that ended and claims more in their places (claiming.py), while others are
attempted and the next lie ready (ready.py): half as many commits, and no attempt waits for one. A worker that is killed
leaves its rows leased; another takes them up when the lease ends, so a receiver may see a delivery twice and tells by
its `webhook-id`.
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
from cloud.partners.webhooks.attempt import Post, attempt, broken
from cloud.partners.webhooks.claiming import Claiming
from cloud.partners.webhooks.lease_store import Claimed, Waiting
from cloud.partners.webhooks.ready import Ready
from cloud.partners.webhooks.settling import Result, Settling
from cloud.partners.webhooks.slots import SLOW_MS, Slots

log = structlog.get_logger()

# How often an idle worker looks for what other processes queued.
IDLE_S = 0.5
# What ends within so short a time goes together, while others are still attempted.
GATHER_S = 0.002


@dataclass(frozen=True, slots=True)
class Pace:
    """How a worker and its database keep each other busy, as measured with both on two cores.

    `ways`: to the database at a time; what one has gathered is written while the next gathers. `together`: deliveries
    that make a way worth while. `begun_together`: attempts that begin before the event loop turns to what came in
    meanwhile.
    """

    ways: int
    together: int
    begun_together: int


PACES: Mapping[str, Pace] = {
    "sqlite": Pace(ways=1, together=128, begun_together=48),  # one writer, on a thread that hears of all at once
    # Each statement is a message and an answer, for which the loop must have an eye.
    "postgresql": Pace(ways=2, together=128, begun_together=32),
}


class DeliveryWorker:
    """One worker's loop."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        egress: Egress,
        master: Callable[[], MasterKey],
        settling: Settling,
        slots: Slots | None = None,
    ) -> None:
        """`master` is asked once something is to be signed; a worker without the key file waits for it."""
        self._database = database
        self._clock = clock
        self._egress = egress
        self._settling = settling
        self._slots = slots or Slots()
        self._claims = self._slots.ahead()
        self._pace = PACES[database.dialect]
        self._claiming = Claiming(database, clock, master, self._claims, together=self._pace.together)
        self._ready = Ready(self._slots)
        self._unwanted: list[Post] = []  # of those that lay ready, to be given back
        self._results: list[Result] = []  # as many as may be claimed, and a claim's worth, at most
        self._gathering = asyncio.Lock()  # held by the pump that waits for something to write
        self._woken = True  # something was queued, or a stop is asked for
        self._changed = asyncio.Event()  # woken, something ended, or a claim left something

    async def run(self, stopping: asyncio.Event) -> None:
        """Until asked to stop; then what is under way is finished and settled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                waking = tasks.create_task(self._wake_at(stopping), name="waking")
                async with asyncio.TaskGroup() as pumps:
                    for _ in range(self._pace.ways):
                        pumps.create_task(self._pump(tasks, stopping), name="pump")
                await self._finish()
                waking.cancel()
        finally:
            await self._egress.close()

    def wake(self) -> None:
        """Look at once: something was queued."""
        self._woken = True
        self._changed.set()

    async def step(self) -> int:
        """Attempt and settle what is due now; how many deliveries were claimed. For whoever keeps the time by hand."""
        posts = await self._claim()
        claimed = len(posts) + len(self._results)
        self._ready.add(posts, self._clock.monotonic_s())
        async with asyncio.TaskGroup() as tasks:
            await self._begin(tasks)
        await self._settle()
        await self._give_back()
        return claimed

    async def _pump(self, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if posts := await self._turn():
                self._ready.add(posts, self._clock.monotonic_s())
                tasks.create_task(self._begin(tasks))
            for post in (late := self._ready.overdue(self._clock.monotonic_s())):
                self._slots.note(post.claimed.webhook_id, well=False)
            self._unwanted += late
            await self._give_back()

    async def _turn(self) -> Sequence[Post]:
        """Settle and claim, as far as the database and the master key are there; what cannot be settled goes on
        waiting."""
        async with self._gathering:
            await self._pause()
            woken, self._woken = self._woken, False
            due: Sequence[Waiting] = ()
            try:
                due = await self._claiming.due(woken=woken)
            except DomainError as error:
                log.warning("deliveries.interrupted", code=error.code)
        try:
            return await self._written(due)
        except DomainError as error:
            log.warning("deliveries.interrupted", code=error.code)
            await asyncio.sleep(IDLE_S)  # what waits to be written would ask again at once
            return ()

    async def _claim(self) -> Sequence[Post]:
        return await self._written(await self._claiming.due(look=True))

    async def _settle(self) -> None:
        await self._written(())

    async def _written(self, due: Sequence[Waiting]) -> Sequence[Post]:
        """Write all results that wait and claim of what is due. Raises when the database cannot: they wait on then."""
        batch, self._results = self._results, []
        if not batch and not due:
            return ()
        claims: Sequence[Claimed] = ()
        try:
            async with self._database.transaction() as tx:
                await self._settling.settle(tx, batch)
                claims = await self._claiming.take(tx, due)
        except BaseException:
            self._claiming.give_back(claims)
            self._results = batch + self._results
            raise
        if self._claiming.more:
            self._changed.set()  # the other pump may be waiting already
        posts, unsendable = await self._claiming.posts(claims)
        for result in unsendable:
            self._ended(result)
        return posts

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        """As many as have a slot; a few at a time, lest what comes from the database wait for all of them."""
        begun = 0
        while (post := self._ready.begin()) is not None:
            tasks.create_task(self._attempts(post))
            begun += 1
            if begun % self._pace.begun_together == 0:
                await asyncio.sleep(0)

    async def _attempts(self, begun: Post) -> None:
        """One after the other in a slot that stays taken, for whoever's turn it is."""
        post: Post | None = begun
        while post is not None:
            try:
                await self._attempt(post)
            finally:
                self._slots.give_back(post.claimed.tenant_id, post.claimed.webhook_id)
            post = self._ready.begin()

    async def _attempt(self, post: Post) -> None:
        claimed = post.claimed
        try:
            outcome = await attempt(post, self._egress, self._clock)
        except Exception as error:
            log.error("delivery.attempt_broken", delivery_id=claimed.id, why=type(error).__name__)
            outcome = broken(claimed, self._clock)
        well = outcome.succeeded and outcome.attempt.duration_ms < SLOW_MS
        self._slots.note(claimed.webhook_id, well=well)
        if not well:
            self._unwanted += self._ready.take_out(claimed.webhook_id)
        self._ended(Result(claimed, post.endpoint, outcome))

    def _ended(self, result: Result) -> None:
        """The receiver has nothing to do with it any more; it is to be settled."""
        self._claims.give_back(result.claimed.tenant_id, result.claimed.webhook_id)
        self._results.append(result)
        self._changed.set()

    async def _give_back(self) -> None:
        """What did not come to its turn can be claimed again at once; should the database be away, when the leases
        end."""
        claims = [post.claimed for post in self._unwanted]
        self._unwanted = []
        if not claims:
            return
        self._claiming.give_back(claims)
        try:
            await self._claiming.release(claims)
        except DomainError as error:
            log.warning("deliveries.interrupted", code=error.code)

    async def _pause(self) -> None:
        """Until something ended, the next delivery is due, or it is time to look again."""
        duration_s = IDLE_S
        if self._claiming.next_us is not None:
            duration_s = min(duration_s, max(0.0, (self._claiming.next_us - self._clock.now_us()) / 1e6))
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                while not (self._woken or self._results or self._claiming.more):
                    self._changed.clear()
                    await self._changed.wait()
        if self._slots.taken and 0 < len(self._results) < self._pace.together:
            await asyncio.sleep(GATHER_S)

    async def _finish(self) -> None:
        """Settle what is under way as it ends; a database that is away in the end is not waited for."""
        self._unwanted += self._ready.drain()
        await self._give_back()
        while self._slots.taken or self._results:
            self._changed.clear()
            try:
                await self._settle()
            except DomainError as error:
                log.warning("deliveries.interrupted", code=error.code)
                if not self._slots.taken:
                    return  # the leases end, and somebody takes them up again
            if self._slots.taken:
                await self._changed.wait()

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.wake()
