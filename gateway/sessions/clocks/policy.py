"""Policy for setting a device's clock: the decision, and its reason as text.

The clock is the only thing that a gateway changes in a device. A wrong setting is worse than none, because a measured
offset corrects every time without a change in the device. So all of these conditions must hold: the device states that
a manager may set its clock; it does not keep the clock right by itself; its offset exceeds the limit by more than the
gateway's uncertainty; the gateway's own clock is synchronised; and enough time has passed since the last attempt,
longer after each failed one.

The clock of a device that keeps measurements is not set back, unless the device records by how much its clock was moved
(Date-and-Time-Adjustment). Otherwise the times of its earlier measurements would occur again, and nothing would
distinguish a measurement from before the setting from one after it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum

from protocols.bounded_map import BoundedMap
from protocols.device_time import TimeKind
from protocols.ieee11073.association.clock_setting import MANAGER_SETS_TIME, SYNCHRONISED
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.waits import doubled_s

AVAILABLE_STORED_DATA = 0x4000
"""Metric-Spec-Small: values of this object may come from a memory."""
_DEVICES_MAX = 256
_DOUBLED_MAX = 5
"""Number of failed attempts after which the pause does not grow any more: it is then 32 times the shortest pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockPolicy:
    """The operator's settings for device clocks."""

    set_clocks: bool = True
    offset_s_max: float = 5.0
    """Largest offset of a clock that is left alone."""
    pause_s_min: float = 3600.0
    """Shortest pause between two attempts on one device; doubled after each failed attempt."""
    zone: tzinfo = UTC
    """The zone whose local time an AbsoluteTime shows."""

    def zone_min(self, wall_us: int) -> int:
        """Return the offset of local time from UTC at `wall_us`, in minutes."""
        offset = datetime.fromtimestamp(wall_us / 1_000_000, self.zone).utcoffset() or timedelta()
        return offset // timedelta(minutes=1)


@dataclass(slots=True)
class SettingHistory:
    """Attempts to set the clock of one device since the machine booted. Times are monotonic."""

    attempted_s: float | None = None
    failed_attempts: int = 0
    """Number of attempts in a row after which the clock was still wrong."""

    def attempt_due_s(self, policy: ClockPolicy) -> float | None:
        """Return the monotonic time from which the next attempt to set the clock is allowed. Return None if no attempt
        was made yet."""
        if self.attempted_s is None:
            return None
        return self.attempted_s + doubled_s(policy.pause_s_min, min(self.failed_attempts, _DOUBLED_MAX))


class ClockRules:
    """Policy for setting device clocks, and each device's attempts since the machine booted. The device that was used
    least recently is dropped first."""

    def __init__(self, policy: ClockPolicy | None = None) -> None:
        self.policy = policy or ClockPolicy()
        self._histories: BoundedMap[str, SettingHistory] = BoundedMap(_DEVICES_MAX)

    def history(self, system_id: str) -> SettingHistory:
        return self._histories.use(system_id, SettingHistory)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """State of a device's clock at one check. `error_us`: the device's time minus the right time; None if unknown."""

    settable: TimeKind | None
    capabilities: int
    """The device's attribute value mds-time-cap-state."""
    error_us: int | None
    uncertainty_us: int
    keeps_measurements: bool
    notes_adjustments: bool
    wall_synchronised: bool
    now_s: float


class Verdict(Enum):
    """The decision about setting a clock. The enum value is the reason as text."""

    SET = "its clock is wrong"
    NOT_OURS = "the device does not declare that a manager may set its clock"
    RIGHT = "its clock is right"
    UNWANTED = "setting clocks is switched off"
    SYNCHRONISED = "the device declares that it keeps its clock right by itself"
    GATEWAY_UNSYNCHRONISED = "our own clock is not synchronised"
    WOULD_REPEAT_TIMES = "its clock would go back over times that stored measurements may have"
    TRIED = "it was set, or tried to be, not long ago"

    @property
    def left(self) -> bool:
        """True when a wrong clock was not set although the device would allow it."""
        return self not in {Verdict.SET, Verdict.NOT_OURS, Verdict.RIGHT}


def judge(policy: ClockPolicy, state: ClockState, history: SettingHistory) -> Verdict:
    """Decide whether a device's clock may be set now. Return `Verdict.SET`, or the first reason against setting the
    clock."""
    if state.settable is None or state.error_us is None:
        return Verdict.NOT_OURS
    if abs(state.error_us) - state.uncertainty_us <= policy.offset_s_max * 1_000_000:
        return Verdict.RIGHT
    if not policy.set_clocks:
        return Verdict.UNWANTED
    if state.capabilities & SYNCHRONISED and not state.capabilities & MANAGER_SETS_TIME:
        return Verdict.SYNCHRONISED
    if not state.wall_synchronised:
        return Verdict.GATEWAY_UNSYNCHRONISED
    if state.error_us > 0 and state.keeps_measurements and not state.notes_adjustments:
        return Verdict.WOULD_REPEAT_TIMES
    due_s = history.attempt_due_s(policy)
    if due_s is not None and state.now_s < due_s:
        return Verdict.TRIED
    return Verdict.SET


def keeps_measurements(configuration: Configuration) -> bool:
    """Return whether a device with this configuration has a PM-store, or a metric whose values may
    come from a memory."""
    for item in configuration.objects:
        if item.obj_class == ObjectClass.PM_STORE:
            return True
        octets = attributes_of(item.attributes).get(Attribute.METRIC_SPEC_SMALL, b"")
        if len(octets) == 2 and int.from_bytes(octets, "big") & AVAILABLE_STORED_DATA:
            return True
    return False
