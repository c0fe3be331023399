"""The deliveries that one worker has leased, and the slots that limit how many it claims and sends at once.

A claim slot is taken before a delivery is claimed and freed when its attempt ends. A sending slot is occupied only
while the attempt runs. There are more claim slots than sending slots, because the next claim takes two commits, and
most receivers respond before the claim ends. A delivery that is claimed but not yet sent is ready: its attempt begins
as soon as its endpoint has a free sending slot. Endpoints with ready deliveries take turns. So no attempt waits for the
database.

Limits for the process, each tenant and each endpoint keep slow receivers from delaying others; several workers together
have several times as many slots. An endpoint that is slow or failing gets one slot until one of its attempts succeeds
quickly.

Ready deliveries are returned to the queue without an attempt in two cases. First, their endpoint has had no free slot
for `READY_S_MAX`: the leases would soon end, and a change of the endpoint would be missed. Second, their endpoint has
just failed: after a 410 or 503, an endpoint is not called again at once.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud.partners.webhooks.delivery import LeasedDelivery
from cloud.partners.webhooks.lease_store import DueWebhook

SLOW_MS = 2_000
"""Response time above which an endpoint is slow: it would hold sixteen slots for too long."""
READY_S_MAX = SLOW_MS / 1000
"""Time for which a ready delivery waits for a slot of its endpoint. After it the endpoint counts as slow."""
SLOW_ENDPOINTS_MAX = 10_000
"""Slow endpoints in memory, some hundred bytes each. Above it the earliest counts as fast again."""
CLAIMS_PER_SLOT = 4
"""Claim slots for each sending slot: one delivery is sent, one is ready, and two are in transactions. With only twice
as many claim slots, attempts waited for claims (a fifth fewer deliveries were measured).
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers of webhook deliveries that may be sent at once by a process, for a tenant and to an endpoint."""

    of_process: int = 256
    of_tenant: int = 96
    of_endpoint: int = 16
    of_slow_endpoint: int = 1

    def for_claims(self) -> "Limits":
        """Return the limits of deliveries that may be claimed at once. They are `CLAIMS_PER_SLOT` times the limits of
        deliveries that may be sent at once, except for a slow endpoint."""
        return Limits(
            of_process=CLAIMS_PER_SLOT * self.of_process,
            of_tenant=CLAIMS_PER_SLOT * self.of_tenant,
            of_endpoint=CLAIMS_PER_SLOT * self.of_endpoint,
            of_slow_endpoint=self.of_slow_endpoint,
        )


class _Slots:
    """Count the occupied slots by process, tenant and endpoint. A slot permits one delivery to be claimed or, in
    another object of this class, to be sent."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.taken = 0
        self._of_tenant: Counter[str] = Counter()
        self._of_endpoint: Counter[str] = Counter()

    def free(self, tenant_id: str, webhook_id: str, *, slow: bool) -> int:
        own = self._limits.of_slow_endpoint if slow else self._limits.of_endpoint
        return max(0, min(self.free_of_tenant(tenant_id), own - self._of_endpoint[webhook_id]))

    def free_of_tenant(self, tenant_id: str) -> int:
        limits = self._limits
        return max(0, min(limits.of_process - self.taken, limits.of_tenant - self._of_tenant[tenant_id]))

    def take(self, tenant_id: str, webhook_id: str, count: int = 1) -> None:
        self.taken += count
        self._of_tenant[tenant_id] += count
        self._of_endpoint[webhook_id] += count

    def give_back(self, tenant_id: str, webhook_id: str, count: int = 1) -> None:
        self.taken -= count
        for counts, name in ((self._of_tenant, tenant_id), (self._of_endpoint, webhook_id)):
            counts[name] -= count
            if not counts[name]:
                del counts[name]


