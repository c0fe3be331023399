"""Write events of this gateway to its store, at a bounded rate that no device can exceed.

An event is durable like an observation and reaches the cloud. Written events are never dropped, so their rate is
bounded (`suppression`). Suppressed events are counted, and when their time window ends, one event `events.suppressed`
per source reports the count. The counts are also stored every few seconds, so that a killed gateway reports them at its
next start.

The fields hold no measured value and no bytes, because operators read events.
"""

from collections.abc import Mapping

import orjson
import structlog

from gateway.buffer import Buffer
from gateway.sessions.suppression import SOURCES_MAX, Suppression
from gateway.transports.clock import Clock
from protocols.uplink.events import EventField, GatewayEvent

PERSIST_EVERY_S = 5.0
"""Longest lag of the stored counts: one small write in this time while events are suppressed, and none otherwise."""
COUNTS_STATE = "events_suppressed"
"""Name under which the store keeps the counts of suppressed events that no event has reported yet."""
_TEXT_MAX = 256
"""Maximum length of a text: a device may choose its name freely, and an event has limits (protocols.uplink.events)."""
_SOURCE_MAX = 96
"""Maximum length of a source's name in the stored counts, so that all of them fit one stored value."""

log = structlog.get_logger()


class Journal:
    """Writer of events. `counts`: store for the counts of suppressed events; without this store, a restart loses the
    counts."""

    def __init__(self, store: Buffer, clock: Clock, counts: Buffer | None = None) -> None:
        self._store = store
        self._clock = clock
        self._counts = counts
        self._suppression = Suppression()
        self._persisted: Mapping[str, int] = {}

    async def record(self, name: str, device: str | None = None, /, **fields: str | int | float | bool | None) -> bool:
        """Write an event, or count it as suppressed; return whether the event is durable now.

        `name` is dotted, such as `device.connected`; `device` is a system id. The rate is bounded for each source,
        which is the event's `link`. If the store has no room even in its reserve, the event is only logged: no caller
        depends on the event, and the store reports its own state.
        """
        link = fields.get("link")
        source = self._suppression.source(device, link)
        if name == "device.connected" and device is not None:
            self._suppression.connected(device, link)
        durable = False
        if self._suppression.admit(name, source, self._clock.monotonic_s()):
            durable = await self._append(name, device, fields)
        await self._report_over()
        return durable

    async def run(self) -> None:
        """Report the suppressed events of time windows that have ended, and store the counts of windows that are open.
        Never returns."""
        await self._report_last_run()
        while True:
            await self._clock.sleep_until(self._clock.monotonic_s() + PERSIST_EVERY_S)
            await self._report_over()
            await self._persist()

    async def close(self) -> None:
        """Report all suppressed events, also those of time windows that have not ended."""
        await self._report_over(all_of_them=True)
        await self._persist()

    async def _report_over(self, *, all_of_them: bool = False) -> None:
        now_s = self._clock.monotonic_s()
        for source, left_out in self._suppression.due(now_s, all_of_them=all_of_them):
            window_s = round(now_s - left_out.began_s, 1)
            facts: dict[str, EventField] = {"source": source, "count": left_out.count, "window_s": window_s}
            await self._append("events.suppressed", None, facts | dict(left_out.names))

    async def _report_last_run(self) -> None:
        """Report the counts of suppressed events that an earlier run of the gateway left in the store."""
        if self._counts is None:
            return
        try:
            kept = await self._counts.state_get(COUNTS_STATE)
        except Exception as error:
            log.warning("events.counts_not_read", why=type(error).__name__)
            return
        counts = _counts_in(kept)
        for source, count in counts.items():
            await self._append("events.suppressed", None, {"source": source, "count": count, "before_restart": True})
        if counts:
            self._persisted = counts
            await self._persist()

    async def _persist(self) -> None:
        """Store the counts of suppressed events. A failure is only logged; the counts stay in memory."""
        pending = self._suppression.pending()
        if self._counts is None or pending == self._persisted:
            return
        shortened = {source[:_SOURCE_MAX]: count for source, count in pending.items()}
        try:
            await self._counts.state_put(COUNTS_STATE, orjson.dumps(shortened).decode())
        except Exception as error:
            log.warning("events.counts_not_kept", why=type(error).__name__)
        else:
            self._persisted = pending

    async def _append(self, name: str, device: str | None, fields: Mapping[str, EventField]) -> bool:
        fields = {key: value[:_TEXT_MAX] if isinstance(value, str) else value for key, value in fields.items()}
        log.info(name, device=device, **fields)
        event = GatewayEvent(
            name=name, at_us=self._clock.wall_us(), boot_id=self._clock.boot_id, device=device, fields=fields
        )
        try:
            await self._store.append_event(event)
        except Exception as error:
            log.error("event.lost", event_name=name, device=device, why=type(error).__name__)
            return False
        return True


def _counts_in(kept: str | None) -> dict[str, int]:
    """Decode the stored map of event sources to the number of suppressed events. Return an empty map when the text
    `kept` cannot be read."""
    try:
        counts = orjson.loads(kept or "{}")
        return {str(source): int(count) for source, count in list(counts.items())[: SOURCES_MAX + 1]}
    except (ValueError, TypeError, AttributeError):
        return {}
