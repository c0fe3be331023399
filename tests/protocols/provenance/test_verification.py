"""A transcript is verified record by record, and every change of it is reported where it was made."""

import hmac
import json
from collections.abc import Iterator
from typing import Any

import pytest

from protocols.errors import RemoteProtocolError
from protocols.provenance import merkle
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.reasons import Reason
from protocols.provenance.received import RECORDS_MAX, read_transcript
from protocols.provenance.signatures import Algorithm
from protocols.provenance.transcript import hash_text, record_message, sign_record, sign_root
from protocols.provenance.verification import Verdict, verify
from tests.builders.provenance_transcripts import (
    EVIDENCE,
    HMAC_KID,
    MASTER_KEY,
    TAMPERINGS,
    TENANT,
    Keys,
    Tampering,
    cores,
    hmac_key,
    ml_dsa_signer,
    signed,
    transcript,
)

BOTH = pytest.mark.parametrize("algorithm", list(Algorithm))


def check(whole: dict[str, Any], **expected: Any) -> Verdict:
    return verify(read_transcript(whole), Keys(), **{"tenant_id": TENANT, "evidence_id": EVIDENCE, **expected})


def faults(verdict: Verdict) -> list[tuple[int | None, Reason]]:
    return [(link.index, link.reason) for link in verdict.broken_links]


@BOTH
def test_intact_transcript_is_valid(algorithm: Algorithm) -> None:
    verdict = check(transcript(5, algorithm))
    assert verdict.valid
    assert verdict.merkle_root_verified
    assert verdict.checked_records == 5


@BOTH
@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.name)
@pytest.mark.contract("C-230", "C-237", "A-117", "S-160", "S-161")
def test_tampering_is_reported_where_it_was_done(tampering: Tampering, algorithm: Algorithm) -> None:
    whole = transcript(5, algorithm)
    tampering.apply(whole)
    verdict = check(whole)
    assert faults(verdict) == list(tampering.faults)
    # The name of a tenant in the header is not under the root.
    assert verdict.merkle_root_verified is (tampering.name == "foreign_tenant")
    for link in verdict.broken_links:
        assert link.record_id == (None if link.index is None else whole["records"][link.index]["id"])


ROOT = (None, Reason.MERKLE_ROOT_MISMATCH)


def flips(text: str, step: int) -> Iterator[str]:
    """Yield `text` with one bit of one character changed, at every `step`-th character. None of our ids becomes another
    one by that."""
    for place in range(0, len(text), step):
        yield text[:place] + chr(ord(text[place]) ^ 4) + text[place + 1 :]


def expected_faults(member: str, value: str, index: int, count: int) -> list[tuple[int | None, Reason]]:
    """Return what is reported when a member of the record at `index`, of `count`, has this changed value."""
    is_hex = set(value) <= set("0123456789abcdef")
    of_signature = {
        "signature": Reason.SIGNATURE_INVALID if is_hex else Reason.SIGNATURE_MALFORMED,
        "signature_alg": Reason.ALGORITHM_UNKNOWN,
        "signature_kid": Reason.KEY_UNKNOWN,
    }
    if member in of_signature:  # the root does not cover it
        return [(index, of_signature[member])]
    links = {"parent_id": Reason.PARENT_MISSING, "parent_hash": Reason.PARENT_HASH_MISMATCH}
    link = [(index, links[member])] if member in links else []
    # The record behind it names a parent that is not there any more.
    child = [(index + 1, Reason.PARENT_MISSING)] if member == "id" and index + 1 < count else []
    return [*link, (index, Reason.SIGNATURE_INVALID), *child, ROOT]


@pytest.mark.parametrize(("algorithm", "step"), [(Algorithm.HMAC_SHA256, 1), (Algorithm.ML_DSA_65, 397)])
@pytest.mark.contract("S-160", "C-230", "C-237")
def test_flip_of_any_byte_of_any_member_of_any_record_is_reported_exactly(algorithm: Algorithm, step: int) -> None:
    intact = transcript(3, algorithm)
    for index, record in enumerate(intact["records"]):
        for member, text in record.items():
            for value in flips(text, step) if isinstance(text, str) else ():
                whole = intact | {"records": [*intact["records"]]}
                whole["records"][index] = record | {member: value}
                verdict = check(whole)
                assert faults(verdict) == expected_faults(member, value, index, 3), (index, member, value)
                assert (verdict.valid, verdict.merkle_root_verified) == (False, False)


