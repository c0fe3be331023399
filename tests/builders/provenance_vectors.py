"""Write the test vectors of transcripts that integrators use: `python -m tests.builders.provenance_vectors`.

The known results of standards (`rfc8785.json`, `rfc9162.json`, `fips204*.json`) are kept by hand. These are made: the
signed bytes of a record and a root, and whole transcripts, intact and after each kind of tampering.
"""

import base64
import json
from pathlib import Path
from typing import Any

from protocols.provenance.canonical_json import canonical_json
from protocols.provenance.prov_o import write_document
from protocols.provenance.reasons import Reason
from protocols.provenance.signatures import Algorithm, tenant_key
from protocols.provenance.transcript import VERSION, hash_text, record_leaf, record_message, root_message
from tests.builders.provenance_transcripts import (
    EVIDENCE,
    HMAC_KID,
    MASTER_KEY,
    ML_DSA_KID,
    SEED,
    TAMPERINGS,
    TENANT,
    cores,
    ml_dsa_signer,
    transcript,
)

FOLDER = Path(__file__).resolve().parents[2] / "sdk" / "vectors"
COUNT = 4
"""Records of a published transcript: the fewest with which each tampering has a record before and after it."""
KIDS = {Algorithm.HMAC_SHA256: HMAC_KID, Algorithm.ML_DSA_65: ML_DSA_KID}


PERIOD = {"not_before": "2026-05-01T00:00:00.000000Z", "not_after": None, "status": "current"}
OTHER_KEYS = {
    "keys-withdrawn.json": PERIOD | {"not_after": "2026-05-20T00:00:00.000000Z", "status": "withdrawn"},
    "keys-retired-before.json": PERIOD | {"not_after": "2026-05-07T00:00:00.000000Z", "status": "retired"},
    "keys-not-yet.json": PERIOD | {"not_before": "2026-05-09T00:00:00.000000Z"},
}
"""The same key with other periods. The records of the transcripts were signed on 2026-05-08."""


def published_keys(period: dict[str, str | None] = PERIOD) -> dict[str, Any]:
    public = base64.b64encode(ml_dsa_signer().public_key).decode()
    return {"keys": [{"kid": ML_DSA_KID, "alg": Algorithm.ML_DSA_65.value, "public_key": public, **period}]}


def signed_bytes() -> dict[str, Any]:
    """The bytes of each step from a record to its signatures, and of the root of a transcript with this one record."""
    core = cores(1)[0]
    whole = {algorithm: transcript(1, algorithm) for algorithm in Algorithm}
    names = {"tenant_id": TENANT, "evidence_id": EVIDENCE}
    return {
        "warning": "These keys are made of counting bytes. Use them for nothing else.",
        "tenant_id": TENANT,
        "evidence_id": EVIDENCE,
        "master_key": MASTER_KEY.hex(),
        "tenant_hmac_key": tenant_key(MASTER_KEY, TENANT, HMAC_KID).hex(),
        "ml_dsa_seed": SEED.hex(),
        "core": core,
        "core_canonical": canonical_json(core).decode(),
        "leaf": hash_text(record_leaf(core)),
        "signatures": [
            {
                "alg": algorithm.value,
                "kid": kid,
                "record_message": record_message(canonical_json(core), algorithm=algorithm, kid=kid, **names).decode(),
                "record_signature": whole[algorithm]["records"][0]["signature"],
                "root_message": root_message(
                    record_leaf(core), record_count=1, version=VERSION, algorithm=algorithm, kid=kid, **names
                ).decode(),
                "root_signature": whole[algorithm]["root_signature"],
            }
            for algorithm, kid in KIDS.items()
        ],
    }


def transcripts() -> dict[str, Any]:
    """The files in `transcripts/`, by name."""
    intact = transcript(COUNT, Algorithm.ML_DSA_65)
    files = {
        "intact-hmac-sha256.json": transcript(COUNT),
        "intact-ml-dsa-65.json": intact,
        "intact-ml-dsa-65.jsonld": write_document(intact),
    }
    for tampering in TAMPERINGS:
        whole = transcript(COUNT, Algorithm.ML_DSA_65)
        tampering.apply(whole)
        files[f"tampered-{tampering.name}.json"] = whole
    return files


def expected_of_periods() -> dict[str, Any]:
    """The result of the intact transcript with each file of keys of another period."""
    records = transcript(COUNT, Algorithm.ML_DSA_65)["records"]
    withdrawn = [*((record["id"], Reason.KEY_WITHDRAWN) for record in records), (None, Reason.ROOT_KEY_WITHDRAWN)]
    outside = [(record["id"], Reason.SIGNED_OUTSIDE_KEY_PERIOD) for record in records]
    return {
        keys: {
            "transcript": "intact-ml-dsa-65.json",
            "outcome": "unverifiable" if faults is withdrawn else "broken",
            "valid": False,
            "broken_links": [
                {"record_id": record_id, "index": None if record_id is None else index, "reason": reason.value}
                for index, (record_id, reason) in enumerate(faults)
            ],
        }
        for keys, faults in zip(OTHER_KEYS, (withdrawn, outside, outside), strict=True)
    }


def expected() -> dict[str, Any]:
    """The result of each transcript for a verifier that expects the tenant and evidence of `signed_bytes.json`."""
    faults = {f"tampered-{one.name}.json": one.faults for one in TAMPERINGS}
    return {
        name: {
            "valid": name not in faults,
            "broken_links": [
                {
                    "record_id": None if index is None else value["records"][index]["id"],
                    "index": index,
                    "reason": reason.value,
                }
                for index, reason in faults.get(name, ())
            ],
        }
        for name, value in transcripts().items()
    }


def files() -> dict[Path, str]:
    """Every generated file with its text."""
    values = {
        FOLDER / "keys.json": published_keys(),
        **{FOLDER / name: published_keys(period) for name, period in OTHER_KEYS.items()},
        FOLDER / "expected-periods.json": expected_of_periods(),
        FOLDER / "signed_bytes.json": signed_bytes(),
        FOLDER / "expected.json": expected(),
        **{FOLDER / "transcripts" / name: value for name, value in transcripts().items()},
    }
    return {path: json.dumps(value, indent=1) + "\n" for path, value in values.items()}


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
