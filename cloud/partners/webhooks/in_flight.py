"""The deliveries that one worker holds, and their slots: only this object takes and returns them.

There are two kinds of slots. A claim slot is taken before a delivery is claimed and returned when its attempt ends; a
sending slot is held while the attempt runs. There are more claim slots than sending slots, since the next claim comes
two commits later and a receiver responds sooner. The deliveries in between are ready, and one begins as soon as its
endpoint has a slot, the endpoints in turn. So no attempt waits for the database.

Limits for the process, each tenant and each endpoint prevent a slow receiver, or a tenant with many, from delaying
others. An endpoint that is slow or failing gets one slot until one of its attempts succeeds quickly, so its own
deliveries wait for each other. Ready deliveries whose endpoint has no slot in time are returned without an attempt,
before their lease becomes short and before a change of the endpoint is missed. So are those of an endpoint that has
just failed: it is not called again after a 410 or 503. The counts are those of this process; several workers have
several times as many.
"""

from collections import Counter, OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cloud.partners.webhooks.delivery import LeasedDelivery
from cloud.partners.webhooks.lease_store import DueWebhook

SLOW_MS = 2_000
"""Response time above which an endpoint is slow: it would hold sixteen slots for too long."""
READY_S_MAX = SLOW_MS / 1000
"""Time after which an endpoint whose slots are all in use is slow."""
SLOW_ENDPOINTS_MAX = 10_000
"""Slow endpoints that are remembered, some hundred bytes each; beyond it the earliest counts as fast again."""
CLAIMS_PER_SLOT = 4
"""Claim slots for each sending slot: one delivery is sent, one is ready, and two are in transactions. With only twice
as many claim slots, attempts waited for claims (a fifth fewer deliveries were measured).
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of concurrent attempts."""

    of_process: int = 256
    of_tenant: int = 96
    of_endpoint: int = 16
    of_slow_endpoint: int = 1

    def for_claims(self) -> "Limits":
        """Return the limits of claims. A slow endpoint has no more claims than attempts."""
        return Limits(
            of_process=CLAIMS_PER_SLOT * self.of_process,
            of_tenant=CLAIMS_PER_SLOT * self.of_tenant,
            of_endpoint=CLAIMS_PER_SLOT * self.of_endpoint,
            of_slow_endpoint=self.of_slow_endpoint,
        )


class _Slots:
    """Count one kind of slot."""

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
    """Hold leased deliveries and their slots. Times are those of a monotonic clock, in seconds."""

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._sending = _Slots(limits)
        self._claims = _Slots(limits.for_claims())
        self._slow: OrderedDict[str, None] = OrderedDict()
        self._ready: OrderedDict[str, deque[LeasedDelivery]] = OrderedDict()  # by webhook, in the order of turns

    @property
    def sending(self) -> int:
        """Return the number of attempts that run or are about to run."""
        return self._sending.taken

    @property
    def claimed(self) -> int:
        """Return the number of deliveries that are held, or reserved for a claim."""
        return self._claims.taken

    def claim_room(self, tenant_id: str, webhook_id: str) -> int:
        """Return how many deliveries of a webhook may be claimed now."""
        return self._claims.free(tenant_id, webhook_id, slow=webhook_id in self._slow)

    def sending_room(self, tenant_id: str, webhook_id: str) -> int:
        """Return how many attempts of a webhook may begin now."""
        return self._sending.free(tenant_id, webhook_id, slow=webhook_id in self._slow)

    def reservation(self) -> "Reservation":
        """Return an empty reservation of claim slots, for one transaction that claims."""
        return Reservation(self, self._claims)

    def add(self, deliveries: Iterable[LeasedDelivery], now_s: float) -> None:
        """Queue deliveries that are ready."""
        for delivery in deliveries:
            delivery.ready_at_s = now_s
            self._ready.setdefault(delivery.webhook_id, deque()).append(delivery)

    def begin(self) -> LeasedDelivery | None:
        """Take a sending slot for the next ready delivery that may begin; None while none may."""
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
        """Return both slots of an attempt that ended. After a bad one, also remove and return the endpoint's ready
        deliveries.
        """
        self._sending.give_back(delivery.tenant_id, delivery.webhook_id)
        self._claims.give_back(delivery.tenant_id, delivery.webhook_id)
        attempt = delivery.attempt
        assert attempt is not None, "an attempt ended"
        well = delivery.succeeded and attempt.duration_ms < SLOW_MS
        self._note(delivery.webhook_id, slow=not well)
        return () if well else self._ready.pop(delivery.webhook_id, ())

    def drop(self, deliveries: Iterable[LeasedDelivery]) -> None:
        """Return the claim slots of deliveries that are not sent."""
        for delivery in deliveries:
            self._claims.give_back(delivery.tenant_id, delivery.webhook_id)

    def take_overdue(self, now_s: float) -> Sequence[LeasedDelivery]:
        """Remove and return the ready deliveries of endpoints that had no slot for too long; these endpoints become
        slow.
        """
        overdue = [name for name, line in self._ready.items() if now_s - line[0].ready_at_s >= READY_S_MAX]
        for webhook_id in overdue:
            self._note(webhook_id, slow=True)
        return [delivery for webhook_id in overdue for delivery in self._ready.pop(webhook_id)]

    def take_all(self) -> Sequence[LeasedDelivery]:
        """Remove and return all ready deliveries."""
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
    """Claim slots of one claiming transaction: kept by the deliveries that it leases, or returned when it fails."""

    def __init__(self, in_flight: InFlight, claims: _Slots) -> None:
        self._in_flight = in_flight
        self._claims = claims
        self._held: dict[str, tuple[str, int]] = {}  # by webhook: its tenant, and the number of slots

    def offer(self, due: Sequence[DueWebhook], batch: int) -> dict[str, int]:
        """Take for each webhook its fair share of a batch, as far as there are slots; a webhook without slots is left
        out.
        """
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
        """Keep the slots of these deliveries and return the other slots of an offer; return the number kept for each
        webhook.
        """
        used = Counter(delivery.webhook_id for delivery in leased)
        for webhook_id, count in offered.items():
            tenant_id, _ = self._held[webhook_id]
            self._claims.give_back(tenant_id, webhook_id, count - used[webhook_id])
            self._held[webhook_id] = (tenant_id, used[webhook_id])
        return used

    def cancel(self) -> None:
        """Return all slots: the claim was rolled back."""
        for webhook_id, (tenant_id, count) in self._held.items():
            self._claims.give_back(tenant_id, webhook_id, count)
        self._held.clear()
