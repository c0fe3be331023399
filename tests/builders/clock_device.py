"""A device whose clocks are wrong by known amounts, and the gateway's model of these clocks. Tests compare the two.

Times are in microseconds; `now_us` is the gateway's monotonic clock, which is the true time here.
"""

from dataclasses import dataclass, field

from gateway.sessions.clocks.clock_relation import ClockRelation
from gateway.sessions.clocks.device_clock import DeviceClock, DeviceClocks
from protocols.device_time import DeviceTime, TimeKind, absolute_time_at, base_offset_time_at

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
ORIGIN_US = 1_770_000_000 * SECOND
"""The local time that a correct clock shows at `now_us` 0."""
NAME = "1122334455667788"


@dataclass
class Kept:
    """A measurement in the device's memory: `at_us` is its true time, `time` the device's time stamp."""

    at_us: int
    time: DeviceTime


@dataclass
class ClockDevice:
    """A device with one clock. At the true time `set_us` the clock is `ahead_us` ahead. It runs `ppm` too fast, and has
    a resolution of `tick_us`.

    Every message takes `delay_us` in each direction.
    """

    kind: TimeKind
    ahead_us: int = 0
    ppm: int = 0
    tick_us: int = 10_000
    delay_us: int = 5_000
    redates: bool = False
    """True for a device that corrects the dates in its memory when its clock is set."""
    clocks: DeviceClocks = field(default_factory=DeviceClocks)
    now_us: int = DAY
    powered_us: int = 0
    """The true time at which the device's counters were zero."""
    memory: list[Kept] = field(default_factory=list)
    set_us: int = DAY
    """The true time at which the clock was `ahead_us` ahead."""

    @property
    def clock(self) -> DeviceClock:
        return self.clocks.clock(NAME, self.kind)

    def shows(self, at_us: int | None = None) -> DeviceTime:
        """Return the time that the device's clock shows at the true time `at_us`; None means now."""
        at_us = self.now_us if at_us is None else at_us
        if self.kind in {TimeKind.RELATIVE, TimeKind.HIGH_RESOLUTION}:
            count_us = (at_us - self.powered_us) * (1_000_000 + self.ppm) // 1_000_000
            if self.kind is TimeKind.HIGH_RESOLUTION:
                return DeviceTime(self.kind, count_us.to_bytes(8, "big"))
            return DeviceTime(self.kind, (count_us // 125 % (1 << 32)).to_bytes(4, "big"))
        shown_us = ORIGIN_US + at_us + self.ahead_us + (at_us - self.set_us) * self.ppm // 1_000_000
        shown_us -= shown_us % self.tick_us
        make = absolute_time_at if self.kind is TimeKind.ABSOLUTE else base_offset_time_at
        return make(shown_us)

    def passes(self, microseconds: int) -> None:
        self.now_us += microseconds

    def send_its_time(self) -> None:
        """Respond to the gateway's Get of the clock; request and response take `delay_us` each."""
        sent_us = self.now_us
        self.passes(self.delay_us)
        time = self.shows()
        self.passes(self.delay_us)
        self.clock.observe_reading(_local(time), self.now_us, sent_us=sent_us)

    def reports(self) -> tuple[int, ClockRelation]:
        """Make a measurement and send it at once. Return the error in µs of the time that the gateway computes for the
        measurement, and the gateway's clock relation (its estimate of the offset between the two clocks).

        The error is 0 if the relation has no offset, because the gateway then uses the time of reception.
        """
        return self._sent(Kept(self.now_us, self.shows()), live=True)

    def keeps(self) -> None:
        self.memory.append(Kept(self.now_us, self.shows()))

    def sends_memory(self) -> list[tuple[int, ClockRelation]]:
        """Send every stored measurement in confirmed reports, and clear the memory. For each measurement, return the
        error in µs of the time that the gateway computes, and the offset between the two clocks that the gateway
        assumed (`ClockRelation`)."""
        sent = [self._sent(kept, live=False) for kept in self.memory]
        self.memory.clear()
        return sent

    def _sent(self, kept: Kept, *, live: bool) -> tuple[int, ClockRelation]:
        self.passes(self.delay_us)
        local_us = _local(kept.time)
        self.clock.observe(local_us, self.now_us, live=live)
        relation = self.clock.place(local_us, self.now_us, live=live)
        if relation.offset_us is None:
            return 0, relation
        return local_us + relation.offset_us - kept.at_us, relation

    def is_set(self, *, obeys: bool = True, reports: bool = False) -> list[tuple[int, ClockRelation]]:
        """Read the device's time, set the device's clock to the right time, and read the time again. For each report,
        return the error in µs of the time that the gateway computes, and the clock offset that the gateway assumed
        (`ClockRelation`).

        With `obeys`, the device sets its clock between the command and its response. With `reports`, the device sends
        one report before its clock is set, one between the command and the response, and one afterwards.
        """
        self.send_its_time()
        target_us, came = ORIGIN_US + self.now_us, []
        self.clock.expect_setting(_local(absolute_time_at(target_us - target_us % 10_000)), self.now_us)
        if reports:
            came.append(self.reports())
        self.passes(self.delay_us)
        if obeys:
            self._set_to(target_us - target_us % 10_000)
        if reports:
            came.append(self.reports())
        self.passes(self.delay_us)
        self.clock.confirm_setting(self.now_us)
        if reports:
            came.append(self.reports())
        self.send_its_time()
        return came

    def _set_to(self, local_us: int) -> None:
        before_us = self.ahead_us + (self.now_us - self.set_us) * self.ppm // 1_000_000
        self.ahead_us, self.set_us = local_us - ORIGIN_US - self.now_us, self.now_us
        if self.redates:
            moved_us = self.ahead_us - before_us
            for kept in self.memory:
                kept.time = absolute_time_at(_local(kept.time) + moved_us)

    def restarts(self) -> None:
        """Switch the device off for 3 s, restart it, and associate again.

        The device's counters begin at zero, and its memory is cleared.
        """
        self.memory.clear()
        self.passes(3 * SECOND)
        self.powered_us = self.now_us
        self.passes(SECOND)
        self.send_its_time()


def _local(time: DeviceTime) -> int:
    local_us = time.local_us()
    assert local_us is not None
    return local_us
