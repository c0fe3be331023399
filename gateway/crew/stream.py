"""The live stream to one crew page: server-sent events, because the page only receives and a browser reconnects itself.

A value is sent within VALUE_WAIT_S, since a crew compares it with the monitor beside it. Samples of waveforms are
collected for a quarter of a second, because the page plays them out later anyway. So twelve devices cause a few writes
a second and not hundreds. If a page does not read, the oldest updates are dropped (`LiveFeed`); the page gets a whole
snapshot afterwards.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import Any

import orjson

from gateway.crew.languages import Language
from gateway.crew.presentation import channel_id, device_form, snapshot_form, trace_form, value_form, wave_form
from gateway.crew.waveforms import has_scale
from gateway.live import LiveFeed, LiveUpdate
from gateway.transports.clock import Clock
from protocols.observation import Channel, Observation

COLLECT_S = 0.25
"""Interval of the messages with waveforms, four a second: acceptable for a tablet's battery."""
VALUE_WAIT_S = 0.01
"""Time for which a value waits for others of the same report: a tablet shows it within 100 ms."""
COLLECTED_MAX = 256
"""Maximum of updates between two messages. A page that takes longer loses the oldest and gets a whole snapshot."""
STATUS_EVERY = 8
"""Message intervals between two states of the store and of the uplink: every eighth, so every two seconds. The state is
also the heartbeat by which the page knows that the gateway still serves it."""


def event(name: str, data: Any) -> bytes:
    """Encode one server-sent event (WHATWG HTML, section 9.2)."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


async def live_events(
    live: LiveFeed,
    status: Callable[[], Any],
    clock: Clock,
    wanted: Sequence[str],
    words: Language,
    *,
    twelve: bool,
    notice: Callable[[], int] = lambda: 0,
    watchers: set[asyncio.Event] | None = None,
) -> AsyncIterator[bytes]:
    """Yield the encoded events of one page without end. `wanted`: ids (`device:handle`) of the waveforms that the
    tablet showed last. `status()` returns the state of store and uplink. `words`: the language of the
    page. `twelve`: the page also draws the leads of the 12-lead ECG. When the number `notice()` changes, the state is
    sent at once: a new call does not wait for the two seconds. Each event of `watchers` is set by such a change."""
    with live.subscribe() as updates:
        snapshot = live.snapshot()
        picture = snapshot_form(snapshot, wanted, clock.monotonic_s(), words, twelve=twelve)
        chosen = frozenset(each["id"] for each in picture["traces"])
        noticed = notice()
        yield event("picture", picture) + event("status", status())
        known_waves = {channel_id(of.device, each.channel): each.channel for of in snapshot for each in of.waveforms}
        collected = _Collected()
        reader = asyncio.ensure_future(collected.fill(updates))
        watching = set() if watchers is None else watchers
        watching.add(collected.has_values)
        try:
            count, tick_s = 0, clock.monotonic_s() + COLLECT_S
            while True:
                with suppress(TimeoutError):
                    async with clock.timeout_at(tick_s):
                        await collected.has_values.wait()
                await clock.sleep_until(min(tick_s, clock.monotonic_s() + VALUE_WAIT_S))
                due = clock.monotonic_s() >= tick_s
                taken = collected.take()
                if any(update.lost for update in taken):
                    picture = snapshot_form(live.snapshot(), sorted(chosen), clock.monotonic_s(), words, twelve=twelve)
                    chosen = frozenset(each["id"] for each in picture["traces"])
                    yield event("picture", picture)
                elif taken:
                    yield _changes(taken, chosen, known_waves, clock.monotonic_s(), words)
                if due:
                    count, tick_s = count + 1, clock.monotonic_s() + COLLECT_S
                if (due and count % STATUS_EVERY == 0) or notice() != noticed:
                    noticed = notice()
                    yield event("status", status())
        finally:
            watching.discard(collected.has_values)
            reader.cancel()


class _Collected:
    """Updates since the last message to the page. Beyond COLLECTED_MAX, `LiveFeed` drops and counts the oldest."""

    def __init__(self) -> None:
        self._updates: list[LiveUpdate] = []
        self._room = asyncio.Event()
        self._room.set()
        self.has_values = asyncio.Event()
        """Set while an update has more than samples of waveforms, and by a new call."""

    async def fill(self, updates: AsyncIterator[LiveUpdate]) -> None:
        async for update in updates:
            self._updates.append(update)
            if not update.observations or any(each.samples is None for each in update.observations):
                self.has_values.set()
            if len(self._updates) >= COLLECTED_MAX:
                self._room.clear()
            await self._room.wait()

    def take(self) -> list[LiveUpdate]:
        """Remove and return all collected updates."""
        taken, self._updates = self._updates, []
        self.has_values.clear()
        self._room.set()
        return taken


def _changes(
    taken: list[LiveUpdate], chosen: frozenset[str], known_waves: dict[str, Channel], now_s: float, words: Language
) -> bytes:
    """Encode the changed devices, the newest value of each channel, and new samples of the waveforms in `chosen`.
    Waveforms that are new to this page, or whose configuration has changed, are described."""
    devices = {update.device.ref.system_id: device_form(update.device, now_s, words) for update in taken}
    values: dict[str, dict[str, Any]] = {}
    new_waves: list[dict[str, Any]] = []
    arrays: dict[str, list[Observation]] = {}
    for update in taken:
        for observation in update.observations:
            key = channel_id(update.device, observation.channel)
            if observation.samples is None:
                values[key] = value_form(update.device, observation, now_s, words)
                continue
            if known_waves.get(key) is not observation.channel and has_scale(observation.channel):
                known_waves[key] = observation.channel
                new_waves.append(wave_form(update.device, observation.channel, words))
            if key in chosen:
                arrays.setdefault(key, []).append(observation)
    changes = {
        "devices": list(devices.values()),
        "values": list(values.values()),
        "waves": new_waves,
        "traces": [trace_form(key, each, now_s) for key, each in arrays.items()],
    }
    return event("changes", changes)
