"""The bundle of an encounter: stable ids, deterministic bytes, parts that stand alone."""

import json
import uuid
from dataclasses import replace
from typing import Any

import pytest

from protocols.epcr.element import Audience
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.signing import UNSIGNED, ReportSigning
from protocols.fhir.bundle import EncounterBundle
from protocols.fhir.composition import ReportState, report_state
from protocols.fhir.ids import ResourceIds
from protocols.fhir.systems import IDENTIFIER
from tests.builders.care_changes import change
from tests.builders.fhir_encounters import (
    GeneratedEncounter,
    device,
    encounter_facts,
    generated_encounter,
    observed,
    visible,
)


def only_part(encounter: GeneratedEncounter) -> dict[str, Any]:
    (part,) = encounter.parts()
    found: dict[str, Any] = json.loads(part)
    return found


@pytest.mark.contract("C-109", "A-100")
def test_empty_encounter_has_patient_encounter_and_composition():
    found = only_part(GeneratedEncounter(encounter_facts(), visible(), ()))
    assert (found["resourceType"], found["type"]) == ("Bundle", "transaction")
    assert [entry["resource"]["resourceType"] for entry in found["entry"]] == ["Patient", "Encounter", "Composition"]


@pytest.mark.contract("A-100")
def test_each_entry_is_created_only_if_its_identifier_does_not_exist():
    for entry in only_part(generated_encounter(1))["entry"]:
        resource = entry["resource"]
        id_ = entry["fullUrl"].removeprefix("urn:uuid:")
        assert uuid.UUID(id_).version == 5
        assert str(uuid.UUID(id_)) == id_
        identifier = resource["identifier"]
        own = identifier[0] if isinstance(identifier, list) else identifier
        assert own == {"system": IDENTIFIER, "value": id_}
        assert entry["request"] == {
            "method": "POST",
            "url": resource["resourceType"],
            "ifNoneExist": f"identifier={IDENTIFIER}|{id_}",
        }


@pytest.mark.contract("C-107", "A-100")
def test_equal_encounters_have_equal_bytes():
    assert list(generated_encounter(7).parts(50)) == list(generated_encounter(7).parts(50))


def test_id_is_the_uuid_5_of_its_name_in_the_namespace_of_the_tenant():
    ids = ResourceIds("ten_1")
    namespace = uuid.UUID(bytes=ids._namespace)
    assert ids.id_of("observation", "gw", "1") == str(uuid.uuid5(namespace, "observation/gw/1"))
    assert ids.prefix("observation", "gw").id_of("1") == ids.id_of("observation", "gw", "1")
    assert ids.id_of("observation", "gw", "1") != ResourceIds("ten_2").id_of("observation", "gw", "1")


def test_ids_do_not_depend_on_the_rest_of_the_bundle():
    facts = device()
    alone = only_part(GeneratedEncounter(encounter_facts(), visible(), [(observed(index=5), facts)]))
    record = visible(change("patient.age", "50"))
    both = [(observed(index=number), facts) for number in range(9)]
    beside = only_part(GeneratedEncounter(encounter_facts(EncounterStatus.COMPLETED), record, both))
    urls = {entry["fullUrl"] for entry in beside["entry"]}
    kept = [entry for entry in alone["entry"] if entry["resource"]["resourceType"] != "Composition"]
    assert {entry["fullUrl"] for entry in kept} <= urls


def test_parts_together_have_each_observation_once_and_link_to_the_next_part():
    encounter = generated_encounter(2)
    parts = [json.loads(part) for part in encounter.parts(entries_max=40)]
    assert len(parts) > 3
    assert all(len(part["entry"]) < 40 + 6 for part in parts[1:])
    assert [part.get("link", [{}])[0].get("relation") for part in parts] == ["next"] * (len(parts) - 1) + [None]
    measured = [
        entry["fullUrl"]
        for part in parts
        for entry in part["entry"]
        if "PhdCoincident" not in str(entry["resource"]["meta"]) and "phd" in str(entry["resource"].get("category"))
    ]
    assert len(measured) == len(set(measured)) == len(encounter.observations)
    for part in parts:
        kinds = [entry["resource"]["resourceType"] for entry in part["entry"]]
        assert kinds[:2] == ["Patient", "Encounter"]
        assert kinds.count("Composition") == (part is parts[0])


def test_part_is_full_at_its_size_in_bytes():
    from protocols.fhir.bundle import EncounterBundle

    part = EncounterBundle(encounter_facts(), visible()).part(is_first=True, bytes_max=10_000)
    count = 0
    while not part.is_full:
        part.add(observed(index=count), device())
        count += 1
    assert len(part.encoded()) < 15_000


@pytest.mark.contract("A-101")
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (EncounterStatus.IN_PROGRESS, "in-progress"),
        (EncounterStatus.COMPLETED, "finished"),
        (EncounterStatus.CANCELLED, "cancelled"),
        (EncounterStatus.TRANSFERRED, "finished"),
    ],
)
def test_status_of_the_encounter_in_fhir(status: EncounterStatus, expected: str):
    _, encounter, composition = only_part(GeneratedEncounter(encounter_facts(status), visible(), ()))["entry"]
    assert encounter["resource"]["status"] == expected
    assert composition["resource"]["status"] == "preliminary", "the end of an encounter signs no report"


@pytest.mark.parametrize(
    ("signing", "audience", "expected"),
    [
        (UNSIGNED, Audience.TREATMENT, ReportState("preliminary")),
        (ReportSigning(signed=True), Audience.TREATMENT, ReportState("final")),
        (ReportSigning(signed=True, partial=True), Audience.PARTNERS, ReportState("preliminary", "lost")),
        (ReportSigning(signed=True, addenda=("a", "b")), Audience.TREATMENT, ReportState("amended", "a; b")),
        (ReportSigning(signed=True, addenda=("a", "b")), Audience.PARTNERS, ReportState("amended")),
    ],
)
def test_status_of_the_report_follows_from_its_signature(
    signing: ReportSigning, audience: Audience, expected: ReportState
):
    state = report_state(signing, audience, why_partial="lost")
    assert state == expected
    part = EncounterBundle(encounter_facts(), visible(), state=state).part(is_first=True)
    composition = json.loads(part.encoded())["entry"][2]["resource"]
    assert (composition["status"], "section" in composition) == (expected.status, bool(expected.reason))


def test_later_state_of_the_record_is_another_composition_of_the_same_encounter():
    def composition(*changes: Any) -> dict[str, Any]:
        found = only_part(GeneratedEncounter(encounter_facts(), visible(*changes), ()))["entry"]
        return next(entry for entry in found if entry["resource"]["resourceType"] == "Composition")

    first, second = composition(), composition(change("patient.age", "50"))
    assert first["fullUrl"] != second["fullUrl"]
    assert first["resource"]["encounter"] == second["resource"]["encounter"]


def test_device_that_only_claims_to_be_another_one_is_a_device_of_its_own():
    genuine, claimed = device(), replace(device(), unverified_link=True)
    found = only_part(
        GeneratedEncounter(encounter_facts(), visible(), [(observed(), genuine), (observed(index=1), claimed)])
    )
    devices = [
        entry["resource"] for entry in found["entry"] if entry["resource"].get("serialNumber") == genuine.serial_number
    ]
    assert len({one["identifier"][0]["value"] for one in devices}) == 2
    assert ["note" in one for one in devices] == [False, True]
    assert {one["identifier"][1]["value"] for one in devices} == {"00-00-00-00-00-00-00-01"}
