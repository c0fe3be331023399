"""The limits of ingest, which bound memory and latency. The text below a limit gives the reason for its value."""

from dataclasses import dataclass, field

from cloud.clinical.waveforms import ENTRIES_BYTES_MAX
from cloud.vehicles.fleet import IN_FLIGHT_BYTES_MAX, IN_FLIGHT_MESSAGES_MAX
from cloud.vehicles.ingest.settings import IngestSection
from protocols.uplink.broker import CONNECT_S_MAX, KEEPALIVE_S
from protocols.uplink.reconnection import ReconnectSettings

SLOW_ATTEMPTS_MAX = 3
"""Attempts to write one batch alone that may take longer than a transaction may. The first may be slow because of a
busy disk; after three the batch is the cause, and it is stored without unpacked rows."""

AMQP_PREFETCH = 512
"""Messages that RabbitMQ sends from one queue before ingest accepts the first: those of more than a second of 2,000
vehicles in 16 queues. Events are in the same queues as live batches, which are accepted some tenths of a second later
than they arrive (`stage_wait_s`): with fewer messages, events would wait in RabbitMQ for those acceptances.
`queue_bytes_max` limits their bytes."""

AMQP_HEARTBEAT_S = 10
"""AMQP heartbeat: a node that has vanished without closing its connections is detected within 33 s."""


OBJECT_ATTEMPTS_MAX = 6
"""Attempts to put the waveforms of a group, within about six seconds. Then they are let go and their gateways resend
them, since their messages would take the places of numerics and events in the broker's window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """The limits of one ingest process."""

    group_batches_max: int = IN_FLIGHT_MESSAGES_MAX
    """Batches that share one commit and one set of statements: those of a full window of the broker. A larger group
    saves nothing more, and its batches wait longer for the commit."""

    group_octets_max: int = 8 << 20
    """Bytes of the envelopes in one group: four of the largest envelopes."""

    group_observations_max: int = 20_000
    """Rows that one transaction writes; further batches are in the next one. It bounds memory (a block of zeros may
    hold 65 536 observations in some hundred bytes) and the time for which other writers of SQLite wait."""

    live_wait_s: float = 0.25
    """Shortest time between two groups of numerics and waveforms that are not full, in which batches of other vehicles
    join. Four commits a second, however many vehicles send. With a batch's own second, and some hundredths for the
    object and the commit, live values reach the database within 1.3 s."""

    stage_wait_s: float = 0.3
    """Shortest time between two staged objects that are not full. The last page of each object is half empty, so fewer
    objects write less. With a batch's own second, 99 of 100 live values are durable within 1.3 s."""

    stage_s: float = 0.0
    """Time after which the rows of staged batches are written; 0: batches are not staged."""

    settle_every_s: float = 0.5
    """Shortest time between the beginnings of two writes of staged rows for readers, in which further readers join. So
    clients that poll often make fewer commits than without staging, which has four a second."""

    minutes_after_days: int = 0
    """Whole days after which an installation may have minute rows, as in `[observations] compact_after_days`; 0: staged
    batches get single rows."""

    waveforms_bytes_max: int = ENTRIES_BYTES_MAX
    """Bytes of waveforms that are packed at once, since they fill an object."""

    retry_least_s: float = 0.1
    retry_most_s: float = 5.0
    """Longest delay between attempts while the database is unavailable. The group stays in memory without a PUBACK, so
    the broker's receive maximum stops it from sending more."""

    quotas: IngestSection = field(default_factory=IngestSection)

    stop_s: float = 5.0
    """Time for which a stop waits for the group that is being written."""

    receive_max: int = IN_FLIGHT_MESSAGES_MAX
    """MQTT's Receive Maximum: deliveries that the broker sends before the PUBACK of the first. With the broker's limit
    of their bytes it bounds the deliveries that may arrive while the queue is full. Also the limit of acknowledgements
    that are published before the PUBACK of the first, if the broker allows as many."""

    receive_bytes_max: int = IN_FLIGHT_BYTES_MAX
    """The broker's limit of the bytes of these deliveries."""

    sender_bytes_max: int = 4 << 20
    """Bytes of one gateway's deliveries in memory; a delivery above the limit is discarded and resent. A gateway has at
    most 2 MiB in flight (`gateway.sync.pacing`) and resends some of it when acknowledgements are late."""

    queue_bytes_max: int = 64 << 20
    """Bytes of all gateways' deliveries in memory; above it the broker has to wait. It is enough for sixteen gateways
    that use their whole share, or for some hundred that send a backlog."""

    other_bytes_max: int = 8 << 20
    """Bytes of events, care records and statuses that are taken although live batches have filled the queue. A gateway
    sends at most 64 kB of live ones in addition to its window, and some of few gateways are pending at a time."""

    connect_s: float = CONNECT_S_MAX
    """Timeout of connecting."""

    reconnect: ReconnectSettings = field(default_factory=lambda: ReconnectSettings(first_s=0.4, cap_s=10.0))
    """Delays between connections to the broker: shorter than a gateway's, since all vehicles wait for this one."""

    answer_s: float = 10.0
    """Longest wait for the broker to confirm an acknowledgement; after it the gateway has to resend."""

    share_overlap_s: float = 3.0
    """Time for which a process still receives the batches of gateways that another process has taken over, which needs
    some tenths of a second to subscribe to them. Until then both store the same batches."""

    keepalive_s: int = KEEPALIVE_S
    """MQTT keep-alive: after this time without a packet the client sends PINGREQ; after twice the time the connection
    has failed."""
