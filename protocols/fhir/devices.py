"""Devices of the vehicle in FHIR: medical devices, gateways, the metrics of a device, and its coincident time stamps.

A profile of the HL7 Personal Health Device guide is stated only where all facts that it requires are known: its Device
needs a manufacturer, a model and a version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from protocols.device_description import NO_DESCRIPTION, DeviceDescription
from protocols.device_time import DeviceTime, TimeKind
from protocols.epcr.element import Audience
from protocols.fhir.datatypes import Json, coding, concept, entry, identifiers, mdc_coding, meta, reference
from protocols.fhir.device_properties import properties_of, specializations_of
from protocols.fhir.ids import ResourceIds
from protocols.fhir.measured import UNKNOWN, unit_members
from protocols.fhir.systems import BLUETOOTH_ADDRESS, DEVICE_IDENTIFIERS, EUI_64, GATEWAY, MDC, PHD_PROFILE
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation_record import ObservationRecord, utc_text

_MEDICAL_DEVICE, _GATEWAY = code_of("MDC_MOC_VMS_MDS_SIMP"), code_of("MDC_MOC_VMS_MDS_AHD")
_METRIC_UNIT_TEXT = "unit"
_HEX = frozenset("0123456789abcdefABCDEF")
_EUI_64_DIGITS, _EUI_48_DIGITS = 16, 12
GENERIC: Final = "MDC_DEV_SPEC_PROFILE_GENERIC"
SPECIALIZATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "oximeter": "MDC_DEV_SPEC_PROFILE_PULS_OXIM",
        "bp": "MDC_DEV_SPEC_PROFILE_BP",
        "ecg": "MDC_DEV_SPEC_PROFILE_MIN_ECG",
        "glucose": "MDC_DEV_SPEC_PROFILE_GLUCOSE",
        "thermometer": "MDC_DEV_SPEC_PROFILE_TEMP",
        "multiparameter": "MDC_DEV_SPEC_PROFILE_HYDRA",
    }
)
"""Specialization of a class of devices. Defibrillators and capnographs have none, so theirs is the generic one."""
HARDWARE, SOFTWARE, FIRMWARE, PROTOCOL = 531974, 531975, 531976, 531977
"""Types of `DeviceFacts.versions`."""
_UNVERIFIED = (
    "Only the device's own claim identifies it: it is connected by a network link that no operator has accepted."
)
_OFFSET_STEP_US = 1_000_000
"""Changes of a clock's offset below a second are drift and jitter, not a new setting of the clock."""
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFacts:
    """Facts about a medical device. `system_id` is its EUI-64 or Bluetooth address in hex, or empty; `id` is the
    cloud's id, used where there is no system id. Empty: not known. `versions` maps a type, such as `FIRMWARE`, to a
    version. `described` is the device's own description, for what no other field has."""

    id: str
    system_id: str = ""
    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    device_class: str = ""
    unverified_link: bool = False
    versions: Mapping[int, str] = field(default_factory=dict)
    described: DeviceDescription = NO_DESCRIPTION


class DeviceEntries:
    """Makes the entries of devices, and of what belongs to them."""

    def __init__(self, ids: ResourceIds, audience: Audience) -> None:
        self._ids = ids
        self._audience = audience

    def device_id(self, facts: DeviceFacts) -> str:
        """Return the id of a device. A device that only claims to be this one has another id."""
        trust = "unverified" if facts.unverified_link else "verified"
        return self._ids.id_of("device", trust, facts.system_id.lower() or facts.id)

    def device(self, facts: DeviceFacts) -> Json:
        id_ = self.device_id(facts)
        complete = bool(facts.manufacturer and facts.model and facts.versions)
        specialization = code_of(SPECIALIZATIONS.get(facts.device_class, GENERIC))
        return entry(
            id_,
            {
                "resourceType": "Device",
                "meta": meta(self._audience, *([f"{PHD_PROFILE}PhdDevice"] if complete else [])),
                "identifier": identifiers(id_, *_system_identifiers(facts.system_id)),
                "manufacturer": facts.manufacturer or None,
                "serialNumber": facts.serial_number or None,
                "modelNumber": facts.model or None,
                "partNumber": facts.described.part_number or None,
                "type": concept(mdc_coding(_MEDICAL_DEVICE)),
                "specialization": specializations_of(facts.described, specialization),
                "version": _versions(facts.versions) or None,
                "property": properties_of(facts.described) or None,
                "note": [{"text": _UNVERIFIED}] if facts.unverified_link else None,
            },
        )

    def gateway_id(self, gateway: str) -> str:
        return self._ids.id_of("gateway", gateway)

    def gateway(self, gateway: str, versions: Mapping[int, str] = MappingProxyType({})) -> Json:
        """Return the entry of the gateway with this id."""
        id_ = self.gateway_id(gateway)
        return entry(
            id_,
            {
                "resourceType": "Device",
                "meta": meta(self._audience, *([f"{PHD_PROFILE}PhgDevice"] if versions else [])),
                "identifier": identifiers(id_, {"system": GATEWAY, "value": gateway}),
                "manufacturer": "Argus",
                "type": concept(mdc_coding(_GATEWAY)),
                "specialization": [{"systemType": concept(mdc_coding(code_of(GENERIC))), "version": "1"}],
                "version": _versions(versions) or None,
            },
        )

    def metric_id(self, record: ObservationRecord, device: str, *, name: str = "", unit: str = "") -> str:
        """Return the id of the metric that this observation of the device with the id `device` belongs to. `name` and
        `unit`: the code and unit as an application posted them."""
        members = unit_members(record.unit, unit)
        type_ = record.type.context_free
        return self._ids.id_of(
            "metric", device, str(record.handle), str(type_), name, members["system"], members["code"]
        )

    def metric(self, record: ObservationRecord, device: str, *, name: str = "", unit: str = "") -> Json:
        """Return the entry of the metric that `metric_id` identifies."""
        members = unit_members(record.unit, unit)
        id_ = self.metric_id(record, device, name=name, unit=unit)
        known = record.type != UNKNOWN
        return entry(
            id_,
            {
                "resourceType": "DeviceMetric",
                "meta": meta(self._audience, *([f"{PHD_PROFILE}PhdDeviceMetric"] if known else [])),
                "identifier": identifiers(id_),
                "type": concept(mdc_coding(record.type)) if known else concept(text=name or "unknown"),
                "unit": concept(coding(members["system"], members["code"]), text=members[_METRIC_UNIT_TEXT]),
                "source": reference("Device", device),
                "category": "measurement",
            },
        )


