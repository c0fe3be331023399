"""Estimate the relation of a device's clock to the gateway's, and apply it to the device's times (DESIGN D5).

**One relation.** Each report gives one pair (device time, time of reception). Their difference is the true offset plus
a delay that is never negative. So the smallest of the recent differences is the estimate, as in network time protocols.
A response to a request for the device's clocks gives a better estimate: the times of all its clocks at one moment,
known within half a round trip. Such a response also relates the counters, which have no date of their own, to UTC.
Everything is relative to the gateway's monotonic clock, so that learning the wall time does not look like a jump of
every device.

**Jumps of the clock.** A device may be set, by hand or by the gateway, or may restart, and a meter may send last week's
stored readings: all of these look like a different offset. A live clock keeps step with the gateway's, stored readings
do not. So a new offset is believed only when several reports over a second or more agree on it, or when the device
sends its time on request. Until then, no relation applies to live reports with the new offset, nor to times in the
future.

**Measurements from before a jump** have a time of the previous relation and may arrive after the jump. So ended
relations are kept, each with the span in which it held. A measurement belongs to a relation that gives it a time within
this span. Where two relations fit, or a device may have corrected its stored dates by itself, the uncertainty covers
both. While a command to set the clock is in flight, the new relation applies to times that fit it, and the previous one
to all others.

**Counters.** A RelativeTime restarts every 2³² × 125 µs (6.2 days). A time stamp means the latest moment, not later
than now, at which the counter had this value. After a power-on the counter starts at zero, which is a jump like any
other.

Raw times are never rewritten; readers correct them by arithmetic (`observation_record`).
"""

from collections import deque
from functools import partial

from gateway.sessions.clocks.clock_relation import (
    AGREE_US,
    UNKNOWN,
    Candidate,
    ClockRelation,
    Era,
    PossibleMoment,
    Sample,
    drift_us,
    has_fraction,
)
from protocols.bounded_map import BoundedMap
from protocols.device_time import TimeKind

RELATIVE_SPAN_US = (1 << 32) * 125
"""Period after which a RelativeTime shows the same value again."""

_WINDOW = 64
"""Maximum number of differences of one relation: about a minute of reports, long enough to contain one with a short
delay, and short against drift."""
_WINDOW_US = 900_000_000
"""Age at which a difference is dropped, because drift makes it worse than newer ones."""
_STEP_REPORTS = 3
_STEP_SPAN_US = 1_000_000
"""Time on both clocks over which `_STEP_REPORTS` reports must agree on a new relation. So neither one report in three
parts nor reports that queued in a link are taken for a new relation."""
_MEMORY_SPAN_US = 3_000_000
_MEMORY_AGREE_US = 1_200_000
"""Largest difference between the two clocks over `_MEMORY_SPAN_US` at which measurements count as taken live. A memory
is sent many times faster than it was filled."""
_FLOOR_US = 20_000
"""Smallest uncertainty of a relation: a quick link takes milliseconds, and AbsoluteTime has hundredths of a second."""
_FEW = 8
_COARSE_US = 1_000_000
"""Uncertainty that is added below `_FEW` differences, since a clock of whole seconds or a slow report is not recognised
yet. It is not added where the device responded to a request with parts of a second."""
_IN_FLIGHT_US = 10_000_000
"""Time after a jump for which a live report with the previous time may be in transit; no link queues for longer."""
_ERAS_MAX = 8
_DEVICES_MAX = 64

_ANCHOR_EVERY_US = 60_000_000
_ANCHORS_MAX = 128
_DRIFT_SPAN_US = 600_000_000
"""Age below which a relation has no drift: its slope would show the link's jitter more than the crystal."""


