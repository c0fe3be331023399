"""A source of deliveries and a receiver of acknowledgements without a broker, which a test moves."""

import asyncio
from collections.abc import Iterable, Sequence

from cloud.vehicles.ingest.source import Delivery, DueAck
from protocols.uplink.acks import Ack


class ListedSource:
    """A source that returns these deliveries, and then waits until a test adds another one."""

    def __init__(self, deliveries: Iterable[Delivery]) -> None:
        self._deliveries: asyncio.Queue[Delivery] = asyncio.Queue()
        for delivery in deliveries:
            self.add(delivery)

    def add(self, delivery: Delivery) -> None:
        self._deliveries.put_nowait(delivery)

    async def next(self) -> Delivery:
        return await self._deliveries.get()

    def next_now(self) -> Delivery | None:
        return None if self._deliveries.empty() else self._deliveries.get_nowait()


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
