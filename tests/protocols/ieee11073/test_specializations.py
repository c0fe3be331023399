"""The built-in configurations of device specializations equal the reference byte for byte."""

import pytest

from protocols.ieee11073.apdu import decode_data
from protocols.ieee11073.apdu.data import ConfigReport, EventReportArgument
from protocols.ieee11073.association.agent_events import ConfigurationRequested
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.attribute import Attribute, ObjectClass
from protocols.ieee11073.dim.configuration import Configuration, attributes_of, is_standard, value_map
from protocols.ieee11073.mder import decode
from protocols.ieee11073.nomenclature import Code, term_of
from protocols.ieee11073.specializations import STANDARD_CONFIGURATIONS, extended, standard, standard_configuration
from protocols.ieee11073.specializations.profiles import BASIC_ECG, SPECIALIZATIONS
from tests.builders.ieee11073_corpus import apdu
from tests.builders.ieee11073_pair import association_pair

# Class, handle, attributes (count, bytes), then each attribute: Type, Metric-Spec-Small, …, Attribute-Value-Map.
SPO2 = "0006 0001 0004 0020 092F 0004 0002 4BB8 0A46 0002 4040 0996 0002 0220 0A55 0008 0001 0004 0A4C 0002"
PULSE = "0006 000A 0004 0020 092F 0004 0002 481A 0A46 0002 4040 0996 0002 0AA0 0A55 0008 0001 0004 0A4C 0002"
SPOT_MAP = "0A55 000C 0002 0008 0A4C 0002 0990 0008 0A61 0008 0001 0004 0002 4C3C"
SPOT_SPO2 = f"0006 0001 0005 0030 092F 0004 0002 4BB8 0A46 0002 4040 0996 0002 0220 {SPOT_MAP}"
SPOT_PULSE = f"0006 000A 0005 0030 092F 0004 0002 481A 0A46 0002 4040 0996 0002 0AA0 {SPOT_MAP}"
BASIC_MAP = "0A55 000C 0002 0008 0A4C 0002 0990 0008"
TEMPERATURE = f"0006 0001 0004 0024 092F 0004 0002 4B5C 0A46 0002 F040 0996 0002 17A0 {BASIC_MAP}"
MASS = "0006 0001 0004 0024 092F 0004 0002 E140 0A46 0002 F040 0996 0002 06C3 0A55 000C 0002 0008 0A56 0004 0990 0008"
GLUCOSE = f"0006 0001 0004 0024 092F 0004 0002 71B8 0A46 0002 F040 0996 0002 0852 {BASIC_MAP}"


@pytest.mark.parametrize(
    ("config_id", "objects"),
    [
        (0x0190, [SPO2, PULSE]),
        (0x0191, [SPOT_SPO2, SPOT_PULSE]),
        (0x0320, [TEMPERATURE]),
        (0x05DC, [MASS]),
        (0x06A4, [GLUCOSE]),
    ],
    ids=["0190", "0191", "0320", "05DC", "06A4"],
)
def test_standard_configuration_equals_the_bytes_of_the_reference(config_id: int, objects: list[str]) -> None:
    octets = b"".join(bytes.fromhex(item.replace(" ", "")) for item in objects)
    expected = len(objects).to_bytes(2, "big") + len(octets).to_bytes(2, "big") + octets
    known = standard_configuration(config_id)
    assert known is not None
    assert known.encoded == expected


def configuration_in(name: str) -> Configuration:
    """Return the configuration in the named configuration report of the corpus."""
    argument = decode(EventReportArgument, decode_data(apdu(name)[6:]).body)
    report = decode(ConfigReport, argument.event_info)
    return Configuration(report.config_report_id, report.config_obj_list)


def test_blood_pressure_and_scanned_ecg_configurations_equal_the_worked_examples() -> None:
    assert configuration_in("e5") == standard.BLOOD_PRESSURE
    assert configuration_in("e14") == extended.ECG_SCANNED


def test_only_standard_configurations_confirmed_by_the_reference_are_built_in() -> None:
    confirmed = {item.config_id for item in STANDARD_CONFIGURATIONS}
    assert confirmed == {0x0190, 0x0191, 0x02BC, 0x0320, 0x05DC, 0x06A4}
    of_rows = [item.config_id for row in SPECIALIZATIONS for item in row.configurations]
    assert sorted(of_rows) == sorted(confirmed)
    unconfirmed = [row.unconfirmed_id for row in SPECIALIZATIONS if row.unconfirmed_id is not None]
    assert BASIC_ECG.unconfirmed_id in unconfirmed
    assert all(is_standard(config_id) and standard_configuration(config_id) is None for config_id in unconfirmed)


def test_standard_configuration_that_is_not_built_in_is_requested_from_the_device() -> None:
    named = Configuration(0x0258, ())
    pair = association_pair(named, extended.BASIC_ECG).associate()
    assert [event.config_id for event in pair.agent_events if isinstance(event, ConfigurationRequested)] == [
        0x0258,
        0x4000,
    ]
    assert bytes.fromhex("0258 0002") in pair.sent_by_manager[1]  # standard-config-unknown
    assert pair.manager.state is State.OPERATING


def test_every_profile_and_object_type_of_the_configurations_has_a_nomenclature_term() -> None:
    for row in SPECIALIZATIONS:
        assert term_of(Code(8, row.profile)).kind == "device"
    for configuration in (*STANDARD_CONFIGURATIONS, *extended.EXTENDED_CONFIGURATIONS):
        for item in configuration.checked().objects:
            attributes = attributes_of(item.attributes)
            if item.obj_class in (ObjectClass.PERIODIC_SCANNER, ObjectClass.EPISODIC_SCANNER):
                continue
            kind = attributes[Attribute.TYPE]
            assert term_of(Code(int.from_bytes(kind[:2], "big"), int.from_bytes(kind[2:], "big"))).kind != "unknown"
            assert value_map(attributes[Attribute.ATTRIBUTE_VALUE_MAP])


def test_extended_configurations_equal_the_public_examples_of_the_reference() -> None:
    """Reference §10: the extended scale and glucose meter of one manufacturer, and the ECG of a public agent."""
    mass, height, index = (attributes_of(item.attributes) for item in extended.BODY_SCALE.objects)
    assert mass == attributes_of(standard.WEIGHING_SCALE.objects[0].attributes)
    stamped_float = ((2646, 4), (2448, 8))
    assert (height[2351].hex(), height[2630].hex(), height[2454].hex()) == ("0002e144", "f048", "0511")
    assert (index[2351].hex(), index[2630].hex(), index[2454].hex()) == ("0002e150", "f042", "07a0")
    assert index[Attribute.SOURCE_HANDLE_REFERENCE] == b"\x00\x01"
    assert value_map(height[2645]) == value_map(index[2645]) == stamped_float
    glucose, meal, exercise = (attributes_of(item.attributes) for item in extended.GLUCOSE_DIARY.objects)
    assert glucose[2454].hex() == "1272"
    assert (meal[2351].hex(), value_map(meal[2645])) == ("00807248", ((2448, 8), (2633, 2)))
    assert exercise[2351].hex() == "008071e0"
    assert value_map(exercise[2645]) == ((2448, 8), (2649, 4), (2636, 2))
    (lead,) = (attributes_of(item.attributes) for item in extended.ECG_TEN_MILLISECONDS.objects)
    assert (lead[2351].hex(), lead[2454].hex(), lead[2445].hex()) == ("00020101", "10b2", "00000050")
    assert value_map(lead[2645]) == ((2632, 162), (2448, 8))
