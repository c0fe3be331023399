"""The MQTT user properties of a traced batch: its W3C trace context, and when the vehicle published it.

The envelope has the trace context too, and the time of the commit; the payload has the times of the reports. So the
cloud writes the spans of the vehicle from what the batch has anyway, and the vehicle needs no tracing library. Only the
time of publishing is not known at the commit, so it travels beside the envelope.

Batches of observations are not traced: a vehicle has one each second, nothing follows from most of them, and properties
would add a tenth to the bytes of a small one.
"""

from collections.abc import Mapping

from protocols.uplink.envelope import BatchKind, traceparent_of

TRACEPARENT, PUBLISHED_AT = "traceparent", "argus-published-at-us"

TRACED_KINDS = frozenset({BatchKind.EVENT, BatchKind.EPCR, BatchKind.GAP})

_DIGITS_MAX = 18
"""Digits of a time in µs: those of the year 33658, and fewer than those of a 64-bit number."""


def trace_properties(kind: BatchKind, chain_hash: bytes, published_at_us: int) -> tuple[tuple[str, str], ...]:
    """Return the user properties of a batch of this kind, with this hash; empty if such batches are not traced.
    `published_at_us` is the vehicle's wall clock in µs since 1970."""
    if kind not in TRACED_KINDS:
        return ()
    return (TRACEPARENT, traceparent_of(chain_hash)), (PUBLISHED_AT, str(published_at_us))


def read_published_at_us(properties: Mapping[str, str]) -> int | None:
    """Return when the vehicle published a batch, in µs since 1970 by its wall clock; None if the properties do not have
    it, or have something else instead. A vehicle that states a wrong time makes only its own trace wrong."""
    text = properties.get(PUBLISHED_AT, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX else None
