"""Where batches come from, and where answers go: the seam between ingest and a broker.

MQTT is one engine (`mqtt_source`); a clustered queue is another (DESIGN D4), and tests hand batches over directly. A
source keeps what it has given out until `accept()`: the broker may then forget it. Accepting is not acknowledging: a
gateway's batch counts as delivered only by the `Ack` that follows the commit, so a source may lose what it likes and
nothing is lost.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane

Accept = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDelivery:
    """One envelope as it arrived. Tenant, gateway and lane are what the topic says; `received_at_us` is the cloud's
    clock."""

    tenant_id: str
    gateway_id: str
    lane: Lane
    octets: bytes = field(repr=False)
    received_at_us: int
    accept: Accept = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDelivery:
    """One status as it arrived, perhaps retained from long ago, perhaps a will."""

    tenant_id: str
    gateway_id: str
    octets: bytes = field(repr=False)
    received_at_us: int
    accept: Accept = field(repr=False, compare=False)


Delivery = BatchDelivery | StatusDelivery


class BatchSource(Protocol):
    """Gives out deliveries, a bounded number of them before the first is accepted."""

    async def next(self) -> Delivery:
        """The next delivery; waits for it, however long the link is down."""
        ...

    def next_now(self) -> Delivery | None:
        """The next one if it is here already: a group takes what has piled up and waits for nothing."""
        ...


class Answers(Protocol):
    """Takes acknowledgements to their gateways."""

    async def acknowledge(self, tenant_id: str, gateway_id: str, ack: Ack) -> bool:
        """Send it. False when that was not possible now: the gateway will ask again, by sending again or by its
        status."""
        ...
