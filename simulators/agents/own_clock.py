"""Clock of one device: its kind, its error, whether the manager can set it, and its attributes in the MDS.

`DeviceClock` defines patient second 0 for all devices of a vehicle. Each device also has a clock of its own, which may
be wrong, drift, or count from power-on without a date. Setting the clock does not change queued reports.
"""

from dataclasses import dataclass
from enum import Enum

from protocols.device_time import DeviceTime, TimeKind, absolute_time_at, base_offset_time_at
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import NO_RELATIVE_TIME, ErrorValue
from protocols.ieee11073.association.agent_service import Refusal, Refused, Silent
from protocols.ieee11073.association.clock_setting import (
    BASE_OFFSET,
    CLOCK_ATTRIBUTES,
    MANAGER_SETS_TIME,
    SET_CLOCK,
)
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.identity import MdsTimeInfo
from protocols.ieee11073.mder import encode
from simulators.agents.device_clock import DeviceClock

_NO_TIME_SYNC = 7936
_ACCURACY_UNKNOWN = 0xFFFF_FFFF
_REAL_TIME_CLOCK, _RELATIVE, _HIGH_RESOLUTION = 0x8000, 0x2000, 0x1000
_TICK_US = 125
_TICKS = 1 << 32
_HUNDREDTH_US = 10_000


class Setting(Enum):
    """Permission for the manager to set the device's clock, as announced in Mds-Time-Info."""

    NO = 0
    MAY = SET_CLOCK
    SHOULD = SET_CLOCK | MANAGER_SETS_TIME


class SetResponse(Enum):
    """Reaction of the device to the manager's Set-Time command."""

    OBEYS = "obeys"
    REFUSES = "refuses"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockBehaviour:
    """Settings of a device's clock. `wrong_by_s` is its error at patient second 0 and `drift_ppm` its drift; positive
    values are fast. A relative or high-resolution clock starts to count at `counts_from_s`. `with_date`: a device with
    a relative or high-resolution clock also has a date in the MDS, which relates the count to UTC. `zone_min` is the
    time zone of a base-offset clock."""

    kind: TimeKind = TimeKind.ABSOLUTE
    wrong_by_s: float = 0.0
    drift_ppm: float = 0.0
    setting: Setting = Setting.NO
    set_response: SetResponse = SetResponse.OBEYS
    counts_from_s: float = 0.0
    with_date: bool = True
    zone_min: int = 0

    @property
    def counts(self) -> bool:
        """True where the time stamps of measurements are a counter and not a date."""
        return self.kind in (TimeKind.RELATIVE, TimeKind.HIGH_RESOLUTION)


class OwnClock:
    """Conversion of patient time (seconds) to the time on the device's own clock."""

    def __init__(self, device_clock: DeviceClock, behaviour: ClockBehaviour) -> None:
        self._behaviour = behaviour
        self._rate = 1 + behaviour.drift_ppm / 1_000_000
        self._from_s = 0.0
        self._from_us = device_clock.started_us + round(behaviour.wrong_by_s * 1_000_000)
        self.times_set = 0

    def time_at(self, patient_s: float) -> DeviceTime:
        return self._time(self._behaviour.kind, patient_s)

    def relative_ticks(self, patient_s: float) -> int:
        """Return the event-time of a report in ticks of 125 µs, or `NO_RELATIVE_TIME` for a device without a relative
        clock."""
        if self._behaviour.kind is not TimeKind.RELATIVE:
            return NO_RELATIVE_TIME
        ticks = self._counted_us(patient_s) // _TICK_US % _TICKS
        return ticks - (ticks == NO_RELATIVE_TIME)

    def attributes(self, patient_s: float) -> tuple[AvaType, ...]:
        """Return Mds-Time-Info and the clock attributes of the MDS, all for the patient time `patient_s`."""
        kinds = [self._behaviour.kind]
        if self._behaviour.counts and self._behaviour.with_date:
            kinds.append(TimeKind.ABSOLUTE)
        clocks = (AvaType(_ATTRIBUTES[kind], self._time(kind, patient_s).octets) for kind in kinds)
        return AvaType(Attribute.MDS_TIME_INFO, encode(self._info(kinds))), *clocks

    def set(self, time: DeviceTime, patient_s: float) -> Refusal | None:
        """Execute the manager's Set-Time at the patient time `patient_s`. Return the device's refusal, or None if the
        clock was set."""
        match self._behaviour.set_response:
            case SetResponse.REFUSES:
                return Refused(ErrorValue.NOT_ALLOWED_BY_OBJECT)
            case SetResponse.SILENT:
                return Silent()
        local_us = time.local_us()
        assert local_us is not None, "the association takes no time that is none"
        self._from_s, self._from_us = patient_s, local_us
        self.times_set += 1
        return None

    def _info(self, kinds: list[TimeKind]) -> MdsTimeInfo:
        state = self._behaviour.setting.value
        for kind in kinds:
            state |= _CAPABILITIES[kind]
        bases = {TimeKind.ABSOLUTE: 1, TimeKind.BASE_OFFSET: 656}
        date = next((bases[kind] for kind in kinds if kind in bases), 0)
        ticks, microseconds = int(TimeKind.RELATIVE in kinds), int(TimeKind.HIGH_RESOLUTION in kinds)
        return MdsTimeInfo(state, _NO_TIME_SYNC, _ACCURACY_UNKNOWN, date, ticks, microseconds)

    def _time(self, kind: TimeKind, patient_s: float) -> DeviceTime:
        match kind:
            case TimeKind.ABSOLUTE:
                return absolute_time_at(self._date_us(patient_s))
            case TimeKind.BASE_OFFSET:
                return base_offset_time_at(self._date_us(patient_s), self._behaviour.zone_min)
            case TimeKind.RELATIVE:
                return DeviceTime(kind, self.relative_ticks(patient_s).to_bytes(4, "big"))
            case TimeKind.HIGH_RESOLUTION:
                return DeviceTime(kind, self._counted_us(patient_s).to_bytes(8, "big"))

    def _date_us(self, patient_s: float) -> int:
        """Return the device's date in microseconds since 1970, in whole hundredths of a second as in AbsoluteTime."""
        hundredths = round((patient_s - self._from_s) * self._rate * 100)
        return self._from_us // _HUNDREDTH_US * _HUNDREDTH_US + hundredths * _HUNDREDTH_US

    def _counted_us(self, patient_s: float) -> int:
        """Return the count of the device's counter in microseconds. The counter drifts like the date, but the manager
        cannot set the counter."""
        return round((self._behaviour.counts_from_s + patient_s * self._rate) * 1_000_000)


_ATTRIBUTES = {kind: attribute for attribute, kind in CLOCK_ATTRIBUTES.items()}
_CAPABILITIES = {
    TimeKind.ABSOLUTE: _REAL_TIME_CLOCK,
    TimeKind.BASE_OFFSET: BASE_OFFSET,
    TimeKind.RELATIVE: _RELATIVE,
    TimeKind.HIGH_RESOLUTION: _HIGH_RESOLUTION,
}