@pytest.mark.contract("S-160")
def test_member_without_text_that_was_changed_is_reported_exactly() -> None:
    for index, member, value, expected in (
        (0, "parent_id", "01J", [(0, Reason.PARENT_MISSING), (0, Reason.SIGNATURE_INVALID), ROOT]),
        (0, "parent_hash", "00", [(0, Reason.PARENT_HASH_MISMATCH), (0, Reason.SIGNATURE_INVALID), ROOT]),
        (0, "job_id", "job_1", [(0, Reason.SIGNATURE_INVALID), ROOT]),
        (1, "trace_id", None, [(1, Reason.SIGNATURE_INVALID), ROOT]),
        (1, "details", {"vehicle_batches": []}, [(1, Reason.SIGNATURE_INVALID), ROOT]),
        (1, "parent_id", None, [(1, Reason.OUT_OF_ORDER), (1, Reason.SIGNATURE_INVALID), ROOT]),
    ):
        whole = transcript(3)
        whole["records"][index][member] = value
        assert faults(check(whole)) == expected, member


@pytest.mark.parametrize(("algorithm", "step"), [(Algorithm.HMAC_SHA256, 1), (Algorithm.ML_DSA_65, 397)])
@pytest.mark.contract("S-160", "S-161")
def test_flip_of_any_byte_of_the_root_and_of_its_signature_is_reported_exactly(algorithm: Algorithm, step: int) -> None:
    intact = transcript(2, algorithm)
    of_root = {
        "merkle_root": (Reason.MERKLE_ROOT_MISMATCH, Reason.MERKLE_ROOT_MISMATCH),
        "root_signature": (Reason.ROOT_SIGNATURE_INVALID, Reason.ROOT_SIGNATURE_MALFORMED),
        "root_signature_alg": (Reason.ROOT_ALGORITHM_UNKNOWN, Reason.ROOT_ALGORITHM_UNKNOWN),
        "root_signature_kid": (Reason.ROOT_KEY_UNKNOWN, Reason.ROOT_KEY_UNKNOWN),
    }
    for member, (invalid, malformed) in of_root.items():
        for value in flips(intact[member], step):
            verdict = check(intact | {member: value})
            is_hex = set(value) <= set("0123456789abcdef")
            assert faults(verdict) == [(None, invalid if is_hex else malformed)], (member, value)
            assert (verdict.valid, verdict.merkle_root_verified) == (False, False)


@BOTH
@pytest.mark.contract("S-160", "S-161")
def test_label_of_the_root_or_of_all_that_was_swapped_is_reported_exactly(algorithm: Algorithm) -> None:
    other = next(one for one in Algorithm if one is not algorithm)
    whole = transcript(2, algorithm) | {"root_signature_alg": other.value}
    mismatch = [(index, Reason.ALGORITHM_MISMATCH) for index in range(2)]
    assert faults(check(whole)) == [*mismatch, (None, Reason.ROOT_SIGNATURE_MALFORMED)]
    for record in whole["records"]:
        record["signature_alg"] = other.value
    malformed = [(index, Reason.SIGNATURE_MALFORMED) for index in range(2)]
    assert faults(check(whole)) == [*malformed, (None, Reason.ROOT_SIGNATURE_MALFORMED)]


@pytest.mark.contract("S-160")
def test_member_that_was_added_or_removed_is_reported() -> None:
    whole = transcript()
    whole["records"][1]["added"] = 1
    assert (1, Reason.SIGNATURE_INVALID) in faults(check(whole))
    whole = transcript()
    del whole["records"][1]["details"]
    assert (1, Reason.SIGNATURE_INVALID) in faults(check(whole))


def test_removal_of_first_and_of_last_record_is_reported() -> None:
    whole = transcript()
    del whole["records"][0]
    assert faults(check(whole))[0] == (0, Reason.PARENT_MISSING)
    whole = transcript()
    del whole["records"][-1]
    assert faults(check(whole)) == [(None, Reason.RECORD_COUNT_MISMATCH), (None, Reason.MERKLE_ROOT_MISMATCH)]


def test_truncated_transcript_with_recomputed_root_has_invalid_root_signature() -> None:
    whole = transcript()
    del whole["records"][-1]
    shorter = cores(4)
    whole |= {"record_count": 4, "merkle_root": signed(shorter, hmac_key())["merkle_root"]}
    assert faults(check(whole)) == [(None, Reason.ROOT_SIGNATURE_INVALID)]


@pytest.mark.contract("S-160")
def test_record_of_other_evidence_or_tenant_is_reported() -> None:
    for foreign in (
        signed(cores(5), hmac_key(), evidence="evd_other"),
        signed(cores(5), hmac_key("tnt_other"), tenant="tnt_other"),
    ):
        whole = transcript()
        whole["records"][3] = foreign["records"][3]
        assert faults(check(whole)) == [(3, Reason.SIGNATURE_INVALID)]


