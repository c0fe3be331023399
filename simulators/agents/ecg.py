"""ECG devices: a basic one with three leads, one that reports through a scanner, and a slow one with one lead.

The device with a scanner follows examples E14 to E17 of the founders' reference on 20601. A periodic scanner reports 8
samples of 4 ms and the heart rate, unconfirmed and without a time, once the manager has enabled it. Samples of a
disabled scanner, or samples lost with the link, are counted and not repeated, as with any unconfirmed waveform.
"""

from array import array
from collections.abc import Iterator
from math import ceil

import structlog

from protocols.device_time import DeviceTime
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.specializations.extended import BASIC_ECG, ECG_SCANNED, ECG_TEN_MILLISECONDS
from simulators.agents.blocks import WaveformDevice
from simulators.agents.device import Description, Device, Measured, TimeAt
from simulators.agents.objects import Numeric, Waveform
from simulators.physiology.circulation import STEP_HZ
from simulators.physiology.patient import Patient
from simulators.physiology.track import SamplesDropped

log = structlog.get_logger(__name__)

_HEART_RATE = Numeric(10)
_SCANNED_LEAD = Waveform(1)
_SCANNED_RATE = Numeric(2)
_SCANNER = 3
_SCANNED_ZERO, _SCANNED_MAX = 2000, 4000
_SCANNED_PER_MV = 1000
_SLOW_LEAD = Waveform(1)


class BasicEcg(WaveformDevice):
    """Basic ECG. Object handles: 1 to 3 leads I, II and III, 10 heart rate."""

    configuration = BASIC_ECG

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(patient, description, enumerate(map(patient.lead, ("I", "II", "III")), 1))

    def reports(self, now_s: float, time: DeviceTime) -> Iterator[tuple[Reading, ...]]:
        if self._each_second.turn_s(now_s) is not None:
            yield (_HEART_RATE.read(self._patient.vitals().heart_rate_bpm, time),)


class _OneLead(Device):
    """ECG device that sends every n-th sample of lead I, at `rate_hz`, in blocks of `samples` samples."""

    rate_hz: int
    samples: int

    def __init__(self, patient: Patient, description: Description) -> None:
        super().__init__(description)
        self._patient = patient
        self._track = patient.lead("I")
        self._every = self._track.rate_hz // self.rate_hz
        self._block_s = self.samples / self.rate_hz
        self._number = 0

    @property
    def due_s(self) -> float:
        """Return the patient time at which the next block is complete, rounded up to a time step of the simulated
        patient."""
        return ceil((self._number + 1) * self._block_s * STEP_HZ - 1e-6) / STEP_HZ

    def _blocks(self, now_s: float) -> Iterator[tuple[float, "array[int]"]]:
        """Yield the patient time of the first sample, and the samples, of each complete block up to `now_s`."""
        span = self.samples * self._every
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
    """ECG device whose scanner (handle 3) reports lead I (handle 1) and the heart rate (handle 2)."""

    configuration = ECG_SCANNED
    rate_hz, samples = 250, 8

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
    """ECG device that reports lead I (handle 1) with 100 samples a second, in confirmed reports."""

    configuration = ECG_TEN_MILLISECONDS
    rate_hz, samples = 100, 80

    def measure(self, now_s: float, time_at: TimeAt) -> Iterator[Measured]:
        for start_s, samples in self._blocks(now_s):
            time = time_at(start_s)
            yield Measured(time, (_SLOW_LEAD.read(samples, time),), waveform=True)
