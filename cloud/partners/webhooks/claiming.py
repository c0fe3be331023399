"""Claim due deliveries under a lease, a fair share for each webhook, and load the data for sending them.

First a query without locks finds webhooks with due deliveries. The claim runs in the worker's open transaction. The
endpoints are read after the claim is committed, so every change that was committed by then (a disabled webhook, a new
secret) is seen.
"""

import asyncio
from collections.abc import Callable, Sequence

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.master_key import MasterKey, SealBroken
from cloud.partners.webhooks.callback_keys import callback_keys
from cloud.partners.webhooks.delivery import LeasedDelivery
from cloud.partners.webhooks.endpoint_store import Endpoint, EndpointStore
from cloud.partners.webhooks.in_flight import InFlight, Reservation
from cloud.partners.webhooks.keys import WebhookKeys
from cloud.partners.webhooks.lease_store import DUE_WEBHOOKS, DueWebhook, LeaseStore
from cloud.partners.webhooks.model import DeliveryKind, ErrorCode
from cloud.partners.webhooks.sealing import open_key
from cloud.partners.webhooks.signing import Signer

log = structlog.get_logger()

# Twice the longest attempt: enough to send and settle a delivery, and a short delay after a worker was killed.
LEASE_US = 30_000_000
# Subscriptions that one query examines at most, also those whose deliveries are due later, and subscriptions of one
# claim, so that a claim stays short.
DUE_WEBHOOKS_MAX = 10_000
CLAIMED_WEBHOOKS_MAX = 64
# Interval at which a busy worker queries for due webhooks; in between it claims from those left by the last query.
QUERY_S = 0.05
# A key stays published for a day after its rotation, so the previous one may sign for another minute.
SIGNER_S_MAX = 60.0


