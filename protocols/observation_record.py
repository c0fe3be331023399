"""Observation with all facts that a reader needs: the device, the times, and its identity in the record.

`Observation` holds the device's data. `ObservationRecord` adds the identity from the uplink (gateway, epoch, lane,
sequence, index), the three times (sent by the device, corrected to UTC with its uncertainty, received), and later the
encounter. It is flat, because database rows, exports and comparisons are made of it. Its JSON form (DESIGN §5) is the
same on gateway and cloud.

Times are corrected here, when a record is read; the data as sent never changes (DESIGN D5). The correction uses the
offset of the device's clock where it is known. Data received before the gateway's clock was synchronised is also
corrected by the anchor of that boot (`clock_anchor`); without an anchor its uncertainty is unknown. The patient of a
value follows from the assignment of the device to an encounter (DESIGN D16).
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from sys import byteorder

from protocols.clock_anchor import NO_ANCHORS, Anchors, ClockAnchor
from protocols.device_time import DeviceTime
from protocols.ieee11073.nomenclature import Code, name_of
from protocols.observation import SampleArray, SampleFormat, Scalar, Special, Value, status_names
from protocols.plausibility import IMPLAUSIBLE_VALUE, is_implausible
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, DeviceRef

JsonScalar = float | int | str
Json = None | bool | JsonScalar | list["Json"] | dict[str, "Json"]

UNVERIFIED_LINK = "unverified_link"
"""The flag of a value whose device is identified by its own claim only (`DeviceRef.unverified_link`)."""

RECEPTION_US = 1_000_000
"""Uncertainty of an observation without a time: it was measured at its reception, within the second in which devices
report."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_US = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationRecord:
    """One observation with its identity in the record, its device and its times.

    `index` is the observation's position in its batch. Exactly one of `value` and `samples` is set; `array` defines the
    conversion of samples. `status` holds the Measurement-Status bits. `device_time` is the device's time as sent.
    `device_local_us` is the same time in µs on the device's clock, None where it is absent or unreadable.

    `observed_at_us` is UTC: the device's time plus the offset of its clock or, where one of these is unknown, the time
    of reception at the gateway. Its error is at most `uncertainty_us`; None: the error has no known bound.
    `received_at_us` is the gateway's wall clock at reception. `wall_synchronised`: the gateway's wall clock was
    synchronised then; None: this is unknown.
    """

    gateway: str
    epoch: str
    lane: Lane
    sequence: int
    index: int
    device: DeviceRef
    handle: int
    person: int | None
    type: Code
    value: Value | None
    unit: Code | None
    samples: bytes | None
    array: SampleArray | None
    components: tuple[Code, ...]
    supplemental_types: tuple[Code, ...]
    status: int
    device_time: DeviceTime | None
    device_local_us: int | None
    observed_at_us: int
    uncertainty_us: int | None
    received_at_us: int
    stored: bool
    wall_synchronised: bool | None = None
    encounter_id: str | None = None


def records_of(
    sections: Sequence[DeviceObservations],
    *,
    gateway: str,
    epoch: str,
    lane: Lane,
    sequence: int,
    anchors: Anchors = NO_ANCHORS,
) -> Iterator[ObservationRecord]:
    """Yield the observations of one batch as records, in order. `index` continues from section to section. `anchors`
    (one for each boot) correct the times of observations received before the gateway's clock was synchronised."""
    index = 0
    for section in sections:
        wall_offset_us, device_offset_us = section.wall_offset_us, section.device_offset_us
        for observation in section.observations:
            channel, device_time = observation.channel, observation.device_time
            received_at_us = wall_offset_us + round(observation.received_s * 1_000_000)
            local_us = None if device_time is None else device_time.local_us()
            corrected = local_us is not None and device_offset_us is not None
            record = ObservationRecord(
                gateway=gateway,
                epoch=epoch,
                lane=lane,
                sequence=sequence,
                index=index,
                device=section.device,
                handle=channel.handle,
                person=channel.person,
                type=channel.type,
                value=observation.value,
                unit=channel.unit,
                samples=observation.samples,
                array=channel.array,
                components=channel.components,
                supplemental_types=channel.supplemental_types,
                status=observation.status,
                device_time=device_time,
                device_local_us=local_us,
                observed_at_us=(local_us or 0) + (device_offset_us or 0) if corrected else received_at_us,
                uncertainty_us=section.uncertainty_us,
                received_at_us=received_at_us,
                stored=section.stored,
                wall_synchronised=section.wall_synchronised,
            )
            if not section.wall_synchronised:
                monotonic_us = record.observed_at_us - wall_offset_us
                placed = device_offset_us is not None
                record = anchored(record, monotonic_us, anchors.get(section.boot_id), placed=placed)
            yield record
            index += 1


def anchored(
    record: ObservationRecord, monotonic_us: int, anchor: ClockAnchor | None, *, placed: bool
) -> ObservationRecord:
    """Correct a record that was received while the wall clock was not synchronised, by the anchor of the same boot.

    `monotonic_us` is the moment of the measurement on the monotonic clock of that boot. The uncertainty of the anchor
    is added to the record's own; with `anchor` None the uncertainty becomes None (unknown). `placed` is True where the
    offset of the device's clock was known. If `placed` is False and the device sent a time, the record's own
    uncertainty is replaced by the difference between the corrected time and the device's time, at least one second.
    """
    observed_at_us, uncertainty_us = anchored_time(
        record.observed_at_us,
        record.uncertainty_us,
        monotonic_us,
        anchor,
        device_local_us=None if placed else record.device_local_us,
    )
    return replace(record, observed_at_us=observed_at_us, uncertainty_us=uncertainty_us)


