"""Waveforms are exported as the FHIR resources of the bundles, whether they lie in objects or in rows."""

import json
from typing import Any

import pytest

from cloud.clinical.fhir.validation import find_faults
from tests.builders.encounter_reading import assigned
from tests.builders.exports import ExportDesk, digest, references, with_types
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle
from tests.builders.ingest_kinds import CUFF
from tests.builders.waveforms import many_waves
from tests.cloud.fhir.test_bundles import measured, parts
from tests.cloud.observations.test_packed_waveforms import mixed

PAYLOAD: dict[str, Any] = {"data": "waveforms", "format": "fhir_ndjson"}


async def waveforms_in_objects_and_rows(desk: ExportDesk, gateway: GatewayInVehicle) -> str:
    """Store waveforms of two gateways, those of one in rows as releases before the object store did; return the
    encounter that has them."""
    await desk.cloud.take(*mixed(gateway))
    in_rows = GatewayInVehicle(gateway="gw_rows", key_seed=2)
    rows = CloudUnderTest(desk.cloud.database, clock=desk.cloud.clock)
    await rows.register_gateway(in_rows)
    await rows.take(*mixed(in_rows))
    return await assigned(desk.cloud, OXIMETER.system_id, CUFF.system_id)


async def test_blocks_are_the_observations_of_the_bundle(desk: ExportDesk, gateway: GatewayInVehicle) -> None:
    encounter_id = await waveforms_in_objects_and_rows(desk, gateway)
    found = {one["id"]: one for one in await desk.lines(PAYLOAD)}
    in_bundle = measured(await parts(desk.cloud, encounter_id))
    expected = [one for one in in_bundle if "valueSampledData" in one]
    assert len(expected) == 14
    assert len([one for one in found.values() if "valueSampledData" in one]) == 14
    for resource in expected:
        shown = dict(found[resource["identifier"][0]["value"]])
        shown.pop("id")
        assert json.dumps(shown) == json.dumps(with_types(resource))
    assert desk.results[-1].download.file_name == "waveforms.fhir.ndjson"


async def test_references_lead_to_resources_of_the_file_and_all_are_valid(
    desk: ExportDesk, gateway: GatewayInVehicle
) -> None:
    await waveforms_in_objects_and_rows(desk, gateway)
    found = await desk.lines(PAYLOAD)
    ids = {f"{one['resourceType']}/{one['id']}" for one in found}
    assert {target for one in found for target in references(one)} <= ids
    entries = [
        {"fullUrl": f"urn:uuid:{one['id']}", "resource": one, "request": {"method": "PUT", "url": "x"}} for one in found
    ]
    assert find_faults(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()) == []


async def test_selection_limits_the_blocks(desk: ExportDesk, gateway: GatewayInVehicle) -> None:
    await waveforms_in_objects_and_rows(desk, gateway)
    device_id = (await desk.cloud.device_ids())[CUFF.system_id]
    found = await desk.lines({**PAYLOAD, "device_id": device_id})
    assert len([one for one in found if "valueSampledData" in one]) == 2
    found = await desk.lines({**PAYLOAD, "mdc_codes": ["MDC_ECG_ELEC_POTL_I"]})
    assert not [one for one in found if "valueSampledData" in one]


@pytest.mark.contract("S-138")
async def test_export_whose_workers_are_killed_has_the_same_bytes(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None
) -> None:
    await desk.cloud.take(*many_waves(gateway, 60))
    await assigned(desk.cloud)
    whole = await desk.run(PAYLOAD)
    steps = desk.steps
    assert steps > 4
    assert digest(await desk.run(PAYLOAD, killed_before=frozenset(range(steps)))) == digest(whole)
    assert await desk.unfinished() == []
