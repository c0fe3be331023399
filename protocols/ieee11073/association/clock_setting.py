"""The device's clocks: read all of them at one moment, and set the one that has a date (reference 20601 §6).

**Reading.** One Get of the MDS returns absolute and relative times of the same moment. Such a coincident time stamp
converts relative times to dates, and the round trip bounds its error. The clocks are read with the MDS, later
periodically, after each setting, and on command. If several readings in a row return no valid time, the periodic
readings end.

**Setting.** A clock is set only where Mds-Time-Info allows it (set-clock). The caller decides when, since only the
caller can judge its own clock. The new time is computed at the moment of sending. A device that refuses or does not
respond stays associated and gets no further setting in this association. A device that did not respond may have set its
clock, so the clocks are read again.

UNCONFIRMED: argument and action code (3101, a single source) of Set-Base-Offset-Time. Only the BaseOffsetTime is sent;
an agent that expects more refuses it.
"""

from dataclasses import dataclass
from functools import partial

from protocols.device_time import DeviceTime, TimeKind, absolute_time_at, base_offset_time_at
from protocols.errors import LocalProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.actions import ActionType, SetBaseOffsetTimeInvoke, SetTimeInvoke
from protocols.ieee11073.apdu.data import ActionArgument, ActionResult
from protocols.ieee11073.association.attribute_reading import Attributes, request_attributes
from protocols.ieee11073.association.manager_events import ClockCommanded, ClockNotSet, ClockRead, ClockSet
from protocols.ieee11073.association.received import Received
from protocols.ieee11073.association.refusals import UNANSWERED, refusal
from protocols.ieee11073.association.requests import AtSending, Requests
from protocols.ieee11073.association.service import Service
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.identity import DeviceIdentity
from protocols.ieee11073.mder import encode
from protocols.ieee11073.tolerances import Oddity

CLOCK_ATTRIBUTES = {
    Attribute.DATE_AND_TIME: TimeKind.ABSOLUTE,
    Attribute.BASE_OFFSET_TIME: TimeKind.BASE_OFFSET,
    Attribute.RELATIVE_TIME: TimeKind.RELATIVE,
    Attribute.HIGH_RESOLUTION_TIME: TimeKind.HIGH_RESOLUTION,
}
"""MDS attributes with the time of a clock, in the order of the request."""

SET_CLOCK = 0x4000
"""Bit of mds-time-cap-state: the manager may set the clock."""
BASE_OFFSET = 0x0100
"""Bit of mds-time-cap-state: the clock counts base-offset time."""
MANAGER_SETS_TIME = 0x0010
"""Bit of mds-time-cap-state: the manager should set the clock."""
SYNCHRONISED = 0x0080 | 0x0004
"""Bits of mds-time-cap-state: the device's clock is synchronised (absolute or base-offset time)."""

_ATTRIBUTE_OF = {kind: attribute for attribute, kind in CLOCK_ATTRIBUTES.items()}
_BYTES = {TimeKind.RELATIVE: 4}
_FAILURES_MAX = 2
"""Consecutive readings without a response after which clocks are read on command only."""


@dataclass(frozen=True, slots=True)
class WallClock:
    """The manager's wall time. UTC in µs since 1970 is monotonic µs + `utc_offset_us`. Local time is `zone_min` minutes
    ahead of UTC; an AbsoluteTime is local time without a zone."""

    utc_offset_us: int
    zone_min: int = 0

    def time(self, kind: TimeKind, now_s: float) -> DeviceTime:
        """Return the time at `now_s` as AbsoluteTime or BaseOffsetTime. Raises `LocalProtocolError` if out of range."""
        utc_us = round(now_s * 1_000_000) + self.utc_offset_us
        if kind is TimeKind.BASE_OFFSET:
            return base_offset_time_at(utc_us, self.zone_min)
        return absolute_time_at(utc_us + self.zone_min * 60_000_000)


