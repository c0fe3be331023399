"""A source of deliveries and a receiver of acknowledgements without a broker, which a test moves."""

import asyncio
from collections.abc import Iterable, Sequence

from cloud.vehicles.ingest.source import Delivery, DueAck, is_live
from protocols.uplink.acks import Ack


class ListedSource:
    """A source that returns these deliveries, and then waits until a test adds another one."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        self._deliveries: dict[bool, asyncio.Queue[Delivery]] = {live: asyncio.Queue() for live in (False, True)}
        for delivery in deliveries:
            self.add(delivery)

    def add(self, delivery: Delivery) -> None:
        self._deliveries[is_live(delivery)].put_nowait(delivery)

    @property
    def is_empty(self) -> bool:
        return all(queue.empty() for queue in self._deliveries.values())

    async def next(self, *, live: bool) -> Delivery:
        return await self._deliveries[live].get()

    def next_now(self, *, live: bool) -> Delivery | None:
        queue = self._deliveries[live]
        return None if queue.empty() else queue.get_nowait()


class SlowAnswers:
    """A stand-in for the broker that accepts acknowledgements once the event `let` is set."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.let = asyncio.Event()
        self.acks: list[Ack] = []

    async def acknowledge(self, acks_due: Sequence[DueAck]) -> list[bool]:
        self.asked.set()
        await self.let.wait()
        self.acks.extend(due.ack for due in acks_due)
        return [True] * len(acks_due)