class Claimer:
    """Find webhooks with due deliveries and claim the deliveries. `next_us`: the earliest future due time that the last
    query found, or None."""

    def __init__(
        self, database: Database, clock: Clock, master: Callable[[], MasterKey], in_flight: InFlight, *, batch: int
    ) -> None:
        """Store the parts of the claimer. `master` loads the master key when a delivery is to be signed; without the
        key file the worker retries later. `batch`: the number of deliveries that one claim divides among the due
        webhooks."""
        self._database = database
        self._clock = clock
        self._load_master = master
        self._in_flight = in_flight
        self._batch = batch
        self._leases = LeaseStore()
        self._endpoints = EndpointStore()
        self._keys = WebhookKeys(database, clock, self._master)
        self._master_key: MasterKey | None = None
        self._signer: tuple[float, Signer] | None = None
        self.next_us: int | None = None
        self._left: Sequence[DueWebhook] = ()  # in the order of their claims
        self._after = ""  # the id at which the last query ended; empty if none follows
        self._claims_running = 0  # a running claim may leave more to claim
        self._queried_s = 0.0

    async def due(self, *, woken: bool = False, query: bool = False) -> Sequence[DueWebhook]:
        """Return at most `CLAIMED_WEBHOOKS_MAX` webhooks that have due deliveries and free claim slots (each permits
        one claimed delivery).

        The webhooks come from a list in memory. A database query replaces the list in three cases: at intervals, when a
        planned delivery has become due, and when no webhook in the list has free slots and no claim is running.
        `woken`: a delivery was queued since the last call, so the third case applies even while a claim is running.
        `query`: query in any case. Raises `DomainError` if the database or master key is unavailable.
        """
        now_us, now_s = self._clock.now_us(), asyncio.get_running_loop().time()
        due = self._with_room(self._left)
        overdue = self.next_us is not None and self.next_us <= now_us
        idle = not due and (woken or not self._claims_running)
        if query or overdue or idle or now_s - self._queried_s >= QUERY_S:
            await self._query(now_us)
            due = self._with_room(self._left)
            self._queried_s = now_s
        if due:
            await self._current_signer()
        due = due[:CLAIMED_WEBHOOKS_MAX]
        chosen = {one.webhook_id for one in due}
        self._left = [one for one in self._left if one.webhook_id not in chosen]
        return due

    async def _query(self, now_us: int) -> None:
        """Query for due webhooks, from the id at which the last query ended, until one has free claim slots or all
        webhooks are examined. Thus no webhook waits for those with lower ids."""
        self.next_us, self._left = None, []
        examined: dict[str, DueWebhook] = {}
        passes = 1 if self._after else 0  # a pass that begins after the first webhook does not examine all of them
        while not self._with_room(self._left) and passes >= 0:
            rows = await self._database.peek(DUE_WEBHOOKS, {"after": self._after, "most": DUE_WEBHOOKS_MAX})
            examined |= {str(row[0]): DueWebhook(*row) for row in rows}
            self._after = rows[-1][0] if len(rows) == DUE_WEBHOOKS_MAX else ""
            passes -= not self._after
            found = sorted(examined.values(), key=lambda one: one.due_at_us)
            self.next_us = min((one.due_at_us for one in found if one.due_at_us > now_us), default=None)
            self._left = [one for one in found if one.due_at_us <= now_us]

    def _with_room(self, webhooks: Sequence[DueWebhook]) -> list[DueWebhook]:
        return [one for one in webhooks if self._in_flight.claim_room(one.tenant_id, one.webhook_id) > 0]

    @property
    def has_more(self) -> bool:
        """Return whether a webhook of the last query or claim still has due deliveries and free claim slots (each
        permits one claimed delivery)."""
        return bool(self._with_room(self._left))

    async def claim(
        self, tx: Transaction, due: Sequence[DueWebhook], reservation: Reservation
    ) -> Sequence[LeasedDelivery]:
        """Claim a fair share of deliveries for each webhook in `due`, as far as `reservation` has claim slots. Slots
        that one webhook does not use are offered to the webhooks that got no slots."""
        self._claims_running += 1
        try:
            now_us = self._clock.now_us()
            leased: list[LeasedDelivery] = []
            unserved = due
            more: list[DueWebhook] = []
            while offered := reservation.offer(unserved, self._batch):
                found = await self._leases.claim(tx, offered, now_us=now_us, lease_us=LEASE_US)
                used = reservation.keep(offered, found)
                leased += found
                more += [one for one in unserved if offered.get(one.webhook_id) == used[one.webhook_id]]
                unserved = [one for one in unserved if one.webhook_id not in offered]
            chosen = {one.webhook_id for one in due}
            self._left = [*(one for one in self._left if one.webhook_id not in chosen), *unserved, *more]
            return leased
        finally:
            self._claims_running -= 1

    async def prepare(self, deliveries: Sequence[LeasedDelivery]) -> None:
        """Load endpoints, secrets and signer into claimed deliveries; end the deliveries that cannot be sent. Call this
        only after the claim is committed. Raises `DomainError` if the database is unavailable; the deliveries are
        claimed again when their leases end."""
        if not deliveries:
            return
        ids = sorted({delivery.webhook_id for delivery in deliveries})
        endpoints = await self._endpoints.endpoints_now(self._database, ids)
        signer = await self._current_signer()
        keys: dict[str, tuple[bytes, ...] | None] = {}
        if any(one.is_callback for one in endpoints.values()):
            keys.update(await callback_keys(self._database, self._master(), endpoints.values(), self._clock.now_us()))
        for delivery in deliveries:
            endpoint = endpoints[delivery.webhook_id]
            if (reason := _discard_reason(delivery, endpoint)) is not None:
                delivery.discard(reason, endpoint)
                continue
            if endpoint.id not in keys:
                keys[endpoint.id] = self._keys_of(endpoint)
            opened = keys[endpoint.id]
            if opened is None:
                delivery.fail_internally(self._clock.now_us(), endpoint)
            else:
                delivery.prepare(endpoint, opened, signer)

    async def release(self, deliveries: Sequence[LeasedDelivery]) -> None:
        """Return claimed but unsent deliveries to the queue, so that any worker can claim them. Raises `DomainError`
        when the database is not available."""
        async with self._database.transaction() as tx:
            await self._leases.release(tx, deliveries, self._clock.now_us())

    def _keys_of(self, endpoint: Endpoint) -> tuple[bytes, ...] | None:
        """Return the HMAC keys of the endpoint's current secret and, while it is still valid, of the previous secret.
        Return None if unsealing fails."""
        until_us = endpoint.previous_secret_expires_at_us
        sealed = [endpoint.secret_sealed]
        if until_us is not None and self._clock.now_us() < until_us:
            sealed.append(endpoint.previous_secret_sealed)
        for last in (False, True):
            try:
                return tuple(open_key(self._master(), endpoint.id, one) for one in sealed if one is not None)
            except SealBroken:
                self._master_key = None  # the operator may have rotated it: read the file again
                if last:
                    log.error("webhook.seal_broken", webhook_id=endpoint.id)
        return None

    def _master(self) -> MasterKey:
        if self._master_key is None:
            self._master_key = self._load_master()
        return self._master_key

    async def _current_signer(self) -> Signer:
        """Return a signer with the current Ed25519 key. Raises `DomainError` when there is no master key."""
        now_s = self._clock.monotonic_s()
        if self._signer is None or now_s - self._signer[0] >= SIGNER_S_MAX:
            key = await self._keys.current()
            self._master_key = None  # read again, since the operator may have rotated it
            self._signer = now_s, Signer(key.kid, key.private(self._master()))
        return self._signer[1]


def _discard_reason(delivery: LeasedDelivery, endpoint: Endpoint) -> ErrorCode | None:
    """Return the reason to discard a delivery (endpoint deleted or disabled), or None to send it."""
    if endpoint.deleted_at_us is not None or (endpoint.secret_sealed is None and not endpoint.is_callback):
        return ErrorCode.ENDPOINT_DELETED
    if endpoint.disabled_at_us is not None and delivery.kind is not DeliveryKind.TEST:
        return ErrorCode.ENDPOINT_DISABLED
    return None
