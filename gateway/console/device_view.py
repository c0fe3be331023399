"""JSON form of the device report (`gateway/sessions/devices/history`), with codes and attributes in words.

The report is made on request, so the present release interprets a history that an older release stored. The report is
bounded, because a device decides how many objects and attributes it has. Objects and attributes that the report leaves
out are counted.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.sessions.devices.history import ClockSetting, DeviceHistory, SeenClock, SeenDeviation
from gateway.sessions.session import Session
from protocols.device_time import TimeKind
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.dim.attribute import PARTITION_DIMENSION, PARTITION_INFRASTRUCTURE, Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, attributes_of, is_standard, scanner_map
from protocols.ieee11073.dim.identity import DeviceIdentity, MdsTimeInfo, identity_of
from protocols.ieee11073.dim.regulatory import Certification, certifications
from protocols.ieee11073.dim.words import (
    POWER_STATUS,
    PRODUCTION,
    TIME_CAPABILITIES,
    attribute_name,
    attribute_words,
    bit_names,
    map_words,
)
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.nomenclature.tables import name_of, term_of
from protocols.ieee11073.specializations import standard_configuration
from protocols.ieee11073.tolerances import BY_KEY
from protocols.observation import Scalar, Special
from protocols.observation_record import utc_text

Json = dict[str, Any]

OBJECTS_MAX = 256
ATTRIBUTES_MAX = 2048
"""Maximum of attributes of all objects together: with names and values a quarter of a megabyte."""
VALUE_BYTES_MAX = 32
WORDS_LENGTH_MAX = 400
SCANS_MAX = 512

_UNKNOWN_ACCURACY = 0xFFFFFFFF
_RELATIVE_US = 125


def report_json(report: DeviceHistory, learned: bytes | None, sessions: Sequence[Session] = ()) -> Json:
    """Return a device's report as JSON. `learned`: the ConfigObjectList that the device sent for its configuration;
    None if the configuration is a standard one or is not stored."""
    here = [each.link.name for each in sessions if each.device and each.device.ref.system_id == report.system_id]
    identity = _identity_of(report)
    return {
        "system_id": report.system_id,
        "connected": bool(here),
        "link": here[0] if here else None,
        "first_seen": utc_text(report.first_us),
        "last_seen": utc_text(report.last_us),
        "identity": _identity(report, identity),
        "regulatory": _regulatory(identity),
        "configuration": _configuration(report, learned),
        "clock": _clock(report, identity),
        "power": _power(identity),
        "counts": {
            "associations": report.associations,
            "reports": report.reports,
            "observations": report.observations,
            "refused_reports": sum(report.refusals.values()),
            "lost_reports": report.lost,
            "deviations": len(report.deviations) + report.deviations_dropped,
        },
        "memory": {
            "entries": report.memory_entries,
            "observations": report.memory_observations,
            "segments": report.memory_segments,
            "refused_entries": report.memory_refused,
        },
        "confirmed_before_durable": None
        if not report.indications
        else {
            "indications": report.indications,
            "ms_max": round(report.window_us_max / 1000, 3),
            "ms_p99": round(report.window_us_p99 / 1000, 3),
        },
        "refused_by_reason": report.refusals,
        "refused_claims": report.refused_claims,
        "refused_claim_link": report.refused_claim_link or None,
        "ends": report.ends,
        "links": [
            {
                "link": name,
                "associations": link.associations,
                "first_seen": utc_text(link.first_us),
                "last_seen": utc_text(link.last_us),
            }
            for name, link in reversed(report.links.items())
        ],
        "deviations": [_deviation(each) for each in reversed(report.deviations)],
        "deviations_left_out": report.deviations_dropped,
    }


def _identity_of(report: DeviceHistory) -> DeviceIdentity:
    attributes = tuple(AvaType(number, value) for number, value in report.attributes)
    return identity_of(bytes.fromhex(report.system_id), attributes)


def _identity(report: DeviceHistory, identity: DeviceIdentity) -> Json:
    return {
        "read": None if report.identified_us is None else utc_text(report.identified_us),
        "manufacturer": identity.manufacturer,
        "model": identity.model,
        "serial_number": identity.serial_number,
        "firmware": identity.firmware,
        "specializations": [
            {"code": f"{code.partition}:{code.code}", "name": name_of(code), "version": version}
            for code, version in identity.specializations
        ],
        "production": [
            {
                "kind": PRODUCTION.get(detail.kind, str(detail.kind)),
                "component": detail.component_id,
                "text": detail.text,
            }
            for detail in identity.production
        ],
        "attributes": [
            {"id": number, "name": attribute_name(number), "hex": value[:VALUE_BYTES_MAX].hex(), "octets": len(value)}
            for number, value in report.attributes
        ],
        "attributes_left_out": report.attributes_dropped,
        "unreadable": [attribute_name(number) for number in identity.unreadable],
    }


def _regulatory(identity: DeviceIdentity) -> list[Json]:
    octets = dict(identity.attributes).get(Attribute.REG_CERT_DATA_LIST)
    if octets is None:
        return []
    try:
        return [_certification(each) for each in certifications(octets)[:OBJECTS_MAX]]
    except RemoteProtocolError:
        return [{"body": None, "structure": None, "hex": octets[:VALUE_BYTES_MAX].hex()}]


def _certification(each: Certification) -> Json:
    return {
        "body": each.body.name.lower(),
        "structure": each.structure,
        "version": None if each.version is None else f"{each.version[0]}.{each.version[1]}",
        "classes": [
            {
                "transport": certified.transport.name.lower(),
                "profile": name_of(Code(PARTITION_INFRASTRUCTURE, certified.profile)),
            }
            for certified in each.classes
        ],
        "unregulated": each.unregulated,
        "hex": each.octets[:VALUE_BYTES_MAX].hex(),
    }


def _configuration(report: DeviceHistory, learned: bytes | None) -> Json | None:
    if report.config_id is None:
        return None
    configuration = _found(report.config_id, learned)
    objects = () if configuration is None else configuration.objects
    budget = _Budget()
    return {
        "id": report.config_id,
        "kind": "standard" if is_standard(report.config_id) else "extended",
        "learned": report.learned,
        "agreed": None if report.agreed_us is None else utc_text(report.agreed_us),
        "known": configuration is not None,
        "objects": [_object(_as_it_stands(item, report), budget) for item in objects[:OBJECTS_MAX]],
        "objects_left_out": max(0, len(objects) - OBJECTS_MAX),
        "attributes_left_out": budget.left_out,
    }


def _as_it_stands(item: ConfigObject, report: DeviceHistory) -> ConfigObject:
    """Return an object of the configuration with the attributes that later reports have changed or added."""
    sent = {number: value for (handle, number), value in report.object_attributes.items() if handle == item.obj_handle}
    kept = tuple(ava for ava in item.attributes if ava.attribute_id not in sent)
    return replace(item, attributes=kept + tuple(AvaType(number, value) for number, value in sent.items()))


def _found(config_id: int, learned: bytes | None) -> Configuration | None:
    if learned is None:
        return standard_configuration(config_id)
    try:
        return Configuration.decode(config_id, learned)
    except RemoteProtocolError:
        return None


class _Budget:
    """Counter of the attributes and scanner entries that the report may still list, and of those that it leaves out."""

    def __init__(self) -> None:
        self.attributes = ATTRIBUTES_MAX
        self.scans = SCANS_MAX
        self.left_out = 0

    def taken(self, attributes: Sequence[AvaType]) -> Sequence[AvaType]:
        kept = attributes[: self.attributes]
        self.attributes -= len(kept)
        self.left_out += len(attributes) - len(kept)
        return kept


def _object(item: ConfigObject, budget: _Budget) -> Json:
    attributes = attributes_of(item.attributes)
    kind, unit = attributes.get(Attribute.TYPE, b""), attributes.get(Attribute.UNIT_CODE, b"")
    code = Code(int.from_bytes(kind[:2], "big"), int.from_bytes(kind[2:], "big")) if len(kind) == 4 else None
    unit_code = Code(PARTITION_DIMENSION, int.from_bytes(unit, "big")) if len(unit) == 2 else None
    scans = scanner_map(attributes.get(Attribute.SCAN_HANDLE_ATTR_VAL_MAP, bytes(4)))[: budget.scans]
    budget.scans -= len(scans)
    return {
        "handle": item.obj_handle,
        "class": ObjectClass(item.obj_class).name.lower().replace("_", "-"),
        "type": None if code is None else name_of(code),
        "says": None if code is None else term_of(code).display,
        "unit": None if unit_code is None else name_of(unit_code),
        "attributes": [_attribute(ava) for ava in budget.taken(item.attributes)],
        "scans": [{"handle": handle, "values": map_words(mapped)[:WORDS_LENGTH_MAX]} for handle, mapped in scans],
    }


def _attribute(ava: AvaType) -> Json:
    words = attribute_words(ava.attribute_id, ava.attribute_value)
    return {
        "id": ava.attribute_id,
        "name": attribute_name(ava.attribute_id),
        "says": None if words is None else words[:WORDS_LENGTH_MAX],
        "hex": ava.attribute_value[:VALUE_BYTES_MAX].hex(),
        "octets": len(ava.attribute_value),
    }


def _clock(report: DeviceHistory, identity: DeviceIdentity) -> Json:
    shown = identity.date_and_time
    return {
        "info": None if identity.time_info is None else _time_info(identity.time_info),
        "showed": None if shown is None else shown.text(),
        "readable": shown is not None and shown.local_us() is not None,
        "relations": [_relation(kind, clock) for kind, clock in report.clocks.items()],
        "settings": [_setting(each) for each in reversed(report.settings)],
    }


def _time_info(info: MdsTimeInfo) -> Json:
    has_base_offset = bool(info.mds_time_cap_state & 0x0100)
    return {
        "capabilities": list(bit_names(info.mds_time_cap_state, TIME_CAPABILITIES)),
        "synchronised_by": name_of(Code(PARTITION_INFRASTRUCTURE, info.time_sync_protocol))
        if info.time_sync_protocol
        else None,
        "accuracy_s": None
        if info.time_sync_accuracy == _UNKNOWN_ACCURACY
        else info.time_sync_accuracy * _RELATIVE_US / 1_000_000,
        "date_step_s": info.time_resolution_abs_time / (65_536 if has_base_offset else 100),
        "relative_step_s": info.time_resolution_rel_time * _RELATIVE_US / 1_000_000,
        "high_resolution_step_s": info.time_resolution_high_res_time / 1_000_000,
    }


def _relation(kind: TimeKind, clock: SeenClock) -> Json:
    """Return the relation of a device clock to UTC. `offset_s` is UTC minus the device's clock. A counter since
    power-on has `zero_at` instead, the time at which it was zero."""
    counter = kind in (TimeKind.RELATIVE, TimeKind.HIGH_RESOLUTION)
    known = clock.offset_us is not None
    return {
        "clock": kind.name.lower().replace("_", "-"),
        "offset_s": clock.offset_us / 1_000_000 if clock.offset_us is not None and not counter else None,
        "zero_at": utc_text(clock.offset_us) if clock.offset_us is not None and counter else None,
        "uncertainty_s": clock.uncertainty_us / 1_000_000 if known else None,
        "drift_ppm": None if clock.drift_ppm is None else round(clock.drift_ppm, 1),
        "as_of": utc_text(clock.at_us),
    }


def _setting(each: ClockSetting) -> Json:
    return {
        "at": utc_text(each.at_us),
        "outcome": each.outcome.value,
        "why": each.why,
        "offset_s": None if each.offset_us is None else each.offset_us / 1_000_000,
        "uncertainty_s": None if each.uncertainty_us is None else each.uncertainty_us / 1_000_000,
    }


def _power(identity: DeviceIdentity) -> Json:
    return {
        "status": [] if identity.power_status is None else list(bit_names(identity.power_status, POWER_STATUS)),
        "battery_percent": identity.battery_percent,
        "battery_remaining": None if identity.battery_remaining is None else _quantity(*identity.battery_remaining),
    }


def _quantity(value: Scalar, unit: Code) -> str:
    """Return a quantity as text, for example the remaining battery time `90.0 MDC_DIM_MIN`."""
    return f"{value.name if isinstance(value, Special) else value} {name_of(unit)}"


def _deviation(each: SeenDeviation) -> Json:
    oddity = BY_KEY.get(each.key)
    return {
        "key": each.key,
        "sentence": each.sentence,
        "clause": each.clause,
        "outcome": None if oddity is None else oddity.outcome.value,
        "done": None if oddity is None else oddity.done,
        "associations": each.associations,
        "first_seen": utc_text(each.first_us),
        "last_seen": utc_text(each.last_us),
        "hex": each.octets.hex(),
    }
