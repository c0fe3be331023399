"""Readings of vital signs for a hand-over, from the crew's record and from devices, in one form.

A device reports each second, for hours. `ThinnedObservations` keeps of each channel one reading in each interval: the
one with the median value, so that a loose sensor of a few seconds is no extreme, and each shown value was measured.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from protocols.epcr.handover.language import Words
from protocols.epcr.handover.wording import Wording, microseconds_of
from protocols.epcr.measured import MeasuredType, measured_type
from protocols.epcr.projection import VisibleField, VisibleRecord
from protocols.epcr.units import canonical_number
from protocols.epcr.value_sets import Decimal, Whole
from protocols.ieee11073.nomenclature import Code, name_of, term_of
from protocols.observation_record import ObservationRecord
from protocols.plausibility import is_implausible

CHANNELS_MAX = 256
"""Channels that are kept: a vehicle has some dozens, and a faulty device may invent more."""
READINGS_MAX = 3_000
"""Readings that are kept of all channels, in some megabytes: two hours of twelve numerics, one every 30 s."""
INTERVAL_US = 30_000_000
"""First interval of the thinning; it doubles when more than `READINGS_MAX` readings are kept."""
INTERVAL_READINGS_MAX = 256
"""Readings of one interval of one channel, among which the median is."""
_ABSENT_BITS, _DOUBTFUL_BITS, _TEST_BITS = 0xA020, 0x5040, 0x0C00
"""Measurement-Status: invalid, not available or ongoing; questionable, calibration or early; test or demo data."""


class Sign(StrEnum):
    """A vital sign of a hand-over, in the order in which it is stated."""

    HEART_RATE = "heart_rate"
    PRESSURE = "pressure"
    SPO2 = "spo2"
    BREATHING = "breathing"
    ETCO2 = "etco2"
    GCS = "gcs"
    TEMPERATURE = "temperature"
    GLUCOSE = "glucose"
    PAIN = "pain"


SIGN_NAMES: Final[Mapping[Sign, Words]] = MappingProxyType(
    {
        Sign.HEART_RATE: Words("HR", "HR", "HF"),
        Sign.PRESSURE: Words("BP", "RR", "RR"),
        Sign.SPO2: Words("SpO₂", "SpO₂", "SpO₂"),
        Sign.BREATHING: Words("Resp", "Oddechy", "AF"),
        Sign.ETCO2: Words("EtCO₂", "EtCO₂", "etCO₂"),
        Sign.GCS: Words("GCS", "GCS", "GCS"),
        Sign.TEMPERATURE: Words("Temp", "Temp.", "Temp"),
        Sign.GLUCOSE: Words("Glucose", "Glikemia", "BZ"),
        Sign.PAIN: Words("Pain", "Ból", "Schmerz"),
    }
)
"""Short names, as crews of each country use them: in Polish and German the blood pressure is RR."""


_ELEMENTS: Final[Mapping[str, Sign]] = MappingProxyType(
    {
        "vitals.heart_rate": Sign.HEART_RATE,
        "vitals.spo2": Sign.SPO2,
        "vitals.breathing_rate": Sign.BREATHING,
        "vitals.etco2": Sign.ETCO2,
        "vitals.gcs_sum": Sign.GCS,
        "vitals.temperature": Sign.TEMPERATURE,
        "vitals.glucose": Sign.GLUCOSE,
        "vitals.pain": Sign.PAIN,
    }
)
"""Elements with one number that a hand-over states, each as one sign."""
_SYSTOLIC, _DIASTOLIC = "vitals.systolic", "vitals.diastolic"
_GCS_PARTS = ("vitals.gcs_eye", "vitals.gcs_verbal", "vitals.gcs_motor")
_VITALS = "vitals"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One reading of a vital sign. `numbers` are decimal texts in the unit `ucum` (a pressure has two), empty where
    `statement` is all that there is, such as "refused". `device` is the name of the device, None for the crew's record.
    `entry`: the set of vital signs of the crew. `doubtful`: the device doubts the value, the value is implausible, or
    only the device's own claim identifies it."""

    sign: Sign
    numbers: tuple[str, ...]
    ucum: str
    at_us: int
    statement: str = ""
    device: str | None = None
    entry: str = ""
    doubtful: bool = False

    @property
    def number(self) -> float | None:
        """The first number, by which readings are compared."""
        return float(self.numbers[0]) if self.numbers else None

    def text(self, wording: Wording, *, with_unit: bool = True) -> str:
        """Return the reading as text, without its name."""
        if not self.numbers:
            return self.statement
        joined = "/".join(map(wording.number, self.numbers))
        unit = wording.unit(self.ucum) if with_unit else ""
        return f"{joined}\u00a0{unit}" if unit else joined


