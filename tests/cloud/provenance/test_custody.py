"""From a vehicle's batch to a line of the transcript: a change at any place between is found, and leads to its line."""

import json
from collections.abc import AsyncIterator
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from cloud.clinical.epcr import evidence_id_of_encounter
from cloud.foundation.db import Database
from cloud.foundation.objects import LocalObjects
from cloud.work.provenance.routes import routes
from cloud.work.provenance_keys import ProvenanceKeys, RecordSigner
from protocols.provenance.hash_chain import genesis
from protocols.provenance.received import read_transcript
from protocols.provenance.verification import verify
from protocols.uplink.envelope import Envelope, verify_hash
from tests.builders.evidence import run_without_triggers
from tests.builders.followed_vehicle import FollowedVehicle
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.ingest_cloud import ORGANIZATION, TENANT
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.parts import make_parts
from tests.builders.retention_world import waveform
from tests.harness.plain_http import PLAIN

READER = caller(tenant=TENANT, organization=ORGANIZATION, scopes=("argus:provenance:read",))


class Court:
    """A vehicle with an encounter, and a client that fetches and verifies the transcript of its evidence."""

    def __init__(self, vehicle: FollowedVehicle, client: httpx.AsyncClient, keys: RecordSigner, objects: Path) -> None:
        self.vehicle = vehicle
        self.objects = objects
        self._client = client
        self._keys = keys
        self._path = f"/v1/evidence/{evidence_id_of_encounter(vehicle.encounter)}/provenance"
        self._headers = {"Authorization": "Bearer reader"}

    async def transcript(self) -> dict[str, Any]:
        response = await self._client.get(self._path, params={"algorithm": "ml-dsa-65"}, headers=self._headers)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def faults(self, transcript: dict[str, Any]) -> list[tuple[str | None, str]]:
        """Return what the cloud's verification finds: record and reason."""
        sent = {"transcript": transcript}
        response = await self._client.post(f"{self._path}/verify", json=sent, headers=self._headers)
        assert response.status_code == 200, response.text
        result = response.json()
        assert result["valid"] is (result["broken_links"] == [])
        return [(one["record_id"], one["reason"]) for one in result["broken_links"]]

    async def faults_offline(self, transcript: dict[str, Any]) -> list[tuple[str | None, str]]:
        """Return what a verifier with the published keys finds."""
        verdict = verify(read_transcript(transcript), await self._keys.verify_keys(TENANT))
        return [(one.record_id, one.reason.value) for one in verdict.broken_links]

    async def change(self, statement: str, **values: Any) -> None:
        async with self.vehicle.database.transaction() as tx:
            await tx.execute(text(statement), values)

    async def lanes_found(self, *, rows: bool = True) -> set[tuple[str, int, int]]:
        """Return the lane and the batches that the custody check names."""
        return {(lane, first, last) for lane, _, first, last in await self.vehicle.findings(rows=rows)}


@pytest.fixture
async def court(database: Database, tmp_path: Path) -> AsyncIterator[Court]:
    objects = tmp_path / "objects"
    vehicle = FollowedVehicle(database, GatewayInVehicle(), objects=LocalObjects(objects))
    parts = make_parts(database, vehicle.cloud.clock, bases=BASES, objects=objects)
    await parts.shared(ProvenanceKeys.of).listed()
    vehicle.signers = parts.shared(RecordSigner.of)
    await vehicle.begin()
    async with (
        surface(*routes(parts), tokens=KnownTokens({"reader": READER}), clock=vehicle.cloud.clock) as served,
        httpx.AsyncClient(base_url=served.url(""), headers={"Connection": "close"}, timeout=60, verify=PLAIN) as client,
    ):
        yield Court(vehicle, client, parts.shared(RecordSigner.of), objects)


def line_of(transcript: dict[str, Any], lane: str, sequence: int) -> tuple[str, dict[str, Any]]:
    """Return the record of a transcript that references a batch, and its range."""
    found = [
        (record["id"], one)
        for record in transcript["records"]
        for one in record.get("details", {}).get("vehicle_batches", ())
        if one["lane"] == lane and one["first_sequence"] <= sequence <= one["last_sequence"]
    ]
    assert len(found) == 1
    return found[0]


