"""The interfaces between ingest and a broker: the source of batches, and the sender of acknowledgements.

There are two implementations, for mosquitto (`mqtt_source`) and for RabbitMQ (`amqp_source`); the scheme of
`[mqtt] url` chooses one, and tests pass batches directly. After `accept()` the broker may delete a delivery. A gateway
regards a batch as delivered only after the `Ack` that follows the commit, so a source may lose deliveries without
losing data.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from cloud.vehicles.custody import LaneKey
from protocols.errors import RemoteProtocolError
from protocols.uplink import topics
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane

Accept = Callable[[], Awaitable[None]]

LIVE_LANES: Final = (Lane.NUMERIC, Lane.WAVEFORM)
"""Lanes (numbered streams of batches) whose batches wait for others to share a commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDelivery:
    """An envelope as it arrived. Tenant, gateway and lane are from the topic, and `received_at_us` is by the cloud's
    clock. `accept` lets the broker delete the message. `published_at_us` is the time of publishing by the vehicle's
    clock; None if the vehicle did not state it."""

    tenant_id: str
    gateway_id: str
    lane: Lane
    octets: bytes = field(repr=False)
    received_at_us: int
    accept: Accept = field(repr=False, compare=False)
    published_at_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDelivery:
    """A gateway's status as it arrived. It may be a retained message or a will."""

    tenant_id: str
    gateway_id: str
    octets: bytes = field(repr=False)
    received_at_us: int
    accept: Accept = field(repr=False, compare=False)


Delivery = BatchDelivery | StatusDelivery


def is_live(delivery: Delivery) -> bool:
    """Return whether a delivery is a batch of `LIVE_LANES`."""
    return isinstance(delivery, BatchDelivery) and delivery.lane in LIVE_LANES


class BatchSource(Protocol):
    """A source of deliveries. It limits the number of deliveries that it has returned and that are not yet accepted.
    Those of `LIVE_LANES` (`live`) and all others may be received apart, so that events do not wait for waveforms."""

    async def next(self, *, live: bool) -> Delivery:
        """Return the next delivery; wait for it, also while the connection to the broker is lost."""
        ...

    def next_now(self, *, live: bool) -> Delivery | None:
        """Return the next delivery if one has already arrived, otherwise None."""
        ...


@dataclass(frozen=True, slots=True)
class DueAck:
    """An acknowledgement to send to a gateway after the commit."""

    tenant_id: str
    gateway_id: str
    ack: Ack

    @property
    def lane_key(self) -> LaneKey:
        return LaneKey(self.tenant_id, self.gateway_id, self.ack.epoch, self.ack.lane)


class AckSender(Protocol):
    """Send acknowledgements to gateways."""

    async def acknowledge(self, acks_due: Sequence[DueAck]) -> list[bool]:
        """Send acknowledgements; return for each whether it was sent. If not, the gateway resends its batches."""
        ...


def read_delivery(
    topic: str, octets: bytes, *, received_at_us: int, accept: Accept, published_at_us: int | None = None
) -> Delivery:
    """Return the message of a batch or a status as a delivery. Raises `RemoteProtocolError` if its topic is neither, or
    has an invalid id."""
    try:
        tenant, gateway, lane = topics.parse_up(topic)
    except RemoteProtocolError:
        tenant, gateway = topics.parse_status(topic)
        return StatusDelivery(
            tenant_id=tenant, gateway_id=gateway, octets=octets, received_at_us=received_at_us, accept=accept
        )
    return BatchDelivery(
        tenant_id=tenant,
        gateway_id=gateway,
        lane=lane,
        octets=octets,
        received_at_us=received_at_us,
        accept=accept,
        published_at_us=published_at_us,
    )
