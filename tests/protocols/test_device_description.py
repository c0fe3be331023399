"""A device's own description is cleaned and limited, and reaches the cloud as sent in the fields of an event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.ble.current_time import (
    CURRENT_TIME,
    REFERENCE_TIME_INFORMATION,
    CurrentTimeReader,
    ReferenceTimeInformation,
    encode_reference_time_information,
)
from protocols.device_description import (
    CERTIFIED_MAX,
    PROFILES_MAX,
    TEXT_LENGTH_MAX,
    CertifiedProfile,
    DeviceDescription,
    DevicePower,
    DeviceProfile,
    clean_text,
)
from protocols.ieee11073.apdu.attributes import AvaType, ProductionSpecEntry, SystemModel, TypeVersion
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.description import description_of, power_of
from protocols.ieee11073.dim.identity import DeviceIdentity, identity_of
from protocols.ieee11073.dim.regulatory import AuthBody, ContinuaClasses, RegCertData
from protocols.ieee11073.mder import encode, encode_list
from protocols.uplink.device_events import (
    DEVICE_DESCRIBED,
    described_device,
    description_fields,
    power_fields,
    read_description,
    read_power,
)
from protocols.uplink.events import EventField, GatewayEvent, decode_event, encode_event

SYSTEM_ID = bytes.fromhex("1122334455667788")
CERTIFICATION = encode_list(
    (
        RegCertData(AuthBody.CONTINUA, 1, encode(ContinuaClasses(3, 0, (2 * 8192 + 4,)))),
        RegCertData(AuthBody.CONTINUA, 2, bytes.fromhex("8000")),
    )
)


def identity(*attributes: tuple[Attribute, bytes]) -> DeviceIdentity:
    return identity_of(SYSTEM_ID, tuple(AvaType(*each) for each in attributes))


def production(*entries: tuple[int, int, bytes]) -> tuple[Attribute, bytes]:
    return Attribute.PRODUCTION_SPECIFICATION, encode_list(tuple(ProductionSpecEntry(*each) for each in entries))


def test_attributes_of_the_mds_become_the_description() -> None:
    described = description_of(
        identity(
            (Attribute.SYSTEM_MODEL, encode(SystemModel(b"Synthetic ", b"Pulse 1\0"))),
            production((1, 0, b"SN-7"), (2, 0, b"PN"), (3, 0, b"A1"), (4, 0, b"2.0"), (5, 0, b"1.4"), (6, 0, b"1")),
            (Attribute.SYSTEM_TYPE_SPEC_LIST, encode_list((TypeVersion(4100, 1), TypeVersion(4102, 2)))),
            (Attribute.REG_CERT_DATA_LIST, CERTIFICATION),
            (Attribute.MDS_TIME_INFO, bytes.fromhex("C010 1F00 00000008 0001 0000 00000000")),
        )
    )
    assert described == DeviceDescription(
        manufacturer="Synthetic",
        model="Pulse 1",
        serial_number="SN-7",
        part_number="PN",
        hardware_revision="A1",
        software_revision="2.0",
        firmware_revision="1.4",
        protocol_revision="1",
        profiles=(DeviceProfile(4100, 1), DeviceProfile(4102, 2)),
        certified_version="3.0",
        certified=(CertifiedProfile(2, 4100),),
        unregulated=True,
        clock_capabilities=0xC010,
        clock_protocol=0x1F00,
        clock_accuracy_us=1000,
        clock_resolution_us=10_000,
    )


def test_texts_of_the_whole_device_count_before_those_of_its_modules() -> None:
    described = description_of(identity(production((5, 2, b"module"), (5, 0, b"device"), (1, 7, b"SN-module"))))
    assert (described.firmware_revision, described.serial_number) == ("device", "SN-module")


@pytest.mark.parametrize("malformed", [b"", b"\0\1", b"\0\1\0\4\2\1\0\0", CERTIFICATION + b"\0"])
def test_malformed_attribute_leaves_the_others(malformed: bytes) -> None:
    described = description_of(
        identity(
            (Attribute.REG_CERT_DATA_LIST, malformed),
            (Attribute.MDS_TIME_INFO, malformed),
            (Attribute.SYSTEM_MODEL, encode(SystemModel(b"Synthetic ", b"Pulse 1\0"))),
        )
    )
    assert described == DeviceDescription(manufacturer="Synthetic", model="Pulse 1")


@pytest.mark.parametrize(
    ("attribute", "octets", "power"),
    [
        (Attribute.BATTERY_LEVEL, "0057", DevicePower(battery_percent=87)),
        (Attribute.BATTERY_LEVEL, "0065", DevicePower()),
        (Attribute.POWER_STATUS, "4020", DevicePower(status=0x4020)),
        (Attribute.REMAINING_BATTERY_TIME, "0000005A 08A0", DevicePower(battery_remaining_min=90)),
        (Attribute.REMAINING_BATTERY_TIME, "00000002 08C0", DevicePower(battery_remaining_min=120)),
        (Attribute.REMAINING_BATTERY_TIME, "007FFFFF 08A0", DevicePower()),  # NaN
        (Attribute.REMAINING_BATTERY_TIME, "00FFFFFF 08A0", DevicePower()),  # negative
        (Attribute.REMAINING_BATTERY_TIME, "7F000001 08A0", DevicePower()),  # 1e127 minutes
        (Attribute.REMAINING_BATTERY_TIME, "0000005A 0220", DevicePower()),  # percent
    ],
)
def test_power_supply_has_only_possible_values(attribute: Attribute, octets: str, power: DevicePower) -> None:
    assert power_of(identity((attribute, bytes.fromhex(octets)))) == power


def test_text_of_a_device_is_cut_and_has_no_character_that_is_not_printable() -> None:
    assert clean_text(" A\u202e\x1b[2J\0B\u200b \0") == "A\ufffd\ufffd[2J\ufffdB\ufffd"
    assert clean_text("x" * 10_000) == "x" * TEXT_LENGTH_MAX
    assert clean_text("\0 " * 10_000) == ""


def test_description_with_the_longest_values_fits_into_an_event() -> None:
    longest = DeviceDescription(
        **dict.fromkeys(("manufacturer", "model", "serial_number", "gmdn"), "₂" * TEXT_LENGTH_MAX),
        **{f"{name}_revision": "\u2082" * TEXT_LENGTH_MAX for name in ("hardware", "software", "firmware", "protocol")},
        profiles=(DeviceProfile(65_535, 65_535),) * PROFILES_MAX,
        certified_version="255.255",
        certified=(CertifiedProfile(65_535, 65_535),) * CERTIFIED_MAX,
        unregulated=False,
        clock_capabilities=0xFFFF,
        clock_accuracy_us=0xFFFFFFFE * 125,
    )
    event = described_event(description_fields(longest))
    assert max(len(value) for value in event.fields.values() if isinstance(value, str)) <= 256  # the journal cuts there
    assert read_description(decode_event(encode_event(event)).fields) == longest


def described_event(fields: dict[str, EventField], device: str | None = SYSTEM_ID.hex()) -> GatewayEvent:
    return GatewayEvent(name=DEVICE_DESCRIBED, at_us=1, boot_id="boot-1", device=device, fields=fields)


TEXTS = st.text(max_size=300)
NUMBERS = st.integers(-5, 70_000)


@given(
    sent=st.dictionaries(
        st.sampled_from([*(one for one in DeviceDescription.__dataclass_fields__), "battery_percent", "status", "x"]),
        st.one_of(st.none(), st.booleans(), NUMBERS, st.floats(), TEXTS, st.text("0123456789: ", max_size=40)),
    )
)
def test_any_fields_give_a_description_that_is_written_and_read_unchanged(sent: dict[str, EventField]) -> None:
    described, power = read_description(sent), read_power(sent)
    assert read_description(description_fields(described)) == described
    assert read_power(power_fields(power)) == power


@pytest.mark.parametrize("device", [None, "", "11223344556677", "1122334455667788\n", "11223344556677XY"])
def test_event_without_a_system_id_describes_no_device(device: str | None) -> None:
    assert described_device(described_event({}, device)) is None
    assert described_device(described_event({})) == SYSTEM_ID.hex()


@pytest.mark.parametrize(
    ("reference", "state", "protocol", "accuracy_us"),
    [
        (None, 0x8000, None, None),
        (ReferenceTimeInformation(source=2, accuracy_eighths=4, days=1, hours=0), 0x8080, 7950, 500_000),
        (ReferenceTimeInformation(source=2, accuracy_eighths=254, days=255, hours=255), 0x8000, 7950, None),
        (ReferenceTimeInformation(source=4, accuracy_eighths=255, days=0, hours=1), 0x8000, 7936, None),
        (ReferenceTimeInformation(source=9, accuracy_eighths=0, days=0, hours=1), 0x8000, None, 0),
    ],
)
def test_current_time_service_describes_the_clock(
    reference: ReferenceTimeInformation | None, state: int, protocol: int | None, accuracy_us: int | None
) -> None:
    reader = CurrentTimeReader()
    if reference is not None:
        reader.learn(REFERENCE_TIME_INFORMATION, encode_reference_time_information(reference))
    assert reader.attributes == ()
    reader.learn(CURRENT_TIME, bytes.fromhex("EA07 0318 0A1E 00 02 00 01"))
    described = description_of(identity(*((Attribute(number), octets) for number, octets in reader.attributes)))
    assert (described.clock_capabilities, described.clock_protocol) == (state, protocol)
    assert described.clock_accuracy_us == accuracy_us
