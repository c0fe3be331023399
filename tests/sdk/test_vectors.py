"""The published test vectors are current, and our own code gives their values and those of the standards."""

import json
import struct
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from dilithium_py.ml_dsa import ML_DSA_65

from protocols.errors import RemoteProtocolError
from protocols.provenance import merkle
from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.signatures import MlDsaPublicKey
from tests.builders.provenance_vectors import FOLDER, files


def vector(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def number(ieee754: str) -> float:
    value: float = struct.unpack(">d", bytes.fromhex(ieee754))[0]
    return value


@pytest.mark.contract("A-114")
def test_generated_vectors_are_current() -> None:
    current = files()
    stale = [path.name for path, text in current.items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run python -m tests.builders.provenance_vectors"
    kept = {"rfc8785.json", "rfc9162.json", "fips204.json", "fips204-acvp.json", "README.md"}
    assert {path for path in FOLDER.rglob("*") if path.is_file() and path.name not in kept} == set(current)


def test_canonical_json_gives_the_answers_of_rfc_8785() -> None:
    known = vector("rfc8785.json")
    for case in known["objects"]:
        assert canonical_json(json.loads(case["input"])).decode() == case["canonical"]
    for case in known["numbers"]:
        assert canonical_json(number(case["ieee754"])).decode() == case["canonical"]
    for case in known["refused"]:
        with pytest.raises(RemoteProtocolError):
            canonical_json(number(case["ieee754"]))


@pytest.mark.parametrize("value", [2**53, -(2**53), "\ud800", {"\udfff": 1}, [float("nan")]])
def test_value_without_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(RemoteProtocolError):
        canonical_json(value)


def test_tree_gives_the_answers_of_rfc_9162() -> None:
    known = vector("rfc9162.json")
    leaves = [merkle.leaf_hash(bytes.fromhex(leaf)) for leaf in known["leaves"]]
    roots = [bytes.fromhex(root) for root in known["roots"]]
    assert merkle.root([]).hex() == known["empty_root"]
    assert [merkle.root(leaves[: count + 1]) for count in range(8)] == roots
    for case in known["inclusion"]:
        index, count = case["index"], case["count"]
        proof = merkle.inclusion_proof(leaves[:count], index)
        assert [node.hex() for node in proof] == case["proof"]
        assert merkle.is_included(leaves[index], index, count, proof, roots[count - 1])
    for case in known["consistency"]:
        first, second = case["first"], case["second"]
        proof = merkle.consistency_proof(leaves[:second], first)
        assert [node.hex() for node in proof] == case["proof"]
        assert merkle.is_consistent(first, roots[first - 1], second, roots[second - 1], proof)


def test_proof_for_another_tree_or_place_is_refused() -> None:
    leaves = [merkle.leaf_hash(bytes([place])) for place in range(11)]
    roots = [merkle.root(leaves[:count]) for count in range(12)]
    for count in range(1, 12):
        for index in range(count):
            proof = merkle.inclusion_proof(leaves[:count], index)
            assert merkle.is_included(leaves[index], index, count, proof, roots[count])
            other = (index + 1) % 11
            assert not merkle.is_included(leaves[other], index, count, proof, roots[count])
            assert not merkle.is_included(leaves[index], index, count, [*proof, roots[1]], roots[count])
            assert not merkle.is_included(leaves[index], count, count, proof, roots[count])
            assert not proof or not merkle.is_included(leaves[index], index, count, proof[:-1], roots[count])
        for first in range(1, count + 1):
            proof = merkle.consistency_proof(leaves[:count], first)
            assert merkle.is_consistent(first, roots[first], count, roots[count], proof)
            assert not merkle.is_consistent(first, roots[first - 1], count, roots[count], proof)
            assert not merkle.is_consistent(first, roots[first], count, roots[count - 1], proof)
            assert not merkle.is_consistent(first, roots[first], count, roots[count], [*proof, roots[1]])
    assert not merkle.is_consistent(0, roots[0], 3, roots[3], [])
    assert not merkle.is_consistent(3, roots[3], 5, roots[5], [])


def test_ml_dsa_gives_the_known_answers_of_fips_204() -> None:
    for case in vector("fips204.json")["known_answers"]:
        seed, public, message, context, signature = (
            bytes.fromhex(case[name]) for name in ("seed", "public_key", "message", "context", "signature")
        )
        assert MLDSA65PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw() == public
        key = MlDsaPublicKey(public)
        assert key.verify(context, message, signature)
        assert not key.verify(context + b"x", message, signature)
        assert not key.verify(context, message + b"x", signature)
        assert not key.verify(context, message, signature[:-1] + bytes([signature[-1] ^ 1]))
        # The published vectors are signed like this.
        assert ML_DSA_65.sign(ML_DSA_65.key_derive(seed)[1], message, ctx=context, deterministic=True) == signature


def test_ml_dsa_gives_the_answers_of_the_validation_program_of_nist() -> None:
    known = vector("fips204-acvp.json")
    for case in known["key_generation"]:
        key = MLDSA65PrivateKey.from_seed_bytes(bytes.fromhex(case["seed"]))
        assert key.public_key().public_bytes_raw().hex() == case["public_key"], case["case"]
    for case in known["verification"]:
        public, message, context, signature = (
            bytes.fromhex(case[name]) for name in ("public_key", "message", "context", "signature")
        )
        assert MlDsaPublicKey(public).verify(context, message, signature) is case["valid"], case["case"]
    reasons = {case["reason"].partition(" - ")[2] or case["reason"].split()[-1] for case in known["verification"]}
    assert {"z", "hint", "commitment", "message"} < reasons


def test_public_key_of_another_size_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="1952 bytes"):
        MlDsaPublicKey(bytes(1951))