class DeviceClock:
    """One clock of one device, over one boot of the gateway. Times are in µs; those of the gateway are monotonic. In
    all methods, `live` means that the measurement was reported unconfirmed, so it cannot come from the device's memory.
    """

    def __init__(self, kind: TimeKind = TimeKind.ABSOLUTE) -> None:
        self._dated = kind in {TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET}
        self._span_us = RELATIVE_SPAN_US if kind is TimeKind.RELATIVE else None
        self._samples: deque[Sample] = deque(maxlen=_WINDOW)
        self._relation: ClockRelation | None = None
        """The estimate from the samples; None where it has to be computed again."""
        self._candidates: deque[Candidate] = deque(maxlen=_WINDOW)
        self._eras: deque[Era] = deque(maxlen=_ERAS_MAX)
        self._expected: ClockRelation | None = None
        """The relation that holds if a command to set the clock is obeyed, while the command is in flight."""
        self._commanded_us = 0
        self._began_us: int | None = None
        self._answers = False
        """True once the clock was reported on request: measurements with earlier times are then from the memory."""
        self._fitted_us = 0
        """Monotonic time at which the relation was last confirmed."""
        self._anchors: list[tuple[int, ClockRelation]] = []
        self.adjustment_us = 0
        """Date-and-Time-Adjustment as the device reported it last: the amount by which its clock was moved."""

    # Learning.

    def observe_reading(self, local_us: int, received_us: int, *, sent_us: int | None = None) -> None:
        """Learn a device's response to a request for its time. The response is believed at once. `local_us` is the
        device's time at some moment between the request, sent at `sent_us` (None: unknown), and the response, received
        at `received_us`."""
        error_us = 0 if sent_us is None else (received_us - sent_us + 1) // 2
        sample = Sample(
            received_us - error_us - self._unwrap(local_us, received_us), error_us, has_fraction(local_us), received_us
        )
        self._expected, self._answers = None, True
        known = self.relation()
        tolerated_us = error_us + _FLOOR_US + (0 if sample.fine else _COARSE_US)
        if sent_us is not None and known.offset_us is not None:
            fits = abs(sample.difference_us - known.offset_us) <= tolerated_us + known.uncertainty_us
        else:
            fits = False
        if fits:
            self._candidates.clear()
            self._add(sample)
        else:
            self._begin([sample], received_us, announced=True)
        self._anchor(received_us)

    def observe(self, local_us: int, received_us: int, *, live: bool) -> bool:
        """Learn from a measurement's device time and the time of its reception. Return whether the relation of the
        device's clock is known for this measurement. The relation is unknown if the present one puts the measurement in
        the future. For a live measurement, it is also unknown if the present one puts it in the distant past."""
        difference = received_us - self._unwrap(local_us, received_us)
        known = self.relation()
        stale = received_us - self._fitted_us > _WINDOW_US
        agree_us = self._agree_us(received_us) if live else 0 if stale else AGREE_US
        if known.offset_us is not None and abs(difference - known.offset_us) < agree_us:
            self._candidates.clear()
            self._add(Sample(difference, 0, has_fraction(local_us), received_us))
            self._anchor(received_us)
        elif live and known.offset_us is None:
            self._begin([Sample(difference, 0, has_fraction(local_us), received_us)], received_us, announced=False)
        elif not live and self._answers and known.offset_us is not None and difference > known.offset_us:
            pass  # from the device's memory
        elif not self._in_flight(local_us, received_us):
            self._consider(local_us, difference, received_us, live=live)
        if not self._samples:
            return not live
        return self.place(local_us, received_us, live=live).offset_us is not None

    def expect_setting(self, local_us: int, sent_us: int) -> None:
        """Expect a new relation of the device's clock, because a command to set the clock to `local_us` was sent at
        `sent_us`."""
        self._expected = ClockRelation(sent_us - local_us, _FLOOR_US)
        self._commanded_us = sent_us

    def confirm_setting(self, answered_us: int) -> None:
        """Apply the relation that a command to set the device's clock gives, because the device confirmed the command
        at `answered_us`."""
        expected, self._expected = self._expected, None
        if expected is None or expected.offset_us is None:
            return
        half_us = (answered_us - self._commanded_us + 1) // 2
        sample = Sample(expected.offset_us + half_us, half_us, fine=False, at_us=answered_us)
        self._begin([sample], answered_us, announced=True, began_us=self._commanded_us)

    def cancel_setting(self) -> None:
        """Forget a command to set the device's clock, because no confirmation of it is expected any more."""
        self._expected = None

    # Reading.

    def relation(self) -> ClockRelation:
        if self._relation is None:
            self._relation = self._estimate()
        return self._relation

    def _estimate(self) -> ClockRelation:
        if not self._samples:
            return UNKNOWN
        best = min(self._samples)
        ordered = sorted(sample.difference_us for sample in self._samples)
        spread_us = ordered[len(ordered) // 2] - ordered[0]
        coarse = len(ordered) < _FEW and not (best.fine and best.error_us)
        uncertainty_us = max(_FLOOR_US, spread_us, best.error_us) + (_COARSE_US if coarse else 0)
        uncertainty_us += drift_us(self._samples[-1].at_us - best.at_us)
        return ClockRelation(best.difference_us, uncertainty_us)

    def drift_ppm(self) -> float | None:
        """Return the rate of the device's clock against the gateway's in ppm (negative: slower). Return None while the
        relation of the clocks has held for less than ten minutes."""
        if not self._anchors:
            return None
        (first_us, first), (last_us, last) = self._anchors[0], self._anchors[-1]
        span_us = last_us - first_us
        if span_us < _DRIFT_SPAN_US or first.offset_us is None or last.offset_us is None:
            return None
        return -(last.offset_us - first.offset_us) / span_us * 1e6

    def place(self, local_us: int, received_us: int, *, live: bool) -> ClockRelation:
        """Return the relation that converts the device time `local_us` of a measurement, received at `received_us`, to
        the gateway's clock. The relation's offset is None if no known relation fits."""
        now = self.relation()
        if now.offset_us is None:
            return UNKNOWN
        offset_us = self._aligned_us(local_us, received_us, now.offset_us)
        current = PossibleMoment(local_us + offset_us, now.uncertainty_us, self._fitted_us)
        agree_us = self._agree_us(received_us)
        flying = self._in_flight(local_us, received_us)
        if abs(received_us - current.at_us) < (agree_us if live else AGREE_US):
            return current.relation(local_us, flying)
        if live:
            return flying[0].relation(local_us, flying) if flying else UNKNOWN
        fits = current.within(self._began_us, received_us)
        if flying:
            return flying[0].relation(local_us, [*flying, current] if fits else flying)
        before = self._find_eras(local_us, received_us)
        if not fits and not before:
            return UNKNOWN
        explained = [each for each in before if self._is_explained(each.at_us - current.at_us)]
        if explained:
            return explained[0].relation(local_us)
        best = current if fits else before[0]
        others = [*before, current] if fits or self._dated else before
        return best.relation(local_us, others)

    @property
    def uniform(self) -> bool:
        """True when one relation holds for every time of the device's clock: the clock never jumped, is not being set,
        and is not a counter that restarts."""
        return not self._eras and self._expected is None and self._span_us is None

    def _is_explained(self, moved_us: int) -> bool:
        """Return whether the device itself reports that its clock was moved by about `moved_us`. Dates that the device
        stored before the move then still have the previous relation."""
        return bool(self.adjustment_us) and abs(moved_us - self.adjustment_us) < AGREE_US

    def _agree_us(self, received_us: int) -> int:
        """Return the largest deviation in µs at which a device time still fits the present relation of the clocks. The
        deviation grows with the time since the relation was last confirmed."""
        return AGREE_US + drift_us(max(0, received_us - self._fitted_us))

    def _in_flight(self, local_us: int, received_us: int) -> list[PossibleMoment]:
        """Return the possible moments of a measurement that was taken just now, while the device's clock is being set.
        The first moment is computed with the relation that a pending command will bring, further moments with relations
        that have just ended."""
        found = []
        if self._expected is not None and self._expected.offset_us is not None:
            moving_us = received_us - self._commanded_us
            at_us = local_us + self._expected.offset_us + moving_us // 2
            if abs(received_us - at_us) < AGREE_US + moving_us:
                found.append(PossibleMoment(at_us, moving_us // 2 + _FLOOR_US + _COARSE_US, at_us))
        for era in reversed(self._eras):
            if received_us - era.ended_us > _IN_FLIGHT_US:
                break
            at_us = local_us + self._aligned_us(local_us, received_us, era.offset_us)
            if era.announced and abs(received_us - at_us) < AGREE_US + drift_us(received_us - era.fitted_us):
                found.append(PossibleMoment(at_us, era.uncertainty_us, era.fitted_us))
        return found

    def _find_eras(self, local_us: int, received_us: int) -> list[PossibleMoment]:
        """Convert the device time `local_us` with each past relation of the clocks. Return the moments that lie in the
        period in which their relation was valid, the moment of the latest relation first."""
        found = []
        for era in reversed(self._eras):
            at_us = local_us + self._aligned_us(local_us, min(received_us, era.ended_us), era.offset_us)
            possible = PossibleMoment(at_us, era.uncertainty_us, era.fitted_us)
            if possible.within(era.began_us, era.ended_us):
                found.append(possible)
        return found

    def _aligned_us(self, local_us: int, by_us: int, offset_us: int) -> int:
        """Return the offset that converts `local_us` to the gateway's time. For a counter that restarts, return the
        offset that gives the latest moment not after `by_us`, with a tolerance."""
        if self._span_us is None:
            return offset_us
        latest_us = by_us + self._agree_us(by_us)
        return offset_us + (latest_us - offset_us - local_us) // self._span_us * self._span_us

    def _unwrap(self, local_us: int, received_us: int) -> int:
        """Return the device time `local_us` as if the device's counter never restarted."""
        known = self.relation().offset_us
        if self._span_us is None or known is None:
            return local_us
        return local_us + self._aligned_us(local_us, received_us, known) - known

    def _consider(self, local_us: int, difference: int, received_us: int, *, live: bool) -> None:
        """Collect a difference between the clocks that fits no known relation. When several differences agree, begin a
        new relation."""
        sample = Sample(difference, 0, has_fraction(local_us), received_us)
        if self._candidates and abs(self._candidates[0].sample.difference_us - difference) >= AGREE_US:
            self._candidates.clear()
        self._candidates.append(Candidate(local_us, sample, live))
        first = self._candidates[0]
        local_span_us, span_us = local_us - first.local_us, received_us - first.sample.at_us
        if len(self._candidates) < _STEP_REPORTS or min(local_span_us, span_us) < _STEP_SPAN_US:
            return
        live = all(candidate.live for candidate in self._candidates)
        if live or (local_span_us >= _MEMORY_SPAN_US and abs(local_span_us - span_us) < _MEMORY_AGREE_US):
            self._begin([candidate.sample for candidate in self._candidates], received_us, announced=False)

    def _begin(self, samples: list[Sample], at_us: int, *, announced: bool, began_us: int | None = None) -> None:
        """Replace the relation of the clocks by a new one, estimated from `samples` at `at_us`. The new relation may
        hold since `began_us`, by default since the previous relation was last confirmed. `announced`: the device or the
        gateway announced the change, so reports with the previous time may still be in transit."""
        old, self._candidates = self.relation(), deque(maxlen=_WINDOW)
        if old.offset_us is not None and abs(min(samples).difference_us - old.offset_us) >= _FLOOR_US:
            self._eras.append(Era(old.offset_us, old.uncertainty_us, self._began_us, at_us, self._fitted_us, announced))
            self._began_us = self._fitted_us if began_us is None else began_us
        self._samples.clear()
        self._samples.extend(samples)
        self._relation = None
        self._anchors.clear()
        self._fitted_us = at_us

    def _add(self, sample: Sample) -> None:
        while self._samples and sample.at_us - self._samples[0].at_us > _WINDOW_US:
            self._samples.popleft()
        self._samples.append(sample)
        self._relation = None
        self._fitted_us = sample.at_us

    def _anchor(self, at_us: int) -> None:
        """Record the clock's offset once per minute, to compute the drift later. When there are too many records, drop
        every second one."""
        if self._anchors and at_us - self._anchors[-1][0] < _ANCHOR_EVERY_US:
            return
        if len(self._anchors) >= _ANCHORS_MAX:
            del self._anchors[1::2]
        self._anchors.append((at_us, self.relation()))


class DeviceClocks:
    """Clocks of all devices since the machine booted, kept over reassociations. The clock that was used least recently
    is dropped first."""

    def __init__(self) -> None:
        self._clocks: BoundedMap[tuple[str, TimeKind], DeviceClock] = BoundedMap(_DEVICES_MAX * len(TimeKind))

    def clock(self, device: str, kind: TimeKind) -> DeviceClock:
        return self._clocks.use((device, kind), partial(DeviceClock, kind))

    def known(self, device: str) -> dict[TimeKind, DeviceClock]:
        """Return a map of clock kinds to the clocks of `device` that were used since the machine booted."""
        return {kind: clock for (of, kind), clock in self._clocks.items() if of == device}