@pytest.mark.contract("S-163", "A-132")
def test_whole_transcript_of_other_tenant_is_reported() -> None:
    found = faults(check(signed(cores(3), hmac_key("tnt_other"), tenant="tnt_other")))
    assert found[0] == (None, Reason.TENANT_MISMATCH)
    assert [(index, Reason.SIGNATURE_INVALID) for index in range(3)] == found[1:4]


def test_changed_header_is_reported_when_the_verifier_expects_no_identity() -> None:
    whole = transcript(3, Algorithm.ML_DSA_65) | {"tenant_id": "tnt_other"}
    assert faults(check(whole, tenant_id=None, evidence_id=None))[0] == (None, Reason.IDENTITY_MISMATCH)


@pytest.mark.contract("S-161", "C-219")
def test_relabelled_transcript_is_refused_also_when_the_signatures_have_the_length_of_the_label() -> None:
    whole = transcript(2, Algorithm.ML_DSA_65)
    for record in whole["records"]:
        record |= {"signature_alg": "hmac-sha256", "signature": record["signature"][:64]}
    whole |= {"root_signature_alg": "hmac-sha256", "root_signature": whole["root_signature"][:64]}
    found = faults(check(whole))
    assert found == [(0, Reason.KEY_UNKNOWN), (1, Reason.KEY_UNKNOWN), (None, Reason.ROOT_KEY_UNKNOWN)]


@pytest.mark.contract("S-162")
def test_inner_node_is_no_record() -> None:
    whole = transcript(4)
    leaves = [merkle.leaf_hash(canonical_json(core)) for core in cores(4)]
    left, right = merkle.node_hash(*leaves[:2]), merkle.node_hash(*leaves[2:])
    assert whole["merkle_root"] == hash_text(merkle.node_hash(left, right))
    # As content of a leaf, what an inner node covers has another hash.
    assert merkle.leaf_hash(leaves[0] + leaves[1]) != left
    # As the hash of a parent, it is that of no record.
    whole["records"][2]["parent_hash"] = hash_text(left)
    assert faults(check(whole)) == [(2, Reason.PARENT_HASH_MISMATCH), (2, Reason.SIGNATURE_INVALID), ROOT]
    # As a leaf of a tree of two, it fits the root, but the number of records is signed with the root.
    assert merkle.is_included(left, 0, 2, [right], merkle.node_hash(left, right))
    assert not merkle.is_included(left, 0, 4, [right], merkle.node_hash(left, right))
    fewer = transcript(4)
    fewer |= {"records": fewer["records"][:2], "record_count": 2}
    assert faults(check(fewer)) == [ROOT, (None, Reason.ROOT_SIGNATURE_INVALID)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"root_signature_alg": "rsa"}, Reason.ROOT_ALGORITHM_UNKNOWN),
        ({"root_signature_kid": "other"}, Reason.ROOT_KEY_UNKNOWN),
        ({"root_signature_kid": None}, Reason.ROOT_KEY_UNKNOWN),
        ({"root_signature": "00"}, Reason.ROOT_SIGNATURE_MALFORMED),
        ({"version": "2026.5"}, Reason.ROOT_SIGNATURE_INVALID),
        ({"record_count": 6}, Reason.RECORD_COUNT_MISMATCH),
        ({"merkle_root": "sha256:xyz"}, Reason.MERKLE_ROOT_MISMATCH),
    ],
)
def test_changed_header_is_reported_for_the_whole(changes: dict[str, Any], reason: Reason) -> None:
    assert faults(check(transcript() | changes)) == [(None, reason)]


@pytest.mark.contract("A-118")
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signature": "zz"}, Reason.SIGNATURE_MALFORMED),
        ({"signature": transcript()["records"][2]["signature"].upper()}, Reason.SIGNATURE_MALFORMED),
        ({"signature_alg": "rsa"}, Reason.ALGORITHM_UNKNOWN),
        ({"signature_kid": None}, Reason.KEY_UNKNOWN),
    ],
)
def test_unfit_signature_is_reported_with_its_reason(changes: dict[str, Any], reason: Reason) -> None:
    whole = transcript()
    whole["records"][2] |= changes
    assert faults(check(whole)) == [(2, reason)]


@pytest.mark.contract("A-129", "C-230")
def test_content_with_another_hash_is_reported_for_its_record() -> None:
    whole = transcript()
    known = {record["id"]: record["content_hash"] for record in whole["records"]}
    assert check(whole, content_hashes=known).contents_checked == 5
    assert (check(whole, content_hashes={}).contents_checked, check(whole).contents_checked) == (0, 0)
    known[whole["records"][1]["id"]] = "sha256:" + "f" * 64
    assert faults(check(whole, content_hashes=known)) == [(1, Reason.CONTENT_HASH_MISMATCH)]


