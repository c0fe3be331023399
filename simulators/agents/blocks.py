"""Device with waveforms: samples are cut into blocks of equal duration, with one report for each block.

One report every quarter of a second carries all waveforms of a device, so that the leads of an ECG stay together and a
dozen signals need four reports a second. A simulated patient keeps its samples for some seconds. If the device is
delayed for longer, it logs the loss and continues with the oldest available block.
"""

from abc import abstractmethod
from collections.abc import Iterable, Iterator

import structlog

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import BLOCK_S
from simulators.agents.device import Description, Device, Measured, Pace, TimeAt
from simulators.agents.objects import Waveform
from simulators.physiology.patient import Patient
from simulators.physiology.track import SamplesDropped, Track

log = structlog.get_logger(__name__)


class WaveformDevice(Device):
    """Device that reports waveforms in blocks, and numbers in separate reports. `sources` pairs the handle of each
    waveform object with the track that has the samples of its signal. Every sample of the track is sent."""

    def __init__(self, patient: Patient, description: Description, sources: Iterable[tuple[int, Track]]) -> None:
        super().__init__(description)
        self._patient = patient
        self._sources = tuple((Waveform(handle), track) for handle, track in sources)
        self._number = 0
        self._each_second = Pace(1.0, 1.0)

    @property
    def due_s(self) -> float:
        """Patient time in seconds at which the next block is complete."""
        return (self._number + 1) * BLOCK_S

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        while self.due_s <= now_s + 1e-9:
            time = time_at(self._number * BLOCK_S)
            try:
                readings = tuple(self._read(waveform, track, time) for waveform, track in self._sources)
            except SamplesDropped:
                log.warning("device.samples_lost", from_s=self._number * BLOCK_S, seconds=BLOCK_S)
            else:
                yield Measured(time, readings, waveform=True)
            self._number += 1
        # The end of the last whole block, so that time never runs backward.
        time = time_at(self._number * BLOCK_S)
        yield from (Measured(time, readings) for readings in self.reports(now_s, time))

    @abstractmethod
    def reports(self, now_s: float, time: DeviceTime) -> Iterable[tuple[Reading, ...]]:
        """Return the readings of each numeric report that is due at `now_s`, with the time stamp `time`."""

    def _read(self, waveform: Waveform, track: Track, time: DeviceTime) -> Reading:
        count = round(track.rate_hz * BLOCK_S)
        return waveform.read(track.read(self._number * count, count), time)
