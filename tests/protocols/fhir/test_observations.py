"""Observations of devices in FHIR, after the HL7 Personal Health Device guide."""

import json
import struct
from dataclasses import replace
from typing import Any

import pytest

from protocols.device_time import absolute_time_at, base_offset_time_at
from protocols.fhir.datatypes import number_text
from protocols.fhir.status_bits import bit_components
from protocols.fhir.systems import COINCIDENT_EXTENSION, GATEWAY_EXTENSION, LOINC, MDC, METRIC_EXTENSION, UCUM
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import SampleArray, SampleFormat, Special
from protocols.observation_record import ObservationRecord
from tests.builders.fhir_encounters import (
    NOW_US,
    PRESSURE,
    SECOND_US,
    GeneratedEncounter,
    device,
    encounter_facts,
    observed,
    visible,
)


def entries(*records: ObservationRecord, identified: bool = False) -> list[dict[str, Any]]:
    """Return the entries of the bundle of these observations of one oximeter."""
    facts = device()
    encounter = GeneratedEncounter(
        encounter_facts(), visible(identified=identified), [(record, facts) for record in records]
    )
    (part,) = encounter.parts()
    found: list[dict[str, Any]] = json.loads(part)["entry"]
    return found


def resources(kind: str, *records: ObservationRecord, identified: bool = False) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in entries(*records, identified=identified)]
    return [one for one in found if one["resourceType"] == kind]


def observation(record: ObservationRecord, *, identified: bool = False) -> dict[str, Any]:
    """Return the resource of an observation; that of its coincident time stamp comes before it."""
    return resources("Observation", record, identified=identified)[-1]


def codes(concept: dict[str, Any], system: str) -> list[str]:
    return [coding["code"] for coding in concept.get("coding", ()) if coding["system"] == system]


def reason(resource: dict[str, Any]) -> str:
    assert not [name for name in resource if name.startswith("value")]
    return str(resource["dataAbsentReason"]["coding"][0]["code"])


def test_number_is_a_quantity_with_mdc_and_loinc_codes_and_a_ucum_unit():
    found = observation(observed(98.0))
    assert found["valueQuantity"] == {"value": 98, "unit": "%", "system": UCUM, "code": "%"}
    assert codes(found["code"], MDC) == ["150456"]
    assert codes(found["code"], LOINC) == ["2708-6", "59408-5"]
    assert [each["coding"][0]["code"] for each in found["category"]] == ["vital-signs", "phd"]
    assert found["meta"]["profile"] == [
        "http://hl7.org/fhir/uv/phd/StructureDefinition/PhdNumericObservation",
        "http://hl7.org/fhir/StructureDefinition/oxygensat",
    ]
    assert found["effectiveDateTime"] == "2027-01-15T08:00:00.000000Z"
    assert found["status"] == "final"


def test_observation_refers_to_patient_encounter_device_gateway_and_metric_of_the_same_bundle():
    found = entries(observed())
    by_url = {entry["fullUrl"]: entry["resource"] for entry in found}
    resource = found[-1]["resource"]
    assert [each["url"] for each in resource["extension"]] == [GATEWAY_EXTENSION, METRIC_EXTENSION]
    extensions = [each["valueReference"] for each in resource["extension"]]
    kinds = [
        by_url[reference["reference"]]["resourceType"]
        for reference in (resource["subject"], resource["encounter"], resource["device"], *extensions)
    ]
    assert kinds == ["Patient", "Encounter", "Device", "Device", "DeviceMetric"]
    (metric,) = [one for one in by_url.values() if one["resourceType"] == "DeviceMetric"]
    assert metric["source"] == resource["device"]
    assert codes(metric["type"], MDC) == codes(resource["code"], MDC)


def test_equal_observations_of_two_sensors_of_a_device_refer_to_different_metrics():
    probes = [
        replace(observed(37.0, type_="MDC_TEMP_BODY", unit="MDC_DIM_DEGC"), handle=handle) for handle in (1, 2, 1)
    ]
    found = [entry["resource"] for entry in entries(*probes)]
    referred = [
        one["extension"][1]["valueReference"]["reference"] for one in found if one["resourceType"] == "Observation"
    ]
    assert referred[0] == referred[2] != referred[1]
    assert len([one for one in found if one["resourceType"] == "DeviceMetric"]) == 2


@pytest.mark.parametrize(
    ("unit", "code", "text"),
    [
        ("MDC_DIM_BEAT_PER_MIN", "/min", "/min"),
        ("MDC_DIM_PERCENT", "%", "%"),
        (None, "1", "1"),
    ],
)
def test_unit_is_ucum_without_annotations(unit: str | None, code: str, text: str):
    quantity = observation(observed(60.0, type_="MDC_PULS_OXIM_PULS_RATE", unit=unit))["valueQuantity"]
    assert (quantity["code"], quantity["system"]) == (code, UCUM)
    assert quantity["unit"].endswith(text)


