"""Transcripts of evidence that are signed with synthetic keys, and what a forger does to them.

The keys are made of counting bytes and are used nowhere else. Signatures of ML-DSA-65 are made without random bytes
(FIPS 204 3.4), so that the published vectors are the same on each machine.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from dilithium_py.ml_dsa import ML_DSA_65

from protocols.provenance.key_period import KeyPeriod
from protocols.provenance.reasons import Reason
from protocols.provenance.signatures import Algorithm, HmacKey, MlDsaPublicKey, Signer, VerifyKey, tenant_key
from protocols.provenance.transcript import (
    ActorKind,
    Operation,
    Record,
    SignedRecord,
    hash_text,
    record_leaf,
    sign_record,
    sign_root,
    transcript_root,
    write_transcript,
)

MASTER_KEY = bytes(range(32))
SEED = bytes(range(32, 64))
HMAC_KID = "prov-2026-05-hmac-test"
ML_DSA_KID = "prov-2026-05-mldsa-test"
TENANT = "tnt_test"
EVIDENCE = "evd_test"
OPERATIONS = (Operation.CREATE, Operation.UPDATE, Operation.EXPORT, Operation.READ, Operation.TRANSFER)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class DeterministicSigner:
    """An ML-DSA-65 key that signs without random bytes."""

    algorithm = Algorithm.ML_DSA_65

    def __init__(self, seed: bytes, kid: str) -> None:
        self.kid = kid
        self.public_key, self._secret = ML_DSA_65.key_derive(seed)

    def sign(self, context: bytes, message: bytes) -> bytes:
        signature: bytes = ML_DSA_65.sign(self._secret, message, ctx=context, deterministic=True)
        return signature


class HedgedSigner:
    """The same key, which signs with random bytes and fast, as an installation does."""

    algorithm = Algorithm.ML_DSA_65
    kid = ML_DSA_KID

    def __init__(self) -> None:
        self._key = MLDSA65PrivateKey.from_seed_bytes(SEED)

    def sign(self, context: bytes, message: bytes) -> bytes:
        return self._key.sign(message, context)


@cache
def hmac_key(tenant: str = TENANT) -> HmacKey:
    return HmacKey(tenant_key(MASTER_KEY, tenant, HMAC_KID), HMAC_KID)


@cache
def ml_dsa_signer() -> DeterministicSigner:
    return DeterministicSigner(SEED, ML_DSA_KID)


class Keys:
    """The keys of a verifier: the published one, and those of one tenant where a tenant is given."""

    def __init__(self, tenant: str | None = TENANT, period: KeyPeriod | None = None) -> None:
        self._tenant = tenant
        self._period = period

    def find(self, algorithm: Algorithm, kid: str) -> VerifyKey | None:
        if (algorithm, kid) == (Algorithm.ML_DSA_65, ML_DSA_KID):
            return MlDsaPublicKey(ml_dsa_signer().public_key)
        if (algorithm, kid) == (Algorithm.HMAC_SHA256, HMAC_KID) and self._tenant is not None:
            return hmac_key(self._tenant)
        return None

    def period(self, algorithm: Algorithm, kid: str) -> KeyPeriod | None:
        return self._period if algorithm is Algorithm.ML_DSA_65 else None


def ulid(number: int) -> str:
    return "01JTEST" + "".join(ALPHABET[number // 32**place % 32] for place in range(18, -1, -1))


def cores(count: int, *, prefix: int = 0) -> list[dict[str, Any]]:
    """The cores of a chain of `count` records, one a second."""
    chain: list[dict[str, Any]] = []
    version = 0
    for index in range(count):
        operation = OPERATIONS[0] if index == 0 else OPERATIONS[1 + (index - 1) % 4]
        version += operation in (Operation.CREATE, Operation.UPDATE)
        parent = chain[-1] if chain else None
        record = Record(
            id=ulid(prefix + index),
            operation=operation,
            actor_id="user_42" if index % 2 == 0 else "job_7",
            actor_kind=ActorKind.USER if index % 2 == 0 else ActorKind.JOB,
            content_hash=hash_text(version.to_bytes(32, "big")),
            parent_id=None if parent is None else parent["id"],
            parent_hash=None if parent is None else hash_text(record_leaf(parent)),
            signed_at=f"2026-05-08T{10 + index // 3600:02}:{index // 60 % 60:02}:{index % 60:02}Z",
            trace_id=f"{index + 1:032x}",
            job_id=None if index % 2 == 0 else "job_7",
            details={"vehicle_batches": [{"lane": "numeric", "first": index, "last": index}]} if index == 1 else {},
        )
        chain.append(record.core())
    return chain


def signed(
    chain: Sequence[dict[str, Any]], signer: Signer, *, tenant: str = TENANT, evidence: str = EVIDENCE
) -> dict[str, Any]:
    """The transcript of a chain of cores."""
    records = [
        SignedRecord(core=core, signature=sign_record(core, [signer], tenant_id=tenant, evidence_id=evidence)[0])
        for core in chain
    ]
    root = transcript_root(chain)
    return write_transcript(
        records,
        tenant_id=tenant,
        evidence_id=evidence,
        root=root,
        root_signature=sign_root(root, signer, tenant_id=tenant, evidence_id=evidence, record_count=len(chain)),
    )


@cache
def _transcript(count: int, algorithm: Algorithm) -> dict[str, Any]:
    return signed(cores(count), ml_dsa_signer() if algorithm is Algorithm.ML_DSA_65 else hmac_key())


def transcript(count: int = 5, algorithm: Algorithm = Algorithm.HMAC_SHA256) -> dict[str, Any]:
    """A transcript that a test may change."""
    return deepcopy(_transcript(count, algorithm))


def flipped(text: str) -> str:
    """`text` with another last hexadecimal digit."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


