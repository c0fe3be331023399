"""The worker that sends deliveries: claim what is due, attempt it, settle what came of it.

Several may run, in one process or many; they meet in the rows. Attempts run side by side within fair bounds (slots.py),
and what they come to is settled in batches: while one batch is being made durable, the next one gathers. A worker that
is killed leaves its rows leased; another takes them up when the lease ends, so a receiver may see a delivery twice and
tells by its `webhook-id`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from cloud.clock import Clock
from cloud.db import Database, Transaction
from cloud.egress import Egress
from cloud.errors import DomainError
from cloud.master_key import MasterKey, SealBroken
from cloud.webhooks.attempt import Post, attempt, broken
from cloud.webhooks.delivery_store import WAITING, Claimed, DeliveryStore, Waiting
from cloud.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.webhooks.keys import WebhookKeys
from cloud.webhooks.model import DeliveryKind, ErrorCode
from cloud.webhooks.sealing import open_key
from cloud.webhooks.settling import Result, Settling
from cloud.webhooks.signing import Signer
from cloud.webhooks.slots import SLOW_MS, Slots

log = structlog.get_logger()

# Twice the longest attempt: time to settle it, and not long for what a killed worker left.
LEASE_US = 30_000_000
# How often an idle worker looks for what other processes queued.
IDLE_S = 0.5
# What ends within so short a time is settled together: one way to the database instead of one each.
GATHER_S = 0.002
SETTLED_TOGETHER = 64
# Attempts that ended and are not settled hold no slot any more; so many of them, and nothing more is claimed.
UNSETTLED_MAX = 512
# Subscriptions that one look sees, and that one claim serves, so that a claim stays short.
WAITING_MAX = 10_000
CLAIMED_ENDPOINTS_MAX = 64
# Deliveries that one claim takes, so that the next one is made while these are attempted.
CLAIMED_TOGETHER = 48
# A key that was rotated stays published for a day, so an old one may sign for a minute more.
SIGNER_S_MAX = 60.0


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
        self._load_master = master
        self._settling = settling
        self._slots = slots or Slots()
        self._deliveries = DeliveryStore()
        self._endpoints = EndpointStore()
        self._keys = WebhookKeys(database, clock, self._master)
        self._master_key: MasterKey | None = None
        self._signer: tuple[float, Signer] | None = None
        self._results: list[Result] = []
        self._unsettled = 0  # results that wait or are being written
        self._running = 0
        self._refill_at = 0  # attempts under way, at which it is time for the next claim
        self._arrived = asyncio.Event()  # results wait
        self._changed = asyncio.Event()  # slots became free, or there is more to claim, or a stop is asked for
        self._due_us: int | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Until asked to stop; then what is under way is finished and settled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                finished = asyncio.Event()
                settling = tasks.create_task(self._settle_all(finished), name="settling")
                waking = tasks.create_task(self._wake_at(stopping), name="waking")
                async with asyncio.TaskGroup() as attempts:
                    while not stopping.is_set():
                        for post in await self._claimed_or_none():
                            attempts.create_task(self._attempt(post))
                        await self._pause()
                finished.set()
                self._arrived.set()
                await settling
                waking.cancel()
        finally:
            await self._egress.close()

    def wake(self) -> None:
        """Look at once: something was queued."""
        self._changed.set()

    async def step(self) -> int:
        """Attempt and settle what is due now; how many deliveries were claimed. For whoever keeps the time by hand."""
        posts = await self._claim()
        claimed = len(posts) + self._unsettled
        await asyncio.gather(*(self._attempt(post) for post in posts))
        await self._settle()
        return claimed

    async def _claimed_or_none(self) -> Sequence[Post]:
        try:
            return await self._claim()
        except DomainError as error:  # the database or the master key is away: wait for it
            log.warning("deliveries.interrupted", code=error.code)
            return ()

    async def _claim(self) -> Sequence[Post]:
        """Take what is due, as far as there are free slots. What cannot be sent goes to the results at once."""
        if self._unsettled >= UNSETTLED_MAX:
            self._due_us = None  # settling says when there are fewer
            return ()
        now_us = self._clock.now_us()
        rows = await self._database.peek(WAITING, {"most": WAITING_MAX})
        waiting = sorted((Waiting(*row) for row in rows), key=lambda one: one.due_at_us)
        self._due_us = min((one.due_at_us for one in waiting if one.due_at_us > now_us), default=None)
        due = [
            one for one in waiting if one.due_at_us <= now_us and self._slots.free(one.tenant_id, one.webhook_id) > 0
        ]
        if not due:
            return ()
        signer = await self._current_signer()
        some = due[:CLAIMED_ENDPOINTS_MAX]
        held: dict[str, int] = {}
        try:
            async with self._database.transaction() as tx:
                endpoints = await self._endpoints.endpoints(tx, [one.webhook_id for one in some])
                claims = await self._taken(tx, some, held, now_us)
        except BaseException:
            for one in some:
                self._slots.give_back(one.tenant_id, one.webhook_id, held.get(one.webhook_id, 0))
            raise
        if len(due) > CLAIMED_ENDPOINTS_MAX:
            self._changed.set()  # look again at once
        posts = self._posts([(claimed, endpoints[claimed.webhook_id]) for claimed in claims], signer, now_us)
        self._running += len(posts)
        self._refill_at = self._running // 2
        return posts

    async def _taken(
        self, tx: Transaction, some: Sequence[Waiting], held: dict[str, int], now_us: int
    ) -> Sequence[Claimed]:
        """Claim for each its share, as far as there are slots; what one has no use for is offered to those who got
        none. `held` says at any time how many slots each holds.
        """
        share = max(1, CLAIMED_TOGETHER // len(some))
        claims: list[Claimed] = []
        waiting = some
        while waiting:
            offered = []
            for one in waiting:
                if count := min(share, self._slots.free(one.tenant_id, one.webhook_id)):
                    self._slots.take(one.tenant_id, one.webhook_id, count)
                    held[one.webhook_id] = count
                    offered.append(one)
            if not offered:
                break
            counts = {one.webhook_id: held[one.webhook_id] for one in offered}
            taken = await self._deliveries.claim(tx, counts, now_us=now_us, lease_us=LEASE_US)
            claims += taken
            used = Counter(claimed.webhook_id for claimed in taken)
            for one in offered:
                self._slots.give_back(one.tenant_id, one.webhook_id, held[one.webhook_id] - used[one.webhook_id])
                held[one.webhook_id] = used[one.webhook_id]
            waiting = [one for one in waiting if one.webhook_id not in held]
        if any(used == share for used in held.values()):
            self._changed.set()  # there may be more of it: look again, while these are attempted
        return claims

    def _posts(self, claims: Sequence[tuple[Claimed, Endpoint]], signer: Signer, now_us: int) -> list[Post]:
        posts = []
        keys: dict[str, tuple[bytes, ...] | None] = {}
        for claimed, endpoint in claims:
            reason = _unsendable(claimed, endpoint)
            if reason is not None:
                self._ended(Result(claimed, endpoint, reason))
                continue
            if endpoint.id not in keys:
                keys[endpoint.id] = self._keys_of(endpoint, now_us)
            opened = keys[endpoint.id]
            if opened is None:
                self._ended(Result(claimed, endpoint, broken(claimed, self._clock)))
            else:
                posts.append(Post(claimed, endpoint, opened, signer))
        return posts

    def _keys_of(self, endpoint: Endpoint, now_us: int) -> tuple[bytes, ...] | None:
        """The keys that sign for it; None when they cannot be opened."""
        until_us = endpoint.previous_secret_expires_at_us
        sealed = [endpoint.secret_sealed]
        if until_us is not None and now_us < until_us:
            sealed.append(endpoint.previous_secret_sealed)
        try:
            return tuple(open_key(self._master(), endpoint.id, one) for one in sealed if one is not None)
        except SealBroken:
            log.error("webhook.seal_broken", webhook_id=endpoint.id)
            return None

    async def _attempt(self, post: Post) -> None:
        claimed = post.claimed
        try:
            outcome = await attempt(post, self._egress, self._clock)
        except Exception as error:
            log.error("delivery.attempt_broken", delivery_id=claimed.id, why=type(error).__name__)
            outcome = broken(claimed, self._clock)
        self._slots.note(claimed.webhook_id, well=outcome.succeeded and outcome.attempt.duration_ms < SLOW_MS)
        self._running -= 1
        if self._running == self._refill_at:
            self._changed.set()
        self._ended(Result(claimed, post.endpoint, outcome))

    def _ended(self, result: Result) -> None:
        """The receiver has nothing to do with it any more; it is to be settled."""
        self._slots.give_back(result.claimed.tenant_id, result.claimed.webhook_id)
        self._results.append(result)
        self._unsettled += 1
        self._arrived.set()

    async def _settle_all(self, finished: asyncio.Event) -> None:
        """Settle until there will be nothing more; a database that is away is waited for."""
        while True:
            done = finished.is_set()
            if self._results:
                try:
                    await self._settle()
                except DomainError as error:
                    log.warning("deliveries.interrupted", code=error.code)
                    if done:
                        return  # their leases end, and somebody takes them up again
                    await asyncio.sleep(IDLE_S)
                continue
            if done:
                return
            await self._arrived.wait()
            self._arrived.clear()
            if len(self._results) < SETTLED_TOGETHER:
                await asyncio.sleep(GATHER_S)

    async def _settle(self) -> None:
        """Write all results that wait. Raises when the database cannot; they go on waiting then."""
        batch, self._results = self._results, []
        if not batch:
            return
        try:
            async with self._database.transaction() as tx:
                await self._settling.settle(tx, batch)
        except BaseException:
            self._results = batch + self._results
            raise
        self._unsettled -= len(batch)
        self._changed.set()

    async def _pause(self) -> None:
        """Until something changed, the next delivery is due, or it is time to look again."""
        duration_s = IDLE_S
        if self._due_us is not None:
            duration_s = min(duration_s, max(0.0, (self._due_us - self._clock.now_us()) / 1e6))
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                await self._changed.wait()
        self._changed.clear()

    async def _wake_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._changed.set()

    def _master(self) -> MasterKey:
        if self._master_key is None:
            self._master_key = self._load_master()
        return self._master_key

    async def _current_signer(self) -> Signer:
        """Raises `DomainError` when there is no master key."""
        now_s = self._clock.monotonic_s()
        if self._signer is None or now_s - self._signer[0] >= SIGNER_S_MAX:
            key = await self._keys.current()
            self._signer = now_s, Signer(key.private(self._master()))
        return self._signer[1]


def _unsendable(claimed: Claimed, endpoint: Endpoint) -> ErrorCode | None:
    """Why a delivery is not even tried."""
    if endpoint.deleted_at_us is not None or endpoint.secret_sealed is None:
        return ErrorCode.ENDPOINT_DELETED
    if endpoint.disabled_at_us is not None and claimed.kind is not DeliveryKind.TEST:
        return ErrorCode.ENDPOINT_DISABLED
    return None