class InFlight:
    """The leased deliveries of one worker and their slots. `now_s`: the time of a monotonic clock in seconds."""

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._sending = _Slots(limits)
        self._claims = _Slots(limits.for_claims())
        self._slow: OrderedDict[str, None] = OrderedDict()
        self._ready: OrderedDict[str, deque[LeasedDelivery]] = OrderedDict()  # by webhook, in the order of the rotation

    @property
    def sending(self) -> int:
        """Return the number of sending slots in use: deliveries whose attempt runs now."""
        return self._sending.taken

    @property
    def claimed(self) -> int:
        """Return the number of claim slots in use: deliveries leased or reserved for a claim."""
        return self._claims.taken

    def claim_room(self, tenant_id: str, webhook_id: str) -> int:
        """Return how many deliveries of a webhook may be claimed now."""
        return self._claims.free(tenant_id, webhook_id, slow=webhook_id in self._slow)

    def sending_room(self, tenant_id: str, webhook_id: str) -> int:
        """Return how many attempts to deliver to a webhook may begin now."""
        return self._sending.free(tenant_id, webhook_id, slow=webhook_id in self._slow)

    def reservation(self) -> "Reservation":
        return Reservation(self, self._claims)

    def add(self, deliveries: Iterable[LeasedDelivery], now_s: float) -> None:
        """Queue deliveries that are ready to send. `now_s` is stored to find deliveries that are not sent in time."""
        for delivery in deliveries:
            delivery.ready_at_s = now_s
            self._ready.setdefault(delivery.webhook_id, deque()).append(delivery)

    def begin(self) -> LeasedDelivery | None:
        """Begin the attempt of the next ready delivery whose endpoint has a free sending slot; return the delivery, or
        None if there is none."""
        for webhook_id, line in self._ready.items():
            if self.sending_room(line[0].tenant_id, webhook_id) > 0:
                break
        else:
            return None
        delivery = line.popleft()
        if line:
            self._ready.move_to_end(webhook_id)
        else:
            del self._ready[webhook_id]
        self._sending.take(delivery.tenant_id, webhook_id)
        delivery.begin()
        return delivery

    def end(self, delivery: LeasedDelivery) -> Sequence[LeasedDelivery]:
        """Free the slots of a delivery whose attempt ended. After a failed or slow attempt, remove the endpoint's ready
        deliveries from the queue and return them: they must not be sent now."""
        self._sending.give_back(delivery.tenant_id, delivery.webhook_id)
        self._claims.give_back(delivery.tenant_id, delivery.webhook_id)
        attempt = delivery.attempt
        assert attempt is not None, "an attempt ended"
        well = delivery.succeeded and attempt.duration_ms < SLOW_MS
        self._note(delivery.webhook_id, slow=not well)
        return () if well else self._ready.pop(delivery.webhook_id, ())

    def drop(self, deliveries: Iterable[LeasedDelivery]) -> None:
        """Free the claim slots (each permits one claimed delivery) of deliveries that will not be sent."""
        for delivery in deliveries:
            self._claims.give_back(delivery.tenant_id, delivery.webhook_id)

    def take_overdue(self, now_s: float) -> Sequence[LeasedDelivery]:
        """Remove and return the ready deliveries of each endpoint whose first one has been ready for `READY_S_MAX`.
        Such an endpoint counts as slow from now on."""
        overdue = [name for name, line in self._ready.items() if now_s - line[0].ready_at_s >= READY_S_MAX]
        for webhook_id in overdue:
            self._note(webhook_id, slow=True)
        return [delivery for webhook_id in overdue for delivery in self._ready.pop(webhook_id)]

    def take_all(self) -> Sequence[LeasedDelivery]:
        """Remove and return all deliveries that were ready to send."""
        deliveries = [delivery for line in self._ready.values() for delivery in line]
        self._ready.clear()
        return deliveries

    def _note(self, webhook_id: str, *, slow: bool) -> None:
        self._slow.pop(webhook_id, None)
        if slow:
            self._slow[webhook_id] = None
            if len(self._slow) > SLOW_ENDPOINTS_MAX:
                self._slow.popitem(last=False)


class Reservation:
    """The claim slots that one claiming transaction reserves; each slot permits one claimed delivery. A leased delivery
    keeps its slot. After a rollback, `cancel` frees all slots."""

    def __init__(self, in_flight: InFlight, claims: _Slots) -> None:
        self._in_flight = in_flight
        self._claims = claims
        self._held: dict[str, tuple[str, int]] = {}  # by webhook: its tenant, and the number of slots

    def offer(self, due: Sequence[DueWebhook], batch: int) -> dict[str, int]:
        """Reserve claim slots (each permits one claimed delivery) for about `batch` deliveries, shared fairly among the
        webhooks. Return a dict that maps the id of each webhook to the number of slots reserved for it. Webhooks that
        have no free slots are left out."""
        share = max(1, batch // max(1, len(due)))
        of_tenant = Counter(one.tenant_id for one in due)
        offered: dict[str, int] = {}
        for one in due:
            fair = max(1, self._claims.free_of_tenant(one.tenant_id) // of_tenant[one.tenant_id])
            of_tenant[one.tenant_id] -= 1
            if count := min(share, fair, self._in_flight.claim_room(one.tenant_id, one.webhook_id)):
                self._claims.take(one.tenant_id, one.webhook_id, count)
                self._held[one.webhook_id] = (one.tenant_id, count)
                offered[one.webhook_id] = count
        return offered

    def keep(self, offered: dict[str, int], leased: Sequence[LeasedDelivery]) -> Counter[str]:
        """Free the offered slots that no `leased` delivery uses; return a counter of the used slots
        of each webhook id."""
        used = Counter(delivery.webhook_id for delivery in leased)
        for webhook_id, count in offered.items():
            tenant_id, _ = self._held[webhook_id]
            self._claims.give_back(tenant_id, webhook_id, count - used[webhook_id])
            self._held[webhook_id] = (tenant_id, used[webhook_id])
        return used

    def cancel(self) -> None:
        """Free all claim slots that a transaction has reserved, after its rollback."""
        for webhook_id, (tenant_id, count) in self._held.items():
            self._claims.give_back(tenant_id, webhook_id, count)
        self._held.clear()
