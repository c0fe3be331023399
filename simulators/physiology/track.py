"""Recent samples of one signal, as raw integers, from which several devices read.

Several devices measure one patient, each at its own pace. So a track keeps the samples of some seconds, and a reader
requests samples by number. A reader that is too late gets `SamplesDropped`, so that no sample is invented or silently
skipped. A track has no clock: sample n was taken n / `rate_hz` seconds after the patient began.
"""

from array import array
from collections.abc import Iterable


class SamplesDropped(Exception):
    """The requested samples are older than what the track still holds."""

    def __init__(self, requested: int, oldest: int) -> None:
        self.requested = requested
        self.oldest = oldest
        super().__init__(f"sample {requested} was dropped, the oldest one kept is {oldest}")


class Track:
    """Recent raw 16-bit samples of one signal. The physical value is raw / `gain`."""

    def __init__(self, rate_hz: int, gain: int, kept_s: float = 20.0) -> None:
        self.rate_hz = rate_hz
        self.gain = gain
        self._kept = int(rate_hz * kept_s)
        self._samples = array("h")
        self._first = 0

    @property
    def end(self) -> int:
        """Return the number of the next sample to be appended."""
        return self._first + len(self._samples)

    @property
    def oldest(self) -> int:
        return self._first

    def append(self, raw: int) -> None:
        self._samples.append(-32768 if raw < -32768 else 32767 if raw > 32767 else raw)

    def extend(self, raw: Iterable[int]) -> None:
        self._samples.extend(raw)

    def trim(self) -> None:
        """Drop samples older than `kept_s` seconds, in large pieces, because each cut moves the remaining samples."""
        surplus = len(self._samples) - self._kept
        if surplus > self._kept:
            del self._samples[:surplus]
            self._first += surplus

    def read(self, start: int, count: int) -> "array[int]":
        """Return `count` samples from sample number `start` on. Raises SamplesDropped if sample `start` was dropped
        already. The caller must not request samples that do not exist yet."""
        if start < self._first:
            raise SamplesDropped(start, self._first)
        assert start + count <= self.end, "a device requested samples that do not exist yet"
        return self._samples[start - self._first : start - self._first + count]
