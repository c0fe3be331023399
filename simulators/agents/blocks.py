"""Several waveforms of one patient cut into blocks of equal time, one report for each block.

All waveforms of a device go into one report every quarter of a second, so that the leads of an ECG stay together and a
dozen signals cost four reports a second. A device that was delayed for longer than the patient's tracks reach back
loses those samples, reports the loss, and continues with the oldest available ones.
"""

from collections.abc import Iterator, Sequence

import structlog

from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import BLOCK_S
from simulators.agents.device import Measured, TimeAt
from simulators.agents.objects import Waveform
from simulators.physiology import SamplesDropped, Track

log = structlog.get_logger(__name__)


class Blocks:
    """Cutter of waveforms into blocks. `sources` pair the handle of each waveform with its track, whose samples it
    carries one by one."""

    def __init__(self, sources: Sequence[tuple[int, Track]]) -> None:
        self._sources = tuple((Waveform(handle), track) for handle, track in sources)
        self._number = 0

    @property
    def due_s(self) -> float:
        """Time at which the next block is complete."""
        return (self._number + 1) * BLOCK_S

    @property
    def end_s(self) -> float:
        """Return the end of the last whole block: numbers reported beside it carry this time, so that time never runs
        backward."""
        return self._number * BLOCK_S

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        while self.due_s <= now_s + 1e-9:
            try:
                readings = tuple(self._read(waveform, track, time_at) for waveform, track in self._sources)
            except SamplesDropped:
                log.warning("device.samples_lost", from_s=self._number * BLOCK_S, seconds=BLOCK_S)
            else:
                yield Measured(time_at(self._number * BLOCK_S), readings, waveform=True)
            self._number += 1

    def _read(self, waveform: Waveform, track: Track, time_at: TimeAt) -> Reading:
        count = round(track.rate_hz * BLOCK_S)
        return waveform.read(track.read(self._number * count, count), time_at(self._number * BLOCK_S))
