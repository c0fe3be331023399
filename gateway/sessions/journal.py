"""Writes what happened at this gateway into the event lane, at a rate that no device can abuse.

An event is durable like an observation and reaches the cloud; it is the operator's only witness of what the crew saw as
"the monitor was gone for a moment". A device that connects and breaks off ten times a second must not fill the reserve
that events live on, so each (name, device) has a bound; what was left out is counted and told by the next one of its
kind, or, when the storm is over, beside whatever is written next.

Fields hold no measured value and no octets: events are read by operators.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from gateway.transports.clock import Clock
from protocols.uplink.events import EventField, GatewayEvent

EVENTS_MAX = 12
WINDOW_S = 60.0
"""Of one name and one device at most EVENTS_MAX in WINDOW_S: a device with a loose plug is told apart from a storm."""
_KINDS_MAX = 512
_TEXT_MAX = 256
"""A device may call itself what it likes; an event has limits (protocols.uplink.events)."""

log = structlog.get_logger()


class EventStore(Protocol):
    """The part of the buffer that this needs."""

    async def append_event(self, event: GatewayEvent) -> None: ...


@dataclass(slots=True)
class _Rate:
    written_s: list[float] = field(default_factory=list)
    suppressed: int = 0


class Journal:
    """For one event loop. `write` returns when the event is durable, or when it has been counted and left out."""

    def __init__(self, store: EventStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rates: OrderedDict[tuple[str, str | None], _Rate] = OrderedDict()

    async def write(self, name: str, device: str | None = None, /, **fields: str | int | float | bool | None) -> None:
        """`name` is a dotted past-tense noun; `device` a system id. A store that cannot take it even on its reserve is
        logged: nobody waits for an event, and the store reports its own state."""
        suppressed = self._admit(name, device)
        if suppressed is None:
            return
        if suppressed:
            fields["suppressed"] = suppressed
        await self._append(name, device, fields)
        if over := self._storm_that_is_over():
            (kind, of_device), count = over
            await self._append("events.suppressed", of_device, {"of": kind, "count": count})

    async def _append(self, name: str, device: str | None, fields: dict[str, EventField]) -> None:
        fields = {key: value[:_TEXT_MAX] if isinstance(value, str) else value for key, value in fields.items()}
        log.info(name, device=device, **fields)
        event = GatewayEvent(
            name=name, at_us=self._clock.wall_us(), boot_id=self._clock.boot_id, device=device, fields=fields
        )
        try:
            await self._store.append_event(event)
        except Exception as error:
            log.error("event.lost", event_name=name, device=device, why=type(error).__name__)

    def _admit(self, name: str, device: str | None) -> int | None:
        """None: too many; else how many were left out since the last one that was written."""
        now_s = self._clock.monotonic_s()
        rate = self._rates.setdefault((name, device), _Rate())
        self._rates.move_to_end((name, device))
        if len(self._rates) > _KINDS_MAX:
            (kind, of_device), oldest = self._rates.popitem(last=False)
            if oldest.suppressed:
                log.warning("events.suppressed", of=kind, device=of_device, count=oldest.suppressed)
        rate.written_s = [at_s for at_s in rate.written_s if at_s > now_s - WINDOW_S]
        if len(rate.written_s) >= EVENTS_MAX:
            rate.suppressed += 1
            return None
        rate.written_s.append(now_s)
        suppressed, rate.suppressed = rate.suppressed, 0
        return suppressed

    def _storm_that_is_over(self) -> tuple[tuple[str, str | None], int] | None:
        """One kind of which nothing was written for a window and something left out; told once."""
        settled_s = self._clock.monotonic_s() - WINDOW_S
        for kind, rate in self._rates.items():
            if rate.suppressed and rate.written_s[-1] <= settled_s:
                count, rate.suppressed = rate.suppressed, 0
                return kind, count
        return None