def test_unit_without_a_ucum_code_is_the_code_of_the_nomenclature():
    quantity = observation(observed(4.0, unit=Code(4, 60_000)))["valueQuantity"]
    assert (quantity["system"], quantity["code"]) == (MDC, str((4 << 16) + 60_000))


def test_loinc_code_is_left_out_where_the_unit_measures_another_quantity():
    glucose = "MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD"
    mass = observation(observed(95.0, type_=glucose, unit="MDC_DIM_MILLI_G_PER_DL"))
    substance = observation(observed(5.3, type_=glucose, unit="MDC_DIM_MILLI_MOLE_PER_L"))
    assert codes(mass["code"], LOINC) == ["41653-7"]
    assert codes(substance["code"], LOINC) == []


@pytest.mark.parametrize(
    ("special", "expected"),
    [
        (Special.NAN, "not-a-number"),
        (Special.PLUS_INFINITY, "positive-infinity"),
        (Special.MINUS_INFINITY, "negative-infinity"),
        (Special.NRES, "error"),
    ],
)
def test_special_value_is_a_reason_for_its_absence(special: Special, expected: str):
    assert reason(observation(observed(special))) == expected


@pytest.mark.parametrize(
    ("status", "expected", "state"),
    [(0x8000, "error", "entered-in-error"), (0x2000, "not-performed", "final"), (0x0020, "temp-unknown", "final")],
)
def test_value_that_the_device_calls_unusable_is_not_passed_on(status: int, expected: str, state: str):
    for record in (
        observed(97.0, status=status),
        observed((1.0, 2.0, 3.0), components=PRESSURE, type_="MDC_PRESS_BLD_NONINV", status=status),
        observed(0x2100, type_="MDC_PULS_OXIM_DEV_STATUS", unit=None, status=status),
    ):
        found = observation(record)
        assert reason(found) == expected
        assert found["status"] == state
        assert "component" not in found


def test_measurement_status_is_an_interpretation_and_test_data_is_labelled():
    found = observation(observed(97.0, status=0x4000 | 0x0800 | 0x0080))
    assert [each["coding"][0]["code"] for each in found["interpretation"]] == ["questionable", "validated-data"]
    assert "HTEST" in [label["code"] for label in found["meta"]["security"]]
    assert observation(observed(97.0, status=0x0040))["status"] == "preliminary"


def test_blood_pressure_is_a_panel_whose_components_have_their_own_values_and_reasons():
    record = observed(
        (122.0, 81.0, Special.NAN), type_="MDC_PRESS_BLD_NONINV", unit="MDC_DIM_MMHG", components=PRESSURE
    )
    found = observation(record)
    assert codes(found["code"], LOINC) == ["85354-9"]
    assert [codes(each["code"], LOINC) for each in found["component"]] == [["8480-6"], ["8462-4"], ["8478-0"]]
    assert [each.get("valueQuantity", {}).get("value") for each in found["component"]] == [122, 81, None]
    assert found["component"][2]["dataAbsentReason"]["coding"][0]["code"] == "not-a-number"
    assert "valueQuantity" not in found
    assert "http://hl7.org/fhir/StructureDefinition/bp" in found["meta"]["profile"]


def test_samples_are_the_raw_integers_with_the_scale_of_the_channel():
    raw = (2000, -2012, 0, 32767)
    array = SampleArray(format=SampleFormat.I16, period_s=0.004, slope=0.001, offset=-2.0)
    record = observed(
        None,
        type_="MDC_ECG_ELEC_POTL_I",
        unit="MDC_DIM_MILLI_VOLT",
        samples=struct.pack(">4h", *raw) + b"\0",
        array=array,
    )
    found = observation(record)["valueSampledData"]
    assert found["data"] == " ".join(map(str, raw))
    assert (found["period"], found["factor"], found["dimensions"]) == (4, 0.001, 1)
    assert found["origin"] == {"value": -2, "unit": "mV", "system": UCUM, "code": "mV"}


def test_waveform_without_a_whole_sample_has_no_value():
    array = SampleArray(format=SampleFormat.I32, period_s=0.004, slope=1.0, offset=0.0)
    record = observed(None, type_="MDC_ECG_ELEC_POTL_I", unit="MDC_DIM_MILLI_VOLT", samples=b"\0\0\0", array=array)
    assert reason(observation(record)) == "unknown"


def test_code_of_an_enumeration_is_a_concept():
    found = observation(observed(Code(2, 17_000), type_="MDC_ECG_RHY", unit=None))
    assert codes(found["valueCodeableConcept"], MDC) == [str((2 << 16) + 17_000)]


@pytest.mark.contract("S-150")
def test_text_of_a_device_is_masked_for_partners():
    record = observed("Jan Kowalski", type_="MDC_ECG_RHY", unit=None)
    assert reason(observation(record)) == "masked"
    assert observation(record, identified=True)["valueString"] == "Jan Kowalski"
    assert reason(observation(observed("\x01", type_="MDC_ECG_RHY", unit=None), identified=True)) == "error"