class Tampering(NamedTuple):
    """A kind of tampering: what is done to a transcript of five records, and the faults that must be reported, each as
    the index of the record in the changed transcript (None for the whole) and the reason."""

    name: str
    apply: Callable[[dict[str, Any]], object]
    faults: tuple[tuple[int | None, Reason], ...]


ROOT = (None, Reason.MERKLE_ROOT_MISMATCH)
COUNT = (None, Reason.RECORD_COUNT_MISMATCH)


def _change(member: str, value: str) -> Callable[[dict[str, Any]], object]:
    return lambda whole: whole["records"][2].update({member: value})


def _swap(whole: dict[str, Any]) -> None:
    whole["records"][1:3] = whole["records"][2:0:-1]


def _insert(whole: dict[str, Any]) -> None:
    forged = dict(whole["records"][2], id=ulid(999), operation="evidence.read")
    whole["records"].insert(2, forged)


def _flip(member: str, index: int | None = None) -> Callable[[dict[str, Any]], object]:
    def apply(whole: dict[str, Any]) -> None:
        place = whole if index is None else whole["records"][index]
        place[member] = flipped(place[member])

    return apply


def _relabel(whole: dict[str, Any]) -> None:
    other = {"hmac-sha256": "ml-dsa-65", "ml-dsa-65": "hmac-sha256"}[whole["root_signature_alg"]]
    whole["records"][2]["signature_alg"] = other


TAMPERINGS = (
    Tampering("value", _change("content_hash", "sha256:" + "0" * 64), ((2, Reason.SIGNATURE_INVALID), ROOT)),
    Tampering("time", _change("signed_at", "2026-05-08T11:00:00Z"), ((2, Reason.SIGNATURE_INVALID), ROOT)),
    Tampering("order", _swap, (*((index, Reason.OUT_OF_ORDER) for index in (1, 2, 3)), ROOT)),
    Tampering("removal", lambda whole: whole["records"].pop(2), ((2, Reason.PARENT_MISSING), COUNT, ROOT)),
    Tampering("insertion", _insert, ((2, Reason.SIGNATURE_INVALID), COUNT, ROOT)),
    Tampering(
        "duplicate",
        lambda whole: whole["records"].insert(3, whole["records"][2]),
        ((3, Reason.DUPLICATE), COUNT, ROOT),
    ),
    Tampering(
        "previous_hash",
        _flip("parent_hash", 2),
        ((2, Reason.PARENT_HASH_MISMATCH), (2, Reason.SIGNATURE_INVALID), ROOT),
    ),
    Tampering("root", _flip("merkle_root"), (ROOT,)),
    Tampering("root_signature", _flip("root_signature"), ((None, Reason.ROOT_SIGNATURE_INVALID),)),
    Tampering("algorithm_relabelled", _relabel, ((2, Reason.ALGORITHM_MISMATCH),)),
    Tampering("key_id", _change("signature_kid", "prov-2026-04"), ((2, Reason.KEY_UNKNOWN),)),
    Tampering(
        "foreign_tenant",
        lambda whole: whole.update(tenant_id="tnt_other"),
        ((None, Reason.TENANT_MISMATCH),),
    ),
)
"""The twelve kinds of tampering. The verifier expects the tenant and the evidence of the transcript."""
