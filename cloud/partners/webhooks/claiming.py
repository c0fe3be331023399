"""What a worker takes next: due deliveries under a lease, each webhook its share, with all that sending them needs.

A look first, without a lock; then the claim, in whatever transaction the worker has open; then the endpoints, read
after it, so that what their owner changed before the claim was durable is seen. Who settles, and when, is the worker's
matter.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.master_key import MasterKey, SealBroken
from cloud.partners.webhooks.attempt import Post, broken
from cloud.partners.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.partners.webhooks.keys import WebhookKeys
from cloud.partners.webhooks.lease_store import WAITING, Claimed, LeaseStore, Waiting
from cloud.partners.webhooks.model import DeliveryKind, ErrorCode
from cloud.partners.webhooks.sealing import open_key
from cloud.partners.webhooks.settling import Result
from cloud.partners.webhooks.signing import Signer
from cloud.partners.webhooks.slots import Slots

log = structlog.get_logger()

# Twice the longest attempt: time to begin and to settle it, and not long for what a killed worker left.
LEASE_US = 30_000_000
# Subscriptions that one look sees, and that one claim serves, so that a claim stays short.
WAITING_MAX = 10_000
CLAIMED_ENDPOINTS_MAX = 64
# How often a busy worker looks whether others have something due; until then it takes what the last claim left.
LOOK_S = 0.05
# A key that was rotated stays published for a day, so an old one may sign for a minute more.
SIGNER_S_MAX = 60.0


class Claiming:
    """Takes slots and rows. `next_us`: when something that waits becomes due."""

    def __init__(
        self, database: Database, clock: Clock, master: Callable[[], MasterKey], slots: Slots, *, together: int
    ) -> None:
        """`master` is asked once something is to be signed; a worker without the key file waits for it. `together`:
        deliveries that one claim takes, so that the next one is made while these are attempted."""
        self._database = database
        self._clock = clock
        self._load_master = master
        self._slots = slots
        self._together = together
        self._leases = LeaseStore()
        self._endpoints = EndpointStore()
        self._keys = WebhookKeys(database, clock, self._master)
        self._master_key: MasterKey | None = None
        self._signer: tuple[float, Signer] | None = None
        self.next_us: int | None = None
        self._left: Sequence[Waiting] = ()  # in the order of their turn
        self._taking = 0  # claims under way, which may leave something
        self._looked_s = 0.0

    async def due(self, *, woken: bool = False, look: bool = False) -> Sequence[Waiting]:
        """Webhooks that have something due and a slot free: those that the last look or claim left over, and every so
        often (`look`: now) all there are. `woken`: somebody says that there is something.

        Raises `DomainError`: the database is away, or the master key.
        """
        now_us, now_s = self._clock.now_us(), asyncio.get_running_loop().time()
        due = self._with_slots(self._left)
        overdue = self.next_us is not None and self.next_us <= now_us
        idle = not due and (woken or not self._taking)
        if look or overdue or idle or now_s - self._looked_s >= LOOK_S:
            self.next_us, self._left = None, []
            rows = await self._database.peek(WAITING, {"most": WAITING_MAX})
            waiting = sorted((Waiting(*row) for row in rows), key=lambda one: one.due_at_us)
            self.next_us = min((one.due_at_us for one in waiting if one.due_at_us > now_us), default=None)
            self._left = [one for one in waiting if one.due_at_us <= now_us]
            due = self._with_slots(self._left)
            self._looked_s = now_s
        if due:
            await self._current_signer()
        due = due[:CLAIMED_ENDPOINTS_MAX]
        asked = {one.webhook_id for one in due}
        self._left = [one for one in self._left if one.webhook_id not in asked]
        return due

    def _with_slots(self, waiting: Sequence[Waiting]) -> list[Waiting]:
        return [one for one in waiting if self._slots.free(one.tenant_id, one.webhook_id) > 0]

    @property
    def more(self) -> bool:
        """Whether something is left that could be claimed at once."""
        return bool(self._with_slots(self._left))

    async def take(self, tx: Transaction, due: Sequence[Waiting]) -> Sequence[Claimed]:
        """Claim for each its share, as far as there are slots. When it raises, they are free again."""
        held: dict[str, int] = {}
        self._taking += 1
        try:
            return await self._taken(tx, due, held)
        except BaseException:
            for one in due:
                self._slots.give_back(one.tenant_id, one.webhook_id, held.get(one.webhook_id, 0))
            raise
        finally:
            self._taking -= 1

    async def _taken(self, tx: Transaction, due: Sequence[Waiting], held: dict[str, int]) -> Sequence[Claimed]:
        """What one has no use for is offered to those who got none. `held`: how many slots each holds at any time."""
        now_us = self._clock.now_us()
        claims: list[Claimed] = []
        left: list[Waiting] = []
        waiting = due
        while counts := self._offered(waiting, held):
            taken = await self._leases.claim(tx, counts, now_us=now_us, lease_us=LEASE_US)
            claims += taken
            used = Counter(claimed.webhook_id for claimed in taken)
            for one in waiting:
                if (offered := counts.get(one.webhook_id)) is None:
                    continue
                held[one.webhook_id] = used[one.webhook_id]
                self._slots.give_back(one.tenant_id, one.webhook_id, offered - used[one.webhook_id])
                if offered == used[one.webhook_id]:
                    left.append(one)
            waiting = [one for one in waiting if one.webhook_id not in held]
        asked = {one.webhook_id for one in due}
        self._left = [*(one for one in self._left if one.webhook_id not in asked), *waiting, *left]
        return claims

    def _offered(self, waiting: Sequence[Waiting], held: dict[str, int]) -> dict[str, int]:
        """How many slots each gets, which are taken for it: as many as its neighbours, if there are so many."""
        share = max(1, self._together // max(1, len(waiting)))
        of_tenant = Counter(one.tenant_id for one in waiting)
        counts = {}
        for one in waiting:
            fair = max(1, self._slots.free_of_tenant(one.tenant_id) // of_tenant[one.tenant_id])
            of_tenant[one.tenant_id] -= 1
            if count := min(share, fair, self._slots.free(one.tenant_id, one.webhook_id)):
                self._slots.take(one.tenant_id, one.webhook_id, count)
                counts[one.webhook_id] = held[one.webhook_id] = count
        return counts

    async def release(self, claims: Sequence[Claimed]) -> None:
        """Let others claim what was not attempted. Raises `DomainError` when the database is away."""
        async with self._database.transaction() as tx:
            await self._leases.release(tx, claims, self._clock.now_us())

    def give_back(self, claims: Sequence[Claimed]) -> None:
        """The slots of claims that came to nothing."""
        for claimed in claims:
            self._slots.give_back(claimed.tenant_id, claimed.webhook_id)

    async def posts(self, claims: Sequence[Claimed]) -> tuple[list[Post], list[Result]]:
        """What is to be attempted, and what cannot be. To be called once the claim is durable.

        Raises `DomainError` when the database is away; the slots are free again then, and the leases end.
        """
        if not claims:
            return [], []
        try:
            ids = sorted({claimed.webhook_id for claimed in claims})
            endpoints = await self._endpoints.endpoints_now(self._database, ids)
            signer = await self._current_signer()
        except BaseException:
            self.give_back(claims)
            raise
        posts, unsendable = [], []
        keys: dict[str, tuple[bytes, ...] | None] = {}
        for claimed in claims:
            endpoint = endpoints[claimed.webhook_id]
            reason = _unsendable(claimed, endpoint)
            if reason is not None:
                unsendable.append(Result(claimed, endpoint, reason))
                continue
            if endpoint.id not in keys:
                keys[endpoint.id] = self._keys_of(endpoint)
            opened = keys[endpoint.id]
            if opened is None:
                unsendable.append(Result(claimed, endpoint, broken(claimed, self._clock)))
            else:
                posts.append(Post(claimed, endpoint, opened, signer))
        return posts, unsendable

    def _keys_of(self, endpoint: Endpoint) -> tuple[bytes, ...] | None:
        """The keys that sign for it; None when they cannot be opened."""
        until_us = endpoint.previous_secret_expires_at_us
        sealed = [endpoint.secret_sealed]
        if until_us is not None and self._clock.now_us() < until_us:
            sealed.append(endpoint.previous_secret_sealed)
        try:
            return tuple(open_key(self._master(), endpoint.id, one) for one in sealed if one is not None)
        except SealBroken:
            log.error("webhook.seal_broken", webhook_id=endpoint.id)
            return None

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