def anchored_time(
    observed_at_us: int,
    uncertainty_us: int | None,
    monotonic_us: int,
    anchor: ClockAnchor | None,
    *,
    device_local_us: int | None,
) -> tuple[int, int | None]:
    """Return the observed time and its uncertainty after the correction that `anchored` describes. `device_local_us` is
    the device's time if the offset of its clock was not known, otherwise None."""
    if anchor is None:
        return observed_at_us, None
    observed_at_us = monotonic_us + anchor.offset_us
    own_us = uncertainty_us or 0
    if device_local_us is not None:
        # It was measured at its reception, or at the device's time: the difference between the two is known only now.
        own_us = max(RECEPTION_US, abs(observed_at_us - device_local_us))
    return observed_at_us, own_us + anchor.uncertainty_at(monotonic_us)


def to_json(record: ObservationRecord) -> dict[str, Json]:
    """Return the public JSON form of a record (DESIGN §5); fields that do not apply are null."""
    scale = record.array
    return {
        "gateway": record.gateway,
        "epoch": record.epoch,
        "lane": record.lane.value,
        "sequence": record.sequence,
        "index": record.index,
        "device": {"system_id": record.device.system_id, "model": record.device.model},
        "handle": record.handle,
        "person": record.person,
        "type": name_of(record.type),
        "value": value_json(record.value, record.components),
        "unit": None if record.unit is None else name_of(record.unit),
        "samples": None if record.samples is None else list(raw_samples(record)),
        "slope": None if scale is None else scale.slope,
        "offset": None if scale is None else scale.offset,
        "sample_period_s": None if scale is None else scale.period_s,
        "status": list(status_names(record.status)),
        "flags": _flags(record),
        "device_time": None if record.device_time is None else record.device_time.text(),
        "observed_at": utc_text(record.observed_at_us),
        "uncertainty_ms": uncertainty_ms(record.uncertainty_us),
        "wall_synchronised": record.wall_synchronised,
        "received_at": utc_text(record.received_at_us),
        "encounter_id": record.encounter_id,
    }


def _flags(record: ObservationRecord) -> list[Json]:
    flags: list[Json] = [UNVERIFIED_LINK] if record.device.unverified_link else []
    if is_implausible(record.type, record.unit, record.value, record.components):
        flags.append(IMPLAUSIBLE_VALUE)
    return flags


def value_json(value: Value | None, components: Sequence[Code]) -> Json:
    """Return a value as JSON: a number or a text unchanged, bits as a number, a special value or a code as its name.

    A compound becomes an object with component types as keys. A component without a type, or with the type of an
    earlier component, gets its position as a suffix of its key, such as `#2`.
    """
    match value:
        case Special():
            return value.value
        case Code():
            return name_of(value)
        case tuple():
            return dict(zip(_component_names(components, len(value)), map(_scalar_json, value), strict=True))
        case _:
            return value


def _component_names(components: Sequence[Code], count: int) -> list[str]:
    names: list[str] = []
    for place in range(count):
        name = name_of(components[place]) if place < len(components) else ""
        names.append(f"{name}#{place + 1}" if not name or name in names else name)
    return names


def _scalar_json(scalar: Scalar) -> JsonScalar:
    return scalar.value if isinstance(scalar, Special) else scalar


def raw_samples(record: ObservationRecord) -> "array[int]":
    """Return the raw integers of a waveform block; an empty array for a record without samples. Trailing bytes that do
    not fill a sample are left out."""
    if record.samples is None or record.array is None:
        return array("i")
    return integers_of(record.samples, record.array.format)


def integers_of(samples: bytes, sample_format: SampleFormat) -> "array[int]":
    """Return samples as a device sent them as integers of this machine. Trailing bytes that do not fill a sample are
    left out."""
    width = sample_format.width_bytes
    values: array[int] = array(sample_format.value)
    values.frombytes(samples[: len(samples) // width * width])
    if byteorder == "little":
        values.byteswap()
    return values


def utc_text(at_us: int) -> str:
    """Return microseconds since 1970 as ISO 8601 in UTC with six decimals. A time outside the years 1 to 9999, which
    only a faulty clock gives, is clipped to these years."""
    if not _FIRST_US <= at_us <= _LAST_US:
        at_us = _FIRST_US if at_us < _FIRST_US else _LAST_US
    minute, rest_us = divmod(at_us, _MINUTE_US)
    rest = f"{rest_us:08d}"
    return f"{_minute_text(minute)}{rest[:2]}.{rest[2:]}Z"


@lru_cache(1024)
def _minute_text(minute: int) -> str:
    """Return a minute since 1970 as text up to the seconds. The values of a minute share it, since `isoformat` takes
    as long as the rest of a line."""
    moment = _EPOCH + timedelta(minutes=minute)
    return f"{moment.replace(tzinfo=None).isoformat(timespec='minutes')}:"


def uncertainty_ms(uncertainty_us: int | None) -> int | None:
    """Return an uncertainty in milliseconds (None: unknown), rounded up, so that it is never reported too small."""
    return None if uncertainty_us is None else -(-uncertainty_us // 1000)
