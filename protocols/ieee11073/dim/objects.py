"""Functions that declare the objects of a device, one for each object class.

They are used for the configurations of agents and for the standard configurations. Attributes are in the order that
devices use. The parameter `time_stamp` is the attribute that holds the time of a value, and becomes part of the
Attribute-Value-Map; None: values have no time stamp.
"""

from collections.abc import Sequence

from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, HandleAttrValMapEntry, Type
from protocols.ieee11073.apdu.data import ConfigObject, OidEntry
from protocols.ieee11073.dim.attribute import PARTITION_METRIC, Attribute, ObjectClass
from protocols.ieee11073.dim.channels import RELATIVE_TIME_S, SIGNED_SAMPLES, SaSpecification
from protocols.ieee11073.dim.configuration import value_map
from protocols.ieee11073.dim.value_fields import TIME_STAMPS
from protocols.ieee11073.mder import encode, encode_list
from protocols.ieee11073.nomenclature.code import Code
from protocols.medfloat import float_raw
from protocols.observation import SampleFormat

SPOT_MEASUREMENT = 0xF040
"""Metric-Spec-Small of spot measurements: intermittent, stored, aperiodic, agent-initiated."""
STREAMING = 0x4040
"""Metric-Spec-Small of a continuous metric as standard oximeters have it: stored data, agent-initiated."""
_COMPOUND_FIX = 3
_STATIC_SCALE = 0x2000
_VALUE_BYTES = {
    Attribute.NU_BASIC: 2,
    Attribute.NU_SIMPLE: 4,
    Attribute.ENUM_SIMPLE_OID: 2,
    Attribute.ENUM_SIMPLE_BITS: 4,
    Attribute.ENUM_BASIC_BITS: 2,
    Attribute.MEASUREMENT_STATUS: 2,
    Attribute.MEASURE_ACTIVE_PERIOD: 4,
    **{Attribute(stamp): form.octets for stamp, form in TIME_STAMPS.items()},
}


def ava(attribute: Attribute, value: bytes | int, size: int = 2) -> AvaType:
    """Return one attribute; a number is encoded in `size` bytes."""
    return AvaType(attribute, value if isinstance(value, bytes) else value.to_bytes(size, "big"))


def _type(code: Code) -> AvaType:
    return ava(Attribute.TYPE, encode(Type(code.partition, code.code)))


def _value_map(*entries: tuple[Attribute, int]) -> AvaType:
    listed = encode_list(tuple(AttrValMapEntry(attribute, data) for attribute, data in entries))
    return ava(Attribute.ATTRIBUTE_VALUE_MAP, listed)


def _mapped(attributes: Sequence[Attribute]) -> AvaType:
    return _value_map(*((attribute, _VALUE_BYTES[attribute]) for attribute in attributes))


def _stamped(value: tuple[Attribute, int], time_stamp: Attribute | None) -> AvaType:
    stamps = [] if time_stamp is None else [(time_stamp, TIME_STAMPS[time_stamp].octets)]
    return _value_map(value, *stamps)


def _object(object_class: ObjectClass, handle: int, *attributes: AvaType | None) -> ConfigObject:
    return ConfigObject(object_class, handle, tuple(item for item in attributes if item is not None))


def _supplemental(types: Sequence[Code]) -> AvaType | None:
    if not types:
        return None
    listed = encode_list(tuple(Type(code.partition, code.code) for code in types))
    return ava(Attribute.SUPPLEMENTAL_TYPES, listed)


def numeric(
    handle: int,
    code: Code,
    unit: Code,
    *,
    value: Attribute = Attribute.NU_BASIC,
    time_stamp: Attribute | None = None,
    metric_spec: int = STREAMING,
    supplemental_types: Sequence[Code] = (),
    source_handle: int | None = None,
    mapped: Sequence[Attribute] = (),
) -> ConfigObject:
    """Return a numeric object with one value: an SFLOAT (`value` is NU_BASIC) or a FLOAT (NU_SIMPLE). `source_handle`
    is the object that the value is computed from. `mapped` is the Attribute-Value-Map; default: value, time stamp."""
    return _object(
        ObjectClass.NUMERIC,
        handle,
        _type(code),
        ava(Attribute.METRIC_SPEC_SMALL, metric_spec),
        ava(Attribute.UNIT_CODE, unit.code),
        None if source_handle is None else ava(Attribute.SOURCE_HANDLE_REFERENCE, source_handle),
        _mapped(mapped) if mapped else _stamped((value, _VALUE_BYTES[value]), time_stamp),
        _supplemental(supplemental_types),
    )


def compound(
    handle: int,
    code: Code,
    components: Sequence[Code],
    unit: Code,
    *,
    value: Attribute = Attribute.NU_COMPOUND_BASIC,
    time_stamp: Attribute | None = None,
    metric_spec: int = SPOT_MEASUREMENT,
) -> ConfigObject:
    """Return a numeric object with several values of one unit, such as a blood pressure, of the types `components`."""
    data = 2 if value is Attribute.NU_COMPOUND_BASIC else 4
    return _object(
        ObjectClass.NUMERIC,
        handle,
        _type(code),
        ava(Attribute.METRIC_SPEC_SMALL, metric_spec),
        ava(Attribute.METRIC_STRUCTURE_SMALL, bytes([_COMPOUND_FIX, len(components)])),
        ava(Attribute.METRIC_ID_LIST, encode_list(tuple(OidEntry(component.code) for component in components))),
        ava(Attribute.UNIT_CODE, unit.code),
        _stamped((value, 4 + data * len(components)), time_stamp),
    )


