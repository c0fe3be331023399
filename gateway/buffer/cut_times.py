"""Times at which the batches of numerics and waveforms are cut, so that they can be sent.

The cloud may request a phase of the second of UTC (`Ack.cut_phase_ms`). Then the batches of many vehicles arrive at the
same time, and the cloud writes one commit and one object for all of them. Each commit writes the last pages of tables
and log again, so the cloud then writes much less.

A cut is fixed on the monotonic clock when the first observation is held, and it is never later than `batch_s` after it.
So a step of the wall clock delays nothing: it only moves the phase of the next batch. While the wall clock is not
synchronised, or without a request, a batch is cut `batch_s` after its first observation.
"""

from dataclasses import dataclass

from gateway.transports.clock import Clock

EARLY_PART = 0.3
"""Part of `batch_s` by which a commit may cut the lanes early. Where a device reports once a second, one commit then
serves its report and the cut. The next waveforms begin a batch up to a quarter of a second after that report (their
blocks have this length), so a smaller part would let the time of the next report decide by chance. Where the cloud
requests a phase, the lanes are not cut early, since their batches would arrive alone."""

_SECOND_US = 1_000_000
_MS_US = 1_000


@dataclass(frozen=True, slots=True)
class Cut:
    """The next cut, in seconds of the monotonic clock. From `early_s` on, a commit for other reasons cuts the lanes
    too."""

    due_s: float
    early_s: float


class CutTimes:
    """The rule by which batches are cut. `phase_ms`: the requested phase, None: the cloud requests none."""

    def __init__(self, clock: Clock, batch_s: float) -> None:
        self._clock = clock
        self._batch_s = batch_s
        self.phase_ms: int | None = None

    def of_batch(self, begun_s: float) -> Cut:
        """Return the cut of batches whose first observation came at `begun_s` of the monotonic clock, now or shortly
        before."""
        length_us = self._length_us(begun_s)
        if length_us is None:
            due_s = begun_s + self._batch_s
            return Cut(due_s, due_s - EARLY_PART * self._batch_s)
        due_s = begun_s + length_us / _SECOND_US
        return Cut(due_s, due_s)

    def _length_us(self, begun_s: float) -> int | None:
        """Return the time from `begun_s` to the last requested moment within `batch_s`; None if there is none."""
        if self.phase_ms is None or not self._clock.synchronised:
            return None
        begun_us = self._clock.wall_us() - round((self._clock.monotonic_s() - begun_s) * _SECOND_US)
        first_us = (self.phase_ms * _MS_US - begun_us) % _SECOND_US
        further = (round(self._batch_s * _SECOND_US) - first_us) // _SECOND_US
        return None if further < 0 else first_us + further * _SECOND_US
