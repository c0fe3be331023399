"""The present state for the crew: the latest value of each channel, ten seconds of each waveform, each device's link.

It is fed after the buffer's commit, so that what is shown is kept. Where the buffer refuses (a full disk, no store) it
is fed all the same, because a crew needs the values, and the page shows that they are not recorded. It is bounded in
every direction: the page shows the present and the buffer keeps the past, so the oldest is dropped first and no reader
can slow a device down. A subscriber that does not keep up loses its oldest updates and gets their number.

It does not judge values or ages; the crew page shows both (DESIGN D18). It is used on one event loop only.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from protocols.observation import Channel, Observation
from protocols.uplink.observations import DeviceRef

WAVEFORM_S = 10.0
"""Seconds of a waveform that a newly opened page can draw at once."""
DEVICES_MAX = 32
CHANNELS_MAX = 256
"""Maximum of channels of one device that are shown; the buffer keeps all."""
_UPDATES_MAX = 256
"""Maximum of updates queued for one subscriber: some seconds of the whole demo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveDevice:
    """A device and its link at present. `last_s` and `since_s` are monotonic seconds; `last_s` None: nothing yet."""

    ref: DeviceRef
    manufacturer: str = ""
    link: str
    connected: bool
    since_s: float
    last_s: float | None = None


@dataclass(frozen=True, slots=True)
class LiveValue:
    """The latest observation of a channel. Its age is now minus `observation.received_s`."""

    channel: Channel
    observation: Observation


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """One update: a device that connected, disconnected or delivered. `observations` are in the order of delivery.

    `lost` counts updates that this subscriber missed before this one. Wall µs = `wall_offset_us` + received_s × 1e6.
    """

    device: LiveDevice
    observations: tuple[Observation, ...]
    wall_offset_us: int
    lost: int = 0


@dataclass(frozen=True, slots=True)
class LiveWaveform:
    """The last seconds of a channel: arrays in order, the bytes as sent (`channel.array` has their format)."""

    channel: Channel
    arrays: tuple[Observation, ...]


@dataclass(slots=True)
class _Wave:
    arrays: deque[Observation] = field(default_factory=deque)
    octets: int = 0


@dataclass(slots=True)
class _Shown:
    device: LiveDevice
    wall_offset_us: int = 0
    values: OrderedDict[int, LiveValue] = field(default_factory=OrderedDict)
    waves: OrderedDict[int, _Wave] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True)
class LiveSnapshot:
    """One device with everything that is known of it now."""

    device: LiveDevice
    wall_offset_us: int
    values: tuple[LiveValue, ...]
    waveforms: tuple[LiveWaveform, ...]


class _Subscriber:
    def __init__(self) -> None:
        self.updates: deque[LiveUpdate] = deque()
        self.lost = 0
        self.wake = asyncio.Event()

    def put(self, update: LiveUpdate) -> None:
        if len(self.updates) >= _UPDATES_MAX:
            self.updates.popleft()
            self.lost += 1
        self.updates.append(update)
        self.wake.set()

    async def __aiter__(self) -> AsyncIterator[LiveUpdate]:
        while True:
            while self.updates:
                update, lost = self.updates.popleft(), self.lost
                self.lost = 0
                yield replace(update, lost=lost) if lost else update
            self.wake.clear()
            await self.wake.wait()


class LiveFeed:
    """The present state of this gateway's devices."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._subscribers: set[_Subscriber] = set()

    def device(self, device: LiveDevice) -> None:
        """Show that a device connected or disconnected, or that its model is known. Its measurements stay shown, with
        their age."""
        shown = self._show(device)
        self._publish(LiveUpdate(device, (), shown.wall_offset_us))

    def observed(self, device: LiveDevice, observations: Sequence[Observation], wall_offset_us: int) -> None:
        """Show durable observations of one device, in order."""
        shown = self._show(device)
        shown.wall_offset_us = wall_offset_us
        for observation in observations:
            handle = observation.channel.handle
            if observation.samples is None:
                if handle in shown.values or len(shown.values) < CHANNELS_MAX:
                    shown.values[handle] = LiveValue(observation.channel, observation)
            elif handle in shown.waves or len(shown.waves) < CHANNELS_MAX:
                _extend(shown.waves.setdefault(handle, _Wave()), observation)
        if self._subscribers:
            self._publish(LiveUpdate(device, tuple(observations), wall_offset_us))

    def _show(self, device: LiveDevice) -> _Shown:
        shown = self._shown.get(device.ref.system_id)
        if shown is None:
            self._make_room()
            self._shown[device.ref.system_id] = shown = _Shown(device)
        shown.device = device
        return shown

    def snapshot(self) -> list[LiveSnapshot]:
        """Return everything that is shown now, devices in the order in which they connected first."""
        return [
            LiveSnapshot(
                shown.device,
                shown.wall_offset_us,
                tuple(shown.values.values()),
                tuple(
                    LiveWaveform(wave.arrays[-1].channel, tuple(wave.arrays))
                    for wave in shown.waves.values()
                    if wave.arrays
                ),
            )
            for shown in self._shown.values()
        ]

    @contextmanager
    def subscribe(self) -> Iterator[AsyncIterator[LiveUpdate]]:
        """Subscribe from now on: `with feed.subscribe() as updates: async for update in updates: …`. The updates are
        endless, and the oldest are dropped when the subscriber is slow."""
        subscriber = _Subscriber()
        self._subscribers.add(subscriber)
        try:
            yield aiter(subscriber)
        finally:
            self._subscribers.discard(subscriber)

    def _publish(self, update: LiveUpdate) -> None:
        for subscriber in self._subscribers:
            subscriber.put(update)

    def _make_room(self) -> None:
        """Drop devices until there is room: unverified ones before verified ones, and disconnected ones before
        connected ones."""
        while len(self._shown) >= DEVICES_MAX:
            devices = {name: shown.device for name, shown in self._shown.items()}
            del self._shown[min(devices, key=lambda name: _makes_room(devices[name]))]


def _makes_room(device: LiveDevice) -> tuple[bool, bool]:
    """Return the sort key of a device, by which the first to be dropped comes first."""
    return not device.ref.unverified_link, device.connected


def _extend(wave: _Wave, observation: Observation) -> None:
    """Append an array and drop what is older than the window. A new channel (new configuration) starts a new
    picture."""
    if wave.arrays and wave.arrays[-1].channel is not observation.channel:
        wave.arrays.clear()
        wave.octets = 0
    array, samples = observation.channel.array, observation.samples
    assert samples is not None
    wave.arrays.append(observation)
    wave.octets += len(samples)
    period_s = array.period_s if array else 0.0
    octets_s = array.format.width_bytes / period_s if array and period_s > 0 else len(samples)
    octets_max = max(len(samples), round(octets_s * WAVEFORM_S))
    while wave.octets > octets_max:
        oldest = wave.arrays.popleft().samples
        wave.octets -= len(oldest or b"")
