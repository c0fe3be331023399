"""A caller reads the signed transcript of evidence, and has a transcript verified with an exact result."""

import json
import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from argus_sdk.verify.files import load_keys
from cloud.foundation.http import BodyMalformed
from cloud.foundation.viewer import SecrecyLevel
from cloud.work.provenance import long_transcripts, service, turns
from cloud.work.provenance.transcripts import BODY_BYTES_MAX, read_body
from cloud.work.provenance_keys import ProvenanceKeys
from protocols.provenance import merkle
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.reasons import Reason
from protocols.provenance.received import read_transcript
from protocols.provenance.transcript import Operation, core_of, hash_text
from protocols.provenance.verification import verify
from tests.builders.provenance_transcripts import TAMPERINGS, flipped, transcript
from tests.cloud.provenance.conftest import EvidenceDesk

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
INTACT = {
    "valid": True,
    "evidence_id": "evd_1",
    "broken_links": [],
    "checked_records": 3,
    "merkle_root_verified": True,
    "is_latest": True,
    "current_record_count": 3,
    "content": "checked",
}


ENVELOPE = {
    *("evidence_id", "tenant_id", "records", "merkle_root", "root_signature", "root_signature_alg", "format"),
    *("version", "record_count", "root_signature_kid"),
}
RECORD = {
    *("id", "operation", "actor_id", "actor_kind", "content_hash", "parent_hash", "signature", "signature_alg"),
    *("signed_at", "trace_id", "job_id", "parent_id", "signature_kid"),
}
"""The members that the contract names, and the last two of each list, which the matrix adds (A-111, A-113)."""
ULID = re.compile("[0-7][0-9A-HJKMNP-TV-Z]{25}")
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def leaves_of(transcript: dict[str, Any]) -> list[bytes]:
    return [merkle.leaf_hash(canonical_json(core_of(record))) for record in transcript["records"]]


def digest(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("sha256:"))


def broken(result: dict[str, Any]) -> list[tuple[int | None, str]]:
    return [(fault["index"], fault["reason"]) for fault in result["broken_links"]]


