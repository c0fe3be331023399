"""Words for what a device reports about itself (attributes, certificates, clocks). Malformed values stay bytes."""

import pytest

from protocols.errors import RemoteProtocolError
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration, attributes_of
from protocols.ieee11073.dim.regulatory import AuthBody, CertifiedClass, CertifiedTransport, certifications
from protocols.ieee11073.dim.words import METRIC_SPEC, TIME_CAPABILITIES, attribute_name, attribute_words, bit_names
from protocols.ieee11073.specializations import STANDARD_CONFIGURATIONS
from tests.builders.ieee11073_devices import ALARMS, BLOOD_PRESSURE, OXIMETER, ecg_configuration

WORKED_CERTIFICATES = bytes.fromhex("0002 0012 0201 0008 0105 0001 0002 2004 0202 0002 8000")


def test_worked_example_of_a_certification_list_is_decoded() -> None:
    classes, regulation = certifications(WORKED_CERTIFICATES)
    assert (classes.body, classes.version, classes.unregulated) == (AuthBody.CONTINUA, (1, 5), None)
    assert classes.classes == (CertifiedClass(CertifiedTransport.USB, 4100),)
    assert (regulation.classes, regulation.unregulated) == ((), True)


@pytest.mark.parametrize(
    "entry",
    ["01 01 0002 0105", "02 01 0003 010500", "02 07 0000", "FE 01 0000"],
    ids=["another-body", "cut-short", "another-structure", "experimental"],
)
def test_certification_of_unknown_form_is_kept_as_bytes(entry: str) -> None:
    octets = bytes.fromhex(entry)
    (found,) = certifications(b"\x00\x01" + len(octets).to_bytes(2, "big") + octets)
    assert found.octets == octets[4:]
    assert (found.version, found.classes, found.unregulated) == (None, (), None)


def test_truncated_certification_list_is_refused() -> None:
    for cut in range(len(WORKED_CERTIFICATES)):
        with pytest.raises(RemoteProtocolError):
            certifications(WORKED_CERTIFICATES[:cut])


@pytest.mark.parametrize(
    ("attribute", "octets", "words"),
    [
        (Attribute.TYPE, "0002 4BB8", "MDC_PULS_OXIM_SAT_O2"),
        (Attribute.UNIT_CODE, "0220", "MDC_DIM_PERCENT"),
        (Attribute.METRIC_SPEC_SMALL, "F048", "intermittent, stored, updated aperiodically, measured aperiodically,"
                                              " agent-initiated, manual"),
        (Attribute.METRIC_STRUCTURE_SMALL, "0303", "compound, fixed, 3 components"),
        (Attribute.SAMPLE_PERIOD, "00000020", "0.004 s"),
        (Attribute.SA_SPECIFICATION, "0008 10FF 2000", "8 samples of 16 bits, signed"),
        (Attribute.SCALE_AND_RANGE_I16, "00FFFFFE 00000002 F830 07D0", "-2.0 to 2.0 as 0xF830 to 0x07D0"),
        (Attribute.OPERATIONAL_STATE, "0001", "enabled"),
        (Attribute.CONFIRM_MODE, "0007", "7"),
        (Attribute.ATTRIBUTE_VALUE_MAP, "0001 0004 0A4C 0002", "MDC_ATTR_NU_VAL_OBS_BASIC (2)"),
        (Attribute.SCAN_HANDLE_ATTR_VAL_MAP, "0001 000A 0001 0001 0004 0A4C 0002", "1: MDC_ATTR_NU_VAL_OBS_BASIC (2)"),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Attribute) else "",
)  # fmt: skip
def test_attribute_value_is_described_as_text_unless_it_is_malformed(
    attribute: Attribute, octets: str, words: str
) -> None:
    value = bytes.fromhex(octets)
    assert attribute_words(attribute, value) == words
    assert attribute_words(attribute, value[:-1]) != words
    assert attribute_words(attribute, b"") is None


def test_unknown_attribute_has_no_text_description_and_a_numeric_name() -> None:
    assert attribute_words(60_000, b"\x01\x02") is None
    assert attribute_name(60_000) == "1:60000"
    assert attribute_name(Attribute.REG_CERT_DATA_LIST) == "MDC_ATTR_REG_CERT_DATA_LIST"


def test_bits_without_a_name_are_shown_in_hexadecimal() -> None:
    assert bit_names(0x4040, METRIC_SPEC) == ("stored", "agent-initiated")
    assert bit_names(0x8030, METRIC_SPEC) == ("intermittent", "0x0030")
    assert bit_names(0xC010, TIME_CAPABILITIES) == (
        "has a real-time clock",
        "its clock can be set",
        "wants its manager to set the time",
    )
    assert bit_names(0, TIME_CAPABILITIES) == ()


@pytest.mark.parametrize(
    "configuration",
    [*STANDARD_CONFIGURATIONS, OXIMETER, BLOOD_PRESSURE, ALARMS, ecg_configuration()],
    ids=lambda one: f"{one.config_id:04X}",
)
def test_every_attribute_of_the_built_in_configurations_has_a_text_description(configuration: Configuration) -> None:
    for item in configuration.objects:
        for attribute, octets in attributes_of(item.attributes).items():
            assert attribute_words(attribute, octets), attribute_name(attribute)
