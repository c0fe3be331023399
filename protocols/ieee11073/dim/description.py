"""Description and power supply of a device, from the attributes of its MDS object (reference 20601 §8.1).

The values have fixed limits and units, unlike the attributes, which stay as sent in `DeviceIdentity`.
"""

from typing import Any

from protocols.device_description import (
    BATTERY_REMAINING_MIN_MAX,
    CERTIFIED_MAX,
    PERCENT_MAX,
    PROFILES_MAX,
    CertifiedProfile,
    DeviceDescription,
    DevicePower,
    DeviceProfile,
    clean_text,
)
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.dim.attribute import PARTITION_DIMENSION, Attribute
from protocols.ieee11073.dim.identity import DeviceIdentity, MdsTimeInfo
from protocols.ieee11073.dim.regulatory import certifications
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Scalar, Special

_PRODUCTION = {
    1: "serial_number",
    2: "part_number",
    3: "hardware_revision",
    4: "software_revision",
    5: "firmware_revision",
    6: "protocol_revision",
    7: "gmdn",
}
"""Field of each spec-type of a Production-Specification."""
_WHOLE_DEVICE = 0
"""component-id of the device as a whole; others are its modules."""
_BASE_OFFSET = 0x0100
_ACCURACY_UNKNOWN = 0xFFFFFFFF
_RELATIVE_US = 125
_HUNDREDTH_US = 10_000
_MINUTES = {2176: 1 / 60, 2208: 1.0, 2240: 60.0, 2272: 1440.0}
"""Minutes in each unit of time: MDC_DIM_SEC, MDC_DIM_MIN, MDC_DIM_HR and MDC_DIM_DAY."""


def description_of(identity: DeviceIdentity) -> DeviceDescription:
    return DeviceDescription(
        manufacturer=clean_text(identity.manufacturer),
        model=clean_text(identity.model),
        profiles=tuple(DeviceProfile(code.code, version) for code, version in identity.specializations[:PROFILES_MAX]),
        **_production(identity),
        **_certification(identity),
        **_clock(identity.time_info),
    )


def power_of(identity: DeviceIdentity) -> DevicePower:
    """Return the power supply of a device. A battery level above 100 % is left out."""
    percent = identity.battery_percent
    return DevicePower(
        battery_percent=percent if percent is not None and percent <= PERCENT_MAX else None,
        status=identity.power_status,
        battery_remaining_min=None if identity.battery_remaining is None else _minutes(*identity.battery_remaining),
    )


def _production(identity: DeviceIdentity) -> dict[str, Any]:
    """Return the texts of the Production-Specification. Of several texts of one kind, the one of the whole device
    counts, otherwise the first."""
    found: dict[str, Any] = {}
    modules_last = sorted(identity.production, key=lambda detail: detail.component_id != _WHOLE_DEVICE)
    for detail in modules_last:
        if detail.kind in _PRODUCTION:
            found.setdefault(_PRODUCTION[detail.kind], clean_text(detail.text))
    return found


def _certification(identity: DeviceIdentity) -> dict[str, Any]:
    octets = dict(identity.attributes).get(Attribute.REG_CERT_DATA_LIST)
    try:
        entries = () if octets is None else certifications(octets)
    except RemoteProtocolError:
        return {}
    versions = [f"{entry.version[0]}.{entry.version[1]}" for entry in entries if entry.version is not None]
    certified = [CertifiedProfile(each.transport, each.profile) for entry in entries for each in entry.classes]
    stated = [entry.unregulated for entry in entries if entry.unregulated is not None]
    return {
        "certified_version": versions[0] if versions else "",
        "certified": tuple(certified[:CERTIFIED_MAX]),
        "unregulated": stated[0] if stated else None,
    }


def _clock(info: MdsTimeInfo | None) -> dict[str, Any]:
    if info is None:
        return {}
    step = info.time_resolution_abs_time
    has_base_offset = bool(info.mds_time_cap_state & _BASE_OFFSET)
    step_us = step * 1_000_000 // 65_536 if has_base_offset else step * _HUNDREDTH_US
    accuracy = info.time_sync_accuracy
    return {
        "clock_capabilities": info.mds_time_cap_state,
        "clock_protocol": info.time_sync_protocol or None,
        "clock_accuracy_us": None if accuracy == _ACCURACY_UNKNOWN else accuracy * _RELATIVE_US,
        "clock_resolution_us": step_us or None,
    }


def _minutes(value: Scalar, unit: Code) -> int | None:
    """Return a remaining battery time in whole minutes; None for a special value, another unit, or an impossible
    time."""
    factor = _MINUTES.get(unit.code) if unit.partition == PARTITION_DIMENSION else None
    if factor is None or isinstance(value, Special):
        return None
    minutes = value * factor
    return round(minutes) if 0 <= minutes <= BATTERY_REMAINING_MIN_MAX else None