def test_set_bits_are_components_with_the_names_of_the_guide():
    found = observation(observed(0x2100, type_="MDC_PULS_OXIM_DEV_STATUS", unit=None))
    assert [
        (each["code"]["coding"][0]["code"], each["code"]["coding"][0]["display"]) for each in found["component"]
    ] == [
        ("150604.2", "sensor-displaced"),
        ("150604.7", "signal-pulse-questionable"),
    ]
    assert [each["valueBoolean"] for each in found["component"]] == [True, True]


def test_states_are_reported_whether_they_are_set_or_not():
    on_mains = bit_components(Code(1, 67925 - 65536), 0x8000)
    assert [(one["code"]["coding"][0]["code"], one["valueBoolean"]) for one in on_mains] == [
        ("67925.0", True),
        ("67925.1", False),
        ("67925.10", False),
    ]


def test_bits_without_an_event_are_all_stated_as_not_set():
    components = bit_components(code_of("MDC_PULS_OXIM_DEV_STATUS"), 0)
    assert len(components) == 16
    assert not any(one["valueBoolean"] for one in components)


@pytest.mark.parametrize(("bits", "expected"), [(1, "2.15"), (1 << 16, "2.15"), (1 << 31, "2.0")])
def test_bits_of_an_unknown_type_are_counted_in_the_shortest_string(bits: int, expected: str):
    (component,) = bit_components(Code(0, 2), bits)
    assert component["code"]["coding"][0]["code"] == expected


def test_supplemental_types_are_components_also_beside_bits():
    for record in (
        observed(72.0, supplemental=("MDC_MODALITY_SPOT",)),
        observed(0x8000, type_="MDC_PULS_OXIM_DEV_STATUS", unit=None, supplemental=("MDC_MODALITY_SPOT",)),
    ):
        last = observation(record)["component"][-1]
        assert codes(last["code"], MDC) == ["68193"]
        assert codes(last["valueCodeableConcept"], MDC) == ["150588"]


def test_corrected_time_refers_to_one_coincident_time_stamp_an_hour():
    records = [
        observed(
            index=number,
            at_us=NOW_US + number * SECOND_US,
            device_time=absolute_time_at(NOW_US + number * SECOND_US - 3 * SECOND_US),
            received_at_us=NOW_US + number * SECOND_US + 20_000,
        )
        for number in range(3)
    ]
    stamp, *others = resources("Observation", *records)
    assert stamp["code"]["coding"][0]["code"] == "67975"
    assert (stamp["effectiveDateTime"], stamp["valueDateTime"]) == (
        "2027-01-15T08:00:00.000000Z",
        "2027-01-15T07:59:57.000000Z",
    )
    assert len(others) == 3
    references = {
        extension["valueReference"]["reference"]
        for one in others
        for extension in one["extension"]
        if extension["url"] == COINCIDENT_EXTENSION
    }
    assert references == {f"urn:uuid:{stamp['identifier'][0]['value']}"}


def test_new_setting_of_the_clock_has_a_coincident_time_stamp_of_its_own():
    records = [
        observed(index=number, device_time=absolute_time_at(NOW_US - behind), received_at_us=NOW_US + 20_000)
        for number, behind in enumerate((3 * SECOND_US, 60 * SECOND_US))
    ]
    kinds = [one["code"]["coding"][0]["code"] for one in resources("Observation", *records)]
    assert kinds.count("67975") == 2


@pytest.mark.parametrize(
    ("device_time", "received_at_us"),
    [(None, NOW_US), (base_offset_time_at(NOW_US), NOW_US + 1), (absolute_time_at(NOW_US - SECOND_US), NOW_US)],
)
def test_time_that_was_not_corrected_has_no_coincident_time_stamp(device_time: Any, received_at_us: int):
    found = resources("Observation", observed(device_time=device_time, received_at_us=received_at_us))
    assert len(found) == 1


def test_observation_of_an_application_has_no_gateway_and_the_code_as_posted():
    from protocols.fhir.bundle import EncounterBundle

    part = EncounterBundle(encounter_facts(), visible()).part(is_first=False)
    record = observed(7.0, type_=Code(0, 0), unit=None, gateway="", system_id="")
    part.add(record, device(), posted="obs_1", name="MDC_SOMETHING_NEW", unit="mmol/L")
    part.add(record, device(), posted="obs_2", name="MDC_SOMETHING_NEW", unit="mmol/L")
    found = [entry["resource"] for entry in json.loads(part.encoded())["entry"]]
    first, second = [one for one in found if one["resourceType"] == "Observation"]
    assert first["code"] == {"text": "MDC_SOMETHING_NEW"}
    assert first["valueQuantity"]["code"] == "mmol/L"
    assert [each["url"] for each in first["extension"]] == [METRIC_EXTENSION]
    assert first["identifier"] != second["identifier"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (98.0, "98"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e300, "1" + "0" * 300),
        (123456789012.5, "123456789012.5"),
    ],
)
def test_number_is_written_without_an_exponent(number: float, text: str):
    assert number_text(number) == text