def _versions(versions: Mapping[int, str]) -> Sequence[Json]:
    return [
        {"type": concept(mdc_coding(Code(type_ >> 16, type_ & 0xFFFF))), "value": text}
        for type_, text in sorted(versions.items())
    ]


def _system_identifiers(system_id: str) -> list[Json]:
    """Return the identifiers of the guide: EUI-64 in hex pairs, or the Bluetooth address."""
    if not _HEX.issuperset(system_id):
        return []
    kinds = {_EUI_64_DIGITS: ("SYSID", EUI_64), _EUI_48_DIGITS: ("BTMAC", BLUETOOTH_ADDRESS)}
    if (kind := kinds.get(len(system_id))) is None:
        return []
    name, system = kind
    pairs = "-".join(system_id[at : at + 2] for at in range(0, len(system_id), 2)).upper()
    return [{"type": concept(coding(DEVICE_IDENTIFIERS, name)), "system": system, "value": pairs}]


_CLOCK_CODES: Final = MappingProxyType(
    {
        TimeKind.ABSOLUTE: "67975",
        TimeKind.BASE_OFFSET: "68226",
        TimeKind.RELATIVE: "67983",
        TimeKind.HIGH_RESOLUTION: "68072",
    }
)
_CLOCK_NAMES: Final = MappingProxyType(
    {
        TimeKind.ABSOLUTE: "MDC_ATTR_TIME_ABS",
        TimeKind.BASE_OFFSET: "MDC_ATTR_TIME_STAMP_BO",
        TimeKind.RELATIVE: "MDC_ATTR_TIME_REL",
        TimeKind.HIGH_RESOLUTION: "MDC_ATTR_TIME_HI_RES",
    }
)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The relation of a device's clock to UTC in one hour, from the first observation with a time of this clock."""

    kind: TimeKind
    hour: int
    offset: int
    """Seconds from the clock to UTC, rounded."""


@dataclass(frozen=True, slots=True)
class SentTime:
    """The time that a device sent with an observation, and the same time in µs on the device's clock (None: it is
    unreadable)."""

    time: DeviceTime
    local_us: int | None


def clock_reading(sent: SentTime, observed_at_us: int, received_at_us: int) -> ClockReading | None:
    """Return the clock reading that corrects the time of an observation; None where the offset of the device's clock is
    not known, and for a clock in UTC that is right."""
    kind, local_us = sent.time.kind, sent.local_us
    if local_us is None or observed_at_us == received_at_us:
        return None
    offset = (observed_at_us - local_us + _OFFSET_STEP_US // 2) // _OFFSET_STEP_US
    if offset == 0 and kind is TimeKind.BASE_OFFSET:
        return None
    return ClockReading(kind, observed_at_us // _HOUR_US, offset)


class CoincidentTimeStamps:
    """Makes the coincident time stamp observations of one device and gateway."""

    def __init__(self, ids: ResourceIds, audience: Audience, *, device: str, gateway: str) -> None:
        self._ids = ids
        self._audience = audience
        self._device, self._gateway = device, gateway

    def id_of(self, reading: ClockReading) -> str:
        place = (reading.kind.value, str(reading.hour), str(reading.offset))
        return self._ids.id_of("coincident time stamp", self._device, self._gateway, *place)

    def entry(self, reading: ClockReading, sent: SentTime, observed_at_us: int) -> Json:
        """Return the entry of a reading, from the first observation that has it. The device's time is written in UTC
        as the gateway's is, so that the difference of the two times is the whole correction."""
        local_us = sent.local_us
        assert local_us is not None, "an observation with a reading has a time"
        id_ = self.id_of(reading)
        return entry(
            id_,
            {
                "resourceType": "Observation",
                "meta": meta(self._audience, f"{PHD_PROFILE}PhdCoincidentTimeStampObservation"),
                "identifier": identifiers(id_),
                "status": "final",
                "code": concept(coding(MDC, _CLOCK_CODES[reading.kind], _CLOCK_NAMES[reading.kind])),
                "subject": reference("Device", self._device),
                "effectiveDateTime": utc_text(observed_at_us),
                "device": reference("Device", self._gateway),
                **_clock_value(sent.time, local_us),
            },
        )


def _clock_value(time: DeviceTime, local_us: int) -> Json:
    if time.kind in (TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET):
        return {"valueDateTime": utc_text(local_us)}
    return {"valueQuantity": {"value": local_us, "unit": "us", "system": "http://unitsofmeasure.org", "code": "us"}}