def enumeration(
    handle: int,
    code: Code,
    *,
    value: Attribute = Attribute.ENUM_SIMPLE_OID,
    partition: int | None = None,
    time_stamp: Attribute | None = None,
    metric_spec: int = STREAMING,
    mapped: Sequence[Attribute] = (),
) -> ConfigObject:
    """Return an enumeration object, whose value is a code of `partition`, bits, or a text. `mapped` is the
    Attribute-Value-Map; default: value, time stamp. A text has no fixed length, so the object of a text has no map and
    must be reported in variable form."""
    values = None
    if mapped:
        values = _mapped(mapped)
    elif value in _VALUE_BYTES:
        values = _stamped((value, _VALUE_BYTES[value]), time_stamp)
    return _object(
        ObjectClass.ENUMERATION,
        handle,
        _type(code),
        ava(Attribute.METRIC_SPEC_SMALL, metric_spec),
        None if partition is None else ava(Attribute.ENUM_PARTITION, partition),
        values,
    )


def waveform(
    handle: int,
    code: Code,
    unit: Code,
    *,
    period_s: float,
    samples: int,
    sample_format: SampleFormat = SampleFormat.I16,
    physical: tuple[float, float],
    raw: tuple[int, int],
    time_stamp: Attribute | None = None,
) -> ConfigObject:
    """Return a waveform object (RT-SA) with `samples` samples in each report. Its scale maps the limits `raw` to the
    limits `physical` (in `unit`), which are rounded where a FLOAT cannot represent them. `period_s` is rounded to steps
    of 125 µs."""
    data = sample_format.width_bytes
    signed = sample_format.value.islower()
    scale = b"".join(float_raw(limit).to_bytes(4, "big") for limit in physical)
    scale += b"".join(limit.to_bytes(data, "big", signed=signed) for limit in raw)
    scale_id = {1: Attribute.SCALE_AND_RANGE_I8, 2: Attribute.SCALE_AND_RANGE_I16, 4: Attribute.SCALE_AND_RANGE_I32}
    specification = SaSpecification(samples, data * 8, SIGNED_SAMPLES if signed else data * 8, _STATIC_SCALE)
    return _object(
        ObjectClass.RT_SA,
        handle,
        _type(code),
        ava(Attribute.METRIC_SPEC_SMALL, 0x0040),
        ava(Attribute.UNIT_CODE, unit.code),
        ava(Attribute.SAMPLE_PERIOD, round(period_s / RELATIVE_TIME_S), 4),
        ava(scale_id[data], scale),
        ava(Attribute.SA_SPECIFICATION, encode(specification)),
        _stamped((Attribute.SA_SIMPLE, 2 + data * samples), time_stamp),
    )


def periodic_scanner(
    handle: int,
    scans: Sequence[ConfigObject],
    *,
    interval_s: float,
    confirmed: bool = False,
    confirm_timeout_s: float | None = None,
) -> ConfigObject:
    """Return a scanner that reports the objects `scans` together, once in each interval."""
    interval = ava(Attribute.REPORTING_INTERVAL, round(interval_s / RELATIVE_TIME_S), 4)
    return _scanner(ObjectClass.PERIODIC_SCANNER, handle, scans, interval, confirmed, confirm_timeout_s)


def episodic_scanner(
    handle: int,
    scans: Sequence[ConfigObject],
    *,
    interval_min_s: float | None = None,
    confirmed: bool = False,
    confirm_timeout_s: float | None = None,
) -> ConfigObject:
    """Return a scanner that reports the objects `scans` when they have new values, at most once in `interval_min_s`."""
    interval = None
    if interval_min_s is not None:
        interval = ava(Attribute.MIN_REPORTING_INTERVAL, round(interval_min_s / RELATIVE_TIME_S), 4)
    return _scanner(ObjectClass.EPISODIC_SCANNER, handle, scans, interval, confirmed, confirm_timeout_s)


def _scanner(
    object_class: ObjectClass,
    handle: int,
    scans: Sequence[ConfigObject],
    interval: AvaType | None,
    confirmed: bool,
    confirm_timeout_s: float | None,
) -> ConfigObject:
    entries = []
    for item in scans:
        (mapped,) = [entry for entry in item.attributes if entry.attribute_id == Attribute.ATTRIBUTE_VALUE_MAP]
        pairs = value_map(mapped.attribute_value)
        entries.append(HandleAttrValMapEntry(item.obj_handle, tuple(AttrValMapEntry(*pair) for pair in pairs)))
    timeout = None
    if confirm_timeout_s is not None:
        timeout = ava(Attribute.CONFIRM_TIMEOUT, round(confirm_timeout_s / RELATIVE_TIME_S), 4)
    return _object(
        object_class,
        handle,
        ava(Attribute.OPERATIONAL_STATE, 0),
        ava(Attribute.CONFIRM_MODE, int(confirmed)),
        timeout,
        ava(Attribute.TRANSMIT_WINDOW, 1),
        interval,
        ava(Attribute.SCAN_HANDLE_ATTR_VAL_MAP, encode_list(tuple(entries))),
    )


def metric(code: int) -> Code:
    """Return a code of the metric partition."""
    return Code(PARTITION_METRIC, code)
