"""The interfaces between ingest and a broker: the source of batches, and the receiver of acknowledgements.

MQTT is one implementation (`mqtt_source`); a clustered queue is another (DESIGN D4), and tests pass batches directly. A
source keeps a delivery until `accept()`: the broker may then delete it. Accepting is not acknowledging: a gateway's
batch is delivered only with the `Ack` that follows the commit, so a source may lose deliveries without losing data.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane

Accept = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDelivery:
    """One envelope as it arrived. Tenant, gateway and lane are from the topic; `received_at_us` is by the cloud's
    clock.
    """

    tenant_id: str
    gateway_id: str
    lane: Lane
    octets: bytes = field(repr=False)
    received_at_us: int
    accept: Accept = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDelivery:
    """One status as it arrived. It may be a retained message or a will."""

    tenant_id: str
    gateway_id: str
    octets: bytes = field(repr=False)
    received_at_us: int
    accept: Accept = field(repr=False, compare=False)


Delivery = BatchDelivery | StatusDelivery


class BatchSource(Protocol):
    """A source of deliveries, which returns a bounded number of them before the first is accepted."""

    async def next(self) -> Delivery:
        """Return the next delivery; wait for it, also while the connection is down."""
        ...

    def next_now(self) -> Delivery | None:
        """Return the next delivery if it has arrived already, so that a group waits for nothing."""
        ...


class AckSender(Protocol):
    """The receiver of acknowledgements for gateways."""

    async def acknowledge(self, tenant_id: str, gateway_id: str, ack: Ack) -> bool:
        """Send an acknowledgement. False when that is not possible now: the gateway resends the batch or its status."""
        ...