@pytest.mark.contract("A-120")
def test_older_transcript_is_the_beginning_of_the_newer_one() -> None:
    chain = cores(5)
    leaves = [merkle.leaf_hash(canonical_json(core)) for core in chain]
    older = signed(chain[:3], hmac_key())
    assert check(older).valid
    proof = merkle.consistency_proof(leaves, 3)
    assert older["merkle_root"] == hash_text(merkle.root(leaves[:3]))
    assert merkle.is_consistent(3, merkle.root(leaves[:3]), 5, merkle.root(leaves), proof)


@pytest.mark.contract("A-118", "S-164", "C-238")
@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole.pop("merkle_root"),
        lambda whole: whole.update(records={}),
        lambda whole: whole.update(records=[1]),
        lambda whole: whole.update(record_count=True),
        lambda whole: whole.update(record_count=2**53),
        lambda whole: whole.update(format=None),
        lambda whole: whole.update(tenant_id="\ud800"),
        lambda whole: whole["records"][0].pop("parent_hash"),
        lambda whole: whole["records"][0].update(trace_id=7),
        lambda whole: whole["records"][0].update(details=2**60),
        lambda whole: whole.update(records=whole["records"] * (RECORDS_MAX // 5 + 1)),
    ],
)
def test_malformed_transcript_is_refused(change: Any) -> None:
    whole = transcript()
    change(whole)
    with pytest.raises(RemoteProtocolError):
        read_transcript(whole)


@pytest.mark.contract("S-164")
def test_deep_value_is_refused() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    whole = transcript()
    whole["records"][0]["details"] = deep
    with pytest.raises(RemoteProtocolError, match="deeper"):
        read_transcript(whole)


def test_transcript_that_lacks_our_additions_is_well_formed() -> None:
    whole = transcript()
    for name in ("record_count", "root_signature_kid"):
        del whole[name]
    for record in whole["records"]:
        del record["parent_id"], record["signature_kid"]
    assert not check(whole).valid


@pytest.mark.contract("A-114", "C-219")
def test_signed_bytes_are_the_canonical_json_of_the_record_in_its_transcript() -> None:
    core = cores(1)[0]
    message = record_message(canonical_json(core), tenant_id='t"é', evidence_id="e", algorithm="a", kid="k")
    fields = {"core": core, "tenant_id": 't"é', "evidence_id": "e", "signature_alg": "a", "signature_kid": "k"}
    assert message == canonical_json(fields)


def _canonical(value: dict[str, Any]) -> bytes:
    """Canonical JSON of values that are ASCII text, integers, lists and objects, without the product's code."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@pytest.mark.contract("A-114", "A-116", "C-217", "C-219", "C-221")
def test_hmac_signatures_are_those_of_the_key_and_the_bytes_that_the_contract_prescribes() -> None:
    extracted = hmac.digest(b"argus-provenance", MASTER_KEY, "sha256")
    info = f"tenant:{TENANT}|alg:hmac-sha256|kid:{HMAC_KID}".encode()
    key = hmac.digest(extracted, info + b"\x01", "sha256")
    whole = transcript(3)
    names = {"tenant_id": TENANT, "evidence_id": EVIDENCE}
    for record in whole["records"]:
        core = {name: value for name, value in record.items() if not name.startswith("signature")}
        signed = {"core": core, **names, "signature_alg": "hmac-sha256", "signature_kid": HMAC_KID}
        assert record["signature"] == hmac.digest(key, b"argus.prov.record.v1" + _canonical(signed), "sha256").hex()
    stated = {name: whole[name] for name in ("record_count", "merkle_root", "version")}
    root = {**names, **stated, "root_signature_alg": "hmac-sha256", "root_signature_kid": HMAC_KID}
    assert whole["root_signature"] == hmac.digest(key, b"argus.prov.root.v1" + _canonical(root), "sha256").hex()


def test_each_key_signs_a_record_once() -> None:
    signatures = sign_record(cores(1)[0], [hmac_key(), ml_dsa_signer()], tenant_id=TENANT, evidence_id=EVIDENCE)
    assert [signature.algorithm for signature in signatures] == list(Algorithm)


def test_root_and_record_signatures_are_apart() -> None:
    key = hmac_key()
    root = sign_root(bytes(32), key, tenant_id=TENANT, evidence_id=EVIDENCE, record_count=1)
    assert not key.verify(b"argus.prov.record.v1", b"", root.value)
