"""A queue of deliveries for ingest, limited for each sender and in total, that takes from the senders in rotation.

Without the rotation, the gateway that sends most would fill each group of batches and the broker's window. A delivery
counts until ingest releases it, so the limits include the deliveries that are being written. Batches of the live lanes,
numerics and waveforms, are taken apart from all others, which do not wait behind them and have room when the live ones
have filled the queue.

A gateway sends a batch again after some seconds without an acknowledgement. If ingest is that late, the first copy is
often still queued, or waits for its object or its rows. `has` recognises the second: to decode, verify and write it too
would make ingest later still.
"""

import asyncio
from collections import OrderedDict, deque

from cloud.vehicles.ingest.source import BatchDelivery, Delivery, is_live
from protocols.uplink.lanes import Lane

DELIVERY_BYTES = 512
"""Bytes that a delivery counts in addition to its message."""

Sender = tuple[str, str]
"""Tenant and gateway, as the topic names them."""


class _Rotation:
    """Deliveries of several senders. `take` takes one from each sender in rotation."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Sender, deque[Delivery]] = OrderedDict()
        self.arrived = asyncio.Event()

    def add(self, sender: Sender, delivery: Delivery) -> None:
        self._waiting.setdefault(sender, deque()).append(delivery)
        self.arrived.set()

    def take(self) -> Delivery | None:
        if not self._waiting:
            return None
        sender, own = self._waiting.popitem(last=False)
        delivery = own.popleft()
        if own:
            self._waiting[sender] = own  # at the end of the rotation
        if not self._waiting:
            self.arrived.clear()
        return delivery


class FairQueue:
    """A queue that takes one delivery from each sender in rotation. The deliveries of one sender keep their order,
    those of the live lanes among themselves and all others among themselves."""

    def __init__(self, *, sender_bytes_max: int, bytes_max: int, other_bytes_max: int = 0) -> None:
        """`other_bytes_max`: room above `bytes_max` for all that is not a live batch."""
        self._sender_bytes_max = sender_bytes_max
        self._bytes_max = {True: bytes_max, False: bytes_max + other_bytes_max}
        self._rotations = {live: _Rotation() for live in (False, True)}
        self._held_bytes: dict[Sender, int] = {}
        self._held_batches: set[tuple[Sender, Lane, bytes]] = set()
        self.bytes = 0
        """Bytes of all deliveries that were put and not released."""

    def has_room(self, *, live: bool) -> bool:
        """Return whether the queue is below its limit in bytes for live batches, or for all other deliveries."""
        return self.bytes < self._bytes_max[live]

    def put(self, delivery: Delivery) -> bool:
        """Add a delivery. Return False, without adding it, if its sender is at its limit; the gateway
        will resend it."""
        sender, size = sender_of(delivery), _size(delivery)
        held = self._held_bytes.get(sender, 0)
        if held and held + size > self._sender_bytes_max:
            return False
        self._held_bytes[sender] = held + size
        self.bytes += size
        if isinstance(delivery, BatchDelivery):
            self._held_batches.add(_batch_of(delivery))
        self._rotations[is_live(delivery)].add(sender, delivery)
        return True

    def has(self, delivery: Delivery) -> bool:
        """Return whether the same bytes of the same lane (numbered stream of batches) were put and not released."""
        return isinstance(delivery, BatchDelivery) and _batch_of(delivery) in self._held_batches

    def get_now(self, *, live: bool) -> Delivery | None:
        """Remove and return the next delivery in the rotation of senders, or None. `live`: a batch of the live lanes;
        otherwise any other delivery."""
        return self._rotations[live].take()

    async def get(self, *, live: bool) -> Delivery:
        """Remove and return the next delivery in the rotation of senders; wait until there is one."""
        while (delivery := self.get_now(live=live)) is None:
            await self._rotations[live].arrived.wait()
        return delivery

    def release(self, delivery: Delivery) -> None:
        """Stop counting a delivery against the limits of the queue, because ingest has finished it."""
        sender, size = sender_of(delivery), _size(delivery)
        if isinstance(delivery, BatchDelivery):
            self._held_batches.discard(_batch_of(delivery))
        self.bytes -= size
        left = self._held_bytes[sender] - size
        if left:
            self._held_bytes[sender] = left
        else:
            del self._held_bytes[sender]

    def clear(self) -> int:
        """Discard all queued deliveries after the connection to the broker was lost; return their number. The broker
        also delivers again what ingest is handling. That is no repetition, since no acceptance of the first copy can
        reach the broker."""
        count = 0
        for rotation in self._rotations.values():
            while (delivery := rotation.take()) is not None:
                self.release(delivery)
                count += 1
        self._held_batches.clear()
        return count


def sender_of(delivery: Delivery) -> Sender:
    return delivery.tenant_id, delivery.gateway_id


def _batch_of(delivery: BatchDelivery) -> tuple[Sender, Lane, bytes]:
    return sender_of(delivery), delivery.lane, delivery.octets


def _size(delivery: Delivery) -> int:
    return len(delivery.octets) + DELIVERY_BYTES
