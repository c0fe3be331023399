"""Rate limits as token buckets: one bucket for each tenant, client and class of route, if the request has a bearer
token, otherwise one for each address class.

A bucket holds `quota` requests and refills evenly over `window_s`, so a burst is admitted and a flood is not (contract
matrix A-012). An address class is an IPv4 address or an IPv6 /64, the usual range of one subscriber. Buckets are in
memory, so a restart fills them. Processes that share a PostgreSQL database exchange their counts (`shared_rates`).
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from cloud.foundation.clock import Clock

# A bucket needs half a kilobyte. When there are more, the least recently used one is dropped, and is full when used.
BUCKETS_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Policy:
    """A rate limit: `quota` requests in `window_s` seconds. `name` appears in the RateLimit headers."""

    name: str
    quota: int
    window_s: int = 60


@dataclass(frozen=True, slots=True)
class Draw:
    """The result of drawing one request from a bucket. `remaining` requests are left. The bucket is full again after
    `reset_s`, and has one more request after `retry_after_s`."""

    policy: Policy
    allowed: bool
    remaining: int
    reset_s: int
    retry_after_s: int

    def fields(self) -> Mapping[str, str]:
        """Return the RateLimit headers (draft-ietf-httpapi-ratelimit-headers). If the request is refused, also return
        Retry-After."""
        policy = self.policy
        fields = {
            "RateLimit-Policy": f'"{policy.name}";q={policy.quota};w={policy.window_s}',
            "RateLimit": f'"{policy.name}";r={self.remaining};t={self.reset_s}',
        }
        if not self.allowed:
            fields["Retry-After"] = str(self.retry_after_s)
        return fields


BucketKey = tuple[str, Hashable]
"""The policy's name, and the client or address of the bucket."""


class RateLimiter(Protocol):
    """Counts requests against rate limits, synchronously, so that no request waits for the count."""

    def draw(self, policy: Policy, key: Hashable) -> Draw:
        """Draw one request from the bucket of `key`, if the bucket has one."""
        ...

    def look(self, policy: Policy, key: Hashable) -> Draw:
        """Return the result that drawing a request from the bucket of `key` would have, without drawing a request."""
        ...


class BucketLimiter:
    """A rate limiter whose buckets are in the memory of this process."""

    def __init__(self, clock: Clock, *, buckets_max: int = BUCKETS_MAX) -> None:
        self._clock = clock
        self._buckets_max = buckets_max
        self._buckets: OrderedDict[BucketKey, tuple[float, float]] = OrderedDict()  # level, and its monotonic second

    def draw(self, policy: Policy, key: Hashable) -> Draw:
        return self._draw(policy, key, 1.0)

    def look(self, policy: Policy, key: Hashable) -> Draw:
        return self._draw(policy, key, 0.0)

    def refund(self, policy: Policy, key: Hashable) -> None:
        """Put one request back into a bucket, since the request turned out not to count."""
        found = self._buckets.get((policy.name, key))
        if found is not None:
            level, at_s = found
            self._buckets[policy.name, key] = (min(float(policy.quota), level + 1.0), at_s)

    def _draw(self, policy: Policy, key: Hashable, taken: float) -> Draw:
        now_s = self._clock.monotonic_s()
        quota, per_s = policy.quota, policy.quota / policy.window_s
        bucket = policy.name, key
        level, at_s = self._buckets.get(bucket, (float(quota), now_s))
        level = min(quota, level + (now_s - at_s) * per_s)
        allowed = level >= 1.0
        if taken:
            if allowed:
                level -= taken
            self._buckets[bucket] = (level, now_s)
            self._buckets.move_to_end(bucket)
            if len(self._buckets) > self._buckets_max:
                self._buckets.popitem(last=False)
        return Draw(
            policy,
            allowed,
            max(0, int(level)),
            ceil((quota - level) / per_s),
            1 if allowed else max(1, ceil((1.0 - level) / per_s)),
        )


def address_class(address: str) -> str:
    """Return the class of an address: for IPv4 (also IPv4-mapped) the IPv4 address itself, for IPv6 its /64 network."""
    if ":" not in address:
        return address
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
