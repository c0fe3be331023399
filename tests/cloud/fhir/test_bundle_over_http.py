"""The routes that return an encounter as a FHIR bundle: the same bytes at both addresses, negotiated, with an entity
tag."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from cloud.clinical.fhir import handlers, jobs, service
from cloud.clinical.fhir.samples import sample_bundle
from cloud.clinical.fhir.validation import find_faults
from cloud.foundation.db import Database
from protocols.fhir.systems import ENCOUNTER, METRIC_EXTENSION
from tests.builders.api_crew import crew_member
from tests.builders.api_surface import Api, alike, api

BEGIN = "/api/v1/epcr/encounters"
MEDIA_TYPE = "application/fhir+json; fhirVersion=4.0"


@pytest.fixture
async def here(database: Database) -> AsyncIterator[Api]:
    async with api(database) as served:
        await crew_member(database, served.clock)
        yield served


async def begun(here: Api) -> str:
    answer = await here.post(BEGIN, {"care_model": "prehospital_emergency"})
    assert answer.status_code == 201, answer.text
    return f"{BEGIN}/{answer.json()['id']}"


async def posted(here: Api, address: str, *values: float) -> None:
    """Post readings of an oximeter to the encounter, a second apart."""
    device = await here.enrol()
    for value in values:
        body = {
            "mdc_code": "MDC_PULS_OXIM_SAT_O2",
            "value": value,
            "unit_code": "%",
            "encounter_id": address.rpartition("/")[2],
        }
        answer = await here.post(f"/api/v1/devices/{device['id']}/observations", body)
        assert answer.status_code == 201, answer.text
        here.clock.advance(us=1_000_000)


def kinds(bundle: dict[str, Any]) -> list[str]:
    return [entry["resource"]["resourceType"] for entry in bundle["entry"]]


@pytest.mark.contract("C-108", "C-109", "A-097", "A-099", "A-100")
async def test_bundle_of_an_empty_encounter_has_patient_encounter_and_composition(here: Api) -> None:
    address = await begun(here)
    answer = await here.get(f"{address}/fhir-bundle", who="reader")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    bundle = answer.json()
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
    assert kinds(bundle) == ["Patient", "Encounter", "Composition"]
    encounter = bundle["entry"][1]["resource"]
    assert encounter["identifier"][1] == {"system": ENCOUNTER, "value": address.rpartition("/")[2]}
    assert [label["code"] for label in bundle["meta"]["security"]] == ["PSEUDED"]
    assert "link" not in bundle


@pytest.mark.contract("C-107", "A-099")
async def test_format_and_accept_get_the_same_bytes_as_the_route_of_the_bundle(here: Api) -> None:
    address = await begun(here)
    await posted(here, address, 97.0)
    own = await here.get(f"{address}/fhir-bundle")
    for answer in (
        await here.get(f"{address}?format=fhir"),
        await here.get(address, Accept="application/fhir+json"),
        await here.get(address, Accept="application/json;q=0.5, application/fhir+json; fhirVersion=4.0"),
    ):
        assert answer.content == own.content
        assert answer.headers["Content-Type"] == MEDIA_TYPE
        assert answer.headers["ETag"] == own.headers["ETag"]
        assert answer.headers["Vary"] == "Accept"


@pytest.mark.contract("C-103", "A-099")
async def test_summary_is_the_default_and_the_format_decides_before_accept(here: Api) -> None:
    address = await begun(here)
    for answer in (
        await here.get(address),
        await here.get(address, Accept="*/*"),
        await here.get(address, Accept="application/fhir+json;q=0.1, application/json"),
        await here.get(address, Accept="application/xml"),
        await here.get(f"{address}?format=json", Accept="application/fhir+json"),
    ):
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.headers["Vary"] == "Accept"
        assert answer.json()["status"] == "in_progress"


@pytest.mark.contract("S-154", "A-099")
@pytest.mark.parametrize("query", ["format=xml", "format=FHIR", "format=fhir&format=fhir", "format=", "fromat=fhir"])
async def test_other_format_is_refused(here: Api, query: str) -> None:
    answer = await here.get(f"{await begun(here)}?{query}")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_query"


@pytest.mark.contract("A-135")
async def test_unchanged_bundle_is_not_sent_again_and_a_changed_one_is(here: Api) -> None:
    address = await begun(here)
    first = await here.get(f"{address}/fhir-bundle")
    unchanged = await here.get(f"{address}/fhir-bundle", If_None_Match=first.headers["ETag"])
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["ETag"] == first.headers["ETag"]
    assert not first.headers["ETag"].startswith("W/")
    await posted(here, address, 97.0)
    changed = await here.get(f"{address}/fhir-bundle", If_None_Match=first.headers["ETag"])
    assert changed.status_code == 200


@pytest.mark.contract("C-110")
async def test_posted_observation_is_in_the_bundle_with_its_device(here: Api) -> None:
    address = await begun(here)
    await posted(here, address, 97.5)
    bundle = (await here.get(f"{address}/fhir-bundle")).json()
    assert kinds(bundle) == ["Patient", "Encounter", "Composition", "Device", "DeviceMetric", "Observation"]
    device, metric, observation = (entry["resource"] for entry in bundle["entry"][3:])
    assert device["serialNumber"] == "SN-0001"
    assert device["manufacturer"] == "Synthetic Medical"
    assert observation["valueQuantity"]["value"] == 97.5
    (extension,) = observation["extension"]
    assert extension["url"] == METRIC_EXTENSION
    assert extension["valueReference"]["reference"] == f"urn:uuid:{metric['identifier'][0]['value']}"


async def test_parts_are_linked_and_a_link_does_not_change(here: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    address = await begun(here)
    await posted(here, address, *map(float, range(90, 97)))
    monkeypatch.setattr(service, "ENTRIES_MAX", 7)
    values: list[float] = []
    next_url, count = f"https://api.example.org{address}/fhir-bundle", 0
    while next_url:
        answer = await here.get(next_url.removeprefix("https://api.example.org"), who="reader")
        again = await here.get(next_url.removeprefix("https://api.example.org"), who="reader")
        assert (answer.content, answer.headers["ETag"]) == (again.content, again.headers["ETag"])
        bundle = answer.json()
        count += 1
        values += [
            entry["resource"]["valueQuantity"]["value"]
            for entry in bundle["entry"]
            if "valueQuantity" in entry["resource"]
        ]
        next_url = bundle["link"][0]["url"] if "link" in bundle else ""
        assert answer.headers.get("Link", "") == (f'<{next_url}>; rel="next"' if next_url else "")
    assert values == list(range(90, 97))
    assert count == 3


async def test_link_of_another_encounter_or_caller_is_refused(here: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    address, other = await begun(here), await begun(here)
    await posted(here, address, 97.0, 98.0)
    monkeypatch.setattr(service, "ENTRIES_MAX", 6)
    link = (await here.get(f"{address}/fhir-bundle")).json()["link"][0]["url"]
    part = link.partition("?cursor=")[2]
    for answer in (
        await here.get(f"{other}/fhir-bundle?cursor={part}"),
        await here.get(f"{address}/fhir-bundle?cursor={part[:-2]}"),
        await here.get(f"{address}/fhir-bundle?cursor=2"),
        await here.get(f"{address}/fhir-bundle?page=2"),
    ):
        assert answer.status_code == 400, answer.text


@pytest.mark.contract("C-102", "A-020")
async def test_bundle_is_not_found_elsewhere_and_needs_the_scope(here: Api) -> None:
    address = await begun(here)
    missing = await here.get(f"{BEGIN}/enc_missing/fhir-bundle")
    for who in ("elsewhere", "south"):
        answer = await here.get(f"{address}/fhir-bundle", who=who)
        assert answer.status_code == 404
        assert alike(answer, missing)
    assert (await here.get(f"{address}/fhir-bundle", who="stranger")).status_code == 403


async def test_invalid_bundle_is_logged_and_not_sent_when_bundles_are_validated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api(database, {"fhir": {"validate_bundles": True}}) as here:
        address = await begun(here)
        served = await here.get(f"{address}/fhir-bundle")
        assert served.status_code == 200
        monkeypatch.setattr(handlers, "find_faults", lambda _: ["entry.0.resource.gendr: extra_forbidden"])
        with capture_logs() as logs:
            answer = await here.get(f"{address}/fhir-bundle")
    assert (answer.status_code, answer.json()["code"]) == (500, "fhir_bundle_invalid")
    (line,) = [one for one in logs if one["event"] == "fhir.bundle_invalid"]
    assert line["faults"] == ["entry.0.resource.gendr: extra_forbidden"]


def test_fault_of_a_bundle_names_the_place_and_no_value() -> None:
    faulty = json.loads(sample_bundle())
    faulty["entry"][0]["resource"]["gendr"] = "Canary"
    assert find_faults(json.dumps(faulty).encode()) == ["entry.0.resource.gendr: extra_forbidden"]


async def test_samples_are_checked_at_the_start_and_a_fault_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = asyncio.Event()
    stopping.set()
    with capture_logs() as logs:
        await jobs.check_samples(stopping)
        assert logs == []
        monkeypatch.setattr(jobs, "find_sample_faults", lambda: {"Patient": ["gendr: extra_forbidden"]})
        await jobs.check_samples(stopping)
    assert [(one["event"], one["log_level"]) for one in logs] == [("fhir.samples_invalid", "error")]
