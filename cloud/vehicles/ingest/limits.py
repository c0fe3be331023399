"""How much ingest takes at once and how patient it is. The numbers bound memory and latency; each argues for itself."""

from dataclasses import dataclass, field

from cloud.vehicles.ingest.quotas import QuotaSettings
from protocols.uplink.broker import CONNECT_S_MAX, KEEPALIVE_S
from protocols.uplink.reconnection import ReconnectSettings

SLOW_ATTEMPTS_MAX = 3
"""Attempts at one batch alone that may take longer than a transaction may. One may be a busy disk; after three it is
the batch, and the others go on without its rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Limits of one process that ingests."""

    group_batches_max: int = 64
    """Batches that share one commit. A commit costs some milliseconds whatever is in it, so this is far past the
    knee."""

    group_octets_max: int = 4 << 20
    """Octets that are opened for one group, as they came: four of the largest envelopes."""

    group_observations_max: int = 20_000
    """Rows of one transaction; above it the rest goes into the next. It bounds memory (a block of zeros may hold 65 536
    observations in some hundred octets) and how long the other writers of SQLite wait."""

    retry_least_s: float = 0.1
    retry_most_s: float = 5.0
    """Waiting between attempts while the database does not answer. The group stays in hand, the broker is not answered,
    and its receive maximum stops it from sending more."""

    quotas: QuotaSettings = field(default_factory=QuotaSettings)

    stop_s: float = 5.0
    """How long a stop waits for the group that is being written."""

    receive_max: int = 128
    """MQTT's Receive Maximum: deliveries that the broker sends before it has a PUBACK of the first. With the packet
    limit it bounds what may come beside a full queue."""

    sender_bytes_max: int = 4 << 20
    """Deliveries in hand of one gateway. A gateway has at most 2 MiB under way (`gateway.sync.pacing`) and repeats some
    of it when acknowledgements are late; what is more than that is left out, and its gateway sends it again."""

    queue_bytes_max: int = 64 << 20
    """Deliveries in hand of all gateways; beyond it the broker has to wait. Sixteen gateways that use their whole
    share, or some hundred that drain a backlog."""

    connect_s: float = CONNECT_S_MAX
    """How long connecting may take."""

    reconnect: ReconnectSettings = field(default_factory=lambda: ReconnectSettings(first_s=0.4, cap_s=10.0))
    """Waits between connections to the broker: shorter than a gateway's, since all vehicles wait for this one."""

    answer_s: float = 10.0
    """How long the broker may take to confirm an acknowledgement; after it the gateway has to ask again. A connection
    that ends is not waited for."""

    keepalive_s: int = KEEPALIVE_S
    """MQTT keep-alive: the broker is asked for a sign of life after so much silence and given up after twice as
    much."""
