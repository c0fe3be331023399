"""Deliveries that wait to be ingested: bounded for each sender and in total, and given out sender by sender.

Without turns, the gateway that sends most would have most of each group, and the broker's window would be full of its
messages while others wait behind them in the broker. A delivery counts until its ingest has let go of it, so the limits
bound everything that is in hand and not only what waits.
"""

import asyncio
from collections import OrderedDict, deque

from cloud.vehicles.ingest.source import Delivery

DELIVERY_BYTES = 512
"""Bytes that a delivery counts beside its message."""

Sender = tuple[str, str]
"""Tenant and gateway, as the topic names them."""


class FairQueue:
    """A queue of deliveries. Senders take turns, one delivery each; each sender's own keep their order."""

    def __init__(self, *, sender_bytes_max: int, bytes_max: int) -> None:
        self._sender_bytes_max = sender_bytes_max
        self._bytes_max = bytes_max
        self._waiting: OrderedDict[Sender, deque[Delivery]] = OrderedDict()
        self._held_bytes: dict[Sender, int] = {}
        self._arrived = asyncio.Event()
        self.bytes = 0
        """Bytes of all deliveries that were put and not released."""

    @property
    def has_room(self) -> bool:
        """Whether more should come from the broker now."""
        return self.bytes < self._bytes_max

    def put(self, delivery: Delivery) -> bool:
        """False when its sender has as much in hand as it may; its gateway sends it again."""
        sender, size = sender_of(delivery), _size(delivery)
        held = self._held_bytes.get(sender, 0)
        if held and held + size > self._sender_bytes_max:
            return False
        self._held_bytes[sender] = held + size
        self.bytes += size
        self._waiting.setdefault(sender, deque()).append(delivery)
        self._arrived.set()
        return True

    def get_now(self) -> Delivery | None:
        """The next delivery of the sender whose turn it is; None when nothing waits."""
        if not self._waiting:
            return None
        sender, own = self._waiting.popitem(last=False)
        delivery = own.popleft()
        if own:
            self._waiting[sender] = own  # behind all others
        if not self._waiting:
            self._arrived.clear()
        return delivery

    async def get(self) -> Delivery:
        """The next one; waits for it."""
        while (delivery := self.get_now()) is None:
            await self._arrived.wait()
        return delivery

    def release(self, delivery: Delivery) -> None:
        """Ingest has let go of it."""
        sender, size = sender_of(delivery), _size(delivery)
        self.bytes -= size
        left = self._held_bytes[sender] - size
        if left:
            self._held_bytes[sender] = left
        else:
            del self._held_bytes[sender]

    def clear(self) -> int:
        """Let go of what waits; how many that were."""
        count = 0
        while (delivery := self.get_now()) is not None:
            self.release(delivery)
            count += 1
        return count


def sender_of(delivery: Delivery) -> Sender:
    return delivery.tenant_id, delivery.gateway_id


def _size(delivery: Delivery) -> int:
    return len(delivery.octets) + DELIVERY_BYTES
