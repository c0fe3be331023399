"""Properties and specializations of a device in FHIR, from how the device describes itself (reference FHIR §7, §8).

The battery level is an observation of the device, and no property.
"""

from typing import Final

from protocols.device_description import DeviceDescription
from protocols.fhir.datatypes import Json, coding, concept, mdc_coding
from protocols.fhir.systems import BITS, CONTINUA_INTERFACES, UCUM, YES_NO
from protocols.ieee11073.dim.attribute import PARTITION_INFRASTRUCTURE
from protocols.ieee11073.nomenclature import Code, code_of

CONTINUA_VERSION: Final = 532352
"""Type of the version of the Continua guidelines, in `Device.version`."""
_SYNC_PROTOCOL, _SYNC_ACCURACY = code_of("MDC_TIME_SYNC_PROTOCOL"), code_of("MDC_TIME_SYNC_ACCURACY")
_RESOLUTION_ABSOLUTE, _RESOLUTION_BASE_OFFSET = code_of("MDC_TIME_RES_ABS"), code_of("MDC_TIME_RES_BO")
_CERTIFIED = code_of("MDC_REG_CERT_DATA_CONTINUA_CERT_DEV_LIST")
_CAPABILITIES, _REGULATION = "68219", "532354.0"
_CAPABILITY_NAMES = (
    *("mds-time-capab-real-time-clock", "mds-time-capab-set-clock", "mds-time-capab-relative-time"),
    *("mds-time-capab-high-res-relative-time", "mds-time-capab-sync-abs-time", "mds-time-capab-sync-rel-time"),
    *("mds-time-capab-sync-hi-res-relative-time", "mds-time-capab-bo-time", "mds-time-state-abs-time-synced"),
    *("mds-time-state-rel-time-synced", "mds-time-state-hi-res-relative-time-synced", "mds-time-mgr-set-time"),
    *("mds-time-capab-sync-bo-time", "mds-time-state-bo-time-synced", "mds-time-state-bo-time-UTC-aligned"),
    "mds-time-dst-rules-enabled",
)
"""Names of the bits of mds-time-cap-state, from bit 0."""
_BASE_OFFSET = 0x0100
_CLASSES_OF_TRANSPORT, _PROFILES_FROM = 8192, 4096


def specializations_of(described: DeviceDescription, otherwise: Code) -> list[Json]:
    """Return the device profiles with their versions; without any, `otherwise` in version 1."""
    profiles = [(Code(PARTITION_INFRASTRUCTURE, each.code), str(each.version)) for each in described.profiles]
    return [
        {"systemType": concept(mdc_coding(code)), "version": version}
        for code, version in profiles or [(otherwise, "1")]
    ]


def properties_of(described: DeviceDescription) -> list[Json]:
    """Return the clock, the certified interfaces and the regulation of a device, as far as it has sent them."""
    found = _clock(described)
    if described.certified:
        codes = [each.transport * _CLASSES_OF_TRANSPORT + each.code - _PROFILES_FROM for each in described.certified]
        interfaces = [concept(coding(CONTINUA_INTERFACES, str(code))) for code in codes if code >= 0]
        found.append({"type": concept(mdc_coding(_CERTIFIED)), "valueCode": interfaces})
    if described.unregulated is not None:
        found.append(_bit(_REGULATION, "", described.unregulated))
    return [each for each in found if each.get("valueCode") or each.get("valueQuantity")]


def _clock(described: DeviceDescription) -> list[Json]:
    bits, found = described.clock_capabilities, list[Json]()
    if bits is None:
        return found
    if described.clock_protocol is not None:
        protocol = concept(mdc_coding(Code(PARTITION_INFRASTRUCTURE, described.clock_protocol)))
        found.append({"type": concept(mdc_coding(_SYNC_PROTOCOL)), "valueCode": [protocol]})
    for number, name in enumerate(_CAPABILITY_NAMES):
        if bits >> (len(_CAPABILITY_NAMES) - 1 - number) & 1:
            found.append(_bit(f"{_CAPABILITIES}.{number}", name, True))
    resolution = _RESOLUTION_BASE_OFFSET if bits & _BASE_OFFSET else _RESOLUTION_ABSOLUTE
    for code, time_us in ((_SYNC_ACCURACY, described.clock_accuracy_us), (resolution, described.clock_resolution_us)):
        if time_us is not None:
            quantity = {"value": time_us, "unit": "us", "system": UCUM, "code": "us"}
            found.append({"type": concept(mdc_coding(code)), "valueQuantity": [quantity]})
    return found


def _bit(code: str, name: str, is_set: bool) -> Json:
    return {
        "type": concept(coding(BITS, code, name)),
        "valueCode": [concept(coding(YES_NO, "Y" if is_set else "N"))],
    }