class ThinnedObservations:
    """The first, the latest, and a sample of the observations of each channel, added in any order of channels. Of one
    channel they are added in the order of their times, or nearly."""

    def __init__(self) -> None:
        self._channels: dict[tuple[object, ...], _Channel] = {}
        self._interval_us = INTERVAL_US
        self._kept = 0
        self.ignored = 0
        """Observations of channels beyond `CHANNELS_MAX`."""

    @property
    def interval_us(self) -> int:
        """Interval of the sample in µs."""
        return self._interval_us

    def add(self, record: ObservationRecord) -> None:
        key = (record.device, record.handle, record.type, record.unit, record.person)
        if (channel := self._channels.get(key)) is None:
            if len(self._channels) >= CHANNELS_MAX:
                self.ignored += 1
                return
            channel = self._channels[key] = _Channel(record)
        self._kept += channel.add(record, self._interval_us)
        if self._kept > READINGS_MAX:
            self._interval_us *= 2
            self._kept = sum(each.widen() for each in self._channels.values())

    def channels(self) -> list[Sequence[ObservationRecord]]:
        """Return the kept observations of each channel, oldest first."""
        return [channel.records() for channel in self._channels.values()]


@dataclass(slots=True)
class _Channel:
    first: ObservationRecord
    kept: list[ObservationRecord] = field(default_factory=list)
    open: list[ObservationRecord] = field(default_factory=list)
    turn: int | None = None
    latest: ObservationRecord | None = None

    def add(self, record: ObservationRecord, interval_us: int) -> int:
        """Add an observation, and return the number of observations that are kept in addition."""
        added = 0
        if self.latest is None or record.observed_at_us >= self.latest.observed_at_us:
            self.latest = record
        turn = record.observed_at_us // interval_us
        if turn != self.turn:
            added = self._close()
            self.turn = turn
        if len(self.open) < INTERVAL_READINGS_MAX:
            self.open.append(record)
        return added

    def widen(self) -> int:
        """Keep every second observation; return the number that is kept."""
        del self.kept[1::2]
        return len(self.kept)

    def records(self) -> Sequence[ObservationRecord]:
        self._close()
        found = {id(each): each for each in (self.first, *self.kept, self.latest) if each is not None}
        return sorted(found.values(), key=lambda each: each.observed_at_us)

    def _close(self) -> int:
        if not self.open:
            return 0
        valid = [each for each in self.open if not each.status & _ABSENT_BITS and _number_of(each) is not None]
        chosen = sorted(valid or self.open, key=lambda each: _number_of(each) or 0.0)
        self.kept.append(chosen[(len(chosen) - 1) // 2])
        self.open = []
        return 1


def readings_of_devices(channels: Iterable[Sequence[ObservationRecord]]) -> list[Reading]:
    """Return the readings of devices, oldest first. Where several channels measure one sign, all readings are of one of
    them: of a device that is known, then of the preferred type, then of the channel with the most readings. A value
    that its device calls invalid, or that is test data, is no reading."""
    best: dict[Sign, tuple[tuple[bool, int, int], list[Reading]]] = {}
    for records in channels:
        placed = measured_type(records[0].type)
        sign = None if placed is None else _sign_of(placed[1])
        if placed is None or sign is None:
            continue
        found = [each for record in records if (each := _reading(record, sign, placed[1].decimals))]
        rank = (records[0].device.unverified_link, placed[0], -len(found))
        known = best.get(sign)
        if found and (known is None or rank < known[0]):
            best[sign] = rank, found
    return sorted((each for _, found in best.values() for each in found), key=lambda each: each.at_us)


def readings_of_record(record: VisibleRecord, wording: Wording) -> list[Reading]:
    """Return the crew's readings, in the order of their times. Void entries have none."""
    entries: dict[str, dict[str, VisibleField]] = {}
    for each in record.fields:
        if each.element.group == _VITALS and not each.void:
            entries.setdefault(each.entry, {})[each.element.key] = each
    found = [reading for entry, fields in entries.items() for reading in _entry(entry, fields, wording)]
    return sorted(found, key=lambda each: each.at_us)


def _entry(entry: str, fields: Mapping[str, VisibleField], wording: Wording) -> Iterator[Reading]:
    at_us = _time_of(fields)
    for key, sign in _ELEMENTS.items():
        if (one := fields.get(key)) is not None:
            yield _crew_reading(sign, one, entry, at_us, wording)
    if (systolic := fields.get(_SYSTOLIC)) is not None:
        reading = _crew_reading(Sign.PRESSURE, systolic, entry, at_us, wording)
        lower = fields.get(_DIASTOLIC)
        if reading.numbers and lower is not None and (value := lower.shown[0].value) is not None:
            numbers = (*reading.numbers, canonical_number(value)) if value.isdecimal() else reading.numbers
            reading = Reading(sign=Sign.PRESSURE, numbers=numbers, ucum="mm[Hg]", at_us=at_us, entry=entry)
        yield reading
    parts = [fields[key].shown[0].value for key in _GCS_PARTS if key in fields]
    if "vitals.gcs_sum" not in fields and len(parts) == len(_GCS_PARTS) and all(parts):
        total = str(sum(int(part) for part in parts if part is not None))
        yield Reading(sign=Sign.GCS, numbers=(total,), ucum="", at_us=at_us, entry=entry)


def _crew_reading(sign: Sign, one: VisibleField, entry: str, at_us: int, wording: Wording) -> Reading:
    value, values = one.shown[0].value, one.element.values
    is_number = value is not None and value.replace(".", "", 1).isdecimal() and not one.contradicting
    unit = values.unit if isinstance(values, Whole | Decimal) else ""
    if not is_number or value is None:
        return Reading(sign=sign, numbers=(), ucum=unit, at_us=at_us, statement=wording.field(one), entry=entry)
    return Reading(sign=sign, numbers=(canonical_number(value),), ucum=unit, at_us=at_us, entry=entry)


def _time_of(fields: Mapping[str, VisibleField]) -> int:
    stated = fields.get("vitals.time")
    if stated is not None and (value := stated.shown[0].value) is not None:
        return microseconds_of(value)
    return min(statement.recorded_us for one in fields.values() for statement in one.shown)


def _sign_of(measured: MeasuredType) -> Sign | None:
    return Sign.PRESSURE if measured.keys[0] == _SYSTOLIC else _ELEMENTS.get(measured.keys[0])


def _reading(record: ObservationRecord, sign: Sign, decimals: int | None) -> Reading | None:
    numbers = _numbers(record, decimals)
    if not numbers or record.status & (_ABSENT_BITS | _TEST_BITS):
        return None
    implausible = is_implausible(record.type, record.unit, record.value, record.components)
    return Reading(
        sign=sign,
        numbers=numbers,
        ucum="" if record.unit is None else term_of(record.unit).ucum,
        at_us=record.observed_at_us,
        device=record.device.model or record.device.system_id[-4:],
        doubtful=bool(record.status & _DOUBTFUL_BITS) or implausible or record.device.unverified_link,
    )


def _numbers(record: ObservationRecord, decimals: int | None) -> tuple[str, ...]:
    match record.value:
        case float() as number:
            return (_decimal(number, decimals),)
        case tuple() as parts if not isinstance(parts, Code):
            found = {
                name_of(type_).rsplit("_", 1)[-1]: part for type_, part in zip(record.components, parts, strict=False)
            }
            pair = [found.get("SYS"), found.get("DIA")]
            return tuple(_decimal(part, decimals) for part in pair if isinstance(part, float))
    return ()


def _number_of(record: ObservationRecord) -> float | None:
    value = record.value
    if isinstance(value, tuple) and not isinstance(value, Code):
        value = value[0] if value else None
    return value if isinstance(value, float) else None


def _decimal(number: float, decimals: int | None) -> str:
    text = f"{number:.{decimals}f}" if decimals is not None else f"{number:.4f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
