"""A consumer with the product's own source that records in which order numbered messages arrive."""

from collections import defaultdict
from dataclasses import dataclass, field

from cloud.vehicles.ingest.amqp_source import AmqpSource
from cloud.vehicles.ingest.source import BatchDelivery


@dataclass
class Arrivals:
    """The numbers of each (gateway, lane), in the order of their first arrival, at all consumers together."""

    first: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    repeated: int = 0
    by_consumer: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def total(self) -> int:
        return sum(map(len, self.first.values()))

    async def record(self, consumer: int, source: AmqpSource, *, live: bool) -> None:
        """Receive from `source` and accept, until cancelled. `live`: the batches of the live lanes; otherwise all
        other deliveries."""
        while True:
            delivery = await source.next(live=live)
            if isinstance(delivery, BatchDelivery):
                lane, number = (delivery.gateway_id, delivery.lane.value), int(delivery.octets)
                if number in self.seen[lane]:
                    self.repeated += 1
                else:
                    self.seen[lane].add(number)
                    self.first[lane].append(number)
                    self.by_consumer[consumer] += 1
            await delivery.accept()
