"""Identity of a device, from the attributes of its MDS object (reference 20601 §8.1).

Devices leave fields empty, pad text with spaces or NUL, and add attributes of later editions. So every field may be
None or empty. A malformed attribute fills no field; `attributes` has all attributes as sent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AvaType, ProductionSpecEntry, SystemModel, TypeVersion
from protocols.ieee11073.dim.attribute import PARTITION_DIMENSION, PARTITION_INFRASTRUCTURE, Attribute
from protocols.ieee11073.mder import U16, U32, Bits16, OidType, RelativeTime, decode, decode_list, sequence
from protocols.ieee11073.nomenclature.code import Code
from protocols.medfloat import float_of
from protocols.observation import Scalar
from protocols.reader import Reader

ATTRIBUTE_BYTES_MAX = 0xFFFF
"""Limit in bytes of the attributes kept for one device: the most that one AttributeList can hold."""
AVA_BYTES = 4
"""Id and length before an attribute's bytes."""
SERIAL_NUMBER = 1
FIRMWARE_REVISION = 5


@sequence
class MdsTimeInfo:
    """Mds-Time-Info: the device's clocks, their accuracy and their resolution."""

    mds_time_cap_state: Bits16
    time_sync_protocol: OidType
    time_sync_accuracy: RelativeTime
    time_resolution_abs_time: U16
    time_resolution_rel_time: U16
    time_resolution_high_res_time: U32


@dataclass(frozen=True, slots=True)
class ProductionDetail:
    """One item of the production specification. `kind`: 1 serial number, 2 part number, 3 hardware, 4 software, 5
    firmware, 6 protocol revision, 7 GMDN code."""

    kind: int
    component_id: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceIdentity:
    """A device as it describes itself. A field is empty or None where its attribute is absent."""

    system_id: bytes
    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    firmware: str = ""
    specializations: tuple[tuple[Code, int], ...] = ()
    """Profile (partition 8) and version."""
    config_id: int | None = None
    production: tuple[ProductionDetail, ...] = ()
    time_info: MdsTimeInfo | None = None
    date_and_time: DeviceTime | None = None
    """The time of the device's clock in its response."""
    battery_percent: int | None = None
    power_status: int | None = None
    battery_remaining: tuple[Scalar, Code] | None = None
    """Remaining battery time, with the unit."""
    attributes: tuple[tuple[int, bytes], ...] = ()
    """All attributes as sent, also those with no field here."""
    unreadable: tuple[int, ...] = ()
    """Ids of attributes whose value is malformed."""


def identity_of(system_id: bytes, attributes: tuple[AvaType, ...]) -> DeviceIdentity:
    """Return the identity from a Get response of the MDS. `system_id` is the system id in the AARQ; a system id in
    `attributes` does not replace it."""
    known: dict[str, object] = {}
    unreadable = []
    for ava in attributes:
        try:
            known.update(_fields_of(ava.attribute_id, ava.attribute_value))
        except RemoteProtocolError:
            unreadable.append(ava.attribute_id)
    return DeviceIdentity(
        system_id=system_id,
        attributes=tuple((ava.attribute_id, ava.attribute_value) for ava in attributes),
        unreadable=tuple(unreadable),
        **known,  # type: ignore[arg-type]  # each name and type is paired in _fields_of, which mypy cannot follow
    )


def changed(identity: DeviceIdentity, attributes: tuple[tuple[int, bytes], ...]) -> DeviceIdentity:
    """Return the identity with the values of `attributes` replaced or added. A value is ignored as implausible if all
    attributes together would no longer fit into one Get response (`ATTRIBUTE_BYTES_MAX`)."""
    kept = dict(identity.attributes)
    room = ATTRIBUTE_BYTES_MAX - sum(len(data) + AVA_BYTES for data in kept.values())
    for attribute, data in attributes:
        more = len(data) - len(kept[attribute]) if attribute in kept else len(data) + AVA_BYTES
        if more <= max(room, 0):
            room -= more
            kept[attribute] = data
    return identity_of(identity.system_id, tuple(AvaType(*pair) for pair in kept.items()))


def _fields_of(attribute_id: int, value: bytes) -> Iterator[tuple[str, object]]:
    """Yield the `DeviceIdentity` fields that an attribute fills. Raises `RemoteProtocolError` if it is malformed."""
    match attribute_id:
        case Attribute.SYSTEM_MODEL:
            model = decode(SystemModel, value)
            yield "manufacturer", printable(model.manufacturer)
            yield "model", printable(model.model_number)
        case Attribute.SYSTEM_TYPE_SPEC_LIST:
            entries = decode_list(TypeVersion, value)
            yield (
                "specializations",
                tuple((Code(PARTITION_INFRASTRUCTURE, item.type), item.version) for item in entries),
            )
        case Attribute.PRODUCTION_SPECIFICATION:
            details = tuple(
                ProductionDetail(item.spec_type, item.component_id, printable(item.prod_spec))
                for item in decode_list(ProductionSpecEntry, value)
            )
            yield "production", details
            for detail in details:
                if detail.kind == SERIAL_NUMBER:
                    yield "serial_number", detail.text
                elif detail.kind == FIRMWARE_REVISION:
                    yield "firmware", detail.text
        case Attribute.MDS_TIME_INFO:
            yield "time_info", decode(MdsTimeInfo, value)
        case Attribute.DATE_AND_TIME:
            yield "date_and_time", DeviceTime(TimeKind.ABSOLUTE, _exactly(value, 8))
        case Attribute.BASE_OFFSET_TIME:
            yield "date_and_time", DeviceTime(TimeKind.BASE_OFFSET, _exactly(value, 8))
        case Attribute.DEV_CONFIGURATION_ID:
            yield "config_id", int.from_bytes(_exactly(value, 2), "big")
        case Attribute.BATTERY_LEVEL:
            yield "battery_percent", int.from_bytes(_exactly(value, 2), "big")
        case Attribute.REMAINING_BATTERY_TIME:
            reader = Reader(_exactly(value, 6))
            yield "battery_remaining", (float_of(reader.u32()), Code(PARTITION_DIMENSION, reader.u16()))
        case Attribute.POWER_STATUS:
            yield "power_status", int.from_bytes(_exactly(value, 2), "big")
        case _:
            return


def _exactly(value: bytes, size: int) -> bytes:
    reader = Reader(value, clause="20601 §8.1 MDS attribute")
    taken = reader.take(size)
    reader.finish()
    return taken


def printable(data: bytes) -> str:
    """Return a device's printable string without its padding. Invalid text and control characters, which could control
    a reader's terminal, become replacement characters."""
    text = data.rstrip(b" \x00").decode("utf-8", errors="replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