@pytest.mark.contract("C-211", "C-216", "C-220", "C-221", "C-223", "C-226", "C-227", "A-111", "A-113")
@on_sqlite
async def test_transcript_has_the_members_of_the_contract(desk: EvidenceDesk) -> None:
    await desk.append()
    response = await desk.get()
    assert response.headers["Content-Type"] == "application/json"
    whole = response.json()
    assert {name: whole[name] for name in ("evidence_id", "tenant_id", "format", "version", "root_signature_alg")} == {
        "evidence_id": "evd_1",
        "tenant_id": "tnt_north",
        "format": "json",
        "version": "2026.4",
        "root_signature_alg": "hmac-sha256",
    }
    assert set(whole) == ENVELOPE
    for record in whole["records"]:
        assert set(record) == RECORD
        assert ULID.fullmatch(record["id"])
        assert RFC_3339.fullmatch(record["signed_at"])
        assert len(bytes.fromhex(record["signature"])) == 32
        assert (record["actor_id"], record["actor_kind"], record["job_id"]) == ("usr_1", "user", None)
    first, second, third = whole["records"]
    assert [record["operation"] for record in whole["records"]] == [
        "evidence.create",
        "evidence.update",
        "evidence.export",
    ]
    assert first["parent_id"] is None
    assert first["parent_hash"] is None
    assert second["parent_id"] == first["id"]
    leaves = leaves_of(whole)
    assert second["parent_hash"] == hash_text(leaves[0])
    assert third["parent_hash"] == hash_text(leaves[1])
    assert whole["merkle_root"] == hash_text(merkle.root(leaves))
    assert {record["signature_alg"] for record in whole["records"]} == {"hmac-sha256"}
    assert first["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert whole["root_signature_kid"] == first["signature_kid"]


@pytest.mark.contract("C-222")
@on_sqlite
async def test_response_has_the_trace_headers(desk: EvidenceDesk) -> None:
    await desk.append()
    responses = [
        await desk.get(),
        await desk.post({"transcript": await desk.transcript()}),
        await desk.get(id="evd_no"),
    ]
    assert [one.status_code for one in responses] == [200, 200, 404]
    for one in responses:
        assert (len(one.headers["X-Argus-Trace-ID"]), len(one.headers["X-Argus-Span-ID"])) == (32, 16)


@pytest.mark.contract("C-216", "C-218", "C-244", "A-112", "C-235")
@on_sqlite
async def test_post_quantum_transcript_verifies_offline_with_the_published_key(
    desk: EvidenceDesk, tmp_path: Path
) -> None:
    await desk.append()
    whole = await desk.transcript("?algorithm=ml-dsa-65")
    keys = await desk.parts.shared(ProvenanceKeys.of).listed()
    published = tmp_path / "keys.json"
    published.write_text(json.dumps({"keys": [key.published_form() for key in keys]}))
    found, _ = load_keys(str(published))
    assert verify(read_transcript(whole), found).valid
    assert whole["merkle_root"] == (await desk.transcript())["merkle_root"]


@pytest.mark.contract("A-112")
@on_sqlite
async def test_root_signature_is_kept_until_the_next_record(desk: EvidenceDesk) -> None:
    await desk.append()
    first = await desk.transcript("?algorithm=ml-dsa-65")
    assert await desk.transcript("?algorithm=ml-dsa-65") == first
    await desk.append((Operation.READ,))
    assert (await desk.transcript("?algorithm=ml-dsa-65"))["root_signature"] != first["root_signature"]


@pytest.mark.contract("C-214", "C-215", "A-119", "A-124", "A-125")
@on_sqlite
async def test_json_ld_document_contains_the_same_transcript(desk: EvidenceDesk) -> None:
    await desk.append()
    response = await desk.get("?format=jsonld")
    assert response.headers["Content-Type"] == "application/ld+json"
    document = response.json()
    assert document["@context"][0] == "https://www.w3.org/ns/prov"
    assert document["@graph"][0]["argus:transcript"]["@value"] == await desk.transcript()
    strict = (await desk.get("?format=jsonld&context=strict")).json()
    assert strict["@context"] == "https://www.w3.org/ns/prov"
    for form in (document, strict):
        assert await desk.verify(form) == INTACT
    document["@graph"][3]["argus:operation"] = "evidence.read"
    assert broken(await desk.verify(document)) == [(None, "graph_mismatch")]


@pytest.mark.contract("A-125")
@on_sqlite
async def test_unknown_value_of_the_query_is_refused(desk: EvidenceDesk) -> None:
    await desk.append()
    for query in ("format=xml", "algorithm=rsa", "algorithm=ML-DSA-65", "context=x", "consistent_with=0", "other=1"):
        assert (await desk.get(f"?{query}")).status_code == 400, query


@pytest.mark.contract("C-213", "C-231")
@on_sqlite
async def test_scope_is_required(desk: EvidenceDesk) -> None:
    await desk.append()
    assert (await desk.get(who="narrow")).status_code == 403
    assert (await desk.post({"transcript": {}}, who="narrow")).status_code == 403


@pytest.mark.contract("C-224", "C-225", "C-239", "A-121", "A-132", "S-069")
async def test_foreign_and_secret_evidence_is_not_found(desk: EvidenceDesk) -> None:
    await desk.append()
    await desk.append(id="evd_secret", level=SecrecyLevel.SECRET)
    own = await desk.transcript()
    hidden = [("evd_1", "south"), ("evd_1", "elsewhere"), ("evd_secret", "north"), ("evd_absent", "north")]
    for id, who in hidden:
        read, verified = await desk.get(id=id, who=who), await desk.post({"transcript": own}, id=id, who=who)
        assert (read.status_code, read.json()["code"]) == (404, "evidence_unknown")
        assert (verified.status_code, verified.json()["code"]) == (404, "evidence_unknown")
    assert (await desk.get(who="tenant")).status_code == 200
    assert (await desk.get(id="evd_secret", who="cleared")).status_code == 200


@pytest.mark.contract("C-229", "C-232", "C-233", "C-236", "C-240")
async def test_intact_transcript_is_valid_and_audited(desk: EvidenceDesk) -> None:
    await desk.append()
    for algorithm in ("hmac-sha256", "ml-dsa-65"):
        assert await desk.verify(await desk.transcript(f"?algorithm={algorithm}")) == INTACT
    latest, former = await desk.audited()
    assert latest.object == "evd_1"
    assert latest.metadata == {"record_count": 3, "format": "json", "algorithm": "ml-dsa-65", "valid": True}
    assert former.metadata["algorithm"] == "hmac-sha256"


@pytest.mark.contract("C-230", "C-237", "C-238", "C-240", "A-117", "A-129")
@on_sqlite
async def test_changed_record_is_named_with_each_reason(desk: EvidenceDesk) -> None:
    await desk.append()
    whole = await desk.transcript()
    whole["records"][1]["content_hash"] = flipped(whole["records"][1]["content_hash"])
    result = await desk.verify(whole)
    assert broken(result) == [(1, "signature_invalid"), (1, "content_hash_mismatch"), (None, "merkle_root_mismatch")]
    assert result["broken_links"][0]["record_id"] == whole["records"][1]["id"]
    assert not result["valid"]
    assert not result["merkle_root_verified"]
    assert not result["is_latest"]
    (entry,) = await desk.audited()
    assert entry.metadata["valid"] is False


@pytest.mark.contract("S-160", "S-161", "C-237", "C-238", "A-117")
@pytest.mark.parametrize("algorithm", ["hmac-sha256", "ml-dsa-65"])
@on_sqlite
async def test_each_tampering_is_reported_exactly_by_the_cloud(desk: EvidenceDesk, algorithm: str) -> None:
    await desk.append((Operation.CREATE, Operation.UPDATE, Operation.EXPORT, Operation.UPDATE, Operation.TRANSFER))
    await desk.append(id="evd_2")
    intact = await desk.transcript(f"?algorithm={algorithm}")
    for tampering in TAMPERINGS:
        whole = deepcopy(intact)
        tampering.apply(whole)
        expected = list(tampering.faults)
        if tampering.name == "value":  # the cloud also has the content
            expected.insert(1, (2, Reason.CONTENT_HASH_MISMATCH))
        response = await desk.post({"transcript": whole})
        assert response.status_code == 200
        result = response.json()
        assert broken(result) == expected, tampering.name
        assert (result["valid"], result["is_latest"]) == (False, False)
        assert result["merkle_root_verified"] is (tampering.name == "foreign_tenant")
    foreign = (await desk.transcript(f"?algorithm={algorithm}", id="evd_2"))["records"][1]
    whole = deepcopy(intact)
    whole["records"][1] = foreign
    result = await desk.verify(whole)
    assert broken(result) == [
        (1, Reason.PARENT_MISSING),
        (1, Reason.SIGNATURE_INVALID),
        (2, Reason.PARENT_MISSING),
        (None, Reason.MERKLE_ROOT_MISMATCH),
    ]
    assert (result["valid"], result["merkle_root_verified"]) == (False, False)


@pytest.mark.contract("A-117", "A-118", "C-238")
@on_sqlite
async def test_changed_header_is_reported_and_not_refused(desk: EvidenceDesk) -> None:
    await desk.append()
    for changes, reason in (
        ({"merkle_root": "sha256:" + "0" * 64}, "merkle_root_mismatch"),
        ({"root_signature_alg": "rsa"}, "root_algorithm_unknown"),
        ({"root_signature": "<hex>"}, "root_signature_malformed"),
        ({"evidence_id": "evd_2"}, "evidence_mismatch"),
        ({"tenant_id": "tnt_south"}, "tenant_mismatch"),
    ):
        assert broken(await desk.verify(await desk.transcript() | changes)) == [(None, reason)]


@pytest.mark.contract("S-163", "A-132", "C-217")
@on_sqlite
async def test_transcript_of_another_tenant_is_not_valid_here(desk: EvidenceDesk) -> None:
    await desk.append()
    await desk.append(tenant="tnt_south", organization="org_south")
    for algorithm in ("hmac-sha256", "ml-dsa-65"):
        result = await desk.verify(await desk.transcript(f"?algorithm={algorithm}", who="south"))
        assert broken(result)[:2] == [(None, "tenant_mismatch"), (0, "signature_invalid")]


@pytest.mark.contract("A-120")
async def test_older_transcript_is_valid_and_proved_to_be_the_beginning(desk: EvidenceDesk) -> None:
    await desk.append()
    older = await desk.transcript("?algorithm=ml-dsa-65")
    await desk.append((Operation.READ, Operation.UPDATE))
    result = await desk.verify(older)
    assert (result["valid"], result["is_latest"], result["current_record_count"]) == (True, False, 5)
    newer = await desk.transcript("?consistent_with=3")
    assert newer["consistency_proof"] == result["consistency_proof"]
    proof = newer["consistency_proof"]
    hashes = [digest(one) for one in proof["hashes"]]
    assert proof["merkle_root"] == older["merkle_root"]
    assert merkle.is_consistent(3, digest(older["merkle_root"]), 5, digest(newer["merkle_root"]), hashes)
    assert (await desk.get("?consistent_with=6")).json()["code"] == "evidence_record_unknown"
    # A transcript with proofs beside it is verified as one without.
    assert (await desk.verify(newer))["valid"]


@pytest.mark.contract("C-211", "C-215", "A-118")
@on_sqlite
async def test_long_transcript_is_streamed_with_the_bytes_of_a_short_one(
    desk: EvidenceDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.append((Operation.CREATE, Operation.READ, Operation.UPDATE, Operation.EXPORT, Operation.UPDATE))
    record_id = (await desk.transcript())["records"][3]["id"]
    queries = ("?algorithm=ml-dsa-65", f"?consistent_with=2&proof_of={record_id}", "?format=jsonld", "?context=strict")
    short = [await desk.get(query) for query in queries]
    for module in (service, long_transcripts):
        monkeypatch.setattr(module, "PAGE", 2)
    for query, expected in zip(queries, short, strict=True):
        streamed = await desk.get(query)
        assert "Content-Length" not in streamed.headers
        assert streamed.headers["Content-Type"] == expected.headers["Content-Type"]
        assert streamed.content == expected.content
    monkeypatch.setattr(service, "RECORDS_MAX", 4)
    beginning = await desk.transcript("?algorithm=ml-dsa-65")
    assert (beginning["record_count"], beginning["current_record_count"]) == (4, 5)
    result = await desk.verify(beginning)
    assert (result["valid"], result["is_latest"], result["current_record_count"]) == (True, False, 5)


@on_sqlite
async def test_proof_of_a_record_shows_that_the_root_includes_it(desk: EvidenceDesk) -> None:
    await desk.append()
    record_id = (await desk.transcript())["records"][2]["id"]
    whole = await desk.transcript(f"?proof_of={record_id}")
    proof = whole["inclusion_proof"]
    hashes = [digest(one) for one in proof["hashes"]]
    assert digest(proof["leaf_hash"]) == leaves_of(whole)[2]
    assert merkle.is_included(digest(proof["leaf_hash"]), proof["index"], 3, hashes, digest(whole["merkle_root"]))
    assert (await desk.get("?proof_of=01HFXY")).json()["code"] == "evidence_record_unknown"


@pytest.mark.contract("S-167", "C-230", "C-238", "A-129")
@on_sqlite
async def test_row_that_was_changed_without_triggers_is_reported_and_stops_no_verification(desk: EvidenceDesk) -> None:
    await desk.append()
    whole = await desk.transcript()
    async with desk.database.transaction() as tx:
        await tx.execute(text("DROP TRIGGER evidence_records_not_updated"))
        await tx.execute(text("UPDATE evidence_records SET content = NULL WHERE position = 1"))
        await tx.execute(text("UPDATE evidence_records SET operation = 'of no word' WHERE position = 2"))
    assert broken(await desk.verify(whole)) == [(0, "content_hash_mismatch")]
    async with desk.database.transaction() as tx:
        await tx.execute(text("UPDATE evidence_records SET core = 'no JSON' WHERE position = 2"))
    assert broken(await desk.verify(whole)) == [(0, "content_hash_mismatch"), (1, "ledger_mismatch")]
    response = await desk.get()
    assert (response.status_code, response.json()["code"]) == (500, "evidence_damaged")


@pytest.mark.contract("S-160", "S-167", "C-230")
@on_sqlite
async def test_records_removed_from_the_end_of_the_database_are_named_and_no_transcript_is_signed(
    desk: EvidenceDesk,
) -> None:
    await desk.append()
    whole = await desk.transcript("?algorithm=ml-dsa-65")
    await desk.append((Operation.READ,))
    async with desk.database.transaction() as tx:
        await tx.execute(text("DROP TRIGGER evidence_records_not_deleted"))
        await tx.execute(text("DELETE FROM evidence_records WHERE position = 4"))
    response = await desk.get()
    assert (response.status_code, response.json()["code"]) == (500, "evidence_records_missing")
    assert "argus-cloud evidence check" in response.json()["detail"]
    result = await desk.verify(whole)
    assert (result["valid"], result["is_latest"], result["current_record_count"]) == (True, False, 4)
    assert "consistency_proof" not in result, "the records that it would prove are not all there"
    async with desk.database.transaction() as tx:
        await tx.execute(text("DELETE FROM evidence_records WHERE position > 2"))
    assert broken(await desk.verify(whole)) == [(2, "record_not_in_ledger")]


@pytest.mark.contract("C-233", "C-236", "C-238")
@on_sqlite
async def test_withdrawn_key_breaks_only_records_that_the_cloud_does_not_have(desk: EvidenceDesk) -> None:
    await desk.append()
    whole = await desk.transcript("?algorithm=ml-dsa-65")
    await desk.parts.shared(ProvenanceKeys.of).withdraw(whole["root_signature_kid"])
    assert await desk.verify(whole) == INTACT
    async with desk.database.transaction() as tx:
        await tx.execute(text("DROP TRIGGER evidence_records_not_updated"))
        await tx.execute(text("UPDATE evidence_records SET hmac_signature = x'00' WHERE position = 2"))
    result = await desk.verify(whole)
    assert broken(result) == [(1, "key_withdrawn"), (None, "root_key_withdrawn")]
    assert not result["merkle_root_verified"]


@pytest.mark.contract("C-238", "A-118", "S-164")
@on_sqlite
async def test_malformed_body_is_refused(desk: EvidenceDesk) -> None:
    await desk.append()
    for body in (
        b"{}",
        b"not json",
        b'{"transcript": null}',
        b'{"transcript": {}}',
        b'{"transcript": {"records": {}}}',
        b'{"transcript": {"@graph": []}}',
        b'{"transcript": {"evidence_id": "a", "evidence_id": "b"}}',
        b'{"transcript": {}, "other": 1}',
        b'{"transcript": ' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    ):
        response = await desk.post(body)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_body"), body[:60]
    assert await desk.audited() == []


@pytest.mark.contract("A-118", "S-164")
@on_sqlite
async def test_body_over_the_limit_is_refused(desk: EvidenceDesk) -> None:
    await desk.append()
    assert (await desk.post(b" " * (BODY_BYTES_MAX + 1))).status_code == 413


@pytest.mark.contract("A-118")
def test_transcript_of_ten_thousand_records_is_read_and_a_longer_one_refused() -> None:
    whole = transcript(1)
    record = whole["records"][0]
    slim = {name: record[name] for name in ("id", "operation", "actor_id", "actor_kind", "content_hash", "signed_at")}
    slim |= {"parent_hash": None, "trace_id": None, "job_id": None, "signature": "", "signature_alg": "hmac-sha256"}
    whole["records"] = [slim] * 10_000
    assert len(read_body(json.dumps({"transcript": whole}).encode()).transcript.records) == 10_000
    whole["records"].append(slim)
    with pytest.raises(BodyMalformed, match="more than 10000 records"):
        read_body(json.dumps({"transcript": whole}).encode())


@on_sqlite
@pytest.mark.parametrize("limit", ["QUEUED_MAX", "TENANT_QUEUED_MAX"])
async def test_verification_is_refused_while_too_many_are_queued(
    desk: EvidenceDesk, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    await desk.append()
    whole = await desk.transcript()
    monkeypatch.setattr(turns, limit, 0)
    response = await desk.post({"transcript": whole})
    assert (response.status_code, response.json()["code"]) == (503, "verification_busy")
    assert response.headers["Retry-After"] == "5"
