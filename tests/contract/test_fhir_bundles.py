"""Bundles of generated encounters have no fault in the eyes of HL7's schema, `fhir.resources` and Medplum, and a
receiver that gets a bundle twice creates nothing the second time (issue 14, must-hold B)."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from cloud.clinical.fhir.samples import sample_bundle
from cloud.clinical.fhir.validation import find_faults, find_sample_faults
from tests.builders.fhir_encounters import (
    NOW_US,
    PRESSURE,
    GeneratedEncounter,
    device,
    encounter_facts,
    generated_encounter,
    observed,
    visible,
)
from tests.harness.fhir_receivers import Received, receive, schema_faults

ENCOUNTERS = int(os.environ.get("ARGUS_FHIR_ENCOUNTERS", "10"))
"""Generated encounters. `make soak` has 50."""
AT_ONCE = 10
"""Encounters of one receiver."""
FULL = ENCOUNTERS >= 50
PART_ENTRIES = 5_000
LARGE = 20_000 if FULL else 6_000
"""Observations of an encounter that has several parts."""
LONG_S = 600.0
"""Limit of a run of Medplum with large bundles: some ten seconds of CPU on a busy machine, or a minute with all
validations of `make soak`."""


def large_encounter() -> GeneratedEncounter:
    facts = device()
    records = [
        (observed(float(number % 101), index=number, at_us=NOW_US + number * 50_000), facts) for number in range(LARGE)
    ]
    return GeneratedEncounter(encounter_facts(), visible(), records)


def strings(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from strings(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one, name)
    elif isinstance(value, str):
        yield name, value


def assert_references_resolve(part: bytes) -> None:
    document = json.loads(part)
    known = {entry["fullUrl"] for entry in document["entry"]}
    assert len(known) == len(document["entry"])
    references = {text for name, text in strings(document["entry"]) if name == "reference"}
    assert references <= known


@pytest.mark.contract("S-151", "A-100")
@pytest.mark.parametrize("seed", range(ENCOUNTERS))
def test_generated_bundle_has_no_fault_by_the_schema_and_the_resource_classes(seed: int) -> None:
    encounter = generated_encounter(seed, observations=0 if seed == 0 else 150, changes=0 if seed in (0, 1) else 120)
    for part in encounter.parts(entries_max=200):
        assert schema_faults(part) == []
        assert find_faults(part) == []
        assert_references_resolve(part)


@pytest.mark.contract("S-151", "A-100")
@pytest.mark.parametrize("first", range(0, ENCOUNTERS, AT_ONCE))
def test_bundle_is_valid_by_medplum_and_the_second_post_of_it_creates_nothing(first: int) -> None:
    whole = [
        list(generated_encounter(seed, observations=0 if seed == 0 else 150, changes=120 if seed > 1 else 0).parts())
        for seed in range(first, first + AT_ONCE)
    ]
    identified = list(generated_encounter(first, observations=1, changes=15, identified=True).parts())
    found = receive(*whole, identified, indexed=True, patience_s=LONG_S)
    for parts, received in zip((*whole, identified), found, strict=True):
        assert (received.faults, received.bad_units, received.dangling) == ([], [], 0)
        assert_second_post_creates_nothing(parts, received)
    assert "bp" in set.union(*[received.profiles for received in found])


@pytest.mark.contract("S-151", "A-100")
def test_second_post_creates_nothing_in_the_repository_of_medplum_without_an_index() -> None:
    # Few entries, since that repository examines every resource for each conditional create.
    few = [list(generated_encounter(seed, observations=5, changes=5).parts(entries_max=16)) for seed in range(4)]
    for parts, received in zip(few, receive(*few, validated=0), strict=True):
        assert received.dangling == 0
        assert_second_post_creates_nothing(parts, received)


def assert_second_post_creates_nothing(parts: Sequence[bytes], received: Received) -> None:
    """Compare what the server has stored with what the parts of a bundle contain, after each of two rounds."""
    once, again = received.rounds
    entries = {entry["fullUrl"]: entry for part in parts for entry in json.loads(part)["entry"]}
    contained = Counter(entry["resource"]["resourceType"] for entry in entries.values())
    assert once.stored == again.stored == contained
    assert {*once.outcomes, *again.outcomes} == {"ok"}
    assert {status for statuses in once.statuses for status in statuses} <= {"200", "201"}
    assert sum(statuses.get("201", 0) for statuses in once.statuses) == len(entries)
    assert again.statuses == [{"200": len(json.loads(part)["entry"])} for part in parts]


@pytest.mark.contract("S-151", "A-100")
def test_large_encounter_is_split_into_valid_parts_which_medplum_stores_once() -> None:
    parts = list(large_encounter().parts())
    counts = [len(json.loads(part)["entry"]) for part in parts]
    assert counts[:-1] == [PART_ENTRIES] * (LARGE // PART_ENTRIES)
    assert sum(counts) >= LARGE
    for part in parts:
        assert_references_resolve(part)
    assert schema_faults(parts[0]) == []
    for part in parts[1:] if FULL else parts[-1:]:
        assert schema_faults(part) == []
        assert find_faults(part) == []
    (received,) = receive(parts, validated=None if FULL else 1, indexed=True, patience_s=LONG_S)
    assert (received.faults, received.bad_units, received.dangling) == ([], [], 0)
    assert received.rounds[0].stored["Observation"] == LARGE
    assert_second_post_creates_nothing(parts, received)


def without_diastolic(panel: dict[str, Any]) -> None:
    del panel["component"][1]


def with_systolic_twice(panel: dict[str, Any]) -> None:
    panel["component"].append(panel["component"][0])


def with_kilopascals(panel: dict[str, Any]) -> None:
    panel["component"][0]["valueQuantity"]["code"] = "kPa"


def without_value_and_reason(panel: dict[str, Any]) -> None:
    del panel["component"][0]["valueQuantity"]


def without_loinc(panel: dict[str, Any]) -> None:
    del panel["code"]["coding"][1:]


BROKEN_PANELS = (
    (without_diastolic, "slice 'DiastolicBP': expected 1..1, but found 0"),
    (with_systolic_twice, "slice 'SystolicBP': expected 1..1, but found 2"),
    (with_kilopascals, "value[x].code: Value did not match expected pattern"),
    (without_value_and_reason, "vs-3 not met"),
    (without_loinc, "slice 'BPCode': expected 1..1, but found 0"),
)


def test_profile_of_blood_pressures_refuses_each_panel_that_breaks_it() -> None:
    pressure = observed((120.0, 80.0, 93.0), type_="MDC_PRESS_BLD_NONINV", unit="MDC_DIM_MMHG", components=PRESSURE)
    (intact,) = GeneratedEncounter(encounter_facts(), visible(), [(pressure, device("bp"))]).parts()
    bundles = [intact]
    for change, _ in BROKEN_PANELS:
        document = json.loads(intact)
        change(document["entry"][-1]["resource"])
        bundles.append(json.dumps(document).encode())
    first, *others = receive(*[[bundle] for bundle in bundles], posts=0)
    assert (first.faults, "bp" in first.profiles) == ([], True)
    for (_, fault), received in zip(BROKEN_PANELS, others, strict=True):
        assert any(fault in found for found in received.faults), (fault, received.faults)


def test_sample_of_each_resource_class_is_valid() -> None:
    assert find_sample_faults() == {}
    assert schema_faults(sample_bundle()) == []
    kinds = {entry["resource"]["resourceType"] for entry in json.loads(sample_bundle())["entry"]}
    expected = {"Patient", "Encounter", "Composition", "Observation", "Device", "DeviceMetric", "Procedure"}
    assert kinds == expected | {"MedicationAdministration"}


def test_judges_report_a_wrong_member_and_a_wrong_code() -> None:
    document = json.loads(sample_bundle())
    observation = next(one["resource"] for one in document["entry"] if one["resource"]["resourceType"] == "Observation")
    observation["valeu"] = 1
    wrong = json.dumps(document).encode()
    assert find_faults(wrong)
    assert schema_faults(wrong)
    del observation["valeu"]
    observation["status"] = "bogus"
    bogus = json.dumps(document).encode()
    assert schema_faults(bogus)
