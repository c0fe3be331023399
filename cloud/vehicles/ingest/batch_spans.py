"""The spans of a batch, from the reports of devices in the vehicle to the commit in the cloud.

A batch is traced if something can follow from it that has its trace id: an event of the vehicle, a change of a care
record, a gap, or any batch that causes a domain event, which webhooks deliver. Other batches of observations are not:
each vehicle has one a second, so their spans would displace those of requests within an hour, and would cost an ingest
of a fleet a row for each batch. No client gets their trace ids, and the chain of custody has their times.

The times of the vehicle are those of its clock, which may differ from the cloud's; no time is corrected. The end of the
whole is by the cloud's clock, since retention goes by it.
"""

from collections.abc import Collection, Sequence

from cloud.clinical.observations import ObservationColumns
from cloud.foundation.trace import InnerSpan, new_span_id
from cloud.foundation.tracing import Span
from cloud.vehicles.ingest.opening import CareChanges, Opened
from protocols.uplink.events import GatewayEvent
from protocols.uplink.trace_properties import TRACED_KINDS

GATEWAY = {"service.name": "argus-gateway"}


def traced_batches(stored: Sequence[Opened], caused: Collection[str]) -> list[Opened]:
    """Return those of the new batches that are traced. `caused` are the trace contexts of the domain events that the
    batches have caused."""
    return [one for one in stored if one.batch.kind in TRACED_KINDS or (caused and one.traceparent in caused)]


def batch_span(one: Opened, stored_at_us: int) -> Span:
    """Return the span of a stored batch, with those within it. Its id is that of the trace context of its envelope, so
    it is the parent of the work that the batch causes. Without a context, it begins a trace of its own."""
    batch, delivery = one.batch, one.delivery
    traceparent = one.traceparent or f"00-{one.hash[:16].hex()}-{one.hash[16:24].hex()}-01"
    _, trace_id, span_id, _ = traceparent.split("-")
    committed_us, received_us = batch.created_at_us, delivery.received_at_us
    reported_us = min(_reported_at_us(one), committed_us)

    def inner(name: str, kind: str, began_us: int, ended_us: int, **attributes: str) -> InnerSpan:
        times = began_us - reported_us, max(began_us, ended_us) - reported_us
        return InnerSpan(new_span_id(), name, kind, *times, "ok", attributes or GATEWAY)

    spans = [
        inner("device.report", "internal", reported_us, committed_us),
        inner("batch.commit", "internal", committed_us, committed_us),
        inner("batch.ingest", "consumer", received_us, stored_at_us, **{"messaging.system": "mqtt"}),
    ]
    if delivery.published_at_us is not None:
        spans.insert(2, inner("batch.publish", "producer", delivery.published_at_us, received_us))
    return Span(
        one.gateway.tenant_id,
        trace_id,
        span_id,
        None,
        "vehicle.batch",
        "producer",
        reported_us,
        stored_at_us,
        "ok",
        {
            **GATEWAY,
            "argus.gateway.id": one.gateway.id,
            "argus.lane": batch.lane.value,
            "argus.batch.kind": batch.kind.value,
            "argus.batch.sequence": batch.sequence,
            "argus.batch.historical": one.envelope.historical,
            "messaging.batch.message_count": batch.count,
        },
        spans,
    )


def _reported_at_us(one: Opened) -> int:
    """Return the time of the first report in a batch, by the vehicle's clock. A batch without reports has that of its
    commit."""
    content = one.content
    if isinstance(content, GatewayEvent):
        return content.at_us
    if isinstance(content, ObservationColumns):
        return min(content.received_at_us, default=one.batch.created_at_us)
    if isinstance(content, CareChanges):
        return min((change.gateway_time_us for change in content.changes), default=one.batch.created_at_us)
    return one.batch.created_at_us
