"""How many attempts run at a time, and whose: so that no receiver, and no tenant with many, delays the others.

An endpoint that is slow or failing gets one slot until something of it goes well again; its own deliveries wait for
each other then, and nobody else's do. Claims have slots too, some more of them (`ahead`), so that a slot for an attempt
need not wait for the database. Counts are of this process; several workers have several times as many.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass

SLOW_MS = 2_000
"""An answer that takes longer holds its slot too long for sixteen of them."""
REMEMBERED_MAX = 10_000
AHEAD = 4
"""So many claims for each attempt at a time: one is attempted, one lies ready, and two are with the database. With
twice as many, attempts waited for claims (a fifth fewer deliveries were measured)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Attempts at a time."""

    of_process: int = 256
    of_tenant: int = 96
    of_endpoint: int = 16
    of_slow_endpoint: int = 1


class Slots:
    """Those of the attempts: taken when one begins, given back when it ends."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._taken = 0
        self._of_tenant: Counter[str] = Counter()
        self._of_endpoint: Counter[str] = Counter()
        self._slow: OrderedDict[str, None] = OrderedDict()

    def ahead(self) -> "Slots":
        """Those of the claims: taken before a claim, given back when its attempt ends. An endpoint that is noted as
        slow here is slow there, and has no more claims than attempts."""
        limits = self._limits
        claims = Slots(
            Limits(
                of_process=AHEAD * limits.of_process,
                of_tenant=AHEAD * limits.of_tenant,
                of_endpoint=AHEAD * limits.of_endpoint,
                of_slow_endpoint=limits.of_slow_endpoint,
            )
        )
        claims._slow = self._slow
        return claims

    @property
    def taken(self) -> int:
        """Attempts that run or are about to."""
        return self._taken

    @property
    def full(self) -> bool:
        return self._taken >= self._limits.of_process

    def free(self, tenant: str, endpoint: str) -> int:
        """How many attempts of an endpoint may begin now."""
        limits = self._limits
        own = limits.of_slow_endpoint if endpoint in self._slow else limits.of_endpoint
        return max(0, min(self.free_of_tenant(tenant), own - self._of_endpoint[endpoint]))

    def free_of_tenant(self, tenant: str) -> int:
        """How many attempts of all its endpoints together may begin now."""
        limits = self._limits
        return max(0, min(limits.of_process - self._taken, limits.of_tenant - self._of_tenant[tenant]))

    def take(self, tenant: str, endpoint: str, count: int) -> None:
        self._taken += count
        self._of_tenant[tenant] += count
        self._of_endpoint[endpoint] += count

    def give_back(self, tenant: str, endpoint: str, count: int = 1) -> None:
        self._taken -= count
        for counts, name in ((self._of_tenant, tenant), (self._of_endpoint, endpoint)):
            counts[name] -= count
            if not counts[name]:
                del counts[name]

    def note(self, endpoint: str, *, well: bool) -> None:
        """How an attempt went; the last one counts."""
        self._slow.pop(endpoint, None)
        if not well:
            self._slow[endpoint] = None
            if len(self._slow) > REMEMBERED_MAX:
                self._slow.popitem(last=False)
