"""ECG devices: the basic one with three leads, one that reports through a scanner, and a slow one of one lead.

The scanned one is the reference's example E14 to E17: a periodic scanner that reports 8 samples of 4 ms and the heart
rate together, unconfirmed and without a time, once the manager has enabled it. Samples of a disabled scanner, or lost
with the link, are not repeated, as with any unconfirmed waveform; the agent counts them.
"""

from array import array
from collections.abc import Iterator
from math import ceil

import structlog

from protocols.ieee11073.specializations.extended import BASIC_ECG, ECG_SCANNED, ECG_TEN_MILLISECONDS
from simulators.agents.blocks import Blocks
from simulators.agents.device import Description, Device, Measured, Pace, TimeAt
from simulators.agents.objects import Numeric, Waveform
from simulators.physiology import STEP_HZ, Patient, SamplesDropped

log = structlog.get_logger(__name__)

_HEART_RATE = Numeric(10)
_SCANNED_LEAD = Waveform(1)
_SCANNED_RATE = Numeric(2)
_SCANNER = 3
_SCANNED_HZ = 250
_SCANNED_SAMPLES = 8
_SCANNED_ZERO, _SCANNED_MAX = 2000, 4000
_SCANNED_PER_MV = 1000
_SLOW_LEAD = Waveform(1)
_SLOW_HZ = 100
_SLOW_SAMPLES = 80


class BasicEcg(Device):
    """Leads I, II and III (1 to 3) and the heart rate (10)."""

    configuration = BASIC_ECG

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(description)
        self._patient = patient
        self._blocks = Blocks([(handle, patient.lead(lead)) for handle, lead in enumerate(("I", "II", "III"), 1)])
        self._pace = Pace(1.0, 1.0)

    @property
    def due_s(self) -> float:
        return self._blocks.due_s

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        yield from self._blocks.measure(now_s, time_at)
        if self._pace.turn_s(now_s) is not None:
            time = time_at(self._blocks.end_s)
            yield Measured(time, (_HEART_RATE.read(self._patient.vitals().heart_rate_bpm, time),))


class _OneLead(Device):
    """Lead I at a rate of its own: every n-th of the patient's samples, in blocks of a fixed count."""

    def __init__(self, patient: Patient, description: Description, *, rate_hz: int, samples: int) -> None:
        super().__init__(description)
        self._patient = patient
        self._track = patient.lead("I")
        self._every = self._track.rate_hz // rate_hz
        self._samples = samples
        self._block_s = samples / rate_hz
        self._number = 0

    @property
    def due_s(self) -> float:
        """Return the time of the next block. The patient advances in steps: a block that ends between two is complete
        after the later one."""
        return ceil((self._number + 1) * self._block_s * STEP_HZ - 1e-6) / STEP_HZ

    def _blocks(self, now_s: float) -> Iterator[tuple[float, "array[int]"]]:
        """Yield the whole blocks up to now: the start of each, and its samples."""
        span = self._samples * self._every
        while self.due_s <= now_s + 1e-9:
            start_s = self._number * self._block_s
            try:
                samples = self._track.read(self._number * span, span)[:: self._every]
            except SamplesDropped:
                log.warning("device.samples_lost", from_s=start_s, seconds=self._block_s)
            else:
                yield start_s, samples
            self._number += 1


class ScannedEcg(_OneLead):
    """Lead I (1) and the heart rate (2) through scanner 3."""

    configuration = ECG_SCANNED

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description, rate_hz=_SCANNED_HZ, samples=_SCANNED_SAMPLES)

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        factor = _SCANNED_PER_MV // self._track.gain
        for start_s, samples in self._blocks(now_s):
            shifted = array("H", (min(_SCANNED_MAX, max(0, _SCANNED_ZERO + factor * raw)) for raw in samples))
            time = time_at(start_s)
            rate = _SCANNED_RATE.read(self._patient.vitals().heart_rate_bpm, None)
            yield Measured(
                time, (_SCANNED_LEAD.read(shifted, None), rate), waveform=True, scanner=_SCANNER, confirmed=False
            )


class SlowEcg(_OneLead):
    """Lead I (1), 100 samples a second, confirmed."""

    configuration = ECG_TEN_MILLISECONDS

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description, rate_hz=_SLOW_HZ, samples=_SLOW_SAMPLES)

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        for start_s, samples in self._blocks(now_s):
            time = time_at(start_s)
            yield Measured(time, (_SLOW_LEAD.read(samples, time),), waveform=True)