def assert_range_is_of_the_vehicle(found: dict[str, Any], sent: list[Envelope], key: bytes) -> None:
    """Check a range against what the vehicle itself has signed: its first and last hash, and the signature."""
    first, last = sent[0].batch, sent[-1].batch
    assert (found["first_sequence"], found["last_sequence"]) == (first.sequence, last.sequence)
    assert found["hash_before"] == first.previous_hash.hex() == genesis(first.gateway, first.epoch, first.lane).hex()
    for before, after in pairwise(sent):
        assert after.batch.previous_hash == before.batch.hash
    assert (found["hash"], found["gateway_key"]) == (last.hash.hex(), key.hex())
    assert verify_hash(bytes.fromhex(found["hash"]), bytes.fromhex(found["signature"]), key)


@pytest.mark.contract("C-228", "C-211", "C-230", "S-160", "S-167")
async def test_change_at_any_place_between_vehicle_and_transcript_is_found_and_named(court: Court) -> None:
    vehicle = court.vehicle
    numerics, waves = vehicle.gateway.many(3), waveform(vehicle.gateway)
    await vehicle.cloud.take(*numerics, waves)
    await vehicle.room.following.turn()
    intact = await court.transcript()
    record, of_numerics = line_of(intact, "numeric", 2)
    same, of_waves = line_of(intact, "waveform", 1)
    assert record == same == intact["records"][1]["id"]
    assert_range_is_of_the_vehicle(of_numerics, numerics, vehicle.gateway.public_key)
    assert_range_is_of_the_vehicle(of_waves, [waves], vehicle.gateway.public_key)
    assert (await court.faults(intact), await court.faults_offline(intact), await court.lanes_found()) == (
        [],
        [],
        set(),
    )

    # One sample in the object store.
    (stored,) = [path for path in court.objects.rglob("*") if path.is_file()]
    data = stored.read_bytes()
    sample = data.index(waves.batch.payload) + len(waves.batch.payload) // 2
    stored.write_bytes(data[:sample] + bytes([data[sample] ^ 1]) + data[sample + 1 :])
    ((lane, first, last),) = await court.lanes_found()
    assert (lane, first, last) == ("waveform", 1, 1)
    assert line_of(await court.transcript(), lane, first)[0] == record
    stored.write_bytes(data)

    # One row.
    await court.change("UPDATE observations SET number = 12.0 WHERE sequence = 2")
    ((lane, first, last),) = await court.lanes_found()
    assert (lane, first, last) == ("numeric", 2, 2)
    assert line_of(await court.transcript(), lane, first)[0] == record
    await court.change("UPDATE observations SET number = 91.0 WHERE sequence = 2")
    assert await court.lanes_found() == set()

    # One envelope.
    async with vehicle.database.read() as tx:
        envelope = bytes((await tx.execute(text("SELECT envelope FROM batches WHERE sequence = 3"))).scalar())
    changed = envelope[:-70] + bytes([envelope[-70] ^ 1]) + envelope[-69:]
    await court.change("UPDATE batches SET envelope = :octets WHERE sequence = 3", octets=changed)
    ((lane, first, last),) = await court.lanes_found(rows=False)
    assert (lane, first, last) == ("numeric", 3, 3)
    assert line_of(await court.transcript(), lane, first)[0] == record
    await court.change("UPDATE batches SET envelope = :octets WHERE sequence = 3", octets=envelope)
    assert (await court.lanes_found(), await court.faults(await court.transcript())) == (set(), [])

    # One record of the evidence: an earlier copy no longer fits the cloud, and a new one no longer verifies anywhere.
    changed_record = deepcopy(intact["records"][1])
    core = {name: value for name, value in changed_record.items() if not name.startswith("signature")}
    core["details"]["vehicle_batches"][0]["last_sequence"] = 2
    await run_without_triggers(vehicle.database)
    written = json.dumps(core, sort_keys=True, separators=(",", ":"))
    await court.change("UPDATE evidence_records SET core = :core WHERE record_id = :id", core=written, id=record)
    assert await court.faults(await court.transcript()) == [(record, "signature_invalid")]
    assert await court.faults_offline(await court.transcript()) == [(record, "signature_invalid")]
    assert await court.faults(intact) == [(record, "ledger_mismatch")]
