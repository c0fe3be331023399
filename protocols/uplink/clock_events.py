"""Events of a gateway's clock: UTC became known, was lost, or is only estimated.

The events that UTC became known or was lost carry an anchor, which relates the monotonic clock of one machine boot to
UTC. All three kinds are sent in the event lane like any other event, so an older cloud stores them without interpreting
them.
"""

from protocols.clock_anchor import MONOTONIC_US_MAX, UNCERTAINTY_US_MAX, UTC_US_MAX, ClockAnchor
from protocols.uplink.events import EventField, GatewayEvent

CLOCK_LEARNT = "clock.learnt"
"""The wall clock was synchronised. The event has an anchor, which dates measurements taken earlier in this boot."""
CLOCK_LOST = "clock.lost"
"""The wall clock is no longer synchronised. The event has an anchor of the last moment at which it was."""
CLOCK_ESTIMATED = "clock.estimated"
"""The machine's clock is wrong: it shows a time that is known to have passed. Until the clock is synchronised, the wall
time continues from the last persisted one. The true time is later by an unknown amount."""


def anchor_fields(anchor: ClockAnchor) -> dict[str, EventField]:
    """Return the fields of a `CLOCK_LEARNT` or `CLOCK_LOST` event that carries the clock anchor `anchor`."""
    return {
        "monotonic_us": anchor.last_us,
        "wall_us": anchor.last_us + anchor.offset_us,
        "uncertainty_us": anchor.uncertainty_us,
    }


def anchor_of(event: GatewayEvent) -> ClockAnchor | None:
    """Return the clock anchor in a `CLOCK_LEARNT` or `CLOCK_LOST` event, or None for other or invalid events."""
    if event.name not in {CLOCK_LEARNT, CLOCK_LOST}:
        return None
    monotonic_us = _within(event, "monotonic_us", MONOTONIC_US_MAX)
    utc_us = _within(event, "wall_us", UTC_US_MAX)
    uncertainty_us = _within(event, "uncertainty_us", UNCERTAINTY_US_MAX)
    if monotonic_us is None or utc_us is None or uncertainty_us is None:
        return None
    return ClockAnchor.at(monotonic_us=monotonic_us, utc_us=utc_us, uncertainty_us=uncertainty_us)


def _within(event: GatewayEvent, name: str, most: int) -> int | None:
    value = event.fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None
