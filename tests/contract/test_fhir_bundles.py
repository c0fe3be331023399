"""Bundles of generated encounters have no fault in the eyes of HL7's schema, `fhir.resources` and Medplum, and a
receiver that gets a bundle twice creates nothing the second time (issue 14, must-hold B)."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from cloud.clinical.fhir.samples import sample_bundle
from cloud.clinical.fhir.validation import find_faults, find_sample_faults
from tests.builders.fhir_encounters import (
    NOW_US,
    GeneratedEncounter,
    device,
    encounter_facts,
    generated_encounter,
    observed,
    visible,
)
from tests.harness.fhir_receivers import receive, schema_faults

ENCOUNTERS = int(os.environ.get("ARGUS_FHIR_ENCOUNTERS", "10"))
"""Generated encounters. `make soak` has 50."""
AT_ONCE = 10
"""Encounters of one receiver."""
FULL = ENCOUNTERS >= 50
LARGE = 20_000


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


@pytest.mark.contract("S-151")
@pytest.mark.parametrize("first", range(0, ENCOUNTERS, AT_ONCE))
def test_resources_and_units_are_valid_by_medplum_and_the_ucum_library(first: int) -> None:
    encounters = [
        list(generated_encounter(seed, observations=60, changes=60).parts()) for seed in range(first, first + AT_ONCE)
    ]
    for received in receive(*encounters, posts=0):
        assert (received.faults, received.bad_units) == ([], [])


@pytest.mark.contract("S-151", "A-100")
@pytest.mark.parametrize("first", range(0, ENCOUNTERS, AT_ONCE))
def test_bundle_that_is_posted_twice_to_medplum_creates_nothing_the_second_time(first: int) -> None:
    # Few entries, since Medplum's repository in memory examines every resource for each conditional create.
    few = [
        list(generated_encounter(seed, observations=5, changes=5).parts(entries_max=16))
        for seed in range(first, first + AT_ONCE)
    ]
    identified = list(generated_encounter(first, observations=1, changes=15, identified=True).parts())
    for received in receive(*few, identified):
        assert (received.faults, received.bad_units, received.dangling) == ([], [], 0)
        assert received.posted
        for once, again in zip(received.posted[::2], received.posted[1::2], strict=True):
            assert set(once) <= {"200", "201"}
            assert set(again) == {"200"}
            assert sum(once.values()) == sum(again.values())
        assert "201" in received.posted[0]


def test_large_encounter_is_split_into_valid_parts_of_at_most_5000_entries() -> None:
    parts = list(large_encounter().parts())
    counts = [len(json.loads(part)["entry"]) for part in parts]
    assert counts[:-1] == [5_000] * 4
    assert sum(counts) >= LARGE
    for part in parts:
        assert_references_resolve(part)
    assert schema_faults(parts[0]) == []
    for part in parts[1:] if FULL else parts[-1:]:
        assert schema_faults(part) == []
        assert find_faults(part) == []
    (received,) = receive(parts if FULL else parts[-1:], posts=0)
    assert (received.faults, received.bad_units) == ([], [])


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
