"""The live stream to one page: server-sent events, coalesced, and never more than the page can take.

Why server-sent events: the page only listens, and a browser connects again by itself after every hole in the vehicle's
Wi-Fi. Updates are gathered for a quarter of a second, so that twelve devices cost the gateway four writes a second
and not hundreds. A page that does not read falls behind by a bounded number of updates and then misses the oldest
(`LiveFeed`); it is told, and starts again from a whole picture.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson

from gateway.crew.presentation import channel_id, device_form, samples, snapshot_form, value_form, wave_form
from gateway.live import LiveFeed, LiveUpdate
from gateway.transports.clock import Clock
from protocols.observation import Observation

GATHER_S = 0.25
"""Four pictures a second: below what an eye calls delay, above what a tablet's battery minds."""
GATHERED_MAX = 256
"""Updates between two pictures; a page that takes longer misses the oldest and gets a whole picture."""
STATUS_EVERY = 8
"""Every eighth gathering, so every two seconds, the state of the store and of the uplink is sent; it is also the
heartbeat."""


def event(name: str, data: Any) -> bytes:
    """One server-sent event (WHATWG HTML, 9.2)."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


async def live_events(live: LiveFeed, status: Callable[[], Any], clock: Clock, wave: str) -> AsyncIterator[bytes]:
    """An endless stream for one page, whose waveform is `wave` (`device:handle`)."""
    with live.subscribe() as updates:
        picture = snapshot_form(live.snapshot(), wave, clock.monotonic_s())
        chosen = picture["wave"]["id"] if picture["wave"] else wave
        yield event("picture", picture) + event("status", status())
        known_waves = {each["id"] for each in picture["waves"]}
        gathered = _Gathered()
        reader = asyncio.ensure_future(gathered.fill(updates))
        try:
            count = 0
            while True:
                await clock.sleep_until(clock.monotonic_s() + GATHER_S)
                count += 1
                taken = gathered.take()
                if any(update.lost for update in taken):
                    picture = snapshot_form(live.snapshot(), chosen, clock.monotonic_s())
                    yield event("picture", picture)
                elif taken:
                    yield _changes(taken, chosen, known_waves, clock.monotonic_s())
                if count % STATUS_EVERY == 0:
                    yield event("status", status())
        finally:
            reader.cancel()


class _Gathered:
    """Updates since the last picture. When it is full it stops reading, and the feed drops the oldest and says so."""

    def __init__(self) -> None:
        self._updates: list[LiveUpdate] = []
        self._room = asyncio.Event()
        self._room.set()

    async def fill(self, updates: AsyncIterator[LiveUpdate]) -> None:
        async for update in updates:
            self._updates.append(update)
            if len(self._updates) >= GATHERED_MAX:
                self._room.clear()
            await self._room.wait()

    def take(self) -> list[LiveUpdate]:
        taken, self._updates = self._updates, []
        self._room.set()
        return taken


def _changes(taken: list[LiveUpdate], chosen: str, known_waves: set[str], now_s: float) -> bytes:
    """The newest value of each channel, the devices that changed, and all new samples of the chosen waveform."""
    devices = {update.device.ref.system_id: device_form(update.device, now_s) for update in taken}
    values: dict[str, dict[str, Any]] = {}
    new_waves: list[dict[str, Any]] = []
    arrays: list[Observation] = []
    for update in taken:
        for observation in update.observations:
            key = channel_id(update.device, observation.channel)
            if observation.samples is None:
                values[key] = value_form(update.device, observation, now_s)
                continue
            if key not in known_waves and observation.channel.array is not None:
                known_waves.add(key)
                new_waves.append(wave_form(update.device, observation.channel))
            if key == chosen:
                arrays.append(observation)
    changes = {
        "devices": list(devices.values()),
        "values": list(values.values()),
        "waves": new_waves,
        "wave": {"id": chosen, "samples": samples(arrays)} if arrays else None,
    }
    return event("changes", changes)
