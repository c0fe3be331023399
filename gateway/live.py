"""The present state for the crew page: the latest values, ten seconds of each waveform, and each device's link.

Values that a device keeps until their acknowledgement are added after the buffer's commit, so that what is shown is
stored. Streamed values are added when the buffer holds them: the page does not wait for the commit that they share, nor
for the batch. If the buffer refuses values (a full disk, no store), they are added all the same, because a crew needs
them; the page shows that they are not recorded. All lists are bounded and drop their oldest entry first, so no reader
can slow a device down. A subscriber that is too slow gets the number of lost updates. Use a `LiveFeed` on one event
loop only.
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
    """A device and its link now. `since_s` is the monotonic time at which the device connected or disconnected.
    `last_s` is the monotonic time of its last report, None before the first report."""

    ref: DeviceRef
    manufacturer: str = ""
    link: str
    connected: bool
    since_s: float
    last_s: float | None = None


@dataclass(frozen=True, slots=True)
class LiveValue:
    """The latest observation of a channel. `observation.received_s` is the monotonic time of its arrival."""

    channel: Channel
    observation: Observation


@dataclass(frozen=True, slots=True)
class LiveUpdate:
    """One change: a device that connected, disconnected or sent `observations`, in order. `lost`: number of updates
    before this one that the subscriber missed. The wall-clock time of an observation in µs is `wall_offset_us` +
    received_s × 1e6."""

    device: LiveDevice
    observations: tuple[Observation, ...]
    wall_offset_us: int
    lost: int = 0


@dataclass(frozen=True, slots=True)
class LiveWaveform:
    """The last seconds of a waveform channel: its sample arrays in order, in the format of `channel.array`."""

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
    """One device with its link, its latest values and its waveforms."""

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
    """The present state of this gateway's devices, and the subscribers to its changes."""

    def __init__(self) -> None:
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._subscribers: set[_Subscriber] = set()

    def device(self, device: LiveDevice) -> None:
        """Record that a device connected, disconnected or sent its model. Its earlier values stay in the feed."""
        shown = self._show(device)
        self._publish(LiveUpdate(device, (), shown.wall_offset_us))

    def observed(self, device: LiveDevice, observations: Sequence[Observation], wall_offset_us: int) -> None:
        """Record observations of one device, in order, after the buffer has committed or refused them."""
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
        """Return the present state of all devices, in the order in which they first connected."""
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
        """Yield an endless iterator of the updates from now on. A slow subscriber loses the oldest updates."""
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
        while len(self._shown) >= DEVICES_MAX:
            devices = {name: shown.device for name, shown in self._shown.items()}
            del self._shown[min(devices, key=lambda name: _makes_room(devices[name]))]


def _makes_room(device: LiveDevice) -> tuple[bool, bool]:
    """Return the sort key for dropping devices: unverified before verified, then disconnected before connected."""
    return not device.ref.unverified_link, device.connected


def _extend(wave: _Wave, observation: Observation) -> None:
    """Append the samples of `observation` to a waveform, and drop arrays older than the seconds that are shown. A new
    configuration of the channel starts the waveform again."""
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