class ClockSetting(Service):
    """Service that reads and sets the device's clocks. The event `ClockRead` reports their times."""

    def __init__(self, requests: Requests, settings: ManagerSettings) -> None:
        super().__init__(requests)
        self._to_get_s = settings.to_get_s
        self._to_action_s = settings.to_action_s
        self._every_s = settings.clock_read_every_s
        self._clocks: tuple[Attribute, ...] = ()
        self._failures = 0
        self._reading = False
        self._next_s: float | None = None
        self._setting = False
        self.settable: TimeKind | None = None
        """The clock that the device allows a manager to set; None: none, or it refused in this association."""

    @property
    def deadline_s(self) -> float | None:
        return self._next_s

    def pass_time(self) -> None:
        if self._next_s is not None and self._next_s <= self._requests.now_s:
            self._read()

    def read_with_mds(self, attributes: Attributes, asked_s: float) -> None:
        """Emit the clock times in a Get response of the MDS; the Get was sent at `asked_s`."""
        self._shown(attributes, asked_s)

    def learn_identity(self, identity: DeviceIdentity) -> None:
        shown = dict(identity.attributes)
        self._clocks = tuple(attribute for attribute in CLOCK_ATTRIBUTES if attribute in shown)
        state = 0 if identity.time_info is None else identity.time_info.mds_time_cap_state
        if state & SET_CLOCK:
            self.settable = TimeKind.BASE_OFFSET if state & BASE_OFFSET else TimeKind.ABSOLUTE
        self._schedule()

    def end(self) -> None:
        self._clocks = ()
        self._failures = 0
        self._reading = self._setting = False
        self._next_s = None
        self.settable = None

    def read_clocks(self, now_s: float) -> None:
        """Request the times of the device's clocks. The event `ClockRead` follows if the response has valid times.
        Raises `LocalProtocolError` outside Operating, and when too many requests are queued."""
        self._requests.set_now(now_s)
        self._read()

    def set_time(self, wall: WallClock, now_s: float) -> None:
        """Set the device's clock to the time of `wall` at the moment of sending.

        The events are `ClockCommanded` at the sending, then `ClockSet` or `ClockNotSet`, then `ClockRead`. Raises
        `LocalProtocolError` where the device does not allow a setting, while an earlier setting is pending, for a time
        beyond the clock's range, outside Operating, and when too many requests are queued.
        """
        self._requests.set_now(now_s)
        kind = self.settable
        if kind is None:
            raise LocalProtocolError("the device does not say that a manager may set its clock")
        if self._setting:
            raise LocalProtocolError("the clock is being set")
        if (shown := _ATTRIBUTE_OF[kind]) not in self._clocks:
            self._clocks += (shown,)
        sent: list[tuple[DeviceTime, float]] = [(wall.time(kind, now_s), now_s)]

        def command(sent_s: float) -> ActionArgument:
            time = wall.time(kind, sent_s)
            sent[0] = (time, sent_s)
            self._requests.emit(ClockCommanded(time, sent_s))
            return _command(time)

        self._requests.enqueue(
            MessageTag.CONFIRMED_ACTION,
            AtSending(command),
            to_s=self._to_action_s,
            done=partial(self._take_response, sent),
            overdue=partial(self._not_set, sent, UNANSWERED, b""),
        )
        self._setting = True

    def _take_response(self, sent: list[tuple[DeviceTime, float]], received: Received) -> None:
        time, sent_s = sent[0]
        if isinstance(received.body, ActionResult):
            self._setting = False
            self._requests.emit(ClockSet(time, sent_s, self._requests.now_s))
            self._read()
        else:
            self._not_set(sent, refusal(received.body) or "", received.octets)

    def _not_set(self, sent: list[tuple[DeviceTime, float]], why: str, data: bytes) -> None:
        self._setting = False
        self.settable = None
        self._requests.notes.add(Oddity.CLOCK_NOT_SET, data, why=why)
        self._requests.emit(ClockNotSet(sent[0][0], why))
        self._read()

    def _read(self) -> None:
        if self._reading or not self._clocks:
            self._schedule()
            return
        self._reading = True
        self._next_s = None
        request_attributes(
            self._requests, 0, self._clocks, to_s=self._to_get_s, done=self._take_times, withheld=self._withheld
        )

    def _take_times(self, attributes: Attributes, asked_s: float) -> None:
        self._reading = False
        if self._shown(attributes, asked_s):
            self._failures = 0
            self._schedule()
        else:
            self._withheld("")

    def _withheld(self, why: str) -> None:
        self._reading = False
        self._failures += 1
        self._schedule()

    def _schedule(self) -> None:
        due = bool(self._clocks) and self._every_s is not None and self._failures < _FAILURES_MAX
        self._next_s = self._requests.now_s + self._every_s if due and self._every_s is not None else None

    def _shown(self, attributes: Attributes, asked_s: float) -> bool:
        """Emit `ClockRead` with the valid clock times among the attributes. Return whether there was at least one valid
        time."""
        values = dict(attributes)
        times = tuple(
            time
            for attribute, kind in CLOCK_ATTRIBUTES.items()
            if (value := values.get(attribute)) is not None
            and len(value) == _BYTES.get(kind, 8)
            and (time := DeviceTime(kind, value)).local_us() is not None
        )
        if times:
            self._requests.emit(ClockRead(times, asked_s, self._requests.now_s))
        return bool(times)


def _command(time: DeviceTime) -> ActionArgument:
    if time.kind is TimeKind.BASE_OFFSET:
        return ActionArgument(0, ActionType.SET_BASE_OFFSET_TIME, encode(SetBaseOffsetTimeInvoke(time.octets)))
    return ActionArgument(0, ActionType.SET_TIME, encode(SetTimeInvoke(time.octets, 0)))
