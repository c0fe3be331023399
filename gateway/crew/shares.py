"""Share of each network address in what the crew's pages serve: its requests of a kind, and its live streams.

Without a share, one tablet with many open pages, or another client in the vehicle's network, takes what the others
need. A refused client gets the seconds after which it may try again.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

from aiohttp import web

from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap

ADDRESSES_MAX = 256
"""Addresses whose requests are counted, a whole network of a vehicle; the one that was quiet longest is forgotten."""
STREAM_RETRY_S = 30
"""Seconds after which a client without a stream may try again: a page that is closed frees its place."""


class Rate(NamedTuple):
    """Rate of one kind of requests from one address: `burst` at once, then one in `every_s` seconds."""

    name: str
    burst: int
    every_s: float


class Rates:
    """Counts the requests of each address."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._free_at_s: BoundedMap[tuple[str, str], float] = BoundedMap(ADDRESSES_MAX)

    def wait_s(self, rate: Rate, address: str) -> float:
        """Count a request; return 0.0. Where the address has used its share, return the seconds until it may send one,
        and count nothing."""
        now_s = self._clock.monotonic_s()
        key = (rate.name, address)
        free_at_s = max(self._free_at_s.get(key, now_s), now_s) + rate.every_s
        wait_s = free_at_s - now_s - rate.burst * rate.every_s
        if wait_s > 1e-9:
            return wait_s
        self._free_at_s[key] = free_at_s
        return 0.0

    def require(self, rate: Rate, request: web.Request) -> None:
        """Count a request. Raises 429 with the seconds to wait."""
        wait_s = self.wait_s(rate, request.remote or "")
        if wait_s:
            raise too_many(f"This device sends too many requests. Try again in {ceil(wait_s)} seconds.", ceil(wait_s))


@dataclass(slots=True, eq=False)
class StreamPlace:
    """Place of the stream of one request. `given_away`: another stream needs it, so this one ends."""

    request: web.Request
    given_away: bool = False

    @property
    def address(self) -> str:
        return self.request.remote or ""

    @property
    def is_closed(self) -> bool:
        """True if the page has closed the connection, which the stream notices only when it sends again."""
        return self.request.transport is None or self.request.transport.is_closing()


class StreamPlaces:
    """Places for streams: `total` in all, `each` for one address. Where all are taken, a new address gets the oldest
    place of the address that has the most, so that no address keeps the others from the live values."""

    def __init__(self, *, total: int, each: int) -> None:
        self._total = total
        self._each = each
        self._taken: dict[StreamPlace, None] = {}

    @contextmanager
    def place(self, request: web.Request) -> Iterator[StreamPlace]:
        """Take a place while the block runs. Raises 429 where the address has its share, and 503 where no place can be
        given away."""
        mine = StreamPlace(request)
        self._free_closed()
        self._make_room(mine.address)
        self._taken[mine] = None
        try:
            yield mine
        finally:
            self._taken.pop(mine, None)

    def _free_closed(self) -> None:
        """Free the places of closed pages: a page that is loaded again a few times must not wait for its own places."""
        for each in [each for each in self._taken if each.is_closed]:
            each.given_away = True
            del self._taken[each]

    def _make_room(self, address: str) -> None:
        counts = Counter(each.address for each in self._taken)
        if counts[address] >= self._each:
            raise too_many("This device has too many open pages. Close one of them.", STREAM_RETRY_S)
        if len(self._taken) < self._total:
            return
        crowded, most = counts.most_common(1)[0]
        if most < counts[address] + 2:  # giving it away would only change who lacks it
            raise web.HTTPServiceUnavailable(
                text="Too many pages are open. Close one of them.\n", headers={"Retry-After": str(STREAM_RETRY_S)}
            )
        oldest = next(each for each in self._taken if each.address == crowded)
        oldest.given_away = True
        del self._taken[oldest]


def too_many(text: str, retry_s: int) -> web.HTTPTooManyRequests:
    return web.HTTPTooManyRequests(text=f"{text}\n", headers={"Retry-After": str(retry_s)})
