"""Several waveforms of one patient cut into blocks of equal time, one report a block.

All waveforms of a device go into one report a quarter of a second, so that the leads of an ECG stay together and a
dozen signals cost four reports a second. A device that was held up for longer than the patient's tracks reach back
loses those samples, says so, and goes on with the oldest that there are.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

import structlog

from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.nomenclature import Code
from simulators.agents.device import Measured, TimeAt
from simulators.agents.objects import Waveform
from simulators.agents.scale import scale_of
from simulators.physiology import SamplesGone, Track

log = structlog.get_logger(__name__)

BLOCK_S = 0.25


def waveform_of(handle: int, track: Track, type_: Code, unit: Code, label: str = "") -> Waveform:
    """A waveform that carries a track of the patient sample by sample."""
    return Waveform(
        handle=handle,
        type=type_,
        unit=unit,
        rate_hz=track.rate_hz,
        block_samples=round(track.rate_hz * BLOCK_S),
        scale=scale_of(Fraction(track.gain)),
        label=label,
    )


class Blocks:
    """`sources` pair each waveform with its track."""

    def __init__(self, sources: Sequence[tuple[Waveform, Track]]) -> None:
        self._sources = tuple(sources)
        self._number = 0

    @property
    def due_s(self) -> float:
        """When the next block is complete."""
        return (self._number + 1) * BLOCK_S

    @property
    def end_s(self) -> float:
        """The end of the last whole block: numbers told beside it carry this time, so that time never goes back."""
        return self._number * BLOCK_S

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        while self.due_s <= now_s + 1e-9:
            try:
                readings = tuple(self._read(waveform, track, time_at) for waveform, track in self._sources)
            except SamplesGone:
                log.warning("device.samples_lost", from_s=self._number * BLOCK_S, seconds=BLOCK_S)
            else:
                yield Measured(time_at(self._number * BLOCK_S), readings, waveform=True)
            self._number += 1

    def _read(self, waveform: Waveform, track: Track, time_at: TimeAt) -> Reading:
        count = waveform.block_samples
        return waveform.read(track.read(self._number * count, count), time_at(self._number * BLOCK_S))
